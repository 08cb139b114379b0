"""Counting a limit to its due day.

The readings are those fixed in ``design.md`` §4 (which override ``domain.md`` §4.3):

* The due day is the day on which the counted, unpaused days reach the budget.  A pause covers [day stopped, day resumed)
  in office-time days; pauses that overlap count once; calendar units pause by calendar days.
* Extensions add to the budget in their own unit; one of another unit goes on from where the budget ended.
* Roll-forward to a working day happens once, at the very end, and never into a pause.  An open pause has no due day,
  unless the budget had been reached before it began.
* Months and years end on the same day number or on the month's last day, one day earlier when the first day counts.
* A day is due at closing (17:30:00, in time); the first overdue instant is one second later.
* ``h`` counts office hours, and hours used up at closing are due then; ``ch`` counts hours on the clock.  For both, a
  pause is what lies between its two instants, because a whole day would give back hours already used.

Nothing walks day by day: pauses cut time into stretches and each stretch is counted through the calendar's index.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import NamedTuple

from engine.deadlines.amounts import CALENDAR_DAYS, CLOCK_HOURS, HOUR_UNITS, MONTHS, OFFICE_HOURS, WORKING_DAYS, YEARS, checked
from engine.deadlines.calendar import OFFICIAL, WorkCalendar
from engine.deadlines.rules import NEXT_WORKDAY, Rule
from engine.errors import EngineError, ValidationFailed

ONE_DAY = timedelta(days=1)
ONE_SECOND = timedelta(seconds=1)
_NEVER = date.max.toordinal() + 1
_END_OF_TIME = datetime.max.replace(tzinfo=UTC)

PauseLike = tuple[datetime | date, datetime | date | None]
ExtensionLike = tuple[int | float | Decimal, str]


class Due(NamedTuple):
    """When a limit runs out: office-time day, aware UTC instant (still in time), and whether a provisional year was used."""

    day: date
    at: datetime
    provisional: bool

    @property
    def overdue_at(self) -> datetime:
        """The first overdue instant (UTC)."""
        return self.at + ONE_SECOND


def due_day(
    limit: Rule | float | Decimal,
    start: date | datetime,
    calendar: WorkCalendar,
    pauses: Iterable[PauseLike] = (),
    extensions: Iterable[ExtensionLike] = (),
    *,
    unit: str = WORKING_DAYS,
    count_first_day: bool = False,
) -> date | None:
    """The due day of a rule, or of a bare amount of ``unit``; ``None`` while an open pause holds it.

    ``start`` as a ``date`` is taken as it stands (the day of an event); as an aware ``datetime`` it is the moment of
    receipt, and what arrives after closing or on a rest day starts on the next working day unless the rule says otherwise.
    ``pauses`` are ``(from, to or None, ...)`` of instants or days, ``extensions`` ``(amount, unit, ...)``; further members are ignored.
    Raises :class:`ValidationFailed` for a refused amount, :class:`EngineError` when the count leaves the years 1–9999.
    """
    rule = limit if isinstance(limit, Rule) else Rule("", "", checked(limit, unit), unit, count_first_day=count_first_day)
    found = due(rule, start, calendar, pauses, extensions)
    return None if found is None else found.day


def due(
    rule: Rule,
    start: date | datetime,
    calendar: WorkCalendar,
    pauses: Iterable[PauseLike] = (),
    extensions: Iterable[ExtensionLike] = (),
) -> Due | None:
    """Day and instant at which ``rule`` runs out, see :func:`due_day`; ``None`` while an open pause holds it."""
    try:
        return _Count(rule, start, calendar, tuple(pauses)).run(tuple(extensions))
    except OverflowError as error:
        raise EngineError("Counting %(limit)s leaves the calendar.", limit=rule.limit_words) from error


def start_day(rule: Rule, start: date | datetime, calendar: WorkCalendar) -> date:
    """The day on which counting begins: a date as it stands; a moment by the rule's ``rest_day_start``."""
    if not isinstance(start, datetime):
        return start
    if rule.rest_day_start == NEXT_WORKDAY and rule.direction == "after" and rule.by is None and rule.unit != CLOCK_HOURS:
        return calendar.office_day(start)
    return calendar.local(start).date()


def start_instant(start: date | datetime, calendar: WorkCalendar) -> datetime:
    """The moment from which hours run: a date begins at midnight, office time."""
    if isinstance(start, datetime):
        return calendar.local(start).astimezone(UTC)
    return calendar.instant(start, time.min)


