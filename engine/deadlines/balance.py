"""What of a limit is used and what is left, in the limit's own unit, and how that is said.

Every list, page, screen and report takes both numbers from here, so that they fit each other: while a limit runs and is not overdue, what
is used and what is left make up the budget.  Derived times beyond the budget (a last day that rolls on over rest days, a due day that was
told and is kept) are said beside it and never added to it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal

from engine.deadlines import counting
from engine.deadlines.amounts import HOUR_UNITS, WORKING_DAYS
from engine.deadlines.calendar import WorkCalendar
from engine.deadlines.clock import Clock, Measure, due_of, ledger_pauses, overdue_workdays
from engine.words import T, Words

MINUTES_AN_HOUR = 60


@dataclass(frozen=True)
class Balance:
    """The budget of a limit and how it stands.

    ``unit``    ``wd`` working days, ``d`` calendar days (months and years too), ``h ch`` hours: then the amounts are **minutes**
    ``budget``  limit and extensions; ``None`` for a fixed day or mixed units while a pause holds the clock
    ``used``    what is gone, the current day included; at most the budget until the limit is overdue, more afterwards
    ``left``    ``budget - used``, never below 0; ``None`` without a budget
    ``begins``  the first day that counts (the first instant, of hours), while it lies ahead and no pause holds the clock
    ``due_day`` the day on which the limit runs out; ``None`` while a pause holds the clock
    ``rolled``  calendar days by which the due day lies after the last day of the budget
    ``kept``    whether that is because the day told before the calendar changed is kept
    ``over``    working days (minutes, of hours) by which it is overdue, at least 1; 0 when it is not
    """

    unit: str
    budget: int | None
    used: int
    left: int | None
    begins: date | datetime | None
    due_day: date | None
    rolled: int
    kept: bool
    over: int
    over_workdays: int
    paused: bool

    @property
    def hours(self) -> bool:
        """Whether the amounts are minutes."""
        return self.unit in HOUR_UNITS


def balance(clock: Clock, calendar: WorkCalendar, now: datetime) -> Balance:
    """How the budget of ``clock`` stands at ``now`` (aware); after the stop, as of the stop."""
    now = min(now, clock.stopped_at) if clock.stopped_at else now
    due = due_of(clock, calendar)
    measure = Measure(clock, calendar, due)
    overdue = due is not None and now >= due.overdue_at
    last = _last_day(clock, calendar, measure)
    if clock.rule.direction == "before":
        budget, used, begins = _before(clock, calendar, measure, now)
    elif measure.hours:
        budget, used, begins = _hours(clock, calendar, measure, now)
    else:
        budget, used, begins = _days(clock, calendar, measure, now, last)
    if budget is not None and not overdue:
        # Rest days over which the last day rolls on, and days given by keeping what was told, use up nothing.
        used = min(used, budget)
    return Balance(
        unit=measure.unit,
        budget=budget,
        used=used,
        left=None if budget is None else max(0, budget - used),
        begins=None if overdue or clock.paused or clock.stopped_at else begins,
        due_day=due.day if due else None,
        rolled=max(0, (due.day - last).days) if due and last else 0,
        kept=clock.kept is not None and due is not None and due.at == clock.kept.due_at,
        over=_over(measure, now) if overdue else 0,
        over_workdays=overdue_workdays(due.day, now, calendar) if overdue else 0,
        paused=clock.paused,
    )


def _last_day(clock: Clock, calendar: WorkCalendar, measure: Measure) -> date | None:
    """The day on which the budget is reached, before it rolls on; ``None`` while a pause holds the clock, and where nothing is counted on."""
    if measure.due is None or clock.rule.direction == "before":
        return None
    if measure.hours or (clock.kept is None and _plain(clock) and clock.unit == WORKING_DAYS):
        return measure.due.day
    extensions = [(each.amount, each.unit) for each in clock.extensions]
    # A pause that begins between the last day and the day it would roll on to leaves a last day and no due day; that is None above.
    found = counting.due(replace(clock.rule, roll_forward=False), clock.started_at, calendar, ledger_pauses(clock), extensions)
    return found.day if found else None


def _plain(clock: Clock) -> bool:
    """Whether limit and extensions are in one unit and can simply be added."""
    return clock.budget is not None and {clock.unit, *(each.unit for each in clock.extensions)} == {clock.unit}


def _sum(clock: Clock) -> int | Decimal:
    return clock.budget + sum(each.amount for each in clock.extensions)


def _days(clock: Clock, calendar: WorkCalendar, measure: Measure, now: datetime, last: date | None) -> tuple[int | None, int, date | None]:
    if _plain(clock) and clock.unit == measure.unit:
        budget: int | None = int(_sum(clock))
    else:
        budget = None if last is None else measure.days(measure.cursor, last, measure.unit)
    first = counting.nth_unpaused_day(measure.cursor, measure.unit, 1, measure.paused_days, calendar)
    ahead = first is not None and first > calendar.local(now).date()
    return budget, int(measure.used(now)), first if ahead else None


def _hours(clock: Clock, calendar: WorkCalendar, measure: Measure, now: datetime) -> tuple[int | None, int, datetime | None]:
    if _plain(clock):
        budget: int | None = _minutes(_sum(clock))
    else:
        budget = None if measure.total is None else _minutes(measure.total)
    used = _full_minutes(measure.used(now)) if now > measure.began else 0
    second = counting.nth_unpaused_hour(measure.began, measure.unit, Decimal(1) / 3600, measure.spans, calendar)
    first = second - counting.ONE_SECOND if second else None
    return budget, used, first if first is not None and first > now else None


def _before(clock: Clock, calendar: WorkCalendar, measure: Measure, now: datetime) -> tuple[int, int, date | None]:
    """Of a limit before an event: the days up to its end that are as many as the limit; the end may have moved back over rest days."""
    due = measure.due.day
    amount = int(clock.budget)
    if measure.unit == WORKING_DAYS:
        cursor = calendar.add_workdays(due, -amount)
    else:
        if clock.unit != "d":
            event = measure.first
            amount = (event - counting.add_months(event, -amount * (12 if clock.unit == "y" else 1))).days
        cursor = date.fromordinal(due.toordinal() - amount)
    today = max(calendar.local(now).date(), cursor)
    used = counting.unpaused_days(cursor, today, measure.unit, (), calendar)
    first = counting.nth_unpaused_day(cursor, measure.unit, 1, (), calendar)
    return amount, used, first if first is not None and first > calendar.local(now).date() else None


def _minutes(hours: int | Decimal) -> int:
    """Whole minutes of a limit in hours; one that is shorter than a minute is a minute."""
    return max(1, round(hours * MINUTES_AN_HOUR))


def _full_minutes(hours: int | Decimal) -> int:
    """Minutes that are over; eight of them in hours are a fraction that ends a little below."""
    return int(round(hours * MINUTES_AN_HOUR, 4))


def _over(measure: Measure, now: datetime) -> int:
    if measure.hours:
        gone = counting.unpaused_hours(measure.due.at, now, measure.unit, (), measure.calendar)
        return max(1, _full_minutes(gone))
    return overdue_workdays(measure.due.day, now, measure.calendar)


# -- in words ----------------------------------------------------------------------------------------------------------------


def amounts(said: Balance) -> str:
    """"3/5", of hours "1:15/4:00"; a dash for a budget that is not known."""
    written = _clocked if said.hours else str
    return f"{written(said.used)}/{'—' if said.budget is None else written(said.budget)}"


def _clocked(minutes: int) -> str:
    return f"{minutes // MINUTES_AN_HOUR}:{minutes % MINUTES_AN_HOUR:02d}"


def left_words(said: Balance, calendar: WorkCalendar, now: datetime) -> Words | str:
    """"5 working day(s) left (counted from 11-24)", "due today", "3 working day(s) over", "paused"; nothing when it cannot be known.

    A last day that has rolled on is told beside what is left: "30 day(s) left (rolled on to 01-04)".
    """
    words, notes = left_parts(said, calendar, now)
    if not notes:
        return words
    note = notes[0] if len(notes) == 1 else T("%(left)s, %(right)s", left=notes[0], right=notes[1])
    return T("%(said)s (%(note)s)", said=words, note=note)


def left_parts(said: Balance, calendar: WorkCalendar, now: datetime) -> tuple[Words | str, list[Words]]:
    """The same as the words proper and the notes on them, for places that show these below each other."""
    if said.over:
        return _over_words(said), []
    if said.paused:
        return T("paused"), []
    if said.left is None or said.due_day is None:
        return "", []
    today = calendar.local(now).date()
    if not said.hours and said.due_day == today:
        return T("due today"), []
    notes: list[Words] = []
    if said.begins is not None:
        notes.append(_begins_words(said.begins, calendar, today))
    if said.rolled:
        day = _short(said.due_day, today)
        notes.append(T("kept at %(day)s", day=day) if said.kept else T("rolled on to %(day)s", day=day))
    if said.left == 0 and notes and not said.hours:
        return notes[-1], []
    return _left_words(said), notes


def _left_words(said: Balance) -> Words:
    if said.hours:
        hours, minutes = divmod(said.left, MINUTES_AN_HOUR)
        return T("%(hours)d h %(minutes)d min left", hours=hours, minutes=minutes) if hours else T("%(minutes)d min left", minutes=minutes)
    if said.unit == WORKING_DAYS:
        return T("%(days)d working day(s) left", days=said.left)
    return T("%(days)d day(s) left", days=said.left)


def _over_words(said: Balance) -> Words:
    # Beyond the first working day nobody counts hours any more.
    if not said.hours or said.over_workdays > 1:
        return T("%(days)d working day(s) over", days=said.over_workdays)
    hours, minutes = divmod(said.over, MINUTES_AN_HOUR)
    return T("%(hours)d h %(minutes)d min over", hours=hours, minutes=minutes) if hours else T("%(minutes)d min over", minutes=minutes)


def _begins_words(begins: date | datetime, calendar: WorkCalendar, today: date) -> Words:
    if not isinstance(begins, datetime):
        return T("counted from %(day)s", day=_short(begins, today))
    local = calendar.local(begins)
    return T("counted from %(day)s", day=f"{local:%H:%M}" if local.date() == today else f"{_short(local.date(), today)} {local:%H:%M}")


def _short(day: date, today: date) -> str:
    """``11-24``, with the year in front when it is another one."""
    return f"{day:%m-%d}" if day.year == today.year else day.isoformat()
