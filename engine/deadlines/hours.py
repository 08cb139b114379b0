"""The hours of an office day: the usual ones, those of the summer, changes of both from some day on, and single days with their own."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, time
from itertools import pairwise
from typing import Any

from engine.errors import ValidationFailed

Sessions = tuple[tuple[time, time], ...]
"""Parts of an office day as local times, in order."""
MonthDay = tuple[int, int]


@dataclass(frozen=True)
class OfficeHours:
    """The sessions of an office day as local times, e.g. 08:30–12:00 and 14:30–17:30 (``domain.md`` §4.2 item 6).

    ``summer_sessions`` apply from ``summer_from`` to ``summer_to`` (month, day), both included, when they are given.
    ``days`` are single days with hours of their own (a moved office day).  ``standing`` are later arrangements, each with the office
    day from which it applies until the next one does; what applied before the first are the hours of this value.  Sessions must be in
    order, must not overlap and must not be empty; otherwise :class:`ValidationFailed`.
    """

    sessions: Sessions = ((time(8, 30), time(12, 0)), (time(14, 30), time(17, 30)))
    summer_sessions: Sessions | None = None
    summer_from: MonthDay = (6, 1)
    summer_to: MonthDay = (9, 30)
    days: Mapping[date, Sessions] = field(default_factory=dict)
    standing: tuple[tuple[date, OfficeHours], ...] = ()

    def __post_init__(self) -> None:
        for sessions in (self.sessions, self.summer_sessions, *self.days.values()):
            if sessions is None:
                continue
            edges = [edge for session in sessions for edge in session]
            if not edges or any(later <= earlier for earlier, later in pairwise(edges)):
                raise ValidationFailed("Office hours must be one or more sessions in order of time, each ending after it begins.")

    def on(self, day: date) -> Sessions:
        """The sessions of ``day``, whatever kind of day it is."""
        if self.days and (moved := self.days.get(day)):
            return moved
        usual = self.in_force(day)
        if usual.summer_sessions is None:
            return usual.sessions
        month_day = (day.month, day.day)
        if usual.summer_from <= usual.summer_to:
            summer = usual.summer_from <= month_day <= usual.summer_to
        else:
            summer = month_day >= usual.summer_from or month_day <= usual.summer_to
        return usual.summer_sessions if summer else usual.sessions

    def in_force(self, day: date) -> OfficeHours:
        """The arrangement that applies on ``day``: the latest of ``standing`` that has begun, else this one."""
        if not self.standing:
            return self
        begun = bisect_right(self.standing, day, key=lambda each: each[0])
        return self.standing[begun - 1][1] if begun else self

    def with_standing(self, changes: Iterable[tuple[date, OfficeHours]]) -> tuple[tuple[date, OfficeHours], ...]:
        """``standing`` with these arrangements in their places; one that begins on the same day replaces the one before."""
        return tuple(sorted({**dict(self.standing), **dict(changes)}.items(), key=lambda each: each[0]))

    def opening(self, day: date) -> time:
        return self.on(day)[0][0]

    def closing(self, day: date) -> time:
        return self.on(day)[-1][1]

    def to_dict(self) -> dict[str, Any]:
        """The usual hours and those of the summer in a JSON-able form; :meth:`from_dict` gives them back."""
        stored: dict[str, Any] = {"sessions": written_hours(self.sessions)}
        if self.summer_sessions is not None:
            stored["summer"] = {
                "sessions": written_hours(self.summer_sessions), "from": list(self.summer_from), "to": list(self.summer_to),
            }  # fmt: skip
        return stored

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> OfficeHours:
        summer = stored.get("summer")
        if not summer:
            return cls(read_hours(stored["sessions"]))
        begin, end = ((month, day) for month, day in (summer["from"], summer["to"]))
        return cls(read_hours(stored["sessions"]), read_hours(summer["sessions"]), begin, end)


def written_hours(hours: Sessions) -> list[list[str]]:
    """Sessions in a JSON-able form: ``[["08:30", "12:00"], …]``."""
    return [[f"{start:%H:%M}", f"{end:%H:%M}"] for start, end in hours]


def read_hours(stored: Iterable[Iterable[str]] | None) -> Sessions:
    """What :func:`written_hours` wrote; nothing for ``None``."""
    return tuple((time.fromisoformat(start), time.fromisoformat(end)) for start, end in stored or ())
