"""The arithmetic of a due day in words: budget, start, first day, pauses, extensions, and what they come to.

:func:`arithmetic` gives the parts as numbers, :func:`explain` the sentence.  The parts add up: counted from the start, budget, paused days
and extensions together end on the last day, which a rest day may still move (``tests/deadlines/test_clock_arithmetic.py`` counts it after).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal

from engine.deadlines import counting
from engine.deadlines.amounts import amount_words
from engine.deadlines.calendar import WorkCalendar
from engine.deadlines.clock import Clock, Derived, Measure, Pause, computed_due, date_words, derive, due_of, ledger_pauses
from engine.words import T, Words


@dataclass(frozen=True)
class Arithmetic:
    """The parts of the sum.

    ``start``       the day from which is counted; ``first_day`` whether it counts, ``None`` where that means nothing (hours, fixed days)
    ``paused``      days of ``unit`` under pause up to ``last`` (working days for ``wd``, hours for ``h ch``, else calendar days)
    ``extensions``  (amount, unit) as granted
    ``last``        the day on which the budget is reached; ``None`` while a pause holds the clock
    ``rolled``      whether the last day is a rest day and the due day therefore a later one
    ``kept``        whether the due day told before the calendar changed is kept instead
    """

    start: date
    first_day: bool | None
    paused: int | Decimal
    unit: str
    extensions: tuple[tuple[int | Decimal, str], ...]
    last: date | None
    rolled: bool
    kept: bool
    derived: Derived


def arithmetic(clock: Clock, calendar: WorkCalendar, now: datetime) -> Arithmetic:
    """The parts of the sum that gives the due day of ``clock``; an open pause counts up to ``now`` (aware)."""
    rule, derived = clock.rule, derive(clock, calendar, now)
    measure = Measure(clock, calendar, due_of(clock, calendar))
    extensions = tuple((each.amount, each.unit) for each in clock.extensions)
    computed = computed_due(clock, calendar)
    kept = clock.kept is not None and measure.due is not None and measure.due != computed
    counted = rule.direction != "before" and not measure.hours and rule.by is None
    last = None
    if computed is not None:
        plain = (
            counting.due(replace(rule, roll_forward=False), clock.started_at, calendar, ledger_pauses(clock), list(extensions))
            if counted
            else None
        )
        last = (plain or computed).day
    if measure.hours:
        until = derived.due_at or max(now, measure.began)
        gone = counting.unpaused_hours(measure.began, until, measure.unit, [], calendar)
        paused = round(gone - counting.unpaused_hours(measure.began, until, measure.unit, measure.spans, calendar), 1)
    else:
        end = last or max(calendar.local(now).date(), measure.cursor)
        # A pause that begins and ends on one day takes no day, so one that began today has taken none yet.
        spans = counting.paused_days([(each.start, each.end or clock.stopped_at or now) for each in clock.pauses], calendar)
        paused = counting.unpaused_days(measure.cursor, end, measure.unit, (), calendar) - counting.unpaused_days(
            measure.cursor, end, measure.unit, spans, calendar
        )
    return Arithmetic(
        start=measure.first,
        first_day=rule.count_first_day if counted else None,
        paused=paused,
        unit=measure.unit,
        extensions=extensions,
        last=last,
        rolled=last is not None and computed is not None and counted and computed.day != last,
        kept=kept,
        derived=derived,
    )


def paused_amount(clock: Clock, pause: Pause, calendar: WorkCalendar, now: datetime) -> int | Decimal:
    """How much of the limit's time one pause of its ledger took, in the unit of the sum; an open pause counts up to ``now``.

    Pauses that overlap are each given in full here; the sum counts the common days once.
    """
    measure = Measure(clock, calendar, due_of(clock, calendar))
    end = pause.end or clock.stopped_at or now
    if measure.hours:
        begin = max(counting.start_instant(pause.start, calendar), measure.began)
        return round(counting.unpaused_hours(begin, max(counting.start_instant(end, calendar), begin), measure.unit, [], calendar), 1)
    until = max(calendar.local(end).date() if isinstance(end, datetime) else end, measure.cursor)
    spans = counting.paused_days([(pause.start, end)], calendar)
    return counting.unpaused_days(measure.cursor, until, measure.unit, (), calendar) - counting.unpaused_days(
        measure.cursor, until, measure.unit, spans, calendar
    )


def explain(clock: Clock, calendar: WorkCalendar, now: datetime) -> Words:
    """The arithmetic in one sentence: "20 working day(s) from 2026-11-23, first day not counted, paused for 5 working day(s) → 2026-12-28"."""
    rule, parts = clock.rule, arithmetic(clock, calendar, now)
    head = T("%(limit)s before %(start)s") if rule.direction == "before" else T("%(limit)s from %(start)s")
    said: list[Words] = [T(head.msgid, limit=rule.limit_words, start=date_words(parts.start))]
    if parts.first_day is not None:
        said.append(T("first day counted") if parts.first_day else T("first day not counted"))
    if parts.paused > 0:
        said.append(T("paused for %(amount)s", amount=amount_words(parts.paused, parts.unit)))
    said += [T("extended by %(amount)s", amount=amount_words(amount, unit)) for amount, unit in parts.extensions]
    if parts.rolled:
        said.append(T("rolled on to a working day"))
    if parts.kept:
        said.append(T("kept at the day told before the calendar changed"))
    sentence = said[0]
    for part in said[1:]:
        sentence = T("%(left)s, %(right)s", left=sentence, right=part)
    derived = parts.derived
    if derived.due_day is None:
        return T("%(sum)s → no due day while paused", sum=sentence)
    if derived.provisional:
        return T(
            "%(sum)s → %(due)s (estimated: the calendar of that year is not official yet)", sum=sentence, due=date_words(derived.due_day)
        )
    if parts.unit in ("h", "ch"):
        local = calendar.local(derived.due_at)
        return T("%(sum)s → %(due)s %(time)s", sum=sentence, due=date_words(derived.due_day), time=f"{local:%H:%M}")
    return T("%(sum)s → %(due)s", sum=sentence, due=date_words(derived.due_day))
