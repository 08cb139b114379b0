"""What a person does with a task: take it, give it back, hand it on, finish it."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from sqlalchemy import String, bindparam, cast, literal, select, update

from engine.bpmn.variables import visible
from engine.errors import Conflict, InvalidState, NotFound, NotPermitted, ValidationFailed
from engine.organisation import excluded_by
from engine.runtime.casework.access import CHIEFS
from engine.runtime.casework.casestate import CaseState, Note, trail_row
from engine.runtime.casework.outcomes import checked_outcome, outcome_variable, refuse
from engine.runtime.limits import clocks
from engine.runtime.limits.clocks import ClockState
from engine.runtime.telling.notices import Notices
from engine.runtime.types import Instance
from engine.store import queries, tables
from engine.words import T, Words

if TYPE_CHECKING:
    from engine.runtime.desk import Desk

_TASK, _CASE, _CLOCK = "task__", "case__", "clock__"


def _read_task_statement() -> Any:
    task, case, clock, draft = tables.user_task, tables.case_file, tables.clock, tables.draft
    mine = (draft.c.subject == literal("task:") + cast(task.c.key, String)) & (draft.c.login == bindparam("the_login"))
    joined = (
        task.outerjoin(case, case.c.key == task.c.root_key)
        .outerjoin(clock, (clock.c.case_key == case.c.key) & (clock.c.state != clocks.STOPPED))
        .outerjoin(draft, mine)
    )
    prefixed = ((_TASK, task), (_CASE, case), (_CLOCK, clock))
    columns = [column.label(prefix + column.name) for prefix, table in prefixed for column in table.c]
    chosen = select(*columns, draft.c.saved_at).select_from(joined).where(task.c.key == bindparam("the_task"))
    return chosen.order_by(clock.c.key)


# Built once: composing it costs more than running it.
READ_TASK = _read_task_statement()


def read_task(desk: Desk, conn: Any, task_key: int, login: str) -> tuple[dict[str, Any] | None, CaseState | None, bool]:
    """A task, the case it belongs to with its unfinished clocks, and whether ``login`` keeps a draft of it: one statement."""
    task, case, clock = tables.user_task, tables.case_file, tables.clock
    rows = conn.execute(READ_TASK, {"the_task": task_key, "the_login": login}).mappings().all()
    if not rows:
        return None, None, False
    first = rows[0]
    found = {column.name: first[_TASK + column.name] for column in task.c}
    state = None
    if first[_CASE + "key"] is not None:
        own = {column.name: first[_CASE + column.name] for column in case.c}
        state = CaseState(own, desk.sheet_of(conn, own["procedure_key"]))
        state.clocks = [
            ClockState.of_row({column.name: row[_CLOCK + column.name] for column in clock.c})
            for row in rows
            if row[_CLOCK + "key"] is not None
        ]
    return found, state, first["saved_at"] is not None


def _open_task(
    desk: Desk, tx: Any, task_key: int, login: str, revision: int | None = None
) -> tuple[dict[str, Any], CaseState | None, bool, str | None]:
    """A task that ``login`` may work on now, with its case, whether there is a draft, and on whose behalf.

    Raises :class:`NotFound` to who may not even know of it, :class:`NotPermitted` to who may read but not work on it,
    :class:`Conflict` (with ``by`` and ``at``) when somebody else was faster, :class:`InvalidState` when it was withdrawn.
    """
    task, case, has_draft = read_task(desk, tx.conn, task_key, login)
    if task is None:
        desk.access.find_task(tx.conn, task_key, login)
        raise NotFound("There is no such task.")
    may = desk.access.may_work(tx.conn, SimpleNamespace(**task), login)
    if not may.allowed:
        desk.access.find_task(tx.conn, task_key, login)
        raise NotPermitted(may.refusal or T("You may not work on this task."))
    name = desk.people.directory(tx.conn).name
    if task["state"] == "COMPLETED":
        message = T("“%(task)s” was already finished by %(name)s.", task=task["name"], name=name(task["completed_by"]))
        raise Conflict(message, by=task["completed_by"], at=task["ended_at"])
    if task["state"] != "CREATED":
        raise InvalidState("“%(task)s” is no longer needed: the case has moved on.", task=task["name"])
    held_by_me = task["assignee"] in (None, login, may.on_behalf_of)
    if not held_by_me and task["assignee"] not in desk.access.places(tx.conn, task["properties"], login):
        message = T("“%(task)s” was taken by %(name)s.", task=task["name"], name=name(task["assignee"]))
        raise Conflict(message, by=task["assignee"], at=task["claimed_at"])
    if revision is not None and revision != task["revision"]:
        raise Conflict("“%(task)s” was changed while you had it open. Reload the page; your draft is kept.", task=task["name"])
    return task, case, has_draft, may.on_behalf_of


def complete_task(
    desk: Desk,
    task_key: int,
    data: Mapping[str, Any],
    *,
    by: str,
    outcome: str | None = None,
    opinion: str = "",
    address: str | None = None,
    revision: int | None = None,
) -> Instance:
    """Finish a task with the data of its form and the button pressed.

    Raises :class:`ValidationFailed` (by field; ``outcome`` and ``opinion`` are fields too; the draft stays), and what
    :func:`_open_task` raises.  ``revision`` is the one the page was made from.

    A page sent twice needs no token of its own: the second time the task is already finished.
    """

    def work(tx: Any, note: Note) -> Any:
        # Locked before anything is read: a limit that is paused or extended meanwhile would be read as it was before.
        place = tx.execute(queries.LOCK_INSTANCE_OF_TASK, {"the_key": task_key}).mappings().one_or_none()
        task, case, has_draft, on_behalf_of = _open_task(desk, tx, task_key, by, revision)
        if place is not None:
            note.unit.adopt(dict(place))
        chosen, errors = checked_outcome(task["properties"], outcome, opinion)
        # A button that leaves the form aside stores none of it.
        form = None if chosen is not None and chosen.unchecked else desk.task_form(tx.conn, task)
        context = task_context(note.unit, task)
        values, field_errors = desk.validated(tx, form, data, subject=f"task:{task_key}", context=context, case_key=task["root_key"])
        refuse({**field_errors, **errors})
        variables = form.restored(values, context) if form is not None else {}
        if chosen is not None:
            variables[outcome_variable(task["properties"])] = chosen.value
        note.task_key, note.form_id, note.data, note.on_behalf_of = task_key, task["form_id"], values, on_behalf_of
        note.outcome, note.outcome_label = (chosen.value, chosen.label) if chosen else (None, None)
        note.opinion = opinion.strip()
        note.completing = (task["root_key"], task["element_id"], by)
        if case is not None:
            note.cases[case.key] = case
        live = note.unit.complete_task(task, variables)
        if has_draft:
            draft = tables.draft
            tx.execute(draft.delete().where(draft.c.subject == f"task:{task_key}", draft.c.login == by))
        return live

    return desk.instance_command(work, by=by, address=address)


def task_context(unit: Any, task: Mapping[str, Any]) -> dict[str, Any]:
    """The variables a task's form is shown with: everything visible from its element."""
    live = unit.load(task["instance_key"])
    token = live.execution.token(task["token"]) if live is not None else None
    return visible(token) if token is not None else {}


