"""Lights and remaining time: computed by the database where lists are sorted and filtered, worded here."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, case, literal

from engine.deadlines import Clock, balance, left_words
from engine.deadlines.balance import left_parts
from engine.words import T, Words


@dataclass(frozen=True)
class Light:
    """One light: ``code`` is its CSS class (colour and shape), ``rank`` its place in a list, ``word`` what it says."""

    code: str
    rank: int
    word: Words


LIGHTS: dict[str, Light] = {
    light.code: light
    for light in (
        Light("red", 0, T("Overdue")),
        Light("yellow", 1, T("Due soon")),
        Light("green", 2, T("On time")),
        Light("hollow", 3, T("Estimated")),
        Light("grey", 4, T("Paused")),
        Light("none", 5, T("No limit")),
        Light("blue", 6, T("Closed in time")),
    )
}
BY_RANK: dict[int, Light] = {light.rank: light for light in LIGHTS.values()}


def rank_expression(now: datetime, clock: Any) -> ColumnElement[int]:
    """SQL: the rank of a clock's light at ``now`` (``domain.md`` §5.3); ``clock`` is the clock table or an
    alias of it, in an outer join.

    A stopped clock is blue when it stopped in time and red otherwise.  Provisional clocks that are neither late nor close to
    it are hollow: their date is an estimate.
    """
    ranks = {code: literal(light.rank) for code, light in LIGHTS.items()}
    return case(
        (clock.c.key.is_(None), ranks["none"]),
        (and_(clock.c.state == "STOPPED", clock.c.overdue_at.is_not(None), clock.c.stopped_at >= clock.c.overdue_at), ranks["red"]),
        (clock.c.state == "STOPPED", ranks["blue"]),
        # A pause that came after the due day does not undo the overrun, so red is asked before grey.
        (clock.c.overdue_at <= now, ranks["red"]),
        (clock.c.state == "PAUSED", ranks["grey"]),
        (clock.c.yellow_at <= now, ranks["yellow"]),
        (clock.c.provisional, ranks["hollow"]),
        else_=ranks["green"],
    )


def light_of(clock: Any, now: datetime) -> Light:
    """The same for one loaded clock row (or ``None``)."""
    if clock is None or clock.state is None:
        return LIGHTS["none"]
    if clock.state == "STOPPED":
        late = clock.overdue_at is not None and clock.stopped_at is not None and clock.stopped_at >= clock.overdue_at
        return LIGHTS["red" if late else "blue"]
    if clock.overdue_at is not None and clock.overdue_at <= now:
        return LIGHTS["red"]
    if clock.state == "PAUSED":
        return LIGHTS["grey"]
    if clock.yellow_at is not None and clock.yellow_at <= now:
        return LIGHTS["yellow"]
    return LIGHTS["hollow" if clock.provisional else "green"]


def ledger_words(ledger: Any, state: str | None, now: datetime, calendar: Any) -> Words | str:
    """"1 working day left", "3 working days over", "due today", "paused", or nothing, counted exactly as the clock of a ledger counts."""
    if not ledger or state == "STOPPED":
        return ""
    return left_words(balance(Clock.from_dict(dict(ledger)), calendar, now), calendar, now)


def ledger_parts(ledger: Any, state: str | None, now: datetime, calendar: Any) -> tuple[Words | str, list[Words]]:
    """The same in two: the words proper, and the notes on them (from when it is counted, to when it rolls on)."""
    if not ledger or state == "STOPPED":
        return "", []
    return left_parts(balance(Clock.from_dict(dict(ledger)), calendar, now), calendar, now)
