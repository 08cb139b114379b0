"""Access: the only way code that serves a request gets a case, a task, an attachment or a person's account.

Each function returns the row or raises :class:`NotFound` — whether a thing exists is itself information — and leaves an
``access.refused`` row in the audit.  Identity masking stands here too: who may see whose name, and that they looked.
"""

from __future__ import annotations

import weakref
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Row, and_, func, or_, select, true

from engine.errors import EngineError, NotFound
from engine.organisation import Directory, Eligibility, eligible, excluded_by, may_stand_in
from engine.runtime.sheets import Sheet
from engine.store import tables
from engine.words import T, Words

if TYPE_CHECKING:
    from engine.runtime.desk import Desk

OUTSIDE = "external"
"""The kind of a section whose people are applicants, not of the office or its partners."""
OVERSEERS = frozenset({"supervisor", "director", "auditor"})
"""Roles that may read every case, whatever its sheet says: supervision, the head of the office, and the audit."""
URGERS = frozenset({"supervisor", "vice_director", "director"})
"""Roles that may urge any case they may read; the audit looks on and pushes nobody."""
OPERATORS = frozenset({"admin", "designer"})
"""Roles that may intervene in running processes: hold, cancel, correct, move, migrate, delete."""
MONITORS = OPERATORS | {"supervisor"}
"""Roles that may see how processes run, whatever case they belong to; confidential fields stay masked even for them."""
CHIEFS = ("section_chief", "county_leader")
"""Who leads a unit: the first of these roles that anybody of the unit holds."""

MASK = T("(confidential)")
_NO_CASE = T("There is no such case, or you may not see it.")
_NO_TASK = T("There is no such task, or you may not see it.")
_NO_ATTACHMENT = T("There is no such attachment, or you may not see it.")
_NO_ADMINISTRATION = T("This page does not exist, or it is not for you.")


class AccessRefused(NotFound):
    """A refusal that belongs into the audit: ``subject`` is what was asked for, ``reason`` why not (never shown)."""

    def __init__(self, message: Words, *, subject: str, reason: str) -> None:
        super().__init__(message)
        self.subject, self.reason = subject, reason


@dataclass(frozen=True)
class Participation:
    """Somebody's part in the tasks of a case so far, as far as access needs to know it."""

    element_id: str
    assignee: str | None
    completed_by: str | None
    candidate_groups: tuple[str, ...]
    candidate_users: tuple[str, ...]
    excluded: tuple[str, ...]

    def held_by(self, logins: Collection[str]) -> bool:
        """Whether one of ``logins`` works or worked on it."""
        return self.assignee in logins or self.completed_by in logins

    def offered_to(self, directory: Directory, login: str, groups: Collection[str]) -> bool:
        """Whether it could be taken by ``login``; who is kept away by a conflict of interest is no participant."""
        if excluded_by(directory, login, self.excluded):
            return False
        return login in self.candidate_users or not set(self.candidate_groups).isdisjoint(groups)


def may_read(
    directory: Directory,
    login: str,
    groups: Collection[str],
    identities: Collection[str],
    case: Any,
    access_roles: Collection[str],
    participations: Collection[Participation],
) -> str | None:
    """Why ``login`` may read ``case`` (a word for the log), or ``None``.

    ``groups`` include those of the people ``login`` stands in for, ``identities`` are their logins and one's own.
    """
    if not directory.own_groups(login):
        return None
    if case.starter in identities:
        return "starter"
    if not OVERSEERS.isdisjoint(groups):
        return "oversight"
    if not set(access_roles).isdisjoint(groups):
        return "role"
    if case.section_code and any(f"{role}@{case.section_code}" in groups for role in CHIEFS):
        return "chief"
    for task in participations:
        if task.held_by(identities):
            return "handler"
        if task.offered_to(directory, login, groups):
            return "candidate"
    return None


@dataclass(frozen=True)
class Reveal:
    """Whether somebody may see the confidential fields of a case, and why: ``open``, ``starter``, ``role`` or ``assignee``."""

    allowed: bool
    reason: str = ""
    fields: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return self.allowed


def confidential(sheet: Sheet | None, data: Mapping[str, Any]) -> bool:
    """Whether the identity rule of ``sheet`` is in force for a case with these variables.

    Only a condition that is certainly false opens the names: one that cannot be decided keeps them hidden.
    """
    if sheet is None or sheet.confidential is None or not sheet.confidential.fields:
        return False
    when = sheet.confidential.when
    return when is None or when.value(data) is not False


