"""Timers of a model that follow the limits of their case.

A timer whose expression asks ``due("rule")`` or ``overdue("rule", start)`` means a limit, and a limit moves: it is extended, paused,
taken up again, brought under another version of its rule, or its calendar is corrected.  So the row of such a timer keeps what its
expression asked for and what it read, and is worked out again when one of these happens.  It is due then, or sleeps (``due_at`` is
empty) as long as a pause holds the limit; nothing is fired by moving it.

Which clock a question means is settled once, at the end of the command that arms the timer, because the clock often begins in that
very command: without a start the innermost clock of that rule around the token, else one of the case; with a start the clock that
counts from the same moment.  Without such a clock the answer is counted from the start, and only the calendar moves it, never back.  A clock that
ends leaves its timers where they are, unless another one of its rule runs then: they follow that one.

Variables are read once, when the timer is armed; afterwards only limits and the calendar move it.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, bindparam, select, update

from engine.bpmn.elements import ElementFailure, EventDefinition
from engine.bpmn.expressions import UnreadableExpression, feel
from engine.bpmn.timers import MODEL_FUNCTIONS, first_due
from engine.bpmn.variables import DECIMAL_MARK, plain
from engine.errors import EngineError
from engine.feel import FeelError
from engine.runtime.casework.moments import feel_time, moment
from engine.runtime.limits.clocks import STOPPED, ClockState
from engine.store import tables

if TYPE_CHECKING:
    from engine.runtime.casework.casestate import CaseState
    from engine.runtime.desk import Desk
    from engine.runtime.effects import Effects

log = logging.getLogger(__name__)

QUESTIONS = frozenset({"due", "overdue"})
"""The functions that ask for a limit."""
THE_CLOCKS: Any = object()
"""The start of a question that names none: that of the clock that runs, if one does, else now."""
_TIMER, _INSTANCE, _CLOCK = tables.timer, tables.instance, tables.clock
_MOVE = (
    update(_TIMER)
    .where(_TIMER.c.key == bindparam("timer_"))
    .values({name: bindparam(f"new_{name}") for name in ("due_at", "follows", "calendar_version")})
)


def asks(definition: EventDefinition) -> bool:
    """Whether a timer's expression asks for a limit.  A cycle does not follow: what has fired already cannot be moved."""
    expression = definition.timer.expression
    return definition.timer_type != "cycle" and expression is not None and not QUESTIONS.isdisjoint(expression.names)


def pick(
    clocks: Iterable[ClockState],
    rule_id: str,
    start: datetime | date | None = None,
    instance_key: int | None = None,
    holders: Sequence[int] = (),
) -> ClockState | None:
    """The running or paused clock that a question means: of that rule and, if one is given, from that ``start``.

    ``holders`` are the tokens of the instance from the asking one outwards; the innermost one that has such a clock decides, then a
    clock of the case, then any; of several the one that began last.
    """

    def rank(state: ClockState) -> tuple[int, int]:
        token = state.row["token"]
        if state.row["instance_key"] == instance_key and token in holders:
            return len(holders) - holders.index(token) + 1, state.key
        return (1 if state.of_case else 0), state.key

    meant = (
        state for state in clocks if state.live and state.rule_id == rule_id and (start is None or _same(state.clock.started_at, start))
    )
    return max(meant, key=rank, default=None)


def _same(left: datetime | date, right: datetime | date) -> bool:
    """Whether two starts are one moment, to the second: models and forms know no less."""
    if isinstance(left, datetime) != isinstance(right, datetime):
        return False
    return left.replace(microsecond=0) == right.replace(microsecond=0) if isinstance(left, datetime) else left == right


# --- arming ------------------------------------------------------------------------------------------------------------------


