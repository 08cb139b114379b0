"""Commands of the administrator and of the designer that are neither about a case nor about signing in.

Sections, roles, locked accounts and one-time passwords; files held between "check" and "publish"; the offset of the demo clock.
Each is one transaction and leaves a row in the audit.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, delete, insert, select, update

from engine.errors import InvalidState, NotFound, ValidationFailed
from engine.store import tables
from engine.store.types import DIALECT_INSERTS, new_key
from engine.words import T, Words

if TYPE_CHECKING:
    from engine.runtime.desk import Desk

SECTION_KINDS: dict[str, Words] = {
    "bureau": T("bureau"), "section": T("section"), "county": T("county"), "agency": T("agency"), "external": T("external"),
}  # fmt: skip
CODE = re.compile(r"[a-z][a-z0-9_]{0,59}\Z")

# Letters and digits that nobody mistakes for one another when a password is read out over the telephone.
_PASSWORD_LETTERS = "abcdefghjkmnpqrstuvwxyzACDEFGHJKLMNPQRTUVWXYZ234679"

CLOCK_OFFSET = "clock.offset"
STAGED = "deploy:"
STAGED_FOR = timedelta(days=1)
"""How long checked files wait for their publication."""


# --- organisation -----------------------------------------------------------------------------------------------------


def save_section(
    desk: Desk,
    code: str,
    *,
    name: str,
    kind: str,
    parent_code: str | None,
    position: int = 0,
    active: bool = True,
    by: str,
    address: str | None = None,
) -> None:
    """Create or change a section, county or agency.

    :class:`ValidationFailed` names the fields: a code that models can name, a known kind and parent, no section above itself.
    A section with active people cannot be closed.
    """
    with desk.audited(by, address, role="admin") as tx:
        known = desk.people.directory(tx.conn)
        errors: dict[str, list[Words]] = {}
        if not CODE.match(code):
            errors["code"] = [T("A code has lower-case letters, digits and underscores, and begins with a letter.")]
        if not name.strip():
            errors["name"] = [T("A name is needed.")]
        if kind not in SECTION_KINDS:
            errors["kind"] = [T("“%(kind)s” is not a kind of section.", kind=kind)]
        if parent_code is not None:
            if parent_code not in known.sections:
                errors["parent_code"] = [T("There is no section “%(code)s”.", code=parent_code)]
            elif code in _above(known.sections, parent_code):
                errors["parent_code"] = [T("A section cannot stand above itself.")]
        if not active and (people := [person.name for person in known.people.values() if person.active and person.section_code == code]):
            errors["active"] = [T("%(count)d active person(s) still belong to this section, for example %(name)s.", count=len(people), name=people[0])]
        if errors:
            raise ValidationFailed("The section was not saved: %(count)d field(s) need attention.", count=len(errors), errors=errors)
        values = {"name": name.strip(), "kind": kind, "parent_code": parent_code, "position": position, "active": active}
        created = code not in known.sections
        if created:
            tx.execute(insert(tables.section).values(code=code, **values))
        else:
            tx.execute(update(tables.section).where(tables.section.c.code == code).values(values))
        tx.audit("section.save", f"section:{code}", created=created, **values)
    desk.people.forget()


def _above(sections: Mapping[str, Any], code: str | None) -> set[str]:
    """``code`` and everything over it; a circle in the data ends the walk."""
    found: set[str] = set()
    while code is not None and code in sections and code not in found:
        found.add(code)
        code = sections[code].parent_code
    return found


def save_role(desk: Desk, code: str, *, name: str, description: str = "", by: str, address: str | None = None) -> None:
    """Create or rename a role.  Its code is what models and permissions name, so it never changes."""
    with desk.audited(by, address, role="admin") as tx:
        errors: dict[str, list[Words]] = {}
        if not CODE.match(code):
            errors["code"] = [T("A code has lower-case letters, digits and underscores, and begins with a letter.")]
        if not name.strip():
            errors["name"] = [T("A name is needed.")]
        if errors:
            raise ValidationFailed("The role was not saved: %(count)d field(s) need attention.", count=len(errors), errors=errors)
        values = {"name": name.strip(), "description": description.strip()}
        changed = tx.execute(update(tables.role).where(tables.role.c.code == code).values(values)).rowcount
        if not changed:
            tx.execute(insert(tables.role).values(code=code, **values))
        tx.audit("role.save", f"role:{code}", created=not changed, name=values["name"])
    desk.people.forget()


def unlock(desk: Desk, login: str, *, by: str, address: str | None = None) -> None:
    """Let somebody who guessed wrong too often try again at once."""
    with desk.audited(by, address, role="admin") as tx:
        freed = update(tables.person).where(tables.person.c.login == login).values(failed_logins=0, locked_until=None)
        if tx.execute(freed).rowcount != 1:
            raise NotFound("There is no person “%(login)s”.", login=login)
        tx.audit("person.unlock", f"person:{login}")


def reset_password(desk: Desk, login: str, *, by: str, address: str | None = None) -> str:
    """Give somebody a new random password and end their sessions; returns it, and it is kept nowhere in clear.

    One's own password is changed with the current one, not reset (:class:`InvalidState`): a browser left open must not be
    enough to take an account over.
    """
    if login == by:
        raise InvalidState("Change your own password on your account page; it asks for the current one.")
    length = max(12, desk.settings.password_min_length)
    password = "".join(secrets.choice(_PASSWORD_LETTERS) for _ in range(length))
    desk.people.set_password(login, password, by=by, address=address)
    return password


# --- files between checking and publishing ----------------------------------------------------------------------------


def stage_files(desk: Desk, files: Mapping[str, bytes], *, by: str, address: str | None = None) -> str:
    """Hold checked ``files`` until :func:`staged_files` fetches them for publication; returns the ticket.

    What is published is thus what was checked, byte for byte, on whichever node the second request arrives.  Earlier files of
    the same person, and anybody's that have waited for more than a day, are dropped.
    """
    ticket = secrets.token_urlsafe(24)
    row, content = tables.attachment, tables.attachment_content
    with desk.audited(by, address, role="designer") as tx:
        stale = (row.c.uploaded_by == by) | (row.c.uploaded_at < tx.now - STAGED_FOR)
        _drop(tx, select(row.c.key).where(row.c.case_key.is_(None), row.c.subject.startswith(STAGED, autoescape=True), stale))
        for name, data in files.items():
            key = new_key()
            tx.add(content, key=key, content=data)
            tx.add(
                row,
                key=key, case_key=None, subject=f"{STAGED}{ticket}", field="file", filename=name[:255], content_type="application/octet-stream",
                size=len(data), checksum=hashlib.sha256(data).hexdigest(), uploaded_by=by, uploaded_at=tx.now, removed_at=None,
            )  # fmt: skip
        tx.audit("definition.check", f"{STAGED}{ticket}", files=sorted(files))
    return ticket


def staged_files(desk: Desk, ticket: str, *, by: str) -> dict[str, bytes]:
    """The files behind a ticket of one's own; :class:`NotFound` in words when they have expired or were published."""
    row, content = tables.attachment, tables.attachment_content
    chosen = select(row.c.filename, content.c.content).join(content, content.c.key == row.c.key)
    with desk.engine.reading() as conn:
        found = conn.execute(chosen.where(row.c.subject == f"{STAGED}{ticket}", row.c.uploaded_by == by)).all()
    if not found:
        raise NotFound("These files are no longer held. Upload them again.")
    return {each.filename: bytes(each.content) for each in found}