def claim(desk: Desk, task_key: int, *, by: str, address: str | None = None) -> None:
    """Take a task.  Taking what one already has changes nothing; :class:`Conflict` names who was faster."""

    def work(tx: Any, note: Note) -> None:
        task, case, _, on_behalf_of = _open_task(desk, tx, task_key, by)
        if task["assignee"] is not None:
            return
        row = tables.user_task
        taken = update(row).where(row.c.key == task_key, row.c.state == "CREATED", row.c.assignee.is_(None))
        if tx.execute(taken.values(assignee=by, claimed_at=tx.now, revision=row.c.revision + 1)).rowcount != 1:
            rival = tx.execute(select(row.c.assignee, row.c.claimed_at).where(row.c.key == task_key)).one()
            name = desk.people.directory(tx.conn).name(rival.assignee)
            raise Conflict(T("“%(task)s” was taken by %(name)s.", task=task["name"], name=name), by=rival.assignee, at=rival.claimed_at)
        _leave_trail(tx, task, case, "claim", actor=by, on_behalf_of=on_behalf_of)

    desk.command(work, by=by, address=address)


def unclaim(desk: Desk, task_key: int, *, by: str, address: str | None = None) -> None:
    """Give a task back to its candidates; :class:`InvalidState` when there are none to give it back to."""

    def work(tx: Any, note: Note) -> None:
        task, case, _, _ = _open_task(desk, tx, task_key, by)
        if task["assignee"] is None:
            return
        if not task["candidate_groups"] and not task["candidate_users"]:
            raise InvalidState("“%(task)s” was assigned to one person by name. Transfer it instead.", task=task["name"])
        _assign(tx, task, None)
        _leave_trail(tx, task, case, "unclaim", actor=by)

    desk.command(work, by=by, address=address)