def arm(
    desk: Desk,
    tx: Any,
    row: dict[str, Any],
    case_key: int,
    definition: EventDefinition,
    label: str,
    view: Mapping[str, Any],
    holders: Sequence[int],
) -> None:
    """Fill in the ``row`` of a timer that :func:`asks`, as far as it can be known before the clocks of this command have begun.

    ``view`` holds the variables and functions seen by the waiting token, ``holders`` are that token and those around it.  Raises
    :class:`ElementFailure` and :class:`FeelError`, as any timer that cannot be read.
    """
    row["case_key"] = case_key
    row["follows"] = {
        "type": definition.timer_type, "text": definition.timer.text, "label": label, "at": tx.now.isoformat(), "holders": list(holders),
        "seen": _packed({name: plain(value) for name in sorted(definition.timer.expression.names) if not callable(value := view.get(name))}),
        "asks": [],
    }  # fmt: skip
    reckoning = _Reckoning(desk, tx, row, ())
    row.update(due_at=reckoning.instant(), follows=reckoning.follows(), calendar_version=reckoning.calendar_version)


def settle(desk: Desk, tx: Any, effects: Effects, cases: Mapping[int, CaseState]) -> None:
    """At the end of a command, when its clocks are derived: settle which clocks the timers armed in it follow.

    Also wakes the timers of a clock that ended while it was paused, and hands those of one that ended while another one of its rule
    began over to that; whoever moves the due instant of a clock calls :func:`follow`.
    """
    for row in effects.following:
        case = cases.get(row["case_key"])
        if case is not None and (values := _worked_out(desk, tx, {**row, "follows": {**row["follows"], "asks": []}}, case.clocks)):
            row.update(values)
            if row["key"] in effects.written_timers:
                tx.execute(_MOVE, [_parameters(row["key"], values)])
    ended: list[ClockState] = []
    for case in cases.values():
        begun = {state.rule_id for state in case.clocks if state.new}
        for state in case.clocks:
            if state.changed and not state.live and not state.new and not state.followed_by:
                asleep = any(each.end == state.clock.stopped_at for each in state.clock.pauses)
                ended += [state] if asleep or state.rule_id in begun else []
    follow(desk, tx, ended, {key: case.clocks for key, case in cases.items()})


# --- moving ------------------------------------------------------------------------------------------------------------------


def follow(desk: Desk, tx: Any, changed: Iterable[ClockState], known: Mapping[int, Iterable[ClockState]] | None = None) -> int:
    """Work out anew the waiting timers of the cases of ``changed`` clocks, which have been derived already; gives how many moved.

    ``known`` are all unfinished clocks of a case, if the caller has them; else they are read.  Locks the instances of the timers, as
    whoever fires one does: call it before the clocks are written, or with the instances locked.
    """
    changed = {state.key: state for state in changed}
    case_keys = {state.row["case_key"] for state in changed.values()}
    if not case_keys:
        return 0
    waiting = select(_TIMER).where(_TIMER.c.case_key.in_(sorted(case_keys))).order_by(_TIMER.c.key)
    rows = _waiting(desk, tx, waiting)
    if not rows:
        return 0
    unit = desk.note_of(tx).unit
    unlocked = {row["instance_key"] for row in rows} - set(unit.lives if unit is not None else ())
    if unlocked:
        tx.execute(select(_INSTANCE.c.key).where(_INSTANCE.c.key.in_(sorted(unlocked))).order_by(_INSTANCE.c.key).with_for_update())
        # Whoever held them may have fired or cancelled a timer.
        rows = _waiting(desk, tx, waiting)
    return _move(desk, tx, rows, changed.values(), known)


def lock_cases(tx: Any, case_keys: Collection[int], *, wait: bool = False) -> set[int]:
    """Lock the running instances of cases; gives the cases of which none is in another's hands.

    Unless told to ``wait``, it does not, and so may be called with clocks locked.
    """
    running = select(_INSTANCE.c.key, _INSTANCE.c.root_key).where(
        _INSTANCE.c.root_key.in_(sorted(case_keys)), _INSTANCE.c.state.in_(("ACTIVE", "SUSPENDED"))
    )
    locked = {row.key for row in tx.execute(running.order_by(_INSTANCE.c.key).with_for_update(skip_locked=not wait))}
    return set(case_keys) - {row.root_key for row in tx.execute(running) if row.key not in locked}