def drop_staged(desk: Desk, ticket: str, *, by: str, address: str | None = None) -> None:
    """Forget the files behind a ticket of one's own."""
    row = tables.attachment
    with desk.audited(by, address, role="designer") as tx:
        _drop(tx, select(row.c.key).where(row.c.subject == f"{STAGED}{ticket}", row.c.uploaded_by == by))


def _drop(tx: Any, keys: Any) -> None:
    chosen = list(tx.execute(keys).scalars())
    if chosen:
        tx.execute(delete(tables.attachment_content).where(tables.attachment_content.c.key.in_(chosen)))
        tx.execute(delete(tables.attachment).where(tables.attachment.c.key.in_(chosen)))


# --- the demo clock ---------------------------------------------------------------------------------------------------


def clock_offset(conn: Connection) -> int:
    """By how many seconds the shown time is ahead of the real one; 0 when it was never moved."""
    value = conn.execute(select(tables.setting.c.value).where(tables.setting.c.name == CLOCK_OFFSET)).scalar_one_or_none()
    return int(value["seconds"]) if value else 0


def move_clock(desk: Desk, seconds: int, *, shown: datetime, by: str, address: str | None = None) -> int:
    """Move the shown time ``seconds`` forward and return the new offset; ``shown`` is the shown time before, for the audit.

    Refused with :class:`ValidationFailed` for anything that is not forward: what has fired cannot be taken back.
    """
    if seconds <= 0:
        raise ValidationFailed("The demo clock only moves forward; choose a date after the shown time.")
    with desk.audited(by, address, role="admin") as tx:
        # Added to what is stored, not to what this node has seen: two administrators at once move it by both steps.  The row is
        # made if it is missing, then locked, so that also the first two moves follow one another.
        setting = tables.setting
        tx.execute(DIALECT_INSERTS[tx.conn.dialect.name](setting).values(name=CLOCK_OFFSET, value={"seconds": 0}).on_conflict_do_nothing())
        stored = tx.execute(select(setting.c.value).where(setting.c.name == CLOCK_OFFSET).with_for_update()).scalar_one()
        offset = int(stored["seconds"]) + seconds
        tx.execute(update(setting).where(setting.c.name == CLOCK_OFFSET).values(value={"seconds": offset}))
        tx.audit("clock.move", "setting:clock.offset", seconds=seconds, offset=offset, shown_before=shown.isoformat())
    return offset