def may_see_identity(
    sheet: Sheet, groups: Collection[str], identities: Collection[str], starter: str, participations: Collection[Participation]
) -> Reveal:
    """Who may see the names of a confidential case (``domain.md`` §1.15: 联络员 + 承办人 + 督办; every view logged).

    Whoever entered the case has seen them already, so ``starter`` is no secret to them.
    """
    rule = sheet.confidential
    if rule is None:
        return Reveal(True, "open")
    if not set(rule.visible_to).isdisjoint(groups):
        return Reveal(True, "role", rule.fields)
    handled = set(rule.visible_to_handler_of)
    if any(task.element_id in handled and task.held_by(identities) for task in participations):
        return Reveal(True, "assignee", rule.fields)
    if starter in identities:
        return Reveal(True, "starter", rule.fields)
    return Reveal(False, "", rule.fields)


def deputy_rule(properties: Mapping[str, Any] | None) -> str | None:
    """What a step says about deputies (property ``deputy``, :data:`engine.organisation.DEPUTY_RULES`); ``None`` when it says nothing."""
    return str((properties or {}).get("deputy") or "").strip() or None


def mask(data: Any, sheet: Sheet | None) -> Any:
    """A copy of form data or variables with every confidential field, at any depth, replaced by :data:`MASK`.

    Empty values stay empty: that nothing was entered gives nobody away and spares a needless request to look.
    """
    fields = frozenset(sheet.confidential.fields) if sheet is not None and sheet.confidential is not None else frozenset()
    return _masked(data, fields) if fields else data


def _masked(data: Any, fields: frozenset[str]) -> Any:
    if isinstance(data, Mapping):
        return {key: (MASK if key in fields and value not in (None, "", [], {}) else _masked(value, fields)) for key, value in data.items()}
    if isinstance(data, (list, tuple)):
        return [_masked(item, fields) for item in data]
    return data


def key_of_value(data: Any, value: str) -> str | None:
    """The key, at any depth, under which form data holds ``value``."""
    if isinstance(data, Mapping):
        for key, each in data.items():
            found = key if each == value or (isinstance(each, list) and value in each) else key_of_value(each, value)
            if found is not None:
                return found
    elif isinstance(data, (list, tuple)):
        return next((found for each in data if (found := key_of_value(each, value)) is not None), None)
    return None


