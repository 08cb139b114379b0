"""More time for a limit: asked for on the case page by who handles the case, decided by somebody else, before the limit runs out.

``domain.md`` §1.0.5 (延期审批): filed before the due day with a reason, two people, as often and as long as the rule allows.  A procedure
with an extension step of its own keeps it; while that step runs, or a request waits, nothing else is asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Row, select, update
from sqlalchemy.exc import IntegrityError

from engine.bpmn.validation import nodes
from engine.deadlines import Clock, amount_words
from engine.deadlines import clock as deadlines
from engine.deadlines.amounts import plain, refusal_of
from engine.errors import Conflict, EngineError, InvalidState, NotPermitted, ValidationFailed
from engine.runtime.casework import attachments
from engine.runtime.casework.access import CHIEFS, AccessRefused
from engine.runtime.casework.casestate import Note, after_clock_change, trail_row
from engine.runtime.casework.filing import handlers_of
from engine.runtime.limits import clocks
from engine.runtime.limits.clocks import ClockState
from engine.runtime.limits.pausing import LONGEST_DOCUMENT, LONGEST_REASON, Paper, locked
from engine.runtime.live import names
from engine.runtime.supervision.readers import reads_case
from engine.runtime.telling.notices import Notices
from engine.store import tables
from engine.store.types import new_key
from engine.words import T, Words

if TYPE_CHECKING:
    from engine.runtime.desk import Desk

FIELD = "clock.extend"
"""Field under which the paper of a request stands among the documents of the case."""
EXTENDS = "clock.extend"
"""Property of an element that extends a limit: the procedure's own way."""
ASKED, GRANTED, REFUSED, WITHDRAWN = "ASKED", "GRANTED", "REFUSED", "WITHDRAWN"
STATE_WORDS: dict[str, Words] = {
    ASKED: T("waits for a decision"), GRANTED: T("granted"), REFUSED: T("refused"), WITHDRAWN: T("withdrawn"),
}  # fmt: skip
LEADERS = ("vice_director", "director")
"""Who grants extensions besides the chief of the section that owns the case."""
NOT_LEADER = T("Only the section chief, a vice director or the director may extend a limit.")
NOT_ASKING = T("Only who handles the case and the chief of its section may ask for more time.")
_REQUEST, _CLOCK = tables.extension_request, tables.clock


@dataclass(frozen=True)
class Arithmetic:
    """A limit before and after an extension: the clock as it is and as it would be; ``due`` are UTC instants, ``None`` while paused."""

    before: Clock
    after: Clock
    due_before: datetime | None
    due_after: datetime | None


# -- who and whether -----------------------------------------------------------------------------------------------------------


def may_ask(desk: Desk, conn: Connection, case: Row, login: str) -> bool:
    """Whether ``login`` may ask for more time for a case that they may read: who has its open tasks, and the chief of its section."""
    if case.closed_at is not None:
        return False
    if not desk.access.identities(conn, login).isdisjoint(handlers_of(desk, conn, case.key)):
        return True
    return _leads(case, desk.people.groups(login, conn))


def may_decide(desk: Desk, conn: Connection, case: Row, login: str, asked_by: str | None = None) -> Words | None:
    """Why ``login`` may not grant or refuse an extension; ``None`` when they may.

    The chief of the owner section, a vice director, the director; never who has a task of the case in hand, nor who asked, nor
    whoever stands in for one of these: who asks and who grants are two.
    """
    groups = desk.people.groups(login, conn)
    if not _leads(case, groups) and groups.isdisjoint(LEADERS):
        return NOT_LEADER
    identities = desk.access.identities(conn, login)
    task = tables.user_task.c
    mine = select(task.key).where(task.root_key == case.key, task.state == "CREATED", task.assignee.in_(list(identities))).limit(1)
    if conn.execute(mine).first() is not None:
        return T("Whoever handles the case does not grant its extension; ask another of those who may.")
    if asked_by is not None and asked_by in identities:
        return T("Who asks for an extension does not grant it; another of those who may has to.")
    return None