def transfer(desk: Desk, task_key: int, to: str, reason: str, *, by: str, address: str | None = None) -> None:
    """Hand a task on to a colleague (转办), who is told; needs a reason.

    Who may: whoever holds it or could take it, the chief over its holder or owner section, and a supervisor (改派).
    """

    def work(tx: Any, note: Note) -> None:
        directory = desk.people.directory(tx.conn)
        if not reason.strip():
            words = T("Say why the task is handed on.")
            raise ValidationFailed(words, errors={"reason": [words]})
        task, case, _ = read_task(desk, tx.conn, task_key, by)
        over = task is not None and _is_over(directory, desk.people.groups(by, tx.conn), task, case)
        on_behalf_of = None
        if not over or task["state"] != "CREATED":  # type: ignore[index]  # not over, when there is no task
            task, case, _, on_behalf_of = _open_task(desk, tx, task_key, by)
        assert task is not None
        refusal = receiver_refusal(directory, SimpleNamespace(**task), to)
        if refusal is not None:
            raise ValidationFailed(refusal, errors={"to": [refusal]})
        _assign(tx, task, to)
        details = {"from": task["assignee"], "to": to, "to_name": directory.name(to)}
        _leave_trail(tx, task, case, "transfer", actor=by, on_behalf_of=on_behalf_of, opinion=reason.strip(), details=details)
        notices = Notices(tx.now, by)
        number, title = (case.row["case_no"], case.row["title"]) if case else ("", "")
        words = T(
            "%(name)s handed a task on to you: %(task)s — %(case_no)s %(title)s",
            name=directory.name(by),
            task=task["name"],
            case_no=number,
            title=title,
        )
        notices.tell([to], "assigned", words, case_key=task["root_key"], task_key=task_key)
        if task["assignee"]:
            words = T("“%(task)s” was handed on to %(name)s: %(reason)s", task=task["name"], name=directory.name(to), reason=reason.strip())
            notices.tell([task["assignee"]], "transferred", words, case_key=task["root_key"], task_key=task_key)
        notices.post(desk, tx)

    desk.command(work, by=by, address=address)


def receiver_refusal(directory: Any, task: Any, to: str) -> Words | None:
    """Why ``task`` (a ``user_task`` row) may not be handed to ``to``; ``None`` when it may."""
    receiver = directory.person(to)
    if receiver is None or not receiver.active:
        return T("%(login)s is not an active member of the office.", login=to)
    if excluded_by(directory, to, task.excluded):
        return T("%(name)s may not handle this task because of a conflict of interest.", name=receiver.name)
    if to == task.assignee:
        return T("%(name)s already has this task.", name=receiver.name)
    return None


def _is_over(directory: Any, groups: frozenset[str], task: Mapping[str, Any], case: CaseState | None) -> bool:
    """Whether a holder of ``groups`` directs who works on the task."""
    if "supervisor" in groups:
        return True
    sections = {directory.section_of(task["assignee"]), case.row["section_code"] if case else None}
    return any(f"{role}@{section}" in groups for role in CHIEFS for section in sections if section)


def _assign(tx: Any, task: Mapping[str, Any], assignee: str | None) -> None:
    row = tables.user_task
    chosen = update(row).where(row.c.key == task["key"], row.c.state == "CREATED", row.c.revision == task["revision"])
    changed = tx.execute(chosen.values(assignee=assignee, claimed_at=tx.now if assignee else None, revision=task["revision"] + 1))
    if changed.rowcount != 1:
        raise Conflict("“%(task)s” was changed by somebody else at the same moment. Look again.", task=task["name"])


def _leave_trail(tx: Any, task: Mapping[str, Any], case: CaseState | None, action: str, **values: Any) -> None:
    tx.audit(f"task.{action}", f"task:{task['key']}")
    if case is not None:
        own = {
            "instance_key": task["instance_key"],
            "task_key": task["key"],
            "element_id": task["element_id"],
            "element_name": task["name"],
        }
        tx.add(tables.trail, **trail_row(case.key, action, tx, **own, **values))
