"""Who may read what supervision writes about a case: orders, cards, bulletins, deductions.

Each is about a section or a person, who read it without being part of the case; who oversees the office reads those of every case that
they may read.  That somebody may read such a paper opens nothing else of the case: its title is for readers of the case only.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, Connection, Row, Table, and_, or_, select
from sqlalchemy import case as case_when

from engine.errors import NotFound
from engine.runtime.casework.access import CHIEFS, OVERSEERS, URGERS, AccessRefused
from engine.store import tables
from engine.words import Words

if TYPE_CHECKING:
    from engine.runtime.desk import Desk

READERS = OVERSEERS | URGERS
"""Who reads what is written about every case they may read; all others read what is addressed to them."""
EVERYBODY, UNNAMED, CHIEFS_ONLY = "everybody", "unnamed", "chiefs"


@dataclass(frozen=True)
class Addressed:
    """One kind of paper: its table, the columns that name a person and a section, and who of the section reads it.

    ``section_reads`` is :data:`EVERYBODY` of the section; :data:`UNNAMED`: everybody when no person is named, else the chief (what is
    addressed to a colleague is nobody else's business); :data:`CHIEFS_ONLY`.  ``subject`` is its word in the audit, ``missing`` what is
    said to who may not read it.
    """

    table: Table
    login: str
    section: str
    section_reads: str
    subject: str
    missing: Words

    def mine(self, identities: Collection[str], groups: Collection[str]) -> ColumnElement[bool]:
        """SQL on the table: what is addressed to one of ``identities``, or to a section as ``groups`` stand to it."""
        login, section = self.table.c[self.login], self.table.c[self.section]
        member = section.in_([group.removeprefix("section:") for group in groups if group.startswith("section:")])
        led = section.in_([group.partition("@")[2] for group in groups if group.partition("@")[0] in CHIEFS and "@" in group])
        if self.section_reads == EVERYBODY:
            return or_(login.in_(list(identities)), member)
        tests = [login.in_(list(identities)), led]
        return or_(*tests, and_(login.is_(None), member)) if self.section_reads == UNNAMED else or_(*tests)

    def names(self, row: Any, identities: Collection[str], groups: Collection[str]) -> bool:
        """The same of one row."""
        login, section = getattr(row, self.login), getattr(row, self.section)
        if login is not None and login in identities:
            return True
        member = f"section:{section}" in groups
        if self.section_reads == EVERYBODY:
            return member
        return leads(section, groups) or (self.section_reads == UNNAMED and login is None and member)

    def listed(self, visible: Any, identities: Collection[str], groups: Collection[str]) -> ColumnElement[bool]:
        """SQL on the table joined with ``case_file``: what somebody may read.

        ``visible`` is :func:`engine.runtime.casework.access.visible_cases`; it opens papers to who oversees, not to every reader of a case.
        """
        mine = self.mine(identities, groups)
        return or_(mine, and_(visible)) if not READERS.isdisjoint(groups) else mine

    def find(self, desk: Desk, conn: Connection, key: int, login: str) -> Row:
        """The row, if ``login`` may read it; :class:`AccessRefused` otherwise, which whoever asks for a request has to record."""
        row = conn.execute(select(self.table).where(self.table.c.key == key)).one_or_none()
        groups = desk.people.groups(login, conn)
        if row is not None and groups:
            if self.names(row, desk.access.identities(conn, login), groups):
                return row
            if not READERS.isdisjoint(groups):
                desk.access.find_case(conn, row.case_key, login)
                return row
        raise AccessRefused(self.missing, subject=f"{self.subject}:{key}", reason="missing" if row is None else "not addressed")

    def access(self, desk: Desk, conn: Connection, key: int, login: str, address: str | None = None) -> Row:
        """The row for a request of ``login``; a refusal is audited."""
        try:
            return self.find(desk, conn, key, login)
        except AccessRefused as refusal:
            desk.record_refusal(refusal, by=login, address=address)
            raise


def leads(section: str | None, groups: Collection[str]) -> bool:
    """Whether ``groups`` make somebody the chief of a section."""
    return any(f"{role}@{section}" in groups for role in CHIEFS)


# -- the title of the case -----------------------------------------------------------------------------------------------------


def title_for(visible: Any) -> ColumnElement[str | None]:
    """SQL on ``case_file``: the title for who may read the case (``visible``), ``NULL`` for others."""
    return case_when((visible, tables.case_file.c.title), else_=None).label("title")


def reads_case(desk: Desk, conn: Connection, case_key: int, login: str) -> bool:
    """Whether ``login`` may read a case; not for a request that opens it, which has to record a refusal."""
    try:
        desk.access.find_case(conn, case_key, login)
    except NotFound:
        return False
    return True


def spoken_title(desk: Desk, conn: Connection, case: Any, reads: bool) -> str:
    """What a case (a row or :class:`CaseFacts`) is called beside its number: its title, to others the name of its procedure."""
    if reads:
        return case.title
    entry = desk.book(conn).procedure(case.procedure_id)
    return entry[1].name if entry else case.procedure_id


def by_title(desk: Desk, conn: Connection, case: Any, logins: Collection[str]) -> list[tuple[str, list[str]]]:
    """``logins`` parted by what the case may be called to them, as (title or procedure, logins)."""
    readers = {login for login in logins if reads_case(desk, conn, case.key, login)}
    parts = ((True, [login for login in logins if login in readers]), (False, [login for login in logins if login not in readers]))
    return [(spoken_title(desk, conn, case, reads), named) for reads, named in parts if named]