def _leads(case: Row, groups: Any) -> bool:
    return bool(case.section_code) and any(f"{role}@{case.section_code}" in groups for role in CHIEFS)


def refusal(desk: Desk, conn: Connection, state: ClockState) -> Words | None:
    """Why no extension of this limit can be asked for now; ``None`` when it can."""
    label, allowed = state.row["label"], state.clock.rule.extension
    if not state.live:
        return T("The limit “%(label)s” has already ended.", label=label)
    if allowed is None:
        return T("The limit “%(label)s” cannot be extended.", label=label)
    try:
        # The most that can be asked for: what is refused of that for any reason but its length is refused of everything.
        deadlines.extend(state.clock, allowed.limit or 1, allowed.unit, "", "", desk.engine.clock(), desk.engine.calendar)
    except EngineError as error:
        return error.message
    if conn.execute(select(_REQUEST.c.key).where(_REQUEST.c.only_key == state.key)).first() is not None:
        return T("An extension of “%(label)s” has been asked for already and waits for a decision.", label=label)
    if own_way_runs(desk, conn, state):
        return T("The procedure's own extension step runs in this case; decide there.")
    return None


def own_way_runs(desk: Desk, conn: Connection, state: ClockState) -> bool:
    """Whether a step of the procedure that may end in an extension of this limit is at work in the case.

    That is a called process with an element that has :data:`EXTENDS`, or such an element, or the sub-process around it, being active
    in the case itself.  A rule id that is computed may be any.
    """
    instance, activity = tables.instance.c, tables.activity.c
    running = select(instance.key, instance.definition_key).where(instance.root_key == state.row["case_key"], instance.state.in_(("ACTIVE", "SUSPENDED")))
    for row in conn.execute(running).all():
        found = [node for node in nodes(desk.engine.catalogue.get(row.definition_key, conn).model) if _extends(node, state)]
        if not found:
            continue
        if row.key != state.row["case_key"]:
            return True
        around = {node.bpmn_id for node in found} | {node.container.bpmn_id for node in found if node.container is not None}
        active = select(activity.element_id).where(activity.instance_key == row.key, activity.state == "ACTIVE", activity.element_id.in_(around))
        if conn.execute(active.limit(1)).first() is not None:
            return True
    return False


def _extends(node: Any, state: ClockState) -> bool:
    value = node.properties.get(EXTENDS)
    return value is not None and (value.expression is not None or state.rule_id in names(value.text))


def projected(desk: Desk, clock: Clock, amount: int | Decimal, by: str = "") -> Arithmetic:
    """The limit before and after an extension of ``amount`` in the unit of its rule; raises what the deadline rules raise."""
    calendar, allowed = desk.engine.calendar, clock.rule.extension
    after = deadlines.extend(clock, amount, allowed.unit if allowed else clock.unit, "", by, desk.engine.clock(), calendar)
    before_due, after_due = deadlines.due_of(clock, calendar), deadlines.due_of(after, calendar)
    return Arithmetic(clock, after, before_due.at if before_due else None, after_due.at if after_due else None)


# -- asking --------------------------------------------------------------------------------------------------------------------


