"""What a person does with a case: open it, urge it, send it a message, extend a limit, look at a hidden name."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, delete, select, update
from sqlalchemy import case as case_when
from sqlalchemy.exc import IntegrityError

from engine.errors import Conflict, InvalidState, NotFound, NotPermitted, ValidationFailed
from engine.organisation import excluded_by
from engine.runtime.casework import attachments, numbering
from engine.runtime.casework.access import CHIEFS, OVERSEERS, URGERS, AccessRefused, Reveal
from engine.runtime.casework.casestate import Note, people_of, received_text, trail_row
from engine.runtime.casework.functions import may_extend
from engine.runtime.casework.moments import instant
from engine.runtime.casework.outcomes import refuse
from engine.runtime.limits import clocks
from engine.runtime.limits.clocks import ClockState
from engine.runtime.telling.notices import Notices
from engine.runtime.types import Instance
from engine.store import tables
from engine.store.types import new_key
from engine.words import T

if TYPE_CHECKING:
    from engine.runtime.desk import Desk

EXTENSION_MESSAGE = "extension_requested"
"""Published by the button 申请延期 of a task with the property ``extendable``."""
URGED_PRIORITY, URGED_STEP = 100, 10
CLOCK_SKEW = timedelta(minutes=5)
"""How far the clock of somebody's desktop computer may be ahead of the server's."""


def start_case(
    desk: Desk, process_id: str, data: Mapping[str, Any], *, by: str, address: str | None = None, token: str | None = None
) -> Instance:
    """Open a case: validate the start form, give it a number, start the process, adopt what was uploaded with the form.

    Raises :class:`NotFound` for a procedure that is not there, :class:`NotPermitted` for who may not open it,
    :class:`ValidationFailed` by field (the draft stays), :class:`Conflict` for a page sent twice.
    """

    def work(tx: Any, note: Note) -> Any:
        note.start_token = token[:64] if token else None
        sheet = desk.require_start(tx.conn, process_id, by)
        form = desk.form(tx.conn, sheet.start.form)
        values, errors = desk.validated(tx, form, data, subject=f"start:{process_id}", context={"starter": by})
        refuse(errors)
        note.form_id, note.data = sheet.start.form, values
        definition = desk.engine.catalogue.find("process", process_id, conn=tx.conn)
        if definition is None:
            raise NotFound("There is no procedure “%(id)s”.", id=process_id)
        live = note.unit.start(definition, {**values, "starter": by})
        subject = f"start:{process_id}"
        if attachments.mentions_files(values):
            mine = tables.attachment.c
            adopted = update(tables.attachment).where(
                mine.subject == subject, mine.uploaded_by == by, mine.case_key.is_(None), mine.removed_at.is_(None)
            )
            tx.execute(adopted.values(case_key=live.key))
        tx.execute(delete(tables.draft).where(tables.draft.c.subject == subject, tables.draft.c.login == by))
        return live

    try:
        return desk.instance_command(work, by=by, address=address)
    except IntegrityError as error:
        if token is None or not _opened_by(desk, token):
            raise
        raise Conflict(T("This page was already sent. What you submitted the first time counts."), by=by) from error


def _opened_by(desk: Desk, token: str) -> bool:
    """Whether a case was opened from the page with this one-time token."""
    case = tables.case_file.c
    with desk.engine.reading() as conn:
        return conn.execute(select(case.key).where(case.start_token == token[:64])).first() is not None


def opening_variables(desk: Desk, tx: Any, process_id: str, variables: Mapping[str, Any]) -> dict[str, Any]:
    """``case_no``, ``starter`` and ``received_at`` of a new root instance; nothing for a process without a procedure sheet.

    ``received_at`` is what the sheet's header says, else now; a moment that is still to come is :class:`ValidationFailed`.
    """
    entry = desk.book(tx.conn).procedure(process_id)
    if entry is None:
        return {}
    _, sheet = entry
    formula = sheet.header.get("received_at")
    named = formula.value(variables) if formula is not None else None
    try:
        received = instant(named, desk.zone) or tx.now
    except ValidationFailed as error:
        raise ValidationFailed(error.message, errors={"received_at": [error.message]}) from error
    if received > tx.now + CLOCK_SKEW:
        words = T("The time of receipt lies in the future.")
        raise ValidationFailed(words, errors={"received_at": [words]})
    received = min(received, tx.now)
    day = tx.now.astimezone(desk.zone).date()
    number = numbering.allocate(tx.conn, sheet.case_number, region=desk.settings.region, code=sheet.code, day=day)
    starter = variables.get("starter") or tx.by or ""
    return {"case_no": number, "starter": starter, "received_at": received_text(received, desk.zone)}


def urge(desk: Desk, case_key: int, text: str, *, by: str, address: str | None = None) -> list[str]:
    """催办: tell the handlers of the open tasks to hurry, raise the tasks' priority; returns whom it reached.

    For whoever started the case, its chief, and oversight: a handler does not urge colleagues of other sections.
    """

    def work(tx: Any, note: Note) -> list[str]:
        row = desk.access.find_case(tx.conn, case_key, by)
        _require_lead(desk, tx, row, by, T("Only who opened the case, its section chief and supervision may urge it."), roles=URGERS, starter=True)
        if row.closed_at is not None:
            raise InvalidState("The case %(case_no)s is closed.", case_no=row.case_no)
        logins = handlers_of(desk, tx.conn, case_key)
        if not logins:
            raise InvalidState("Nobody has an open task in the case %(case_no)s just now.", case_no=row.case_no)
        task = tables.user_task.c
        raised = case_when((task.priority + URGED_STEP > URGED_PRIORITY, URGED_PRIORITY), else_=task.priority + URGED_STEP)
        tx.execute(update(tables.user_task).where(task.root_key == case_key, task.state == "CREATED").values(priority=raised))
        directory = desk.people.directory(tx.conn)
        words = T(
            "%(name)s urges you: %(case_no)s %(title)s — %(text)s",
            name=directory.name(by),
            case_no=row.case_no,
            title=row.title,
            text=text.strip(),
        )
        notices = Notices(tx.now, by)
        told = notices.tell(logins, "urged", words, case_key=case_key)
        notices.post(desk, tx)
        details = {"recipients": [{"login": login, "name": directory.name(login)} for login in told]}
        tx.add(tables.trail, **trail_row(case_key, "urge", tx, actor=by, opinion=text.strip() or None, details=details))
        tx.audit("case.urge", f"case:{case_key}", recipients=told)
        return told

    return desk.command(work, by=by, address=address)


def handlers_of(desk: Desk, conn: Any, case_key: int) -> list[str]:
    """Who has the open tasks of a case: assignees, and where nobody holds a task its candidates."""
    directory = desk.people.directory(conn)
    task = tables.user_task
    found: dict[str, None] = {}
    for row in conn.execute(select(task).where(task.c.root_key == case_key, task.c.state == "CREATED").order_by(task.c.key)):
        if row.assignee:
            found[row.assignee] = None
        else:
            candidates = people_of(directory, (*row.candidate_users, *row.candidate_groups))
            found.update(dict.fromkeys(login for login in candidates if not excluded_by(directory, login, row.excluded)))
    return list(found)


def case_action(desk: Desk, case_key: int, message: str, data: Mapping[str, Any], *, by: str, address: str | None = None) -> Instance:
    """Press a button of the case page: publish ``message`` to the case with the data of its form.

    :class:`InvalidState` when nothing in the case waits for it just now: a button pressed too late must not seem to work.
    """

    def work(tx: Any, note: Note) -> Any:
        row = desk.access.find_case(tx.conn, case_key, by)
        sheet = desk.sheet_of(tx.conn, row.procedure_key)
        action = next((each for each in (sheet.all_actions() if sheet else ()) if each.message == message), None)
        if action is None:
            raise NotFound("This case has no action “%(message)s”.", message=message)
        if action.roles and desk.people.groups(by, tx.conn).isdisjoint(action.roles):
            raise NotPermitted("You may not do this: %(label)s.", label=action.label)
        live = note.unit.load(case_key)
        context = dict(live.execution.variables)
        values, errors = desk.validated(
            tx, desk.form(tx.conn, action.form), data, subject=f"case:{case_key}", context=context, case_key=case_key
        )
        refuse(errors)
        note.sent_by_hand, note.message_label, note.form_id, note.data = True, action.label, action.form, values
        tx.audit("case.action", f"case:{case_key}", message=message)
        return _send(note, row, message, values, action.label)

    return desk.instance_command(work, by=by, address=address)


def request_extension(desk: Desk, task_key: int, *, by: str, address: str | None = None) -> Instance:
    """申请延期 from a task with the property ``extendable``: starts the procedure's extension approval."""

    def work(tx: Any, note: Note) -> Any:
        task = desk.access.find_task(tx.conn, task_key, by)
        desk.require_work(tx.conn, task, by)
        rule_id = task.properties.get("extendable")
        if not rule_id or task.state != "CREATED":
            raise InvalidState("An extension cannot be requested from “%(task)s”.", task=task.name)
        if not desk.functions(tx, task.root_key)["extendable"](rule_id):
            raise InvalidState("This limit can no longer be extended: it has run out, or was extended as often as allowed.")
        row = tx.execute(select(tables.case_file).where(tables.case_file.c.key == task.root_key)).one()
        note.sent_by_hand = True
        tx.audit("case.extension_requested", f"case:{row.key}", rule=rule_id)
        return _send(note, row, EXTENSION_MESSAGE, {"extension_rule": rule_id}, T("Request an extension"))

    return desk.instance_command(work, by=by, address=address)