def add_months(day: date, months: int) -> date:
    """The same day number ``months`` later (earlier, if negative), or that month's last day."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    if not date.min.year <= year <= date.max.year:
        raise OverflowError("year out of range")
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


# -- pauses --------------------------------------------------------------------------------------------------------------


def paused_days(pauses: Iterable[PauseLike], calendar: WorkCalendar) -> list[tuple[int, int]]:
    """The paused days as disjoint ascending ``[first, first after)`` ordinals; an open pause ends at "never"."""

    def day_of(moment: date | datetime) -> int:
        return (calendar.local(moment).date() if isinstance(moment, datetime) else moment).toordinal()

    return _merged((day_of(begin), _NEVER if end is None else day_of(end)) for begin, end, *_ in pauses)


def paused_spans(pauses: Iterable[PauseLike], calendar: WorkCalendar) -> list[tuple[datetime, datetime]]:
    """The pauses as disjoint ascending ``[from, to)`` UTC instants, for hour rules; an open one ends at the end of time."""
    return _merged((start_instant(begin, calendar), _END_OF_TIME if end is None else start_instant(end, calendar)) for begin, end, *_ in pauses)


def _merged(intervals: Iterable[tuple]) -> list[tuple]:
    merged: list[tuple] = []
    for begin, end in sorted(intervals):
        if end <= begin:
            continue
        if merged and begin <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((begin, end))
    return merged


def unpaused_days(after: date, until: date, unit: str, paused: Sequence[tuple[int, int]], calendar: WorkCalendar) -> int:
    """How many unpaused days lie in ``(after, until]``: working days for ``wd``, else calendar days; 0 when ``until`` ≤ ``after``."""
    count = _counter(unit, calendar)
    if until <= after:
        return 0
    total = count(after, until)
    for begin, end in paused:
        first, last = max(begin - 1, after.toordinal()), min(end - 1, until.toordinal())
        if first < last:
            total -= count(date.fromordinal(first), date.fromordinal(last))
    return total


def unpaused_hours(after: datetime, until: datetime, unit: str, spans: Sequence[tuple[datetime, datetime]], calendar: WorkCalendar) -> Decimal:
    """How many unpaused hours lie between two UTC instants: office hours for ``h``, hours on the clock for ``ch``."""
    total = timedelta()
    for begin, end in _stretches(after, unit, calendar, until):
        total += sum((later - earlier for earlier, later in _without(begin, end, spans)), timedelta())
    return Decimal(total // timedelta(microseconds=1)) / 3_600_000_000


def nth_unpaused_day(cursor: date, unit: str, amount: int, paused: Sequence[tuple[int, int]], calendar: WorkCalendar) -> date | None:
    """The ``amount``-th (≥ 1) unpaused day after ``cursor``: working days for ``wd``, else calendar days; ``None`` if never."""
    count = _counter(unit, calendar)
    for begin, end in paused:
        if end - 1 <= cursor.toordinal():
            continue
        if begin - 1 > cursor.toordinal():
            free = count(cursor, date.fromordinal(begin - 1))
            if free >= amount:
                break
            amount -= free
        if end == _NEVER:
            return None
        cursor = date.fromordinal(end - 1)
    return calendar.add_workdays(cursor, amount) if unit == WORKING_DAYS else cursor + timedelta(days=amount)


def nth_unpaused_hour(
    after: datetime, unit: str, hours: int | Decimal, spans: Sequence[tuple[datetime, datetime]], calendar: WorkCalendar
) -> datetime | None:
    """The UTC instant at which ``hours`` (> 0) unpaused hours have run since ``after``; ``None`` while an open pause holds it."""
    left = timedelta(microseconds=int(hours * 3_600_000_000))
    for begin, end in _stretches(after, unit, calendar):
        for earlier, later in _without(begin, end, spans):
            if later - earlier >= left:
                return earlier + left
            left -= later - earlier
        if spans and spans[-1][1] == _END_OF_TIME and spans[-1][0] <= end:
            return None
    return None


def _counter(unit: str, calendar: WorkCalendar) -> Callable[[date, date], int]:
    if unit == WORKING_DAYS:
        return calendar.workdays_between
    return lambda after, until: until.toordinal() - after.toordinal()


def _without(begin: datetime, end: datetime, spans: Sequence[tuple[datetime, datetime]]) -> Iterator[tuple[datetime, datetime]]:
    """The parts of ``[begin, end)`` outside the paused spans."""
    for paused_from, paused_to in spans:
        if paused_to <= begin or paused_from >= end:
            continue
        if paused_from > begin:
            yield begin, paused_from
        begin = min(paused_to, end)
    if begin < end:
        yield begin, end


def _stretches(after: datetime, unit: str, calendar: WorkCalendar, until: datetime = _END_OF_TIME) -> Iterator[tuple[datetime, datetime]]:
    """The stretches of time after ``after`` in which hours of ``unit`` run, up to ``until``."""
    if unit == CLOCK_HOURS:
        if after < until:
            yield after, until
        return
    day = calendar.next_workday(calendar.local(after).date())
    while True:
        for opens, closes in calendar.sessions(day):
            if opens >= until:
                return
            if closes > after:
                yield max(opens, after), min(closes, until)
        day = calendar.add_workdays(day, 1)


# -- the count itself ----------------------------------------------------------------------------------------------------


class _Count:
    """One run of the count.  ``position`` is a day, or an instant once hours have been counted."""

    def __init__(self, rule: Rule, start: date | datetime, calendar: WorkCalendar, pauses: tuple[PauseLike, ...]) -> None:
        self.rule, self.start, self.calendar = rule, start, calendar
        self.days = paused_days(pauses, calendar)
        self.spans = paused_spans(pauses, calendar)
        self.years: set[int] = set()  # the years whose arrangement of days was consulted

    def run(self, extensions: tuple[ExtensionLike, ...]) -> Due | None:
        rule = self.rule
        first = start_day(rule, self.start, self.calendar)
        if isinstance(self.start, datetime) and first != self.calendar.local(self.start).date():
            self._consult(self.calendar.local(self.start).date(), first)
        if rule.direction == "before":
            return self._result(self._backwards(first))
        position: date | datetime | None
        if rule.by is not None:
            position, groups = _next_on(first, rule.by), _by_unit(extensions)
        else:
            position, groups = first, _by_unit([(rule.limit, rule.unit), *extensions])
        for index, (unit, amount) in enumerate(groups):
            opens = index == 0 and rule.by is None
            if unit in HOUR_UNITS:
                position = self._hours(position, unit, amount, opens)
            else:
                position = self._days(position, unit, int(amount), opens)
            if position is None:
                return None
        if rule.roll_forward and not isinstance(position, datetime):
            position = self._rolled(position)
        return None if position is None else self._result(position)

    def _consult(self, first: date, last: date) -> None:
        self.years.update(range(first.year, last.year + 1))

    def _days(self, position: date | datetime, unit: str, amount: int, opens: bool) -> date | None:
        day = self.calendar.local(position).date() if isinstance(position, datetime) else position
        # The cursor is the last day that does not count; a counted first day moves it to the eve.
        cursor = day - ONE_DAY if opens and self.rule.count_first_day else day
        if unit == MONTHS:
            end = add_months(day, amount)
            amount = (end - day).days
        found = nth_unpaused_day(cursor, unit, amount, self.days, self.calendar)
        if found is not None and unit == WORKING_DAYS:
            self._consult(cursor + ONE_DAY, found)
        return found

    def _hours(self, position: date | datetime, unit: str, amount: Decimal, opens: bool) -> datetime | None:
        if opens:
            instant = start_instant(self.start, self.calendar)
        else:
            instant = position if isinstance(position, datetime) else self.calendar.closing(position)
        found = nth_unpaused_hour(instant, unit, amount, self.spans, self.calendar)
        if found is not None and unit == OFFICE_HOURS:
            self._consult(self.calendar.local(instant).date(), self.calendar.local(found).date())
        return found

    def _rolled(self, day: date) -> date | None:
        first = day
        while True:
            worked = self.calendar.next_workday(day)
            pause = next(((begin, end) for begin, end in self.days if begin <= worked.toordinal() < end), None)
            if pause is None:
                self._consult(first, worked)
                return worked
            if pause[1] == _NEVER:
                return None
            day = date.fromordinal(pause[1])

    def _backwards(self, event: date) -> date:
        rule, amount = self.rule, int(self.rule.limit)
        if rule.unit in HOUR_UNITS:
            raise ValidationFailed("A limit before an event is counted in days, months or years.")
        eve = event + ONE_DAY if rule.count_first_day else event
        if rule.unit == WORKING_DAYS:
            day = self.calendar.add_workdays(eve, -amount)
            self._consult(day, event)
            return day
        if rule.unit == CALENDAR_DAYS:
            day = eve - timedelta(days=amount)
        else:
            day = add_months(event, -amount * (12 if rule.unit == YEARS else 1)) + (eve - event)
        if not rule.roll_forward:
            return day
        # Later would leave fewer days than the minimum, so a rest day moves back.
        worked = self.calendar.previous_workday(day)
        self._consult(worked, day)
        return worked

    def _result(self, position: date | datetime) -> Due:
        provisional = any(self.calendar.year_status(number) != OFFICIAL for number in self.years)
        if isinstance(position, datetime):
            return Due(self.calendar.local(position).date(), position, provisional)
        return Due(position, self.calendar.closing(position), provisional)


def _by_unit(amounts: Iterable[ExtensionLike]) -> list[tuple[str, int | Decimal]]:
    """Amounts of one unit added together, units in order of first appearance; years are counted as months."""
    totals: dict[str, int | Decimal] = {}
    for amount, unit, *_ in amounts:
        number = checked(amount, unit)
        if unit == YEARS:
            number, unit = number * 12, MONTHS
        totals[unit] = totals.get(unit, 0) + number
    return list(totals.items())


def _next_on(day: date, month_day: tuple[int, int]) -> date:
    """The first such day of a year on or after ``day`` (29 February: the month's last day)."""
    month, number = month_day
    for year in (day.year, day.year + 1):
        found = date(year, month, min(number, monthrange(year, month)[1]))
        if found >= day:
            return found
    raise AssertionError("a day of the year comes round within two years")