def ask(
    desk: Desk,
    case_key: int,
    clock_key: int,
    amount: int | Decimal,
    reason: str,
    *,
    document: str = "",
    paper: Paper | None = None,
    by: str,
    address: str | None = None,
) -> int:
    """Ask for ``amount`` more, in the unit of the rule's extension; returns the key of the request, of which those who decide are told.

    Raises :class:`NotPermitted`, :class:`ValidationFailed` by field (``amount``, ``reason``, ``document``, ``file``), and
    :class:`InvalidState` when the rule allows no more, the limit has run out, or another request or step is under way.
    """

    def work(tx: Any, note: Note) -> int:
        case = desk.access.find_case(tx.conn, case_key, by)
        if not may_ask(desk, tx.conn, case, by):
            raise NotPermitted(NOT_ASKING)
        (state,) = locked(tx, case_key, [clock_key])
        refused = refusal(desk, tx.conn, state)
        if refused is not None:
            raise InvalidState(refused)
        errors = _errors(reason, document, T("An extension needs a reason."))
        state.protect(desk.engine.calendar)
        try:
            deadlines.extend(state.clock, amount, _unit(state), reason, by, tx.now, desk.engine.calendar)
        except ValidationFailed as mistake:
            errors["amount"] = mistake.errors.get("amount") or [mistake.message]
        if errors:
            raise ValidationFailed("The extension cannot be asked for like this.", errors=errors)
        attachment = None
        if paper is not None:
            attachment = attachments.store(desk, tx, case_key, f"case:{case_key}", FIELD, paper.filename, paper.content)
        key, unit = new_key(), _unit(state)
        tx.add(
            _REQUEST,
            key=key, case_key=case_key, clock_key=clock_key, only_key=clock_key, state=ASKED, amount=str(amount), granted=None, unit=unit,
            reason=reason.strip(), document=document.strip(), attachment_key=attachment, due_at=state.row["due_at"], asked_by=by, asked_at=tx.now,
            decided_by=None, decided_at=None, decision=None,
        )  # fmt: skip
        details = {"rule": state.rule_id, "label": state.row["label"], "amount": str(amount), "unit": unit, "document": document.strip()}
        tx.add(tables.trail, **trail_row(case_key, "extend_asked", tx, actor=by, opinion=reason.strip(), details=details))
        directory = desk.people.directory(tx.conn)
        words = T(
            "%(name)s asks for %(amount)s more for “%(label)s” of %(case_no)s.",
            name=directory.name(by), amount=amount_words(amount, unit), label=state.row["label"], case_no=case.case_no,
        )  # fmt: skip
        _tell(desk, tx, deciders(desk, tx.conn, case, by), words, case_key)
        tx.audit("clock.extend_asked", f"case:{case_key}", clock=str(clock_key), request=str(key), **details)
        tx.flush()
        return key

    try:
        return desk.command(work, by=by, address=address)
    except IntegrityError as error:
        # Two pages at once on a database that does not lock what was read; the unique clock decides.
        raise Conflict(T("An extension of this limit has just been asked for.")) from error


def deciders(desk: Desk, conn: Connection, case: Row, asked_by: str) -> list[str]:
    """Who is told of a request: the chief of the owner section, else a vice director, else the director; whoever may decide and may read the
    case."""
    directory = desk.people.directory(conn)
    ranks = (
        directory.holders(CHIEFS, case.section_code), directory.members(f"vice_director@{case.section_code}"), directory.members("vice_director"),
        directory.members("director"),
    )  # fmt: skip
    for rank in ranks:
        found = [login for login in rank if may_decide(desk, conn, case, login, asked_by) is None and reads_case(desk, conn, case.key, login)]
        if found:
            return found
    return []


# -- deciding ------------------------------------------------------------------------------------------------------------------


def grant(desk: Desk, key: int, amount: int | Decimal | None = None, words: str = "", *, by: str, address: str | None = None) -> None:
    """Grant a request, in full or less of it (``amount``); the limit is extended at once.

    Raises :class:`NotPermitted`, :class:`ValidationFailed` by field (``amount``, ``words``), :class:`InvalidState` when it was decided
    already or the limit has run out meanwhile.
    """

    def work(tx: Any, note: Note) -> None:
        request, case, state = _waiting(desk, tx, key, by)
        _require_decider(desk, tx, case, by, request.asked_by)
        asked = deadlines.checked_amount(request.amount, request.unit)
        given = asked if amount is None else amount
        errors: dict[str, list[Words]] = {}
        unreadable = refusal_of(given, request.unit)
        if unreadable is not None:
            errors["amount"] = [unreadable]
        elif given > asked:
            errors["amount"] = [T("At most what was asked for: %(amount)s.", amount=amount_words(asked, request.unit))]
        if len(words.strip()) > LONGEST_REASON:
            errors["words"] = [T("At most %(most)d characters.", most=LONGEST_REASON)]
        if errors:
            raise ValidationFailed("The extension cannot be granted like this.", errors=errors)
        _close(tx, request, GRANTED, by, words, plain(given))
        _extend(desk, tx, case, state, given, request.unit, request.reason, by, {"asked_by": request.asked_by, "request": str(key)})
        said = T(
            "%(name)s granted %(amount)s more for “%(label)s” of %(case_no)s.",
            name=desk.people.directory(tx.conn).name(by), amount=amount_words(given, request.unit), label=state.row["label"], case_no=case.case_no,
        )  # fmt: skip
        _tell(desk, tx, [request.asked_by], said, case.key)

    desk.command(work, by=by, address=address)


