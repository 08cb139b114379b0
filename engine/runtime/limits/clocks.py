"""Clock rows: what a ``clock`` row says, derived from its ledger, and what happens to it within a command.

The ledger column is the truth (:meth:`engine.deadlines.Clock.to_dict`), with three notes of the desk beside it: ``holds``,
which open activities pause the clock, ``fired``, which rungs have fired (a copy of ``rung_firing``, so that working out
the next rung costs no statement), and ``rules_version``, the version of the rule table its rule was taken from.  All other columns are derived by :func:`derived_columns` and can be recomputed at any time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection

from engine.deadlines import Clock, Ladder, Rule, Rung, When, WorkCalendar, next_rung, rung_times
from engine.deadlines import clock as deadlines
from engine.deadlines.clock import WARN_SHARE, WARN_WORKDAYS
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

    @classmethod
    def of_row(cls, row: Mapping[str, Any]) -> ClockState:
        ledger = row["ledger"]
        state = cls(dict(row), Clock.from_dict(ledger), list(ledger.get("holds", ())), list(ledger.get("fired", ())))
        state.rules_version = ledger.get("rules_version", 0)
        return state

    @property
    def key(self) -> int:
        return self.row["key"]

    @property
    def rule_id(self) -> str:
        return self.row["rule_id"]

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

    def hold(self, holder: tuple[int, int | None], now: datetime, reason: str) -> None:
        """An activity pauses the clock.  A rule that does not pause goes on running: the law, not the model, decides."""
        if not self.live or not self.clock.rule.pauses:
            return
        already = any(hold[2] == reason for hold in self.holds)
        self.holds.append([*holder, reason])
        self.changed = True
        if not already:
            self.become(deadlines.pause(self.clock, now, reason))

    def release(self, holder: tuple[int, int | None], now: datetime) -> None:
        """That activity is over; the clock goes on when no other activity holds it for the same reason."""
        mine = [hold for hold in self.holds if tuple(hold[:2]) == holder]
        if not self.live or not mine:
            return
        self.holds = [hold for hold in self.holds if hold not in mine]
        self.changed = True
        for reason in {hold[2] for hold in mine}:
            if not any(hold[2] == reason for hold in self.holds):
                self.become(deadlines.resume(self.clock, now, reason))

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
        return {**self.clock.to_dict(), "holds": self.holds, "fired": self.fired, "rules_version": self.rules_version}

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
) -> ClockState:
    """A clock of ``rule`` that starts counting from ``start``; ``started_at`` of the row is when it was begun (``now``).

    The ledger keeps the rule as it reads now, and which version of the table that was.
    """
    row = {
        "key": new_key(), "case_key": case_key, "instance_key": instance_key, "element_id": element_id, "token": token, "task_key": None,
        "rule_id": rule.id, "label": rule.label, "state": RUNNING, "ledger": {}, "started_at": start if isinstance(start, datetime) else now,
        "due_at": None, "yellow_at": None, "overdue_at": None, "provisional": False, "stopped_at": None, "ladder_id": ladder_id,
        "next_rung": None, "next_rung_at": None, "level": 0, "calendar_version": 0,
    }  # fmt: skip
    return ClockState(row, deadlines.start(rule, start), changed=True, new=True, rules_version=rules_version)


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
    changing = {column.name: statement.excluded[column.name] for column in tables.clock.c if column.name not in ("key", "case_key")}
    return statement.on_conflict_do_update(index_elements=["key"], set_=changing)


# Built once: composing it costs more than running it.
UPSERT_CLOCKS = {dialect: _upsert(dialect) for dialect in DIALECT_INSERTS}


def write(conn: Connection, states: Iterable[ClockState]) -> None:
    """Write new and changed clocks in one statement, whatever their number."""
    rows = [state.row for state in states if state.changed]
    if not rows:
        return
    conn.execute(UPSERT_CLOCKS[conn.dialect.name], rows)


def most_urgent(states: Iterable[ClockState]) -> ClockState | None:
    """The running clock that is due first; a paused one only if nothing runs."""
    live = [state for state in states if state.live]
    return min(
        live, key=lambda state: (state.row["due_at"] is None, state.row["due_at"] or state.row["started_at"], state.key), default=None
    )
