"""Dates, times and durations with the reach and the exactness that DMN 1.5 §10.3.2.3 asks for.

The standard library stops at years 1–9999 and at microseconds; FEEL does not.  A date inside the standard range is a
plain :class:`datetime.date`, so that other code meets nothing strange; only a date outside it is a :class:`FarDate`.
Times count nanoseconds.  A zone id (``@Asia/Shanghai``) is kept as written and never replaced by its offset.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import lru_cache
from zoneinfo import ZoneInfo

NANOS = 1_000_000_000
DAY_NANOS = 86_400 * NANOS
MAX_YEAR = 999_999_999
MAX_OFFSET = 18 * 3600
_EPOCH_ORDINAL = dt.date(1970, 1, 1).toordinal()
_MONTH_DAYS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


@dataclass(frozen=True, slots=True)
class FarDate:
    """A calendar date outside years 1–9999 (proleptic Gregorian calendar, with a year zero as in ISO 8601)."""

    year: int
    month: int
    day: int

    def isoformat(self) -> str:
        return f"{'-' if self.year < 0 else ''}{abs(self.year):04d}-{self.month:02d}-{self.day:02d}"

    def isoweekday(self) -> int:
        return (date_to_days(self) + 3) % 7 + 1


AnyDate = dt.date | FarDate


def days_in_month(year: int, month: int) -> int:
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    return 29 if month == 2 and leap else _MONTH_DAYS[month - 1]


def make_date(year: int, month: int, day: int) -> AnyDate:
    """Build a date of any year within ±999,999,999; raises :class:`ValueError` when there is no such day."""
    if 1 <= year <= 9999:
        return dt.date(year, month, day)
    if abs(year) > MAX_YEAR or not 1 <= month <= 12 or not 1 <= day <= days_in_month(year, month):
        raise ValueError("no such date")
    return FarDate(year, month, day)


def date_to_days(value: AnyDate) -> int:
    """Days since 1970-01-01."""
    if isinstance(value, dt.date):
        return value.toordinal() - _EPOCH_ORDINAL
    year = value.year - (value.month <= 2)
    era, year_of_era = divmod(year, 400)
    day_of_year = (153 * ((value.month + 9) % 12) + 2) // 5 + value.day - 1
    return era * 146_097 + year_of_era * 365 + year_of_era // 4 - year_of_era // 100 + day_of_year - 719_468


def days_to_date(days: int) -> AnyDate:
    """The inverse of :func:`date_to_days`; raises :class:`ValueError` beyond the years that FEEL knows."""
    ordinal = days + _EPOCH_ORDINAL
    if 1 <= ordinal <= dt.date.max.toordinal():
        return dt.date.fromordinal(ordinal)
    era, day_of_era = divmod(days + 719_468, 146_097)
    year_of_era = (day_of_era - day_of_era // 1460 + day_of_era // 36_524 - day_of_era // 146_096) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    shifted = (5 * day_of_year + 2) // 153
    month = shifted + 3 if shifted < 10 else shifted - 9
    return make_date(year_of_era + era * 400 + (month <= 2), month, day_of_year - (153 * shifted + 2) // 5 + 1)


def add_months(value: AnyDate, months: int) -> AnyDate:
    """Move by whole months; the day is clipped to the target month's last day."""
    year, month = divmod(value.year * 12 + value.month - 1 + months, 12)
    return make_date(year, month + 1, min(value.day, days_in_month(year, month + 1)))


@lru_cache(maxsize=256)
def zone_of(zone_id: str) -> ZoneInfo:
    """The named zone; raises :class:`ValueError` when it is unknown."""
    try:
        return ZoneInfo(zone_id)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError("unknown time zone") from error


