"""A clock as a page shows it: the strip, the arithmetic in words, the ledger, the rungs fired and to come."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row

from engine.deadlines import Clock, Derived, Rung, amount_words, derive, explain, rung_times
from engine.words import T, Words
from web.lights import Light, days_words, light_of

UNIT_PARTS: dict[str, Words] = {
    "wd": T("working days"), "d": T("days"), "h": T("office hours"), "ch": T("hours"), "m": T("days"), "y": T("days"),
}  # fmt: skip


@dataclass(frozen=True)
class ClockView:
    """One clock.  ``strip`` is a list of (part, width, words): used, over, paused, left."""

    row: Row
    clock: Clock
    derived: Derived
    light: Light
    remaining: Words | str
    explanation: Words
    strip: tuple[tuple[str, float, Words], ...]
    fired: tuple[Row, ...]
    coming: tuple[tuple[Rung, datetime], ...]

    @property
    def of_case(self) -> bool:
        return self.row.element_id is None

    @property
    def limit(self) -> Words | str:
        return amount_words(self.clock.rule.limit, self.clock.unit) if self.clock.rule.limit is not None else ""

    def amount(self, extension: Any) -> Words:
        return amount_words(extension.amount, extension.unit)


def clock_views(rows: Sequence[Row], firings: Sequence[Row], ladders: Any, calendar: Any, now: datetime) -> list[ClockView]:
    """All clocks of a case, the pressing ones first; ``ladders`` is the desk's book."""
    fired_by: dict[int, list[Row]] = {}
    for firing in firings:
        fired_by.setdefault(firing.clock_key, []).append(firing)
    views = [clock_view(row, fired_by.get(row.key, []), ladders, calendar, now) for row in rows]
    return sorted(views, key=lambda view: (view.row.state == "STOPPED", view.light.rank, view.row.due_at or now, view.row.key))


def clock_view(row: Row, fired: Sequence[Row], ladders: Any, calendar: Any, now: datetime) -> ClockView:
    """One clock row with its firings."""
    clock = Clock.from_dict(row.ledger)
    derived = derive(clock, calendar, now)
    done = {firing.rung for firing in fired} | set(row.ledger.get("fired", ()))
    ladder = ladders.ladder(row.ladder_id)
    coming = tuple((rung, at) for rung, at in rung_times(clock, ladder, calendar) if rung.id not in done) if ladder else ()
    return ClockView(
        row=row,
        clock=clock,
        derived=derived,
        light=light_of(row, now),
        remaining="" if row.state == "STOPPED" else days_words(derived.remaining, derived.paused),
        explanation=explain(clock, calendar, now),
        strip=_strip(clock, derived, calendar, now),
        fired=tuple(fired),
        coming=coming,
    )


def _strip(clock: Clock, derived: Derived, calendar: Any, now: datetime) -> tuple[tuple[str, float, Words], ...]:
    unit = UNIT_PARTS.get(clock.unit, T("days"))
    total = float(derived.total) if derived.total is not None else None
    used = float(derived.used)
    paused = _paused_days(clock, calendar, now)
    parts: list[tuple[str, float, Words]] = []
    within = min(used, total) if total is not None else used
    if within > 0:
        parts.append(("used", within, T("used %(amount)s %(unit)s", amount=_number(within), unit=unit)))
    if total is not None and used > total:
        parts.append(("over", used - total, T("over by %(amount)s %(unit)s", amount=_number(used - total), unit=unit)))
    if paused:
        parts.append(("paused", float(paused), T("paused %(amount)s working days", amount=paused)))
    if total is not None and used < total:
        left = _number(total - used)
        words = T("%(amount)s %(unit)s to spare", amount=left, unit=unit) if clock.stopped_at else T("%(amount)s %(unit)s left", amount=left, unit=unit)
        parts.append(("left", total - used, words))
    return tuple(parts)


def _paused_days(clock: Clock, calendar: Any, now: datetime) -> int:
    """Working days under pause so far, for the strip; the due date itself is worked out from the ledger elsewhere."""
    days = 0
    for pause in clock.pauses:
        start = calendar.local(pause.start).date() if isinstance(pause.start, datetime) else pause.start
        until = pause.end or now
        end = calendar.local(until).date() if isinstance(until, datetime) else until
        days += max(0, calendar.workdays_between(start, end))
    return days


def _number(value: float) -> str:
    return f"{value:g}" if value == int(value) else f"{value:.1f}"


RECIPIENTS: Mapping[str, Words] = {
    "handler": T("handler"), "section_chief": T("section chief"), "vice_director": T("vice director"), "supervisor": T("supervisor"),
    "director": T("director"), "applicant": T("applicant"), "administrator": T("administrator"),
}  # fmt: skip
"""Word of a ladder → who that is."""