def behind(conn: Connection, version: int) -> bool:
    """Whether a timer is left that was worked out with an older calendar than ``version``."""
    return conn.execute(select(_TIMER.c.key).where(_TIMER.c.calendar_version < version).limit(1)).first() is not None


def bring(desk: Desk, tx: Any, version: int, limit: int) -> int:
    """Work out anew at most ``limit`` timers that were worked out with an older calendar than ``version``, those of instances that
    nobody else is working on; gives how many.  The desk must know that calendar already."""
    late = select(_TIMER).where(_TIMER.c.calendar_version < version).order_by(_TIMER.c.key)
    cases = {row["case_key"] for row in tx.execute(late.limit(limit)).mappings()}
    free = lock_cases(tx, cases) if cases else set()
    if not free:
        return 0
    rows = tx.execute(late.where(_TIMER.c.case_key.in_(sorted(free))).limit(limit)).mappings().all()
    _move(desk, tx, rows)
    return len(rows)


def _move(
    desk: Desk,
    tx: Any,
    rows: Iterable[Mapping[str, Any]],
    changed: Iterable[ClockState] = (),
    known: Mapping[int, Iterable[ClockState]] | None = None,
) -> int:
    """Work out anew these timers, whose instances are locked; gives how many have another instant now."""
    rows = list(rows)
    clocks = {key: {state.key: state for state in states} for key, states in (known or {}).items()}
    missing = {row["case_key"] for row in rows} - clocks.keys()
    if missing:
        unfinished = select(_CLOCK).where(_CLOCK.c.case_key.in_(sorted(missing)), _CLOCK.c.state != STOPPED)
        for row in tx.execute(unfinished).mappings():
            clocks.setdefault(row["case_key"], {})[row["key"]] = ClockState.of_row(row)
    for state in changed:
        clocks.setdefault(state.row["case_key"], {})[state.key] = state
    moved, parameters = 0, []
    for row in rows:
        values = _worked_out(desk, tx, row, clocks.get(row["case_key"], {}).values())
        if values is not None:
            parameters.append(_parameters(row["key"], values))
            moved += values["due_at"] != row["due_at"]
    if parameters:
        tx.execute(_MOVE, parameters)
    return moved


def _waiting(desk: Desk, tx: Any, statement: Any) -> list[Mapping[str, Any]]:
    """Rows of timers, without those that this command has closed and not yet deleted."""
    unit = desk.note_of(tx).unit
    closed = {(live.key, token) for live in unit.lives.values() for token in live.closed_timers} if unit is not None else ()
    return [row for row in tx.execute(statement).mappings() if (row["instance_key"], row["token"]) not in closed]


def _parameters(key: int, values: Mapping[str, Any]) -> dict[str, Any]:
    return {"timer_": key, **{f"new_{name}": value for name, value in values.items()}}


def _worked_out(desk: Desk, tx: Any, row: Mapping[str, Any], clocks: Iterable[ClockState]) -> dict[str, Any] | None:
    """The changed columns of a timer's row; ``None`` when it stays as it is."""
    reckoning = _Reckoning(desk, tx, row, clocks)
    try:
        due_at = reckoning.instant()
    except (ElementFailure, FeelError, UnreadableExpression) as failure:
        # What could be read when it was armed stays as it was read then; that it moves no more must not pass unseen.
        log.warning("the timer %s cannot be worked out anew: %s", row["key"], failure)
        tx.audit("timer.not_moved", f"timer:{row['key']}", reason=str(failure)[:500])
        return {"due_at": row["due_at"], "follows": row["follows"], "calendar_version": reckoning.calendar_version}
    values = {"due_at": due_at, "follows": reckoning.follows(), "calendar_version": reckoning.calendar_version}
    return None if all(row[name] == value for name, value in values.items()) else values