def zone_offset(zone_id: str, days: int, nanos: int, *, utc: bool = False) -> int:
    """Offset in seconds of a zone at a local (or, with ``utc``, a universal) moment given as days and nanoseconds."""
    date = days_to_date(days)
    year = date.year
    if not 2 <= year <= 9998:  # the zone database has no opinion there: the nearest year of the same shape decides
        date = dt.date(2 if year < 2 else 9600 + year % 400 - 400 * (year % 400 > 398), date.month, min(date.day, 28))
    zone = zone_of(zone_id)
    # Adding to an aware datetime moves its wall clock, which is what a local moment means.
    aware = dt.datetime(date.year, date.month, date.day, tzinfo=dt.UTC if utc else zone) + dt.timedelta(seconds=nanos // NANOS)
    aware = aware.astimezone(zone) if utc else aware
    return int(aware.utcoffset().total_seconds())


class _Clocked:
    """What a time and a date and time have in common: nanoseconds of the day, offset and zone."""

    __slots__ = ()

    @property
    def hour(self) -> int:
        return self.nanos // (3600 * NANOS)

    @property
    def minute(self) -> int:
        return self.nanos // (60 * NANOS) % 60

    @property
    def second(self) -> int:
        return self.nanos // NANOS % 60

    @property
    def is_local(self) -> bool:
        """True when neither an offset nor a zone is known."""
        return self.offset is None and self.zone is None

    def _clock_text(self) -> str:
        text = f"{self.hour:02d}:{self.minute:02d}:{self.second:02d}"
        fraction = self.nanos % NANOS
        if fraction:
            text += "." + f"{fraction:09d}".rstrip("0")
        if self.zone is not None:
            return f"{text}@{self.zone}"
        return text if self.offset is None else text + offset_text(self.offset)


@dataclass(frozen=True, slots=True)
class Time(_Clocked):
    """A time of day.  ``nanos`` since midnight; ``offset`` in seconds or ``None``; ``zone`` an id or ``None``."""

    nanos: int
    offset: int | None = None
    zone: str | None = None

    def offset_seconds(self) -> int | None:
        # A zone without a date has no definite offset; the first day of 2000 decides, so that the answer never changes.
        return self.offset if self.zone is None else zone_offset(self.zone, 10_957, self.nanos)

    def universal(self) -> int:
        """Nanoseconds to compare by: universal when the offset is known, local otherwise."""
        offset = self.offset_seconds()
        return self.nanos - (offset or 0) * NANOS

    def plus(self, duration: DaysDuration) -> Time:
        return replace(self, nanos=(self.nanos + duration.nanos) % DAY_NANOS)

    def to_time(self) -> dt.time:
        """As a standard time; nanoseconds are cut to microseconds, a zone id becomes its offset."""
        offset = self.offset_seconds()
        zone = None if offset is None else dt.timezone(dt.timedelta(seconds=offset))
        return dt.time(self.hour, self.minute, self.second, self.nanos % NANOS // 1000, tzinfo=zone)

    def __str__(self) -> str:
        return self._clock_text()


@dataclass(frozen=True, slots=True)
class DateTime(_Clocked):
    """A date and time.  ``nanos`` since local midnight; ``offset`` in seconds or ``None``; ``zone`` an id or ``None``."""

    date: AnyDate
    nanos: int
    offset: int | None = None
    zone: str | None = None

    @property
    def year(self) -> int:
        return self.date.year

    @property
    def month(self) -> int:
        return self.date.month

    @property
    def day(self) -> int:
        return self.date.day

    def time(self) -> Time:
        return Time(self.nanos, self.offset, self.zone)

    def offset_seconds(self) -> int | None:
        return self.offset if self.zone is None else zone_offset(self.zone, date_to_days(self.date), self.nanos)

    def instant(self) -> int:
        """Nanoseconds since 1970-01-01T00:00, universal when offset or zone is known, local otherwise."""
        return date_to_days(self.date) * DAY_NANOS + self.nanos - (self.offset_seconds() or 0) * NANOS

    def plus(self, duration: DaysDuration) -> DateTime:
        """Add elapsed time; in a named zone the clock change of the zone is respected."""
        return self._at(self.instant() + duration.nanos)

    def _at(self, moment: int) -> DateTime:
        days, nanos = divmod(moment, DAY_NANOS)
        offset = zone_offset(self.zone, days, nanos, utc=True) if self.zone is not None else self.offset or 0
        days, nanos = divmod(moment + offset * NANOS, DAY_NANOS)
        return replace(self, date=days_to_date(days), nanos=nanos)

    def in_zone(self, zone: str) -> DateTime:
        """The same instant as the clocks of ``zone`` show it."""
        return replace(self, offset=None, zone=zone)._at(self.instant())

    def plus_months(self, months: int) -> DateTime:
        return replace(self, date=add_months(self.date, months))

    def to_datetime(self, default: dt.tzinfo | None = None) -> dt.datetime:
        """As a standard datetime; nanoseconds are cut to microseconds.

        ``default`` is the zone given to a value that names none.  Raises :class:`ValueError` outside years 1–9999.
        """
        if not isinstance(self.date, dt.date):
            raise ValueError("year out of range")
        if self.zone is not None:
            zone: dt.tzinfo | None = zone_of(self.zone)
        else:
            zone = default if self.offset is None else dt.timezone(dt.timedelta(seconds=self.offset))
        clock = dt.time(self.hour, self.minute, self.second, self.nanos % NANOS // 1000)
        return dt.datetime.combine(self.date, clock, tzinfo=zone)

    def __str__(self) -> str:
        return f"{self.date.isoformat()}T{self._clock_text()}"


@dataclass(frozen=True, slots=True, order=True)
class DaysDuration:
    """A days and time duration, in nanoseconds; beyond ±10^30 it is refused with :class:`ValueError`."""

    nanos: int

    def __post_init__(self) -> None:
        _bounded(self.nanos, 10**30)

    @property
    def days(self) -> int:
        return _towards_zero(self.nanos, DAY_NANOS)

    @property
    def hours(self) -> int:
        return _towards_zero(self.nanos, 3600 * NANOS, 24)

    @property
    def minutes(self) -> int:
        return _towards_zero(self.nanos, 60 * NANOS, 60)

    @property
    def seconds(self) -> Decimal | int:
        whole = _towards_zero(self.nanos, NANOS, 60)
        fraction = abs(self.nanos) % NANOS
        return whole if not fraction else Decimal(abs(self.nanos) % (60 * NANOS)).scaleb(-9) * (-1 if self.nanos < 0 else 1)

    def to_timedelta(self) -> dt.timedelta:
        """As a standard timedelta, cut to microseconds; raises :class:`OverflowError` beyond its range."""
        return dt.timedelta(microseconds=self.nanos // 1000)

    def __str__(self) -> str:
        rest = abs(self.nanos)
        days, rest = divmod(rest, DAY_NANOS)
        hours, rest = divmod(rest, 3600 * NANOS)
        minutes, rest = divmod(rest, 60 * NANOS)
        seconds, fraction = divmod(rest, NANOS)
        second_text = f"{seconds}." + f"{fraction:09d}".rstrip("0") if fraction else str(seconds)
        clock = "".join(f"{amount}{unit}" for amount, unit in ((hours, "H"), (minutes, "M")) if amount)
        clock += f"{second_text}S" if second_text != "0" else ""
        text = (f"{days}D" if days else "") + (f"T{clock}" if clock else "")
        return ("-P" if self.nanos < 0 else "P") + (text or "T0S")


@dataclass(frozen=True, slots=True, order=True)
class MonthsDuration:
    """A years and months duration, in months; beyond ±10^20 it is refused with :class:`ValueError`."""

    total: int

    def __post_init__(self) -> None:
        _bounded(self.total, 10**20)

    @property
    def years(self) -> int:
        return _towards_zero(self.total, 12)

    @property
    def months(self) -> int:
        return _towards_zero(self.total, 1, 12)

    def __str__(self) -> str:
        years, months = divmod(abs(self.total), 12)
        text = (f"{years}Y" if years else "") + (f"{months}M" if months else "")
        return ("-P" if self.total < 0 else "P") + (text or "0M")


def _bounded(amount: int, limit: int) -> None:
    if abs(amount) > limit:
        raise ValueError("the duration is too long")


def _towards_zero(value: int, unit: int, modulus: int | None = None) -> int:
    amount = abs(value) // unit
    if modulus:
        amount %= modulus
    return -amount if value < 0 else amount


def offset_text(offset: int) -> str:
    """``Z`` for zero, otherwise ``+08:00`` (with seconds only when there are any)."""
    if offset == 0:
        return "Z"
    hours, rest = divmod(abs(offset), 3600)
    minutes, seconds = divmod(rest, 60)
    return f"{'-' if offset < 0 else '+'}{hours:02d}:{minutes:02d}" + (f":{seconds:02d}" if seconds else "")


_DATE = r"(?P<year>-?(?:[1-9]\d{4,8}|\d{4}))-(?P<month>\d\d)-(?P<day>\d\d)"
_CLOCK = (
    r"(?P<hour>\d\d):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:\.(?P<fraction>\d+))?)?"
    r"(?:(?P<utc>[Zz])|(?P<sign>[+-])(?P<oh>\d\d):(?P<om>\d\d)(?::(?P<os>\d\d))?|@(?P<zone>[A-Za-z][A-Za-z0-9_+/-]*))?"
)
_DATE_RE = re.compile(_DATE, re.ASCII)
_TIME_RE = re.compile(f"T?{_CLOCK}", re.ASCII)
_DATETIME_RE = re.compile(f"{_DATE}(?:T{_CLOCK})?", re.ASCII)
_DAYS_RE = re.compile(
    r"(?P<sign>-)?P(?=.)(?:(?P<d>\d{1,18})D)?(?:T(?=.)(?:(?P<h>\d{1,18})H)?(?:(?P<m>\d{1,18})M)?"
    r"(?:(?P<s>\d{1,18})(?:\.(?P<f>\d*))?S)?)?",
    re.ASCII,
)
_MONTHS_RE = re.compile(r"(?P<sign>-)?P(?=.)(?:(?P<y>\d{1,18})Y)?(?:(?P<m>\d{1,18})M)?", re.ASCII)


def parse_date(text: str) -> AnyDate:
    """Read ``2026-11-23``; raises :class:`ValueError`."""
    match = _DATE_RE.fullmatch(text)
    if match is None:
        raise ValueError("not a date")
    return make_date(int(match["year"]), int(match["month"]), int(match["day"]))


def parse_time(text: str) -> Time:
    """Read ``10:30:00``, ``10:30:00+08:00``, ``10:30:00Z`` or ``10:30:00@Asia/Shanghai``; raises :class:`ValueError`."""
    match = _TIME_RE.fullmatch(text)
    if match is None:
        raise ValueError("not a time")
    nanos, offset, zone = _clock(match)
    return Time(nanos % DAY_NANOS, offset, zone)


def parse_date_time(text: str) -> DateTime:
    """Read a date and time; a bare date means its midnight.  Raises :class:`ValueError`."""
    match = _DATETIME_RE.fullmatch(text)
    if match is None:
        raise ValueError("not a date and time")
    date = make_date(int(match["year"]), int(match["month"]), int(match["day"]))
    if match["hour"] is None:
        return DateTime(date, 0)
    nanos, offset, zone = _clock(match)
    if nanos == DAY_NANOS:  # 24:00:00 is the midnight that ends the day
        date, nanos = days_to_date(date_to_days(date) + 1), 0
    return DateTime(date, nanos, offset, zone)


def _clock(match: re.Match[str]) -> tuple[int, int | None, str | None]:
    hour, minute, second = int(match["hour"]), int(match["minute"]), int(match["second"] or 0)
    nanos = ((hour * 60 + minute) * 60 + second) * NANOS + int((match["fraction"] or "0")[:9].ljust(9, "0"))
    if minute > 59 or second > 59 or nanos > DAY_NANOS:
        raise ValueError("not a time of day")
    if match["zone"]:
        zone_of(match["zone"])
        return nanos, None, match["zone"]
    if match["utc"]:
        return nanos, 0, None
    if match["sign"]:
        minutes, seconds = int(match["om"]), int(match["os"] or 0)
        offset = int(match["oh"]) * 3600 + minutes * 60 + seconds
        if minutes > 59 or seconds > 59 or offset > MAX_OFFSET:
            raise ValueError("no such offset")
        return nanos, -offset if match["sign"] == "-" else offset, None
    return nanos, None, None


def parse_duration(text: str) -> DaysDuration | MonthsDuration:
    """Read ``P1Y2M`` or ``P1DT2H3M4.5S``; raises :class:`ValueError`."""
    match = _MONTHS_RE.fullmatch(text)
    if match is not None:
        total = int(match["y"] or 0) * 12 + int(match["m"] or 0)
        return MonthsDuration(-total if match["sign"] else total)
    match = _DAYS_RE.fullmatch(text)
    if match is None:
        raise ValueError("not a duration")
    seconds = ((int(match["d"] or 0) * 24 + int(match["h"] or 0)) * 60 + int(match["m"] or 0)) * 60 + int(match["s"] or 0)
    nanos = seconds * NANOS + int((match["f"] or "0")[:9].ljust(9, "0"))
    return DaysDuration(-nanos if match["sign"] else nanos)


def parse_temporal(text: str) -> AnyDate | Time | DateTime | DaysDuration | MonthsDuration:
    """Read the text of an ``@"…"`` literal, whatever kind it is; raises :class:`ValueError`."""
    for parse in (parse_date, parse_date_time, parse_time, parse_duration):
        try:
            return parse(text)
        except ValueError:
            continue
    raise ValueError("neither date, time, date and time nor duration")
