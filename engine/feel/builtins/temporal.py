"""Dates, times and durations (DMN 1.5 §10.3.4.1, §10.3.4.7, §10.3.4.8)."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from engine.feel import temporal as t
from engine.feel.builtins.registry import builtin
from engine.feel.runtime import Runtime
from engine.feel.temporal import NANOS, AnyDate, DateTime, DaysDuration, MonthsDuration, Time
from engine.feel.values import from_python

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December",
)  # fmt: skip


def _read(rt: Runtime, parse: Callable[[str], Any], text: str) -> Any:
    try:
        return parse(text)
    except ValueError:
        return rt.null('"%(text)s" is not a date, time or duration of the expected form.', text=text[:80])


def _build(rt: Runtime, make: Callable[..., Any], *numbers: Decimal) -> Any:
    try:
        return make(*[int(number) for number in numbers])
    except (ValueError, OverflowError):
        return rt.null("There is no such date or time.")


def _day(value: AnyDate | DateTime) -> AnyDate:
    return value.date if isinstance(value, DateTime) else value


# -- constructors -----------------------------------------------------------------------------------------------------


@builtin("date", "from: str")
def date_of_text(rt: Runtime, text: str) -> AnyDate | None:
    return _read(rt, t.parse_date, text)


@builtin("date", "from: date|dt")
def date_of_moment(rt: Runtime, value: AnyDate | DateTime) -> AnyDate:
    return _day(value)


@builtin("date", "year: num, month: num, day: num")
def date_of_parts(rt: Runtime, year: Decimal, month: Decimal, day: Decimal) -> AnyDate | None:
    return _build(rt, t.make_date, year, month, day)


@builtin("time", "from: str")
def time_of_text(rt: Runtime, text: str) -> Time | None:
    return _read(rt, t.parse_time, text)


@builtin("time", "from: time|dt|date")
def time_of_moment(rt: Runtime, value: Any) -> Time:
    if isinstance(value, Time):
        return value
    return value.time() if isinstance(value, DateTime) else Time(0, 0)


@builtin("time", "hour: num, minute: num, second: num, offset?: days?")
def time_of_parts(rt: Runtime, hour: Decimal, minute: Decimal, second: Decimal, offset: DaysDuration | None = None) -> Time | None:
    return _clock(rt, hour, minute, second, offset)


def _clock(rt: Runtime, hour: Decimal, minute: Decimal, second: Decimal, offset: DaysDuration | None) -> Time | None:
    seconds = None if offset is None else offset.nanos // NANOS
    if not (0 <= hour < 24 and 0 <= minute < 60 and 0 <= second < 60) or seconds is not None and abs(seconds) > t.MAX_OFFSET:
        return rt.null("There is no such date or time.")
    return Time((int(hour) * 3600 + int(minute) * 60) * NANOS + int(second * NANOS), seconds)


@builtin("date and time", "from: str")
def moment_of_text(rt: Runtime, text: str) -> DateTime | None:
    return _read(rt, t.parse_date_time, text)


@builtin("date and time", "from: date|dt")
def moment_of_moment(rt: Runtime, value: AnyDate | DateTime) -> DateTime:
    return value if isinstance(value, DateTime) else DateTime(value, 0, 0)


@builtin("date and time", "date: date|dt, time: time")
def moment_of_date_and_time(rt: Runtime, date: AnyDate | DateTime, time: Time) -> DateTime:
    return DateTime(_day(date), time.nanos, time.offset, time.zone)


@builtin("date and time", "date and time: dt, timezone: str")
def moment_in_zone(rt: Runtime, moment: DateTime, zone: str) -> DateTime | None:
    """The same instant on the clocks of another zone; a moment without a zone is taken to be there already."""
    try:
        t.zone_of(zone)
    except ValueError:
        return rt.null("There is no time zone %(zone)s.", zone=zone)
    if moment.is_local:
        return DateTime(moment.date, moment.nanos, None, zone)
    return DateTime(moment.date, moment.nanos, moment.offset_seconds(), None).in_zone(zone)


def _moment(rt: Runtime, parts: tuple[Decimal, ...], offset: DaysDuration | None, zone: str | None) -> DateTime | None:
    date, time = _build(rt, t.make_date, *parts[:3]), _clock(rt, *parts[3:], offset)
    return None if date is None or time is None else DateTime(date, time.nanos, time.offset, zone)


_PARTS = "year: num, month: num, day: num, hour: num, minute: num, second: num"


@builtin("date and time", f"{_PARTS}, offset?: days?")
def moment_of_parts(rt: Runtime, *parts: Any) -> DateTime | None:
    return _moment(rt, parts[:6], parts[6] if len(parts) > 6 else None, None)


@builtin("date and time", f"{_PARTS}, timezone: str")
def moment_of_parts_in_zone(rt: Runtime, *parts: Any) -> DateTime | None:
    try:
        t.zone_of(parts[6])
    except ValueError:
        return rt.null("There is no time zone %(zone)s.", zone=parts[6])
    return _moment(rt, parts[:6], None, parts[6])


@builtin("duration", "from: str")
def duration_of_text(rt: Runtime, text: str) -> DaysDuration | MonthsDuration | None:
    return _read(rt, t.parse_duration, text)


@builtin("duration", "from: days|months")
def duration_of_duration(rt: Runtime, value: Any) -> Any:
    return value


@builtin("years and months duration", "from: date|dt, to: date|dt")
def months_between(rt: Runtime, start: Any, end: Any) -> MonthsDuration:
    """Whole months between two dates; the time of day does not count."""
    first, last = _day(start), _day(end)
    months = (last.year - first.year) * 12 + last.month - first.month
    if months > 0 and last.day < first.day:
        months -= 1
    elif months < 0 and last.day > first.day:
        months += 1
    return MonthsDuration(months)


# -- the present ------------------------------------------------------------------------------------------------------


@builtin("now")
def now(rt: Runtime) -> DateTime:
    return from_python(rt.now())


@builtin("today")
def today(rt: Runtime) -> AnyDate:
    return rt.now().date()


# -- the calendar -----------------------------------------------------------------------------------------------------


@builtin("day of year", "date: date|dt")
def day_of_year(rt: Runtime, value: Any) -> Decimal:
    date = _day(value)
    return Decimal(t.date_to_days(date) - t.date_to_days(t.make_date(date.year, 1, 1)) + 1)


@builtin("day of week", "date: date|dt")
def day_of_week(rt: Runtime, value: Any) -> str:
    return WEEKDAYS[_day(value).isoweekday() - 1]


@builtin("month of year", "date: date|dt")
def month_of_year(rt: Runtime, value: Any) -> str:
    return MONTHS[_day(value).month - 1]


@builtin("week of year", "date: date|dt")
def week_of_year(rt: Runtime, value: Any) -> Decimal:
    """ISO 8601: the week belongs to the year that holds its Thursday."""
    date = _day(value)
    thursday = t.date_to_days(date) - date.isoweekday() + 4
    year = t.days_to_date(thursday).year
    return Decimal((thursday - t.date_to_days(t.make_date(year, 1, 1))) // 7 + 1)


@builtin("last day of month", "date: date|dt")
def last_day_of_month(rt: Runtime, value: Any) -> AnyDate:
    date = _day(value)
    return t.make_date(date.year, date.month, t.days_in_month(date.year, date.month))