def extension_possible(desk: Desk, conn: Connection, case_key: int, rule_id: str) -> bool:
    """Whether a running limit of that rule in the case could still be extended now; a page offers the button only then."""
    clock = tables.clock
    running = conn.execute(select(clock).where(clock.c.case_key == case_key, clock.c.rule_id == rule_id, clock.c.state != clocks.STOPPED)).mappings()
    return any(may_extend(ClockState.of_row(row), desk.engine.clock(), desk.engine.calendar) for row in running)


def _send(note: Note, row: Any, message: str, values: Mapping[str, Any], label: str) -> Any:
    if not note.unit.correlate(message, row.case_no, values, starts=False):
        raise InvalidState("“%(label)s” is not possible at this stage of the case %(case_no)s.", label=label, case_no=row.case_no)
    return note.unit.load(row.key)


def state_reason(desk: Desk, clock_key: int, reason: str, *, by: str, address: str | None = None) -> None:
    """Say why a limit cannot be kept; rungs with ``unless: reason_stated`` are then withheld.  For handlers and the chief."""

    def work(tx: Any, note: Note) -> None:
        state, row = _clock(desk, tx, clock_key, by)
        if by not in handlers_of(desk, tx.conn, row.key):
            _require_lead(desk, tx, row, by, T("Only the handlers of the case and their chief may state the reason for a delay."))
        if not reason.strip():
            words = T("Say why the limit cannot be kept.")
            raise ValidationFailed(words, errors={"reason": [words]})
        details = {"rule": state.rule_id, "label": state.row["label"]}
        tx.add(tables.trail, **trail_row(row.key, "explain", tx, actor=by, opinion=reason.strip(), details=details))
        tx.audit("clock.explain", f"clock:{clock_key}")

    desk.command(work, by=by, address=address)