def refuse(desk: Desk, key: int, words: str, *, by: str, address: str | None = None) -> None:
    """Refuse a request, with a reason.  Raises as :func:`grant` does."""

    def work(tx: Any, note: Note) -> None:
        request, case, state = _waiting(desk, tx, key, by)
        _require_decider(desk, tx, case, by, request.asked_by)
        errors = _errors(words, "", T("Say why it is refused."))
        if errors:
            raise ValidationFailed("The extension cannot be refused like this.", errors={"words": errors["reason"]})
        _close(tx, request, REFUSED, by, words, None)
        _note(tx, case, state, request, "extend_refused", by, words)
        said = T(
            "%(name)s refused the extension of “%(label)s” of %(case_no)s: %(reason)s",
            name=desk.people.directory(tx.conn).name(by), label=state.row["label"], case_no=case.case_no, reason=words.strip(),
        )  # fmt: skip
        _tell(desk, tx, [request.asked_by], said, case.key)

    desk.command(work, by=by, address=address)


def withdraw(desk: Desk, key: int, *, by: str, address: str | None = None) -> None:
    """Take one's own request back while it waits."""

    def work(tx: Any, note: Note) -> None:
        request, case, state = _waiting(desk, tx, key, by)
        if request.asked_by not in desk.access.identities(tx.conn, by):
            raise NotPermitted(T("Only who asked for an extension withdraws the request."))
        _close(tx, request, WITHDRAWN, by, "", None)
        _note(tx, case, state, request, "extend_withdrawn", by, "")

    desk.command(work, by=by, address=address)


def extend_clock(
    desk: Desk, clock_key: int, amount: int | float | Decimal, reason: str, *, by: str, address: str | None = None, unit: str | None = None
) -> None:
    """Grant an extension directly: ``amount`` in the unit of the rule's extension, which also sets how much and how often.

    For whom :func:`may_decide` allows it, on a paper that asked for it outside this program.  Raises what the deadline rules raise.
    """

    def work(tx: Any, note: Note) -> None:
        case_key = tx.execute(select(_CLOCK.c.case_key).where(_CLOCK.c.key == clock_key)).scalar_one_or_none()
        if case_key is None:
            raise AccessRefused(T("There is no such limit, or you may not see it."), subject=f"clock:{clock_key}", reason="missing")
        case = desk.access.find_case(tx.conn, case_key, by)
        (state,) = locked(tx, case_key, [clock_key])
        _require_decider(desk, tx, case, by, None)
        if not reason.strip():
            words = T("An extension needs a reason.")
            raise ValidationFailed(words, errors={"reason": [words]})
        _extend(desk, tx, case, state, amount, unit, reason, by, {})

    desk.command(work, by=by, address=address)


# -- reading -------------------------------------------------------------------------------------------------------------------


def of_case(conn: Connection, case_key: int) -> list[Row]:
    """The requests of a case with the label of their limit, those that wait first, then the newest."""
    chosen = select(_REQUEST, _CLOCK.c.label).join(_CLOCK, _CLOCK.c.key == _REQUEST.c.clock_key).where(_REQUEST.c.case_key == case_key)
    return list(conn.execute(chosen.order_by((_REQUEST.c.state != ASKED).asc(), _REQUEST.c.key.desc())))


def find(desk: Desk, conn: Connection, key: int, login: str) -> tuple[Row, Row]:
    """A request and its case, if ``login`` may read that; :class:`AccessRefused` otherwise."""
    row = conn.execute(select(_REQUEST).where(_REQUEST.c.key == key)).one_or_none()
    if row is None:
        raise AccessRefused(T("There is no such request, or you may not see it."), subject=f"extension:{key}", reason="missing")
    return row, desk.access.find_case(conn, row.case_key, login)


