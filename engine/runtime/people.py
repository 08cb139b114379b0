"""People: the directory from its tables, signing in, and the commands of the administrator."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from datetime import date, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError
from sqlalchemy import Connection, bindparam, delete, insert, select, update

from engine.errors import NotFound, NotPermitted, ValidationFailed
from engine.organisation import Deputy, Directory, Person, Section
from engine.runtime.caches import Kept
from engine.store import tables
from engine.store.types import new_key
from engine.words import T

if TYPE_CHECKING:
    from engine.runtime.desk import Desk

_REFUSED = T("The account name or the password is wrong.")


def load_directory(conn: Connection) -> Directory:
    """Read the whole organisation; an office has hundreds of people, not millions."""
    roles: dict[str, set[str]] = {}
    for row in conn.execute(select(tables.person_role)):
        roles.setdefault(row.login, set()).add(row.role)
    people = [
        Person(
            row.login,
            row.name,
            row.section_code,
            row.title,
            frozenset(roles.get(row.login, ())),
            row.active,
            row.language,
            row.phone,
            row.email,
        )
        for row in conn.execute(select(tables.person))
    ]
    section_rows = conn.execute(select(tables.section).order_by(tables.section.c.position, tables.section.c.code))
    sections = [Section(row.code, row.name, row.kind, row.parent_code, row.position, row.active) for row in section_rows]
    names = {row.code: row.name for row in conn.execute(select(tables.role))}
    deputies = [Deputy(row.login, row.deputy_login, row.starts_on, row.ends_on, row.key) for row in conn.execute(select(tables.deputy))]
    return Directory(sections, people, names, deputies)


class People:
    """Commands and questions about people; ``desk.people``."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._kept = Kept(load_directory, desk.settings.cache_seconds)
        self._hasher = PasswordHasher(memory_cost=desk.settings.password_memory_kib)

    @cached_property
    def _nobody(self) -> str:
        """Verified against when an account does not exist, so that the answer takes as long as for one that does."""
        return self._hasher.hash("nobody has this password")

    # -- questions -----------------------------------------------------------------------------------------------------

    def directory(self, conn: Connection | None = None) -> Directory:
        if conn is not None:
            return self._kept.get(conn)
        with self._desk.engine.reading() as own:
            return self._kept.get(own)

    def hold(self, directory: Directory) -> None:
        """Take ``directory`` for what the tables say."""
        self._kept.hold(directory)

    def forget(self) -> None:
        """Read the tables again at the next question."""
        self._kept.forget()

    def today(self) -> date:
        """The office date of the engine's clock: substitutions run by days."""
        return self._desk.engine.clock().astimezone(self._desk.zone).date()

    def groups(self, login: str, conn: Connection | None = None) -> frozenset[str]:
        """Own groups and those of everybody ``login`` stands in for today."""
        return self.directory(conn).groups(login, self.today())

    # -- signing in ----------------------------------------------------------------------------------------------------

    def hash(self, password: str) -> str:
        return self._hasher.hash(unicodedata.normalize("NFC", password))

    def _matches(self, stored: str | None, password: str) -> bool:
        try:
            verified = self._hasher.verify(stored or self._nobody, unicodedata.normalize("NFC", password))
        except (VerifyMismatchError, VerificationError, InvalidHashError):
            return False
        return verified and stored is not None

    def authenticate(self, login: str, password: str, address: str | None = None) -> Person:
        """The person, or :class:`NotPermitted` in words that do not tell whether the account exists.

        After ``lockout_failures`` wrong passwords in a row the account is locked for ``lockout_minutes`` and even the right
        password is refused.  Success and failure are audited.  The hash is checked outside the transaction: it takes a
        twentieth of a second by design and must not hold a lock for so long.
        """
        engine, settings = self._desk.engine, self._desk.settings
        login = unicodedata.normalize("NFKC", login).strip().lower()
        with engine.reading() as conn:
            row = conn.execute(select(tables.person).where(tables.person.c.login == login)).one_or_none()
        now = engine.clock()
        locked = row is not None and row.locked_until is not None and row.locked_until > now
        matches = self._matches(row.password_hash if row is not None else None, password)
        allowed = matches and not locked and row is not None and row.active
        with engine.transaction(by=login[:100], address=address) as tx:
            if allowed:
                tx.audit("session.start", f"person:{login}")
                fresh = {"failed_logins": 0, "locked_until": None, "last_login_at": now}
                if self._hasher.check_needs_rehash(row.password_hash):
                    fresh["password_hash"] = self.hash(password)
                tx.execute(update(tables.person).where(tables.person.c.login == login).values(fresh))
            elif row is not None and not locked:
                # Counted in the statement itself, so that guesses made in parallel all count.
                counted = update(tables.person).where(tables.person.c.login == login)
                counted = counted.values(failed_logins=tables.person.c.failed_logins + 1).returning(tables.person.c.failed_logins)
                failures = tx.execute(counted).scalar_one()
                if failures >= settings.lockout_failures:
                    until = now + timedelta(minutes=settings.lockout_minutes)
                    tx.execute(update(tables.person).where(tables.person.c.login == login).values(failed_logins=0, locked_until=until))
                    tx.audit("session.locked", f"person:{login}", failures=failures)
                tx.audit("session.refused", f"person:{login}", reason="password" if row.active else "inactive")
            else:
                tx.audit("session.refused", f"person:{login[:200]}", reason="locked" if locked else "unknown")
        if locked:
            minutes = max(1, -int((now - row.locked_until).total_seconds() // 60))
            raise NotPermitted(
                "This account is locked after too many wrong passwords. Try again in %(minutes)d minute(s).", minutes=minutes
            )
        if not allowed:
            raise NotPermitted(_REFUSED)
        person = self.directory().person(login)
        if person is None:
            self.forget()
            person = self.directory().person(login)
        assert person is not None
        return person

    # -- administration --------------------------------------------------------------------------------------------------

    def save_person(
        self,
        login: str,
        *,
        name: str,
        section_code: str,
        title: str = "",
        roles: Iterable[str] = (),
        phone: str | None = None,
        email: str | None = None,
        active: bool = True,
        language: str = "zh",
        password: str | None = None,
        by: str,
        address: str | None = None,
    ) -> None:
        """Create or change a person.  :class:`ValidationFailed` names the fields; only an ``admin`` may (:class:`NotPermitted`).

        Deactivating somebody ends their sessions.
        """
        roles = sorted(set(roles))
        with self._administration(by, address) as tx:
            known = self.directory(tx.conn)
            errors: dict[str, list] = {}
            if not login or login != login.strip().lower() or len(login) > 100 or any(char.isspace() for char in login):
                errors["login"] = [T("The account name must be lower case and without spaces.")]
            elif login in (self._desk.OPERATOR, self._desk.DELIVERER):
                errors["login"] = [T("This account name is reserved.")]
            if not name.strip():
                errors["name"] = [T("A name is needed.")]
            if section_code not in known.sections:
                errors["section_code"] = [T("There is no section “%(code)s”.", code=section_code)]
            if unknown := [role for role in roles if role not in known.roles]:
                errors["roles"] = [T("There is no role “%(role)s”.", role=unknown[0])]
            if password is not None and len(password) < self._desk.settings.password_min_length:
                errors["password"] = [self._too_short()]
            if errors:
                raise ValidationFailed("The person was not saved: %(count)d field(s) need attention.", count=len(errors), errors=errors)
            values: dict[str, Any] = {
                "name": name.strip(), "section_code": section_code, "title": title, "phone": phone, "email": email, "active": active,
                "language": language,
            }  # fmt: skip
            before = known.person(login)
            if password is not None:
                values["password_hash"] = self.hash(password)
            if before is None:
                tx.execute(insert(tables.person).values(login=login, failed_logins=0, session_epoch=0, **values))
            else:
                if password is not None or (before.active and not active):
                    values["session_epoch"] = tables.person.c.session_epoch + 1
                tx.execute(update(tables.person).where(tables.person.c.login == login).values(values))
                tx.execute(delete(tables.person_role).where(tables.person_role.c.login == login))
            if roles:
                tx.execute(insert(tables.person_role), [{"login": login, "role": role} for role in roles])
            tx.audit("person.save", f"person:{login}", roles=roles, section=section_code, active=active, created=before is None)
        self.forget()

    def set_password(self, login: str, password: str, *, by: str, current: str | None = None, address: str | None = None) -> None:
        """Set a password and end the person's sessions: one's own with the ``current`` one, anybody's as ``admin``."""
        if len(password) < self._desk.settings.password_min_length:
            raise ValidationFailed(self._too_short(), errors={"password": [self._too_short()]})
        if by == login:
            with self._desk.engine.reading() as conn:
                stored = conn.execute(select(tables.person.c.password_hash).where(tables.person.c.login == login)).scalar_one_or_none()
            if not self._matches(stored, current or ""):
                wrong = T("The current password is wrong.")
                raise ValidationFailed(wrong, errors={"current": [wrong]})
            opened = self._desk.audited(by, address)
        else:
            opened = self._administration(by, address)
        with opened as tx:
            values = {"password_hash": self.hash(password), "session_epoch": tables.person.c.session_epoch + 1}
            values |= {"failed_logins": 0, "locked_until": None}
            if tx.execute(update(tables.person).where(tables.person.c.login == login).values(values)).rowcount != 1:
                raise NotFound("There is no person “%(login)s”.", login=login)
            tx.audit("person.password", f"person:{login}")
        self.forget()

    def save_deputy(self, login: str, deputy_login: str, starts_on: date, ends_on: date, *, by: str, address: str | None = None) -> int:
        """Let ``deputy_login`` stand in for ``login`` on these office days, both included; returns the row's key.

        A person arranges their own substitution; an ``admin`` anybody's.
        """
        day = self.today()
        with self._desk.audited(by, address) as tx:
            known = self.directory(tx.conn)
            if by != login and "admin" not in known.own_groups(by):
                raise NotPermitted("Only %(name)s or an administrator may arrange this substitution.", name=known.name(login))
            errors: dict[str, list] = {}
            if not known.own_groups(login):
                errors["login"] = [T("There is no active person “%(login)s”.", login=login)]
            if not known.own_groups(deputy_login) or deputy_login == login:
                errors["deputy_login"] = [T("The deputy must be another active person.")]
            if ends_on < starts_on or ends_on < day:
                errors["ends_on"] = [T("The substitution must end on or after its first day, and not in the past.")]
            if errors:
                raise ValidationFailed(
                    "The substitution was not saved: %(count)d field(s) need attention.", count=len(errors), errors=errors
                )
            key = new_key()
            tx.execute(insert(tables.deputy).values(key=key, login=login, deputy_login=deputy_login, starts_on=starts_on, ends_on=ends_on))
            tx.audit("deputy.save", f"person:{login}", deputy=deputy_login, starts_on=str(starts_on), ends_on=str(ends_on))
        self.forget()
        return key

    def end_deputy(self, key: int, *, by: str, address: str | None = None) -> None:
        """Withdraw a substitution at once."""
        with self._desk.audited(by, address) as tx:
            row = tx.execute(select(tables.deputy).where(tables.deputy.c.key == key)).one_or_none()
            if row is None:
                raise NotFound("There is no such substitution.")
            if by != row.login and "admin" not in self.directory(tx.conn).own_groups(by):
                raise NotPermitted("Only the person themself or an administrator may end this substitution.")
            tx.execute(delete(tables.deputy).where(tables.deputy.c.key == key))
            tx.audit("deputy.end", f"person:{row.login}", deputy=row.deputy_login)
        self.forget()

    def import_organisation(
        self,
        *,
        sections: Iterable[dict[str, Any]],
        roles: Iterable[dict[str, Any]],
        people: Iterable[dict[str, Any]],
        by: str,
        address: str | None = None,
    ) -> int:
        """Add what is missing and leave alone what is there; returns how many people were added.

        A command of the installation, not of a person at the desk, so it asks for no role.  Each of ``people`` has
        ``login``, ``name``, ``section``, ``title``, ``roles`` and an optional ``password``.
        """
        with self._desk.audited(by, address) as tx:
            have = self._existing(tx.conn, tables.section.c.code)
            fresh = [
                {"parent_code": None, "active": True, "position": position, **row}
                for position, row in enumerate(sections)
                if row["code"] not in have
            ]
            if fresh:
                tx.execute(insert(tables.section), fresh)
            have = self._existing(tx.conn, tables.role.c.code)
            fresh = [{"description": "", **row} for row in roles if row["code"] not in have]
            if fresh:
                tx.execute(insert(tables.role), fresh)
            have = self._existing(tx.conn, tables.person.c.login)
            added = [row for row in people if row["login"] not in have]
            known_sections = self._existing(tx.conn, tables.section.c.code)
            known_roles = self._existing(tx.conn, tables.role.c.code)
            for row in added:
                if row["section"] not in known_sections or not known_roles.issuperset(row["roles"]):
                    raise ValidationFailed("%(login)s has a section or a role that does not exist.", login=row["login"])
            hashes = {password: self.hash(password) for password in {row.get("password") for row in added} if password}
            if added:
                tx.execute(
                    insert(tables.person),
                    [
                        {
                            "login": row["login"], "name": row["name"], "section_code": row["section"], "title": row.get("title", ""),
                            "phone": row.get("phone"), "email": row.get("email"), "password_hash": hashes.get(row.get("password")),
                            "active": True, "language": row.get("language", "zh"), "failed_logins": 0, "session_epoch": 0,
                        }
                        for row in added
                    ],
                )  # fmt: skip
                pairs = [{"login": row["login"], "role": role} for row in added for role in row["roles"]]
                if pairs:
                    tx.execute(insert(tables.person_role), pairs)
            tx.audit("organisation.import", "organisation:all", people=len(added))
        self.forget()
        return len(added)

    def end_sessions(self, login: str, *, by: str, address: str | None = None) -> None:
        """Sign a person out everywhere."""
        with self._administration(by, address, unless=login) as tx:
            raised = update(tables.person).where(tables.person.c.login == bindparam("who"))
            if tx.execute(raised.values(session_epoch=tables.person.c.session_epoch + 1), {"who": login}).rowcount != 1:
                raise NotFound("There is no person “%(login)s”.", login=login)
            tx.audit("person.sessions_ended", f"person:{login}")

    @staticmethod
    def _existing(conn: Connection, column: Any) -> set[str]:
        return set(conn.execute(select(column)).scalars())

    def _administration(self, by: str, address: str | None, unless: str | None = None):
        return self._desk.audited(by, address, role="admin" if by != unless else None)

    def _too_short(self):
        return T("The password must have at least %(length)d characters.", length=self._desk.settings.password_min_length)