class Access:
    """The questions of this module asked of the database; ``desk.access``."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    # -- questions -----------------------------------------------------------------------------------------------------

    def participations(self, conn: Connection, case_key: int) -> list[Participation]:
        task = tables.user_task.c
        columns = (task.element_id, task.assignee, task.completed_by, task.candidate_groups, task.candidate_users, task.excluded)
        rows = conn.execute(select(*columns).where(task.root_key == case_key).order_by(task.key))
        return [
            Participation(
                row.element_id, row.assignee, row.completed_by, tuple(row.candidate_groups), tuple(row.candidate_users), tuple(row.excluded)
            )
            for row in rows
        ]

    def identities(self, conn: Connection, login: str) -> frozenset[str]:
        """``login`` and everybody they stand in for today."""
        people = self._desk.people
        return frozenset((login, *people.directory(conn).principals(login, people.today())))

    def is_outside(self, conn: Connection, login: str) -> bool:
        """Whether ``login`` belongs to an applicant (a section of kind ``external``), not to the office or its partners."""
        directory = self._desk.people.directory(conn)
        person = directory.person(login)
        section = directory.sections.get(person.section_code) if person else None
        return section is not None and section.kind == OUTSIDE

    def find_case(self, conn: Connection, case_key: int, login: str) -> Row:
        row = conn.execute(select(tables.case_file).where(tables.case_file.c.key == case_key)).one_or_none()
        if row is None:
            raise AccessRefused(_NO_CASE, subject=f"case:{case_key}", reason="missing")
        people = self._desk.people
        sheet = self._desk.sheet_of(conn, row.procedure_key)
        why = may_read(
            people.directory(conn),
            login,
            people.groups(login, conn),
            self.identities(conn, login),
            row,
            sheet.access_roles if sheet else (),
            self.participations(conn, case_key),
        )
        if why is None:
            raise AccessRefused(_NO_CASE, subject=f"case:{case_key}", reason="not a participant")
        return row

    def may_work(self, conn: Connection, task: Any, login: str) -> Eligibility:
        """Whether ``login`` may take or finish the task, and for whom."""
        people = self._desk.people
        return eligible(
            people.directory(conn),
            login,
            people.today(),
            assignee=task.assignee,
            candidate_groups=task.candidate_groups,
            candidate_users=task.candidate_users,
            excluded=task.excluded,
            deputies=deputy_rule(task.properties),
        )

    def places(self, conn: Connection, properties: Mapping[str, Any], login: str) -> frozenset[str]:
        """``login`` and those in whose place they may finish a task that has these properties today."""
        directory, rule = self._desk.people.directory(conn), deputy_rule(properties)
        return frozenset(each for each in self.identities(conn, login) if each == login or may_stand_in(directory, login, each, rule))

    def find_task(self, conn: Connection, task_key: int, login: str) -> Row:
        """A task that ``login`` may work on, or one of a case that ``login`` may read; to applicants only what is asked of them."""
        row = conn.execute(select(tables.user_task).where(tables.user_task.c.key == task_key)).one_or_none()
        if row is None:
            raise AccessRefused(_NO_TASK, subject=f"task:{task_key}", reason="missing")
        if self._named(conn, row, login):
            return row
        try:
            self.find_case(conn, row.root_key, login)
        except AccessRefused as refusal:
            raise AccessRefused(_NO_TASK, subject=f"task:{task_key}", reason=refusal.reason) from refusal
        if row.state == "CREATED" and self.is_outside(conn, login):
            # Who applied reads the own case; how the office works on it is the office's.  A task that is over only leads to the case.
            raise AccessRefused(_NO_TASK, subject=f"task:{task_key}", reason="a task of the office")
        return row

    def _named(self, conn: Connection, task: Any, login: str) -> bool:
        """A task that names nobody is open to the readers of its case, so it is not enough by itself to open it."""
        names_somebody = bool(task.assignee or task.candidate_groups or task.candidate_users)
        return names_somebody and self.may_work(conn, task, login).allowed

    def find_attachment(self, conn: Connection, key: int, login: str) -> Row:
        row = conn.execute(select(tables.attachment).where(tables.attachment.c.key == key)).one_or_none()
        subject = f"attachment:{key}"
        if row is None or row.removed_at is not None:
            raise AccessRefused(_NO_ATTACHMENT, subject=subject, reason="missing")
        if row.case_key is None:
            # Not yet part of a case: nobody's business but the one's who is filling in the form.
            if row.uploaded_by != login:
                raise AccessRefused(_NO_ATTACHMENT, subject=subject, reason="draft of somebody else")
            return row
        try:
            case = self.find_case(conn, row.case_key, login)
        except AccessRefused as refusal:
            raise AccessRefused(_NO_ATTACHMENT, subject=subject, reason=refusal.reason) from refusal
        if self.is_outside(conn, login) and row.uploaded_by not in self.identities(conn, login):
            # An applicant may read the own case, not what the office put into it on the way.
            raise AccessRefused(_NO_ATTACHMENT, subject=subject, reason="outside the office")
        sheet = self._desk.sheet_of(conn, case.procedure_key)
        if sheet is not None and sheet.confidential is not None and row.uploaded_by != login:
            # A file of a field that cannot be found in what was submitted may show a hidden name: it is hidden too.
            key = key_of_value(self.case_data(conn, row.case_key), row.field)
            if (key is None or key in sheet.confidential.fields) and not self.reveal(conn, case, login):
                raise AccessRefused(_NO_ATTACHMENT, subject=subject, reason="confidential")
        return row

    def case_data(self, conn: Connection, case_key: int) -> dict[str, Any]:
        """What the forms of a case said so far, later answers over earlier ones."""
        trail = tables.trail.c
        rows = conn.execute(select(trail.details).where(and_(trail.case_key == case_key, trail.details.is_not(None))).order_by(trail.key))
        data: dict[str, Any] = {}
        for (details,) in rows:
            data.update(details.get("data") or {})
        return data

    def reveal(self, conn: Connection, case: Any, login: str) -> Reveal:
        """Whether ``login`` may see the confidential fields of ``case`` (a ``case_file`` row); records nothing."""
        sheet = self._desk.sheet_of(conn, case.procedure_key)
        if sheet is None or sheet.confidential is None or not confidential(sheet, self.case_data(conn, case.key)):
            return Reveal(True, "open")
        groups = self._desk.people.groups(login, conn)
        return may_see_identity(sheet, groups, self.identities(conn, login), case.starter, self.participations(conn, case.key))

    # -- for requests: refusals are audited ------------------------------------------------------------------------------

    def case(self, conn: Connection, case_key: int, login: str, address: str | None = None) -> Row:
        """The ``case_file`` row, if ``login`` may read the case."""
        return self._asked(self.find_case, conn, case_key, login, address)

    def task(self, conn: Connection, task_key: int, login: str, address: str | None = None) -> Row:
        """The ``user_task`` row, if ``login`` may work on the task or read its case."""
        return self._asked(self.find_task, conn, task_key, login, address)

    def attachment(self, conn: Connection, key: int, login: str, address: str | None = None) -> Row:
        """The ``attachment`` row: of a case ``login`` may read, or uploaded by ``login`` on a form not yet submitted."""
        return self._asked(self.find_attachment, conn, key, login, address)

    def administration(self, conn: Connection, login: str, role: str = "admin", address: str | None = None) -> None:
        """Whether ``login`` holds an administrative role in their own right: a substitution does not hand it on (三员分立)."""

        def find(conn: Connection, role: str, login: str) -> None:
            if role not in self._desk.people.directory(conn).own_groups(login):
                raise AccessRefused(_NO_ADMINISTRATION, subject=f"role:{role}", reason="role not held")

        self._asked(find, conn, role, login, address)

    def operations(self, conn: Connection, login: str, operate: bool = False, address: str | None = None) -> None:
        """Whether ``login`` may see how processes run or, with ``operate``, intervene.  Raises :class:`AccessRefused`.

        As with administration, only one's own roles count.
        """

        def find(conn: Connection, roles: frozenset[str], login: str) -> None:
            if roles.isdisjoint(self._desk.people.directory(conn).own_groups(login)):
                subject = "operations:operate" if operate else "operations:see"
                raise AccessRefused(_NO_ADMINISTRATION, subject=subject, reason="role not held")

        self._asked(find, conn, OPERATORS if operate else MONITORS, login, address)

    def _asked(self, find: Any, conn: Connection, key: Any, login: str, address: str | None) -> Any:
        try:
            return find(conn, key, login)
        except AccessRefused as refusal:
            self._desk.record_refusal(refusal, by=login, address=address)
            raise


# --- the same for code that holds only a connection -------------------------------------------------------------------

_desks: weakref.WeakKeyDictionary[Any, weakref.ref[Desk]] = weakref.WeakKeyDictionary()


def serve(database: Any, desk: Desk) -> None:
    """Make ``desk`` answer for the connections of a SQLAlchemy engine."""
    _desks[database] = weakref.ref(desk)


def _desk_of(conn: Connection) -> Desk:
    found = _desks.get(conn.engine)
    desk = found() if found else None
    if desk is None:
        raise EngineError("No case desk serves this database connection.")
    return desk


def access_case(conn: Connection, case_key: int, login: str, address: str | None = None) -> Row:
    """See :meth:`Access.case`."""
    return _desk_of(conn).access.case(conn, case_key, login, address)


def access_task(conn: Connection, task_key: int, login: str, address: str | None = None) -> Row:
    """See :meth:`Access.task`."""
    return _desk_of(conn).access.task(conn, task_key, login, address)


def access_attachment(conn: Connection, key: int, login: str, address: str | None = None) -> Row:
    """See :meth:`Access.attachment`."""
    return _desk_of(conn).access.attachment(conn, key, login, address)


def access_person_admin(conn: Connection, login: str, address: str | None = None) -> None:
    """Whether ``login`` may see and change people; :class:`NotFound` otherwise."""
    _desk_of(conn).access.administration(conn, login, "admin", address)


def access_operations(conn: Connection, login: str, operate: bool = False, address: str | None = None) -> None:
    """Whether ``login`` may see how processes run or, with ``operate``, intervene; :class:`NotFound` otherwise."""
    _desk_of(conn).access.operations(conn, login, operate, address)


def reveal(conn: Connection, case: Any, login: str) -> Reveal:
    """See :meth:`Access.reveal`."""
    return _desk_of(conn).access.reveal(conn, case, login)


def visible_cases(groups: Collection[str], identities: Collection[str], procedures: Collection[str] = ()) -> Any:
    """An SQL condition on ``case_file`` for lists: the cases :func:`may_read` allows by starter, part, chief or sheet role.

    ``procedures`` are the ids whose sheet lets one of ``groups`` read every case (``desk.readable_procedures``).  Candidates
    are looked up among the open tasks (``task_candidate``); conflicts of interest are decided when a row is opened.
    """
    if not OVERSEERS.isdisjoint(groups):
        return true()
    case, task, candidate = tables.case_file.c, tables.user_task.c, tables.task_candidate.c
    names = list(identities)
    held = select(task.root_key).where(or_(task.assignee.in_(names), task.completed_by.in_(names)))
    offered = (
        select(task.root_key)
        .join(tables.task_candidate, candidate.task_key == task.key)
        .where(
            or_(
                and_(candidate.kind == "group", candidate.name.in_(list(groups))),
                and_(candidate.kind == "user", candidate.name.in_(names)),
            )
        )
    )
    led = [group.partition("@")[2] for group in groups if group.partition("@")[0] in CHIEFS and "@" in group]
    by_sheet = case.procedure_id.in_(list(procedures))
    return or_(case.starter.in_(names), case.section_code.in_(led), by_sheet, case.key.in_(held), case.key.in_(offered))


def count_looks(conn: Connection, case_key: int) -> int:
    """How often the confidential fields of a case were looked at."""
    view = tables.sensitive_view
    return conn.execute(select(func.count()).select_from(view).where(view.c.case_key == case_key)).scalar_one()
