"""Pausing limits of a case by decision of a person, and letting them go on.

What the model pauses ends with its step (:mod:`engine.runtime.casework.cases`); what a person pauses ends when a person, or an element with
``clock.resume``, says so.  A pause begins and ends at the moment of the command: nobody writes time back into a limit that ran.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Row, select

from engine.deadlines import Clock, WorkCalendar, date_words
from engine.deadlines.clock import due_of
from engine.deadlines.pauses import NEEDS_DOCUMENT, PAUSE_KINDS, kind_word
from engine.errors import InvalidState, NotPermitted, ValidationFailed
from engine.runtime.casework import attachments
from engine.runtime.casework.access import CHIEFS, URGERS, AccessRefused
from engine.runtime.casework.casestate import Note, after_clock_change, trail_row
from engine.runtime.casework.filing import handlers_of
from engine.runtime.limits import clocks, following
from engine.runtime.limits.clocks import ClockState
from engine.runtime.telling.notices import Notices
from engine.runtime.telling.recipients import Recipients, open_tasks
from engine.store import tables
from engine.words import T, Words

if TYPE_CHECKING:
    from engine.runtime.desk import Desk

FIELD = "clock.pause"
"""Field under which the paper of a pause stands among the documents of the case."""
LONGEST_REASON, LONGEST_DOCUMENT = 500, 200
REFUSAL = T("Only the section chief, supervision and the leaders of the office may pause limits or let them go on.")


@dataclass(frozen=True)
class Paper:
    """A document uploaded with a decision: the name of its file and its bytes."""

    filename: str
    content: bytes


def may_pause(desk: Desk, conn: Connection, case: Row, login: str) -> bool:
    """Whether ``login`` may pause limits of a case that they may read: the chief of the section that owns it or that has it in hand,
    supervision, the leaders."""
    groups = desk.people.groups(login, conn)
    if not URGERS.isdisjoint(groups):
        return True
    led = {section for role, _at, section in (group.partition("@") for group in groups) if role in CHIEFS and section}
    if not led or case.section_code in led:
        return bool(led)
    return not led.isdisjoint(Recipients(desk.people.directory(conn), case, open_tasks(conn, case.key), 0).sections())


def pause(
    desk: Desk,
    case_key: int,
    clock_keys: Collection[int],
    kind: str,
    reason: str,
    *,
    document: str = "",
    paper: Paper | None = None,
    by: str,
    address: str | None = None,
) -> list[str]:
    """Pause limits of a case from now on; returns their labels.

    ``kind`` is one of :data:`PAUSE_KINDS`, ``document`` the number of the paper that allows it, ``paper`` its copy.  All or none.  Raises
    :class:`NotFound`, :class:`NotPermitted`, :class:`ValidationFailed` by field (``clock``, ``kind``, ``reason``, ``document``, ``file``),
    and :class:`InvalidState` when a limit has ended, is over, does not pause by its rule, or is paused for that kind already.
    """

    def work(tx: Any, note: Note) -> list[str]:
        case = _led_case(desk, tx, case_key, by)
        _refuse(checked(clock_keys, kind, reason, document))
        states = locked(tx, case_key, clock_keys)
        attachment = None
        if paper is not None:
            attachment = attachments.store(desk, tx, case_key, f"case:{case_key}", FIELD, paper.filename, paper.content)
        number = document.strip()
        for state in states:
            state.protect(desk.engine.calendar)
            expired = expiry_refusal(state.clock, desk.engine.calendar, tx.now)
            if expired is not None:
                raise InvalidState(expired)
            state.pause(tx.now, reason.strip(), kind=kind, document=number, attachment=attachment, by=by)
        details = {"kind": kind, "document": number, **({"attachment": attachment} if attachment else {})}
        words = T(
            "%(name)s paused limits of %(case_no)s (%(kind)s): %(reason)s",
            name=desk.people.directory(tx.conn).name(by), case_no=case.case_no, kind=kind_word(kind), reason=reason.strip(),
        )  # fmt: skip
        return _done(desk, tx, case, states, "pause", reason.strip(), details, words)

    return desk.command(work, by=by, address=address)


def expiry_refusal(clock: Clock, calendar: WorkCalendar, now: datetime) -> Words | None:
    """Why a limit that is over cannot be paused by hand; ``None`` for one that is not over.

    A decision to pause reaches forward: it would not undo the overrun, but its reminders would sleep and nobody would push any more.
    What the procedure itself pauses stays paused, because what it waits for has not come.
    """
    due = due_of(clock, calendar)
    if due is None or now < due.overdue_at:
        return None
    return T(
        "The limit “%(label)s” ran out on %(day)s; a limit that is over is not paused. State the reason for the delay instead.",
        label=clock.rule.label, day=date_words(due.day),
    )  # fmt: skip


def resume(
    desk: Desk, case_key: int, clock_keys: Collection[int], kind: str, reason: str = "", *, by: str, address: str | None = None
) -> list[str]:
    """Let limits of a case go on that were paused for ``kind`` by decision; returns their labels.

    The day of the command counts again.  A pause that a step of the procedure holds ends with the step and cannot be ended here:
    :class:`InvalidState`, as when nothing is paused for that kind.  Raises what :func:`pause` raises otherwise.
    """

    def work(tx: Any, note: Note) -> list[str]:
        case = _led_case(desk, tx, case_key, by)
        errors: dict[str, list[Words]] = {} if clock_keys else {"clock": [T("Choose at least one limit.")]}
        if len(reason.strip()) > LONGEST_REASON:
            errors["reason"] = [T("At most %(most)d characters.", most=LONGEST_REASON)]
        _refuse(errors)
        states = locked(tx, case_key, clock_keys)
        for state in states:
            if not state.live:
                raise InvalidState("The limit “%(label)s” has already ended.", label=state.row["label"])
            if state.resume_decided(tx.now, kind):
                continue
            if any(each.end is None and each.kind == kind for each in state.clock.pauses):
                raise InvalidState(
                    "A step of the procedure pauses “%(label)s”; it goes on when that step is done.", label=state.row["label"]
                )
            raise InvalidState("The limit “%(label)s” is not paused.", label=state.row["label"])
        words = T(
            "%(name)s lets limits of %(case_no)s go on (%(kind)s).",
            name=desk.people.directory(tx.conn).name(by), case_no=case.case_no, kind=kind_word(kind),
        )  # fmt: skip
        return _done(desk, tx, case, states, "resume", reason.strip(), {"kind": kind}, words)

    return desk.command(work, by=by, address=address)


def checked(clock_keys: Collection[int], kind: str, reason: str, document: str) -> dict[str, list[Words]]:
    """What is wrong with a decision to pause, by field."""
    errors: dict[str, list[Words]] = {}
    if not clock_keys:
        errors["clock"] = [T("Choose at least one limit.")]
    if kind not in PAUSE_KINDS:
        errors["kind"] = [T("Say why the limits stand still.")]
    if not reason.strip():
        errors["reason"] = [T("A pause needs a reason.")]
    elif len(reason.strip()) > LONGEST_REASON:
        errors["reason"] = [T("At most %(most)d characters.", most=LONGEST_REASON)]
    if kind in NEEDS_DOCUMENT and not document.strip():
        errors["document"] = [T("Give the number of the document that decides it.")]
    elif len(document.strip()) > LONGEST_DOCUMENT:
        errors["document"] = [T("At most %(most)d characters.", most=LONGEST_DOCUMENT)]
    return errors


def _refuse(errors: dict[str, list[Words]]) -> None:
    if errors:
        raise ValidationFailed("The limits cannot be paused like this.", errors=errors)


def _led_case(desk: Desk, tx: Any, case_key: int, by: str) -> Row:
    case = desk.access.find_case(tx.conn, case_key, by)
    if not may_pause(desk, tx.conn, case, by):
        raise NotPermitted(REFUSAL)
    return case


def locked(tx: Any, case_key: int, clock_keys: Collection[int]) -> list[ClockState]:
    """Clocks of the case, locked.  Its instances first, called ones too: a command that works on one of them has read the clocks."""
    clock = tables.clock.c
    wanted = sorted(set(clock_keys))
    following.lock_cases(tx, [case_key], wait=True)
    chosen = select(tables.clock).where(clock.key.in_(wanted), clock.case_key == case_key).order_by(clock.key).with_for_update()
    states = [ClockState.of_row(row) for row in tx.execute(chosen).mappings()]
    if len(states) != len(wanted):
        raise AccessRefused(T("There is no such limit, or you may not see it."), subject=f"case:{case_key}", reason="missing")
    return states


def _done(
    desk: Desk, tx: Any, case: Row, states: Sequence[ClockState], action: str, reason: str, details: dict[str, Any], words: Words
) -> list[str]:
    """Write what was decided: clocks, trail, notices to the handlers, audit."""
    book = desk.book(tx.conn)
    for state in states:
        state.derive(desk.engine.calendar, book.ladder(state.row["ladder_id"]))
    clocks.write(tx.conn, states)
    after_clock_change(desk, tx, states)
    labels = [state.row["label"] for state in states]
    details = {"rules": [state.rule_id for state in states], "labels": labels, **details}
    tx.add(tables.trail, **trail_row(case.key, action, tx, actor=tx.by, opinion=reason or None, details=details))
    notices = Notices(tx.now, tx.by)
    notices.tell(handlers_of(desk, tx.conn, case.key), "paused", words, case_key=case.key)
    notices.post(desk, tx)
    # Under the case, so that its log shows it.
    tx.audit(f"clock.{action}", f"case:{case.key}", clocks=[str(state.key) for state in states], **details)
    return labels
