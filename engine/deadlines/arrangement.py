"""What an arrangement of days makes of a calendar: days that a notice or the office names, laid over the years that are there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

from engine.deadlines.calendar import CLOSED, KINDS, OFFICIAL, PROVISIONAL, WEEKEND, WORKDAY, WorkCalendar, Year
from engine.deadlines.hours import OfficeHours, Sessions, read_hours, written_hours
from engine.errors import ValidationFailed
from engine.words import T, Words

HOURS = "hours"
"""The kind of an arranged day that changes nothing but its office hours."""
STANDING = "standing"
"""The kind of an arranged day from which other usual hours apply; the day itself stays what it is."""
FIRST_YEAR, LAST_YEAR = 2000, 2100


@dataclass(frozen=True)
class ArrangedDay:
    """A day as it is to be.  ``kind`` is a kind of day or :data:`HOURS`; ``hours`` are its own, empty: the usual ones.

    ``line`` is where the notice says so (0: nowhere).  With the kind :data:`STANDING`, ``standing`` are the usual hours from that day on.
    """

    day: date
    kind: str
    name: str = ""
    line: int = 0
    hours: Sessions = ()
    standing: OfficeHours | None = None

    def to_dict(self) -> dict[str, Any]:
        stored = {"day": self.day.isoformat(), "kind": self.kind, "name": self.name, "line": self.line, "hours": written_hours(self.hours)}
        return {**stored, "standing": self.standing.to_dict()} if self.standing else stored

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> ArrangedDay:
        standing = OfficeHours.from_dict(stored["standing"]) if stored.get("standing") else None
        day = date.fromisoformat(stored["day"])
        return cls(day, stored["kind"], stored["name"], stored["line"], read_hours(stored["hours"]), standing)


@dataclass(frozen=True)
class DayChange:
    """A day that becomes another."""

    day: date
    old_kind: str
    old_name: str
    kind: str
    name: str
    old_hours: Sessions = ()
    hours: Sessions = ()


def checked(days: Iterable[ArrangedDay], whole_years: Iterable[int] = ()) -> tuple[ArrangedDay, ...]:
    """The days in order; :class:`ValidationFailed` for none, for a day named twice, an unknown kind, hours that are none, other centuries."""
    errors: dict[str, list[Words]] = {}
    known: dict[date, ArrangedDay] = {}
    for each in days:
        said = errors.setdefault(each.day.isoformat(), [])
        if each.day in known:
            said.append(T("The day is named twice."))
        if each.kind not in (*KINDS, HOURS, STANDING):
            said.append(T("“%(kind)s” is not a kind of day. Use one of: %(kinds)s.", kind=each.kind, kinds=", ".join((*KINDS, HOURS))))
        if (each.kind == STANDING) != (each.standing is not None):
            said.append(T("Name the usual office hours from that day on."))
        if not FIRST_YEAR <= each.day.year <= LAST_YEAR:
            said.append(T("The calendar covers the years %(first)d to %(last)d.", first=FIRST_YEAR, last=LAST_YEAR))
        if each.hours:
            try:
                OfficeHours(each.hours)
            except ValidationFailed as refusal:
                said.append(refusal.message)
        known[each.day] = each
    for year in whole_years:
        if not FIRST_YEAR <= year <= LAST_YEAR:
            errors[str(year)] = [T("The calendar covers the years %(first)d to %(last)d.", first=FIRST_YEAR, last=LAST_YEAR)]
    errors = {name: said for name, said in errors.items() if said}
    if not known:
        errors["days"] = [T("Name at least one day.")]
    if errors:
        raise ValidationFailed("The days cannot be entered: %(count)d of them need attention.", count=len(errors), errors=errors)
    return tuple(known[day] for day in sorted(known))


def arranged(calendar: WorkCalendar, days: Iterable[ArrangedDay], whole_years: Iterable[int] = (), source: str = "") -> WorkCalendar:
    """``calendar`` as it is once the days are entered.

    A year of ``whole_years`` is official and holds nothing but plain weeks, the given days, and the closures of this office it
    held before.  In other years the given days change and the rest, and the year's state, stays; a year not held becomes
    provisional.  Days of the kind :data:`STANDING` change the usual hours from then on and no day or year.
    """
    named = tuple(days)
    given = tuple(each for each in named if each.kind != STANDING)
    wholes = frozenset(whole_years)
    special = dict(calendar.hours.days)
    for number in sorted(wholes | {each.day.year for each in given}):
        held = calendar.year(number)
        kinds, names = list(held.kinds), list(held.names)
        if number in wholes:
            first = date(number, 1, 1)
            for index, kind in enumerate(kinds):
                if kind != CLOSED:
                    kinds[index] = WEEKEND if (first + timedelta(days=index)).weekday() >= 5 else WORKDAY
                    names[index] = ""
        for each in given:
            if each.day.year != number:
                continue
            index = each.day.timetuple().tm_yday - 1
            if each.kind != HOURS:
                kinds[index], names[index] = each.kind, each.name
            special.pop(each.day, None)
            if each.hours:
                special[each.day] = each.hours
        status = OFFICIAL if number in wholes or calendar.year_status(number) == OFFICIAL else PROVISIONAL
        calendar = calendar.with_year(Year(number, status, tuple(kinds), tuple(names), source if number in wholes else held.source))
    standing = calendar.hours.with_standing((each.day, each.standing) for each in named if each.standing is not None)
    return calendar.with_hours(replace(calendar.hours, days=special, standing=standing))


def differences(before: WorkCalendar, after: WorkCalendar, years: Iterable[int]) -> list[DayChange]:
    """The days of ``years`` that are not what they were, in order."""
    found = []
    for number in sorted(set(years)):
        old, new = before.year(number), after.year(number)
        first = date(number, 1, 1)
        for index, cells in enumerate(zip(old.kinds, old.names, new.kinds, new.names, strict=True)):
            day = first + timedelta(days=index)
            hours = (before.hours.days.get(day, ()), after.hours.days.get(day, ()))
            if cells[:2] != cells[2:] or hours[0] != hours[1]:
                found.append(DayChange(day, *cells, *hours))
    return found