# -- inside --------------------------------------------------------------------------------------------------------------------


def _unit(state: ClockState) -> str:
    extension = state.clock.rule.extension
    return extension.unit if extension else state.clock.unit


def _errors(reason: str, document: str, missing: Words) -> dict[str, list[Words]]:
    errors: dict[str, list[Words]] = {}
    if not reason.strip():
        errors["reason"] = [missing]
    elif len(reason.strip()) > LONGEST_REASON:
        errors["reason"] = [T("At most %(most)d characters.", most=LONGEST_REASON)]
    if len(document.strip()) > LONGEST_DOCUMENT:
        errors["document"] = [T("At most %(most)d characters.", most=LONGEST_DOCUMENT)]
    return errors


def _waiting(desk: Desk, tx: Any, key: int, by: str) -> tuple[Row, Row, ClockState]:
    """A request that waits, its case, and its limit, locked."""
    request, case = find(desk, tx.conn, key, by)
    (state,) = locked(tx, case.key, [request.clock_key])
    request = tx.execute(select(_REQUEST).where(_REQUEST.c.key == key).with_for_update()).one()
    if request.state != ASKED:
        raise InvalidState("This request has been decided already (%(state)s).", state=STATE_WORDS[request.state])
    return request, case, state


def _require_decider(desk: Desk, tx: Any, case: Row, by: str, asked_by: str | None) -> None:
    refused = may_decide(desk, tx.conn, case, by, asked_by)
    if refused is not None:
        raise NotPermitted(refused)


def _close(tx: Any, request: Row, state: str, by: str, words: str, granted: str | None) -> None:
    values = {"state": state, "only_key": None, "decided_by": by, "decided_at": tx.now, "decision": words.strip() or None, "granted": granted}
    tx.execute(update(_REQUEST).where(_REQUEST.c.key == request.key).values(**values))


def _note(tx: Any, case: Row, state: ClockState, request: Row, action: str, by: str, words: str) -> None:
    details = {"rule": state.rule_id, "label": state.row["label"], "amount": request.amount, "unit": request.unit, "request": str(request.key)}
    tx.add(tables.trail, **trail_row(case.key, action, tx, actor=by, opinion=words.strip() or None, details=details))
    tx.audit(f"clock.{action}", f"case:{case.key}", clock=str(state.key), **details)


def _extend(
    desk: Desk, tx: Any, case: Row, state: ClockState, amount: Any, unit: str | None, reason: str, by: str, more: Mapping[str, str]
) -> None:
    """Lengthen a locked limit and write what follows from it: clock, timers, trail, notices, audit."""
    calendar = desk.engine.calendar
    before = state.row["due_at"]
    state.extend(amount, unit, reason.strip(), by, tx.now, calendar)
    state.derive(calendar, desk.book(tx.conn).ladder(state.row["ladder_id"]))
    clocks.write(tx.conn, [state])
    after_clock_change(desk, tx, [state])
    details = {
        "rule": state.rule_id, "label": state.row["label"], "amount": str(amount),
        "from": before.isoformat() if before else None, "to": state.row["due_at"].isoformat() if state.row["due_at"] else None, **more,
    }  # fmt: skip
    tx.add(tables.trail, **trail_row(case.key, "extend", tx, actor=by, opinion=reason.strip(), details=details))
    name = desk.people.directory(tx.conn).name(by)
    words = T("%(name)s extended “%(label)s” of %(case_no)s.", name=name, label=state.row["label"], case_no=case.case_no)
    notices = Notices(tx.now, by)
    notices.tell(handlers_of(desk, tx.conn, case.key), "extended", words, case_key=case.key)
    notices.post(desk, tx)
    tx.audit("clock.extend", f"clock:{state.key}", amount=str(amount), **more)


def _tell(desk: Desk, tx: Any, logins: list[str], words: Words, case_key: int) -> None:
    notices = Notices(tx.now, tx.by)
    notices.tell(logins, "extension", words, case_key=case_key)
    notices.post(desk, tx)