class _Reckoning:
    """One timer, worked out from its row and the clocks of its case."""

    def __init__(self, desk: Desk, tx: Any, row: Mapping[str, Any], clocks: Iterable[ClockState]) -> None:
        self.desk, self.row, self.record = desk, row, row["follows"]
        self.clocks = {state.key: state for state in clocks}
        self.armed_at = datetime.fromisoformat(self.record["at"])
        self.calendar_version: int = desk._calendar.get(tx.conn).version
        self.settled = {(ask["rule"], ask["start"]): ask for ask in self.record["asks"]}
        self.asks: dict[tuple[str, str | None], dict[str, Any]] = {}
        self.asleep = False
        self.functions = desk.functions(tx, row["case_key"])

    def instant(self) -> datetime | None:
        """When the timer is due (UTC); ``None`` while a limit that it needs is paused."""
        now = feel_time(self.armed_at, self.desk.zone)
        scope = {
            **MODEL_FUNCTIONS, **self.functions, "due": self.due, "overdue": self.overdue, "now": lambda: now,
            "today": lambda: self.armed_at.astimezone(self.desk.zone).date(), **_unpacked(self.record["seen"]),
        }  # fmt: skip
        value = feel(self.record["text"]).evaluate(scope)
        try:
            return first_due(self.record["type"], value, self.armed_at, self.record["label"]).at
        except ElementFailure:
            if self.asleep:
                return None
            raise

    def follows(self) -> dict[str, Any]:
        """The record for the row, with what was asked this time."""
        return {**self.record, "asks": list(self.asks.values())}

    def due(self, rule_id: Any, start: Any = THE_CLOCKS) -> Any:
        return self._answer(rule_id, start, timedelta(0))

    def overdue(self, rule_id: Any, start: Any = THE_CLOCKS) -> Any:
        return self._answer(rule_id, start, timedelta(seconds=1))

    def _answer(self, rule_id: Any, start: Any, later: timedelta) -> Any:
        try:
            began = None if start is THE_CLOCKS else moment(start, self.desk.zone) or self.armed_at
        except EngineError:
            return None
        if not isinstance(rule_id, str):
            return None
        mark = (rule_id, began.isoformat() if began else None)
        ask = self.asks[mark] = dict(self.settled.get(mark) or {"rule": rule_id, "start": mark[1], "clock": None, "due": None})
        clock = self._clock(ask, began, fresh=mark not in self.settled)
        if clock is None and ask["clock"] is None:
            counted = self.functions["due"](rule_id, began or self.armed_at)
            if counted is None:
                return None
            # No limit that people wait for becomes shorter by a corrected calendar alone (domain.md §4.2 item 4).
            ask["due"] = max(filter(None, (ask["due"], moment(counted, self.desk.zone).isoformat())))
        elif clock is not None:
            due_at = clock.row["due_at"]
            ask.update(clock=clock.key, due=due_at.isoformat() if due_at else None)
        if ask["due"] is None:
            self.asleep = True
            return None
        return feel_time(datetime.fromisoformat(ask["due"]) + later, self.desk.zone)

    def _clock(self, ask: Mapping[str, Any], began: datetime | date | None, fresh: bool) -> ClockState | None:
        holders, instance_key = self.record["holders"], self.row["instance_key"]
        if fresh:
            return pick(self.clocks.values(), ask["rule"], began, instance_key, holders)
        if ask["clock"] is None:
            return None
        followed = self.clocks.get(ask["clock"])
        while followed is not None and followed.followed_by in self.clocks:
            followed = self.clocks[followed.followed_by]  # it was restarted
        if followed is not None and followed.live:
            return followed
        return pick(self.clocks.values(), ask["rule"], None, instance_key, holders) or followed


def _packed(variables: Mapping[str, Any]) -> str:
    """Variables as JSON text; exact numbers marked as in a snapshot."""
    return json.dumps(variables, ensure_ascii=False, default=lambda value: {DECIMAL_MARK: str(value)})


def _unpacked(text: str) -> dict[str, Any]:
    return json.loads(text, object_hook=lambda item: Decimal(item[DECIMAL_MARK]) if DECIMAL_MARK in item else item)
