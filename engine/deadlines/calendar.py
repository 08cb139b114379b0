"""The work calendar: which days are worked, which hours, and how sure we are of it.

A :class:`WorkCalendar` is an immutable value.  It holds the kinds of the days of the years it was given and answers for
every other year too: a year nobody has published is *provisional* (``domain.md`` §4.2 item 3) and is worked out from the
statutory dates, so no question about a date ever raises because an arrangement is missing.

Nothing here knows where the days are stored; ``from_rows`` and ``rows_for_year`` are the two ends of a table.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import chinese_calendar
import holidays

from engine.deadlines.hours import OfficeHours
from engine.errors import EngineError, ValidationFailed
from engine.words import T, Words

WORKDAY, WEEKEND, STATUTORY, IN_LIEU, MAKEUP = "workday", "weekend", "statutory", "in_lieu", "makeup_workday"
CLOSED = "closed"  # this office alone is closed: flood, snow, an epidemic (domain.md §4.2 item 6)
KINDS = (WORKDAY, WEEKEND, STATUTORY, IN_LIEU, MAKEUP, CLOSED)
WORKED_KINDS = frozenset({WORKDAY, MAKEUP})

OFFICIAL, PROVISIONAL, MISSING = "official", "provisional", "missing"
YEAR_STATUS_WORDS: dict[str, Words] = {
    OFFICIAL: T("Official arrangement"),
    PROVISIONAL: T("Provisional arrangement"),
    MISSING: T("No arrangement yet"),
}
# The order that founded the tables wrote the states in Chinese; both spellings are understood on the way in.
_STATUS_SPELLINGS = {"正式": OFFICIAL, "预估": PROVISIONAL, "缺失": MISSING, **{code: code for code in YEAR_STATUS_WORDS}}

OFFICE_ZONE = ZoneInfo("Asia/Shanghai")

_HOLIDAY_NAMES = {
    "New Year's Day": "元旦",
    "Spring Festival": "春节",
    "Chinese New Year (Spring Festival)": "春节",
    "Chinese New Year's Eve": "除夕",
    "Tomb-sweeping Day": "清明节",
    "Tomb-Sweeping Day": "清明节",
    "Labour Day": "劳动节",
    "Labor Day": "劳动节",
    "Dragon Boat Festival": "端午节",
    "Mid-autumn Festival": "中秋节",
    "Mid-Autumn Festival": "中秋节",
    "National Day": "国庆节",
    "Anti-Fascist 70th Day": "抗战胜利70周年纪念日",
}
# 全国年节及纪念日放假办法 (2024 revision), article 2: the days with a fixed date.  Used where the lunar tables end (after 2100).
_FIXED_STATUTORY = {(1, 1): "元旦", (5, 1): "劳动节", (5, 2): "劳动节", (10, 1): "国庆节", (10, 2): "国庆节", (10, 3): "国庆节"}
_LAST_LUNAR_YEAR = 2100


@dataclass(frozen=True)
class Year:
    """One year of days: its status and, for each day from 1 January on, kind and holiday name (``""`` on ordinary days)."""

    number: int
    status: str
    kinds: tuple[str, ...]
    names: tuple[str, ...]
    source: str = ""
    workdays: tuple[int, ...] = field(init=False, repr=False, compare=False)  # proleptic ordinals, ascending

    def __post_init__(self) -> None:
        first = date(self.number, 1, 1).toordinal()
        worked = tuple(first + index for index, kind in enumerate(self.kinds) if kind in WORKED_KINDS)
        object.__setattr__(self, "workdays", worked)


def _days_of(year: int) -> list[date]:
    first = date(year, 1, 1).toordinal()
    return [date.fromordinal(first + index) for index in range(date(year, 12, 31).toordinal() - first + 1)]


def _plain_kind(day: date) -> str:
    return WEEKEND if day.weekday() >= 5 else WORKDAY


@lru_cache(maxsize=4096)
def official_year(year: int) -> Year:
    """The published arrangement of ``year`` as the ``chinesecalendar`` package carries it; :class:`EngineError` beyond its data."""
    published = chinese_calendar.constants
    if not any(day.year == year for day in published.holidays):
        raise EngineError("There is no published work calendar for %(year)d; use a provisional year.", year=year)
    kinds, names = [], []
    for day in _days_of(year):
        if day in published.workdays:
            kind, name = MAKEUP, published.workdays[day]
        elif day in published.holidays:
            kind, name = (IN_LIEU if day in published.in_lieu_days else STATUTORY), published.holidays[day]
        else:
            kind, name = _plain_kind(day), ""
        kinds.append(kind)
        names.append(_HOLIDAY_NAMES.get(name, name))
    return Year(year, OFFICIAL, tuple(kinds), tuple(names), "chinesecalendar")


@lru_cache(maxsize=16384)
def provisional_year(year: int) -> Year:
    """A year that nobody has published: weekends and statutory days off, substitute days (补假) off, no make-up days.

    Works for every year from 1 to 9999.
    """
    statutory = {}
    if year <= _LAST_LUNAR_YEAR:
        statutory = dict(holidays.country_holidays("CN", years=year, language="en_US").items())
    kinds, names = [], []
    for day in _days_of(year):
        name = statutory.get(day, "").split("; ")[0]
        substitute = name.endswith(" (observed)")
        name = name.removesuffix(" (observed)")
        name = _HOLIDAY_NAMES.get(name, name)
        if year > _LAST_LUNAR_YEAR:
            name = _FIXED_STATUTORY.get((day.month, day.day), "")
        if name:
            kinds.append(IN_LIEU if substitute else STATUTORY)
        else:
            kinds.append(_plain_kind(day))
        names.append(name)
    return Year(year, PROVISIONAL, tuple(kinds), tuple(names), "holidays")


class WorkCalendar:
    """An immutable work calendar of the office.

    ``years`` maps a year number to its :class:`Year`.  Years not in the map are *missing*; questions about them are
    answered from :func:`provisional_year`.  All local times are those of ``zone`` (the office's).  ``version`` counts the changes
    of the tables this calendar was read from, so that a due date can say by which calendar it was worked out; it is no part of
    what makes two calendars equal.
    """

    __slots__ = ("_years", "hours", "version", "zone")

    def __init__(
        self, years: Mapping[int, Year] | None = None, hours: OfficeHours | None = None, zone: ZoneInfo = OFFICE_ZONE, version: int = 0
    ) -> None:
        self._years = dict(years or {})
        self.hours = hours or OfficeHours()
        self.zone = zone
        self.version = version

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, WorkCalendar):
            return NotImplemented
        return (self._years, self.hours, self.zone) == (other._years, other.hours, other.zone)

    __hash__ = None  # type: ignore[assignment]

    # -- making one, and taking it to a table and back ---------------------------------------------------------------

    @classmethod
    def from_rows(
        cls,
        rows: Iterable[Mapping[str, Any]],
        statuses: Mapping[int, str] | None = None,
        hours: OfficeHours | None = None,
        zone: ZoneInfo = OFFICE_ZONE,
    ) -> WorkCalendar:
        """Build from table rows ``{"date": date, "kind": str, "name": str, "source": str}`` (name and source optional).

        ``statuses`` maps year → ``official``/``provisional``/``missing`` (or 正式/预估/缺失); a year with rows and no status
        is official, a year marked missing is left out.  Days of a year that have no row are plain weekdays or weekends.
        A kind or status that does not exist is :class:`ValidationFailed`.
        """
        by_year: dict[int, dict[date, tuple[str, str, str]]] = {}
        errors: dict[str, list[Words]] = {}
        for row in rows:
            day, kind = row["date"], row["kind"]
            if isinstance(day, str):
                day = date.fromisoformat(day)
            if kind not in KINDS:
                errors[day.isoformat()] = [T("“%(kind)s” is not a kind of day. Use one of: %(kinds)s.", kind=kind, kinds=", ".join(KINDS))]
                continue
            by_year.setdefault(day.year, {})[day] = (kind, row.get("name") or "", row.get("source") or "")
        known: dict[int, str] = {}
        for number, status in (statuses or {}).items():
            if status not in _STATUS_SPELLINGS:
                errors[str(number)] = [T("“%(status)s” is not a state of a calendar year.", status=status)]
            else:
                known[number] = _STATUS_SPELLINGS[status]
        if errors:
            raise ValidationFailed("The work calendar has rows that cannot be used.", errors=errors)
        years = {}
        for number, days in by_year.items():
            status = known.get(number, OFFICIAL)
            if status == MISSING:
                continue
            cells = [days.get(day, (_plain_kind(day), "", "")) for day in _days_of(number)]
            source = next((cell[2] for cell in cells if cell[2]), "")
            years[number] = Year(number, status, tuple(cell[0] for cell in cells), tuple(cell[1] for cell in cells), source)
        return cls(years, hours, zone)

    def rows_for_year(self, year: int) -> list[dict[str, Any]]:
        """The days of ``year`` as rows ``{"date", "kind", "name", "source"}``; worked out provisionally when it is missing."""
        held = self.year(year)
        return [
            {"date": day, "kind": kind, "name": name, "source": held.source}
            for day, kind, name in zip(_days_of(year), held.kinds, held.names, strict=True)
        ]

    def with_days(self, days: Mapping[date, str], *, name: str = "", source: str = "") -> WorkCalendar:
        """A copy in which the given days have another kind: a later notice, or a local closure (snow, epidemic)."""
        for day, kind in days.items():
            if kind not in KINDS:
                refusal = T("“%(kind)s” is not a kind of day. Use one of: %(kinds)s.", kind=kind, kinds=", ".join(KINDS))
                raise ValidationFailed(refusal, errors={day.isoformat(): [refusal]})
        years = dict(self._years)
        for number in {day.year for day in days}:
            held = self.year(number)
            kinds, names = list(held.kinds), list(held.names)
            for day, kind in days.items():
                if day.year == number:
                    kinds[day.timetuple().tm_yday - 1], names[day.timetuple().tm_yday - 1] = kind, name
            years[number] = Year(number, held.status, tuple(kinds), tuple(names), source or held.source)
        return WorkCalendar(years, self.hours, self.zone, self.version)

    def with_year(self, year: Year) -> WorkCalendar:
        """A copy that holds ``year`` instead of what it held for that number."""
        return WorkCalendar({**self._years, year.number: year}, self.hours, self.zone, self.version)

    def with_hours(self, hours: OfficeHours) -> WorkCalendar:
        """A copy with other office hours."""
        return WorkCalendar(self._years, hours, self.zone, self.version)

    def with_version(self, version: int) -> WorkCalendar:
        """A copy that says it was read at that version of the tables."""
        return WorkCalendar(self._years, self.hours, self.zone, version)

    # -- years ---------------------------------------------------------------------------------------------------------

    @property
    def years(self) -> tuple[int, ...]:
        """The years held, ascending."""
        return tuple(sorted(self._years))

    def year(self, number: int) -> Year:
        """The days of a year: as held, otherwise worked out provisionally."""
        return self._years.get(number) or provisional_year(number)

    def year_status(self, number: int) -> str:
        """``official``, ``provisional`` or ``missing`` (nothing held, answers are worked out)."""
        held = self._years.get(number)
        return held.status if held else MISSING

    def is_provisional(self, day: date) -> bool:
        """Whether what this calendar says of ``day`` is not an official arrangement."""
        return self.year_status(day.year) != OFFICIAL

    # -- days ----------------------------------------------------------------------------------------------------------

    def kind(self, day: date) -> str:
        return self.year(day.year).kinds[day.timetuple().tm_yday - 1]

    def name(self, day: date) -> str:
        """The holiday a day belongs to (``"春节"``), or ``""``."""
        return self.year(day.year).names[day.timetuple().tm_yday - 1]

    def is_workday(self, day: date) -> bool:
        return self.kind(day) in WORKED_KINDS

    def next_workday(self, day: date) -> date:
        """``day`` itself if it is worked, otherwise the first working day after it."""
        return day if self.is_workday(day) else self.add_workdays(day, 1)

    def previous_workday(self, day: date) -> date:
        """``day`` itself if it is worked, otherwise the last working day before it."""
        return day if self.is_workday(day) else self.add_workdays(day, -1)

    def add_workdays(self, day: date, amount: int) -> date:
        """The ``amount``-th working day after ``day`` (before it, if negative); ``day`` itself is not counted.

        0 gives ``day`` back.  Each year is an index of its working days, so the cost does not grow with ``amount`` except
        by one look-up a year.  Raises :class:`EngineError` when the answer lies outside the years 1 to 9999.
        """
        if amount == 0:
            return day
        ordinal, number = day.toordinal(), day.year
        worked = self.year(number).workdays
        # The index, in this year's list, of the day sought; it may point outside and is then carried to the next year.
        index = (bisect_right(worked, ordinal) - 1 + amount) if amount > 0 else (bisect_left(worked, ordinal) + amount)
        while not 0 <= index < len(worked):
            forward = index >= 0
            index -= len(worked) if forward else 0
            number += 1 if forward else -1
            if not date.min.year <= number <= date.max.year:
                raise EngineError("Counting %(amount)d working days from %(day)s leaves the calendar.", amount=amount, day=day.isoformat())
            worked = self.year(number).workdays
            index += 0 if forward else len(worked)
        return date.fromordinal(worked[index])

    def workdays_between(self, after: date, until: date) -> int:
        """How many working days lie in ``(after, until]``; negative, counting ``(until, after]``, when ``until`` is earlier."""
        if until < after:
            return -self.workdays_between(until, after)
        first, last = self.year(after.year).workdays, self.year(until.year).workdays
        if after.year == until.year:
            return bisect_right(first, until.toordinal()) - bisect_right(first, after.toordinal())
        whole = sum(len(self.year(number).workdays) for number in range(after.year + 1, until.year))
        return len(first) - bisect_right(first, after.toordinal()) + whole + bisect_right(last, until.toordinal())

    # -- instants ------------------------------------------------------------------------------------------------------

    def local(self, instant: datetime) -> datetime:
        """An aware instant in office time; :class:`EngineError` for a naive one."""
        if instant.tzinfo is None:
            raise EngineError("The instant %(instant)s has no time zone.", instant=instant.isoformat())
        return instant.astimezone(self.zone)

    def instant(self, day: date, at: time) -> datetime:
        """The aware UTC instant of an office time."""
        return datetime.combine(day, at, self.zone).astimezone(UTC)

    def opening(self, day: date) -> datetime:
        """When the office opens on ``day`` (UTC), whatever kind of day it is."""
        return self.instant(day, self.hours.opening(day))

    def closing(self, day: date) -> datetime:
        """When the office closes on ``day`` (UTC), whatever kind of day it is."""
        return self.instant(day, self.hours.closing(day))

    def sessions(self, day: date) -> list[tuple[datetime, datetime]]:
        """The office sessions of ``day`` as UTC instants; none on a rest day."""
        if not self.is_workday(day):
            return []
        return [(self.instant(day, start), self.instant(day, end)) for start, end in self.hours.on(day)]

    def office_day(self, instant: datetime) -> date:
        """The working day to which an act at ``instant`` belongs: that day until closing (17:30:00 included), else the next.

        ``design.md`` §4: "17:30:00 is in time; later, or on a rest day, starts on the next working day."
        """
        # Whole seconds: the first late instant is 17:30:01, so half a second past closing is still in time.
        local = self.local(instant).replace(microsecond=0)
        if local.time() > self.hours.closing(local.date()):
            return self.next_workday(local.date() + timedelta(days=1))
        return self.next_workday(local.date())


def seed_years(first: int = 2020, last: int = 2026, hours: OfficeHours | None = None) -> WorkCalendar:
    """A calendar of the years ``first`` to ``last``: official where published, provisional where not.

    ``chinesecalendar`` covers 2004–2026 and refuses every other year; those come from :func:`provisional_year`.
    """
    published = {day.year for day in chinese_calendar.constants.holidays}
    chosen = {number: official_year(number) if number in published else provisional_year(number) for number in range(first, last + 1)}
    return WorkCalendar(chosen, hours)