def look(desk: Desk, case_key: int, *, by: str, address: str | None = None) -> Reveal:
    """Whether ``by`` may see the confidential fields of a case; if so, that they looked is recorded.

    Call it when the fields are about to be shown, and show them only if the answer is true.
    """

    def work(tx: Any, note: Note) -> Reveal:
        row = desk.access.find_case(tx.conn, case_key, by)
        answer = desk.access.reveal(tx.conn, row, by)
        if answer and answer.reason != "open":
            tx.add(
                tables.sensitive_view,
                key=new_key(), case_key=case_key, fields=list(answer.fields), viewer=by, reason=answer.reason, at=tx.now, address=address,
            )  # fmt: skip
        elif not answer:
            tx.audit("identity.withheld", f"case:{case_key}")
        return answer

    return desk.command(work, by=by, address=address)


def _clock(desk: Desk, tx: Any, clock_key: int, by: str) -> tuple[ClockState, Any]:
    found = tx.execute(select(tables.clock).where(tables.clock.c.key == clock_key).with_for_update()).mappings().one_or_none()
    if found is None:
        raise AccessRefused(T("There is no such limit, or you may not see it."), subject=f"clock:{clock_key}", reason="missing")
    return ClockState.of_row(found), desk.access.find_case(tx.conn, found["case_key"], by)


def _require_lead(desk: Desk, tx: Any, row: Any, by: str, refusal: Any, *, roles: Any = OVERSEERS, starter: bool = False) -> None:
    groups = desk.people.groups(by, tx.conn)
    chief = row.section_code and any(f"{role}@{row.section_code}" in groups for role in CHIEFS)
    if not (chief or not set(roles).isdisjoint(groups) or (starter and row.starter in desk.access.identities(tx.conn, by))):
        raise NotPermitted(refusal)


def _announce(desk: Desk, tx: Any, by: str, logins: list[str], kind: str, words: Any, case_key: int) -> None:
    notices = Notices(tx.now, by)
    notices.tell(logins, kind, words, case_key=case_key)
    notices.post(desk, tx)
