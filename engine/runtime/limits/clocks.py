"""Clock rows: what a ``clock`` row says, derived from its ledger, and what happens to it within a command.

The ledger column is the truth (:meth:`engine.deadlines.Clock.to_dict`), with notes of the desk beside it: ``holds``, which open
activities pause the clock, ``fired``, which rungs have fired (a copy of ``rung_firing``, so that working out the next rung costs no
statement), ``rules_version``, the version of the rule table its rule was taken from, ``scope``, what it runs for (type and name of the
element), and ``follows``/``followed_by``, the clocks before and after a restart.  All other columns are derived by
:func:`derived_columns` and can be recomputed at any time.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam

from engine.deadlines import Clock, Ladder, Rule, Rung, When, WorkCalendar, next_rung, rung_times
from engine.deadlines import clock as deadlines
from engine.deadlines.clock import WARN_SHARE, WARN_WORKDAYS
from engine.runtime.transaction import Stale
from engine.store import tables
from engine.store.types import DIALECT_INSERTS, new_key

RUNNING, PAUSED, STOPPED = "RUNNING", "PAUSED", "STOPPED"

# The moment the light turns yellow, worked out the same way as a rung that says "due soon".
_YELLOW = Ladder("", (Rung("yellow", When("remaining", WARN_SHARE, WARN_WORKDAYS), 0, "yellow", (), "log", ("silent",), ""),))


@dataclass
class ClockState:
    """A clock in the course of a command: its row, its ledger as a value, and whether it has to be written."""

    row: dict[str, Any]
    clock: Clock
    holds: list[list[Any]] = field(default_factory=list)
    fired: list[str] = field(default_factory=list)
    changed: bool = False
    new: bool = False
    rules_version: int = 0  # the deployed version of the rule table that the clock's rule was taken from; 0: not recorded
    scope: dict[str, str] = field(default_factory=dict)  # {"type": …, "name": …} of the element it runs for; empty for the whole case
    follows: int | None = None  # the clock that this one was restarted from
    followed_by: int | None = None
    read: Mapping[str, Any] | None = None  # the ledger as the database has it; None for a new clock

    @classmethod
    def of_row(cls, row: Mapping[str, Any]) -> ClockState:
        ledger = row["ledger"]
        state = cls(dict(row), Clock.from_dict(ledger), list(ledger.get("holds", ())), list(ledger.get("fired", ())))
        state.rules_version = ledger.get("rules_version", 0)
        state.scope = dict(ledger.get("scope", {}))
        state.follows, state.followed_by = ledger.get("follows"), ledger.get("followed_by")
        state.read = ledger
        return state

    @property
    def key(self) -> int:
        return self.row["key"]

    @property
    def rule_id(self) -> str:
        return self.row["rule_id"]

    @property
    def family(self) -> tuple[str, ...]:
        """The rule ids under which it is stopped or restarted: its own, and that of the limit whose promise it is."""
        promised = self.clock.rule.promise_of
        return (self.rule_id, promised) if promised else (self.rule_id,)

    @property
    def live(self) -> bool:
        return self.clock.stopped_at is None

    @property
    def of_case(self) -> bool:
        """Whether it runs for the case as a whole and not for one element."""
        return self.row["element_id"] is None

    def belongs_to(self, instance_key: int, token: int | None, element_id: str) -> bool:
        row = self.row
        return row["element_id"] == element_id and row["instance_key"] == instance_key and row["token"] == token

    def become(self, clock: Clock) -> None:
        self.clock, self.changed = clock, True

    # -- what can happen -----------------------------------------------------------------------------------------------

    def stop(self, now: datetime) -> None:
        if self.live:
            self.holds = []
            self.become(deadlines.stop(self.clock, now))

    def hold(
        self, holder: tuple[int, int | None], now: datetime, reason: str, *, kind: str = "", document: str = "", until: str = ""
    ) -> None:
        """An activity pauses the clock.  A rule that does not pause goes on running: the law, not the model, decides.

        A hold is ``[instance, token, reason, kind]``.  With ``until`` :data:`engine.deadlines.clock.UNTIL_RESUMED` nobody holds the pause:
        it outlives the activity, and one of that kind that stands open already is enough.
        """
        if not self.live or not self.clock.rule.pauses:
            return
        mark = deadlines.Pause(now, None, reason, kind).mark
        known = next((each for each in self.clock.pauses if each.end is None and each.mark == mark and not each.by), None)
        if until != deadlines.UNTIL_RESUMED:
            self.holds.append([*holder, reason, kind] if kind else [*holder, reason])
            self.changed = True
        if known is None:
            self.become(deadlines.pause(self.clock, now, reason, kind=kind, document=document, until=until))
        elif until and not known.until:
            self.become(replace(self.clock, pauses=tuple(replace(each, until=until) if each is known else each for each in self.clock.pauses)))

    def release(self, holder: tuple[int, int | None], now: datetime) -> None:
        """That activity is over; the clock goes on when no other activity holds it for the same kind or reason."""
        mine = [hold for hold in self.holds if tuple(hold[:2]) == holder]
        if not self.live or not mine:
            return
        self.holds = [hold for hold in self.holds if hold not in mine]
        self.changed = True
        over = {_mark(hold) for hold in mine} - {_mark(hold) for hold in self.holds}
        self._end(now, lambda each: not each.by and each.until != deadlines.UNTIL_RESUMED and each.mark in over)

    def pause(self, now: datetime, reason: str, *, kind: str, document: str = "", attachment: int | None = None, by: str) -> None:
        """A person pauses the clock; raises what :func:`engine.deadlines.clock.pause` raises."""
        self.become(deadlines.pause(self.clock, now, reason, kind=kind, document=document, attachment=attachment, by=by))

    def resume(self, now: datetime, kinds: Collection[str] | None) -> bool:
        """End the open pauses of these kinds whoever began them, all when ``None``; whether there was any.

        An activity that still held one of them holds it no more.
        """
        kept = [hold for hold in self.holds if kinds is not None and _mark(hold)[0] not in kinds]
        self.holds, self.changed = kept, self.changed or len(kept) < len(self.holds)
        return self._end(now, lambda each: kinds is None or each.kind in kinds)

    def resume_decided(self, now: datetime, kind: str) -> bool:
        """End the open pause of that kind that a person began or that waits for a resumption; what a step holds ends with the step."""
        return self._end(now, lambda each: each.kind == kind and bool(each.by or each.until == deadlines.UNTIL_RESUMED))

    def _end(self, now: datetime, which: Callable[[deadlines.Pause], bool]) -> bool:
        if not self.live or not any(each.end is None and which(each) for each in self.clock.pauses):
            return False
        self.become(deadlines.end_pauses(self.clock, now, which))
        return True

    def restarted(self, now: datetime) -> ClockState:
        """End this clock and give the one whose budget starts anew from ``now``, with its rungs still to come.

        It is a row of its own because each rung of a clock fires once; steps that hold the old one hold the new one too.
        """
        holds, clock = list(self.holds), deadlines.restart(self.clock, now)
        row = {
            **self.row, "key": new_key(), "state": RUNNING, "started_at": now, "due_at": None, "yellow_at": None, "overdue_at": None,
            "provisional": False, "stopped_at": None, "next_rung": None, "next_rung_at": None, "level": 0, "calendar_version": 0,
        }  # fmt: skip
        fresh = ClockState(row, clock, holds, changed=True, new=True, rules_version=self.rules_version, scope=dict(self.scope), follows=self.key)
        self.stop(now)
        self.followed_by = fresh.key
        return fresh

    def extend(self, amount: int | float | Decimal, unit: str | None, reason: str, by: str, now: datetime, calendar: WorkCalendar) -> None:
        """Grant an extension; raises what :func:`engine.deadlines.clock.extend` raises."""
        self.protect(calendar)  # what is granted is added to what people have been told
        extension = self.clock.rule.extension
        unit = unit or (extension.unit if extension else self.clock.unit)
        self.become(deadlines.extend(self.clock, amount, unit, reason, by, now, calendar))

    # -- what it says --------------------------------------------------------------------------------------------------

    def protect(self, calendar: WorkCalendar) -> None:
        """Hold the due instant people were told if the calendar that has changed since would shorten it (``domain.md`` §4.2 item 4).

        Whoever meets the clock first after the change does this, the recalculation or a command; it stays held until it is decided.
        """
        if self.new or not self.live or self.row["calendar_version"] >= calendar.version:
            return
        self.row["calendar_version"] = calendar.version
        told, due, known = self.row["due_at"], deadlines.computed_due(self.clock, calendar), self.clock.kept
        if told is None or due is None:
            return
        if due.at >= told:
            kept = None
        elif known is not None and known.by:
            kept = replace(known, due_at=told, computed=due.day)
        else:
            kept = deadlines.Kept(told, due.day)
        if kept != known:
            self.become(replace(self.clock, kept=kept))

    def written_ledger(self) -> dict[str, Any]:
        """The ledger column."""
        known = {"scope": self.scope, "follows": self.follows, "followed_by": self.followed_by}
        notes = {name: value for name, value in known.items() if value}
        return {**self.clock.to_dict(), "holds": self.holds, "fired": self.fired, "rules_version": self.rules_version, **notes}

    def derive(self, calendar: WorkCalendar, ladder: Ladder | None) -> None:
        """Bring the row in line with the ledger."""
        self.protect(calendar)
        self.row["ledger"] = self.written_ledger()
        self.row.update(derived_columns(self.clock, ladder, self.fired, calendar))


def new_clock(
    rule: Rule,
    ladder_id: str,
    *,
    case_key: int,
    instance_key: int,
    element_id: str | None,
    token: int | None,
    start: datetime | date,
    now: datetime,
    rules_version: int = 0,
    scope: Mapping[str, str] | None = None,
) -> ClockState:
    """A clock of ``rule`` that starts counting from ``start``; ``started_at`` of the row is when it was begun (``now``).

    The ledger keeps the rule as it reads now, and which version of the table that was.  ``scope`` is type and name of the element.
    """
    row = {
        "key": new_key(), "case_key": case_key, "instance_key": instance_key, "element_id": element_id, "token": token, "task_key": None,
        "rule_id": rule.id, "label": rule.label, "state": RUNNING, "ledger": {}, "started_at": start if isinstance(start, datetime) else now,
        "due_at": None, "yellow_at": None, "overdue_at": None, "provisional": False, "stopped_at": None, "ladder_id": ladder_id,
        "next_rung": None, "next_rung_at": None, "level": 0, "calendar_version": 0,
    }  # fmt: skip
    return ClockState(row, deadlines.start(rule, start), changed=True, new=True, rules_version=rules_version, scope=dict(scope or {}))


def _mark(hold: list[Any]) -> tuple[str, str]:
    """What a hold pauses for, as :attr:`engine.deadlines.Pause.mark` says it; holds of earlier versions know only their reason."""
    return (hold[3], "") if len(hold) > 3 else ("", hold[2])


def derived_columns(clock: Clock, ladder: Ladder | None, fired: Iterable[str], calendar: WorkCalendar) -> dict[str, Any]:
    """The derived columns of a clock row.

    While an open pause holds the clock it has no due instant and no next rung; a stopped clock keeps its due instant, from
    which "closed in time" follows, and has no next rung.
    """
    due = deadlines.due_of(clock, calendar)
    state = STOPPED if clock.stopped_at else PAUSED if clock.paused else RUNNING
    yellow = rung_times(clock, _YELLOW, calendar) if state == RUNNING else []
    coming = next_rung(clock, ladder, set(fired), calendar) if ladder is not None and state == RUNNING else None
    return {
        "state": state,
        "due_at": due.at if due else None,
        "overdue_at": due.overdue_at if due else None,
        "yellow_at": yellow[0][1] if yellow else None,
        "provisional": bool(due and due.provisional),
        "stopped_at": clock.stopped_at,
        "next_rung": coming[0].id if coming else None,
        "next_rung_at": coming[1] if coming else None,
        "calendar_version": calendar.version,
    }


def _upsert(dialect: str) -> Any:
    statement = DIALECT_INSERTS[dialect](tables.clock)
    ledger = tables.clock.c.ledger
    changing = {column.name: statement.excluded[column.name] for column in tables.clock.c if column.name not in ("key", "case_key")}
    # On SQLite a command that writes has the database to itself from before its first reading.
    unchanged = None if dialect == "sqlite" else ledger == bindparam("read_ledger", type_=ledger.type)
    return statement.on_conflict_do_update(index_elements=["key"], set_=changing, where=unchanged).execution_options(preserve_rowcount=True)


# Built once: composing it costs more than running it.
UPSERT_CLOCKS = {dialect: _upsert(dialect) for dialect in DIALECT_INSERTS}


def write(conn: Connection, states: Iterable[ClockState]) -> None:
    """Write new and changed clocks in one statement, whatever their number.

    Raises :class:`Stale` when somebody has written one of the ledgers since it was read: a command of a called process holds its own
    instance only, and the limits of the case are those of the caller.
    """
    changed = [state for state in states if state.changed]
    if not changed:
        return
    guard = conn.dialect.name != "sqlite"
    rows = [{**state.row, "read_ledger": state.read} if guard else state.row for state in changed]
    if conn.execute(UPSERT_CLOCKS[conn.dialect.name], rows).rowcount != len(rows):
        raise Stale("a clock was changed meanwhile")
    for state in changed:
        state.read = state.row["ledger"]


def not_restarted() -> ColumnElement[bool]:
    """SQL on ``clock``: what the clock was for did not go on with another one, so that its stop says whether the limit was kept."""
    return tables.clock.c.ledger["followed_by"].as_string().is_(None)


def most_urgent(states: Iterable[ClockState]) -> ClockState | None:
    """The running clock that is due first; a paused one only if nothing runs."""
    live = [state for state in states if state.live]
    return min(
        live, key=lambda state: (state.row["due_at"] is None, state.row["due_at"] or state.row["started_at"], state.key), default=None
    )
