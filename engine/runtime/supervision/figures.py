"""How limits were kept: on-time rate, average time, overdue and returned work, by section and by month.

A figure counts clocks, not cases: a case with three limits can keep two of them.  A clock that was stopped before its first overdue
instant was kept; one that was restarted counts once, by the clock that followed it.  Times are working days from the start of the clock to its stop, pauses included: what the applicant waited.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, case, func, select

from engine.deadlines import WorkCalendar
from engine.runtime.limits.clocks import STOPPED, not_restarted
from engine.runtime.supervision.pace import quantile
from engine.store.tables import case_file, clock, trail

MONTHS = 12
SMALL = 5
"""Fewer finished limits than this say little: a place in the league is then marked."""


@dataclass(frozen=True)
class Period:
    """Office days from ``since`` up to, not including, ``until``."""

    since: date
    until: date

    @classmethod
    def week(cls, day: date) -> Period:
        monday = day - timedelta(days=day.weekday())
        return cls(monday, monday + timedelta(days=7))

    @classmethod
    def month(cls, day: date) -> Period:
        first = day.replace(day=1)
        return cls(first, (first + timedelta(days=32)).replace(day=1))

    @classmethod
    def quarter(cls, day: date) -> Period:
        first = day.replace(month=(day.month - 1) // 3 * 3 + 1, day=1)
        return cls(first, (first + timedelta(days=100)).replace(day=1))

    @classmethod
    def year(cls, day: date) -> Period:
        return cls(date(day.year, 1, 1), date(day.year + 1, 1, 1))

    @property
    def last(self) -> date:
        """Its last day."""
        return self.until - timedelta(days=1)

    def instants(self, calendar: WorkCalendar) -> tuple[datetime, datetime]:
        return calendar.instant(self.since, time.min), calendar.instant(self.until, time.min)


@dataclass
class Score:
    """What one section, or one month, has to show.

    ``overdue`` are limits that are over now and still run; ``times`` the working days of each finished one, ``days`` their sum.
    """

    finished: int = 0
    late: int = 0
    days: int = 0
    overdue: int = 0
    steps: int = 0
    returned: int = 0
    times: list[int] = field(default_factory=list)

    @property
    def rate(self) -> float | None:
        """Share of the finished limits that were kept, 0 to 1; ``None`` when nothing was finished."""
        return (self.finished - self.late) / self.finished if self.finished else None

    @property
    def average(self) -> float | None:
        """Working days."""
        return self.days / self.finished if self.finished else None

    @property
    def median(self) -> float | None:
        """Working days that half of the finished limits took at most."""
        return quantile(sorted(self.times), 0.5) if self.times else None

    @property
    def small(self) -> bool:
        """Whether there is something to show, but too little to compare."""
        return 0 < self.finished < SMALL

    @property
    def return_rate(self) -> float | None:
        """Share of the finished steps that sent the case back."""
        return self.returned / self.steps if self.steps else None

    def add(self, other: Score) -> None:
        for name in ("finished", "late", "days", "overdue", "steps", "returned"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.times += other.times


@dataclass
class Figures:
    """``sections``: code (empty: none) → score, best rate first.  ``months``: first day → score, oldest first."""

    period: Period
    total: Score = field(default_factory=Score)
    sections: dict[str, Score] = field(default_factory=dict)
    months: dict[date, Score] = field(default_factory=dict)


@dataclass(frozen=True)
class Place:
    """A line of the league.  ``rank`` counts from 1, ``None`` without a finished limit; ``tied`` shares it with others."""

    rank: int | None
    tied: bool
    code: str
    score: Score


def league(found: Figures) -> list[Place]:
    """The sections by place.  Who has the same on-time rate and as many overdue shares a place, and the next one is left out."""
    merits = {code: (score.rate, score.overdue) for code, score in found.sections.items()}
    places, rank = [], 0
    for number, (code, score) in enumerate(found.sections.items(), start=1):
        if not places or merits[places[-1].code] != merits[code]:
            rank = number
        tied = list(merits.values()).count(merits[code]) > 1
        places.append(Place(rank, tied, code, score) if score.rate is not None else Place(None, False, code, score))
    return places


def months_until(day: date, count: int = MONTHS) -> list[date]:
    """The first days of the ``count`` months that end with the month of ``day``."""
    found = [day.replace(day=1)]
    while len(found) < count:
        found.append((found[-1] - timedelta(days=1)).replace(day=1))
    return found[::-1]


def figures(
    conn: Connection, visible: Any, period: Period, calendar: WorkCalendar, now: datetime, *narrowed: ColumnElement[bool], trend: int = MONTHS
) -> Figures:
    """The figures of the cases that ``visible`` and ``narrowed`` (SQL on ``case_file``) let through; three statements.

    ``trend`` is the number of months that end with the period; all their finished limits are read.
    """
    found = Figures(period)
    # A month that has not begun has nothing to show.
    months = months_until(min(period.last, calendar.local(now).date()), trend)
    found.months = {month: Score() for month in months}
    since, until = period.instants(calendar)
    first = calendar.instant(min(months[0], period.since), time.min)
    for row in _finished(conn, (visible, *narrowed), first, until):
        after, day = calendar.local(row.started_at).date(), calendar.local(row.stopped_at).date()
        took = calendar.workdays_between(after, day)
        score = Score(1, int(row.overdue_at is not None and row.stopped_at >= row.overdue_at), took, times=[took])
        month = found.months.get(day.replace(day=1))
        if month is not None:
            month.add(score)
        if row.stopped_at >= since:
            _section(found, row.section_code).add(score)
    for row in _overdue(conn, (visible, *narrowed), now):
        _section(found, row.section_code).add(Score(overdue=row.number))
    for row in _steps(conn, (visible, *narrowed), since, until):
        _section(found, row.section_code).add(Score(steps=row.steps, returned=int(row.returned)))
    found.sections = dict(sorted(found.sections.items(), key=lambda each: _place(*each)))
    for score in found.sections.values():
        found.total.add(score)
    return found


def _section(found: Figures, code: str | None) -> Score:
    return found.sections.setdefault(code or "", Score())


def _place(code: str, score: Score) -> tuple[Any, ...]:
    """The league: best rate first, then fewest overdue, then quickest; who finished nothing comes last."""
    return score.rate is None, -(score.rate or 0), score.overdue, score.average or 0, code


def _finished(conn: Connection, tests: Sequence[Any], since: datetime, until: datetime) -> Iterable[Row]:
    columns = (case_file.c.section_code, clock.c.started_at, clock.c.stopped_at, clock.c.overdue_at)
    chosen = select(*columns).join(case_file, case_file.c.key == clock.c.case_key)
    finished = (clock.c.state == STOPPED, clock.c.stopped_at >= since, clock.c.stopped_at < until)
    return conn.execute(chosen.where(*tests, *finished, not_restarted()))


def _overdue(conn: Connection, tests: Sequence[Any], now: datetime) -> Iterable[Row]:
    chosen = select(case_file.c.section_code, func.count().label("number")).select_from(clock).join(case_file, case_file.c.key == clock.c.case_key)
    running = (clock.c.state != STOPPED, clock.c.overdue_at <= now, case_file.c.closed_at.is_(None))
    return conn.execute(chosen.where(*tests, *running).group_by(case_file.c.section_code))


def _steps(conn: Connection, tests: Sequence[Any], since: datetime, until: datetime) -> Iterable[Row]:
    returned = func.sum(case((trail.c.action == "return", 1), else_=0)).label("returned")
    chosen = select(case_file.c.section_code, func.count().label("steps"), returned).select_from(trail).join(case_file, case_file.c.key == trail.c.case_key)
    done = (trail.c.action.in_(("complete", "return")), trail.c.at >= since, trail.c.at < until)
    return conn.execute(chosen.where(*tests, *done).group_by(case_file.c.section_code))
