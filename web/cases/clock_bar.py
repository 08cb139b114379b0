"""The bar of a clock: a scale of calendar time with what is used, paused, left and over, and marks for rungs, today and the due day.

Everything drawn is also said: each part and each mark carries its words, so that nobody has to see the bar to read it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from engine.deadlines import Clock, Rung
from engine.deadlines.clock import Measure, date_words, due_of, end_pauses
from engine.deadlines.counting import Due, start_instant
from engine.deadlines.pauses import kind_word
from engine.words import T, Words

REACH = 0.5
"""How far beyond the due day, as a share of the time up to it, the scale goes to show rungs that are still to come."""


@dataclass(frozen=True)
class Scale:
    """The stretch of time that a bar shows, as aware instants."""

    begin: datetime
    end: datetime

    @classmethod
    def of(cls, scales: Sequence[Scale]) -> Scale:
        """The one scale on which several bars can be compared."""
        return cls(min(each.begin for each in scales), max(each.end for each in scales))

    def at(self, instant: datetime) -> float:
        """Where an instant lies, in percent of the bar."""
        whole = (self.end - self.begin).total_seconds()
        return round(min(1.0, max(0.0, (instant - self.begin).total_seconds() / whole)) * 100, 2)


@dataclass(frozen=True)
class Part:
    """A stretch of the bar from ``start`` over ``width`` percent; ``kind``: used, paused, left, over."""

    kind: str
    start: float
    width: float
    words: Words


@dataclass(frozen=True)
class Mark:
    """A tick at ``at`` percent; ``kind``: today, due, fired, coming.  ``when`` is the instant, for the page to write in its manner."""

    kind: str
    at: float
    when: datetime
    words: Words


@dataclass(frozen=True)
class Bar:
    """``expected`` is the due instant that would hold if an open pause ended now; ``None`` when the clock has one anyway."""

    parts: tuple[Part, ...]
    marks: tuple[Mark, ...]
    expected: Due | None


def expected_due(clock: Clock, calendar: Any, now: datetime) -> Due | None:
    """When a paused clock would run out if it went on now; for one that is not paused, when it does."""
    if not clock.paused:
        return due_of(clock, calendar)
    begun = max((each.start for each in clock.pauses if each.end is None and isinstance(each.start, datetime)), default=now)
    return due_of(end_pauses(clock, max(now, begun), lambda each: True), calendar)


def _span(clock: Clock, calendar: Any, now: datetime) -> tuple[datetime, datetime, Due | None]:
    """Where the clock's time begins, the moment at which it stands, and the due instant that it has or would have."""
    due = expected_due(clock, calendar, now)
    measure = Measure(clock, calendar, due)
    begin = measure.began if measure.hours else min(measure.began, calendar.instant(measure.cursor, time.min))
    if clock.rule.direction == "before":
        begin = calendar.instant(measure.cursor, time.min)
    return begin, max(begin, clock.stopped_at or now), due


def scale_of(clock: Clock, calendar: Any, now: datetime, coming: Iterable[datetime] = ()) -> Scale:
    """The time one bar shows: from the start to the due day or today, and a little on for rungs that are still to come."""
    begin, here, due = _span(clock, calendar, now)
    end = max(here, due.overdue_at) if due else here
    reach = end + (end - begin) * REACH
    end = max([end, *(at for at in coming if at <= reach)])
    return Scale(begin, end if end > begin else begin + timedelta(days=1))


def bar_of(clock: Clock, calendar: Any, now: datetime, rungs: Iterable[tuple[Rung, datetime, bool]], scale: Scale) -> Bar:
    """The bar of ``clock`` on ``scale``; ``rungs`` are (rung, instant, whether it has fired)."""
    begin, here, due = _span(clock, calendar, now)
    paused = _paused(clock, calendar, begin, here)
    limit = min(here, due.overdue_at) if due else here
    stretches = [("used", low, high, T("used")) for low, high in _gaps(begin, limit, [(low, high) for low, high, _ in paused])]
    stretches += [("paused", low, high, words) for low, high, words in paused]
    if due is not None and here > due.overdue_at:
        stretches += [
            ("over", low, high, T("over the limit")) for low, high in _gaps(due.overdue_at, here, [(low, high) for low, high, _ in paused])
        ]
    elif due is not None:
        stretches.append(("left", here, due.overdue_at, T("time to spare") if clock.stopped_at else T("time left")))
    parts = [
        Part(kind, scale.at(low), round(scale.at(high) - scale.at(low), 2), words) for kind, low, high, words in stretches if high > low
    ]
    marks = [
        Mark("fired" if fired else "coming", scale.at(at), at, T("level %(level)d: %(text)s", level=rung.level, text=rung.text or rung.id))
        for rung, at, fired in rungs
        if scale.begin <= at <= scale.end
    ]
    if not clock.stopped_at and now <= scale.end:
        marks.append(Mark("today", scale.at(now), now, T("today")))
    waiting = due_of(clock, calendar) is None
    if due is not None:
        marks.append(Mark("due", scale.at(due.at), due.at, T("due if it goes on today") if waiting else T("due")))
    order = sorted(parts, key=lambda part: part.start)
    return Bar(tuple(order), tuple(sorted(marks, key=lambda mark: mark.when)), due if waiting else None)


def _paused(clock: Clock, calendar: Any, begin: datetime, here: datetime) -> list[tuple[datetime, datetime, Words]]:
    """The pauses as stretches that do not overlap, earliest first, each with what it was for."""
    found: list[tuple[datetime, datetime, Words]] = []
    reached = begin
    for each in sorted(clock.pauses, key=lambda pause: start_instant(pause.start, calendar)):
        low = max(start_instant(each.start, calendar), reached)
        high = min(start_instant(each.end, calendar) if each.end else here, here)
        if high > low:
            what = kind_word(each.kind) or each.reason
            first, last = (date_words(_day(moment, calendar)) for moment in (low, high))
            found.append((low, high, T("paused from %(first)s to %(last)s: %(what)s", first=first, last=last, what=what)))
            reached = high
    return found


def _day(moment: datetime, calendar: Any) -> date:
    return calendar.local(moment).date()


def _gaps(begin: datetime, end: datetime, spans: Sequence[tuple[datetime, datetime]]) -> list[tuple[datetime, datetime]]:
    """What of ``[begin, end]`` lies outside the ascending ``spans``."""
    found, reached = [], begin
    for low, high in spans:
        if low > reached and reached < end:
            found.append((reached, min(low, end)))
        reached = max(reached, high)
    if reached < end:
        found.append((reached, end))
    return found
