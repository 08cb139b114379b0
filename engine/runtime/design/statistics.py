"""How cases went through the steps of a process, for who draws its next version: figures only, never what a case says.

From the history: ``instance`` narrows to the process, the version and the period, ``activity`` tells what was reached and how long it
took, ``trail`` what was sent back.  Counts are exact; times are taken from the steps finished last, at most :data:`SAMPLE`.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, case, func, or_, select

from engine.bpmn.validation import nodes
from engine.deadlines import WorkCalendar
from engine.runtime.supervision.pace import quantile
from engine.store.tables import activity, instance, trail

SAMPLE = 20_000
"""Finished steps read at most for their times, the latest first."""
LIVE = ("ACTIVE", "SUSPENDED")
RETURNED = "return"
TAKES_TIME = ("Task", "task", "callActivity", "subProcess", "transaction", "adHocSubProcess", "intermediateCatchEvent")
"""Element types whose time says something begin or end with these; a gateway or an end event takes none."""
VERSIONS_READ = 10
EARLIEST = date(2000, 1, 1)
REACH = timedelta(days=120)


@dataclass
class Step:
    """One element.  ``times`` are sorted working days of those finished in the period, ``done`` and ``returned`` what people decided there."""

    element_id: str
    name: str = ""
    type: str = ""
    reached: int = 0
    running: int = 0
    finished: int = 0
    done: int = 0
    returned: int = 0
    times: list[float] = field(default_factory=list)

    @property
    def median(self) -> float | None:
        """Working days that half of the finished ones took at most."""
        return quantile(self.times, 0.5) if self.times else None

    @property
    def p90(self) -> float | None:
        """Working days that nine of ten finished ones took at most."""
        return quantile(self.times, 0.9) if self.times else None

    @property
    def return_rate(self) -> float | None:
        """Share of the decisions at this step that sent the case back, 0 to 1; ``None`` where nobody decided anything."""
        return self.returned / self.done if self.done else None

    def add(self, other: Step) -> None:
        """Put the figures of another version to these."""
        self.name, self.type = self.name or other.name, self.type or other.type
        for name in ("reached", "running", "finished", "done", "returned"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.times = sorted(self.times + other.times)


@dataclass(frozen=True)
class VersionFigures:
    """One version: cases that run now, that began and that ended in the period."""

    version: int
    running: int
    started: int
    ended: int


@dataclass(frozen=True)
class Statistics:
    """``steps`` of the chosen version or of all together, ``by_version`` version → element → step; ``sampled``: times are of a part only."""

    versions: tuple[VersionFigures, ...]
    steps: dict[str, Step]
    by_version: dict[int, dict[str, Step]]
    sampled: bool


def statistics(
    conn: Connection, process_id: str, since: date, until: date, calendar: WorkCalendar, *, version: int | None = None
) -> Statistics:
    """The figures of a process over the office days from ``since`` up to, not including, ``until``; five statements.

    A case that was moved to another version counts with the version it has now.
    """
    first, last = calendar.instant(max(since, EARLIEST), time.min), calendar.instant(until, time.min)
    of_process = (instance.c.process_id == process_id,) + ((instance.c.version == version,) if version is not None else ())
    # What ended before the period or began after it has nothing in it: most of a long history is left out here, by one index.
    alive = and_(*of_process, instance.c.started_at < last, or_(instance.c.ended_at.is_(None), instance.c.ended_at >= first))
    by_version: dict[int, dict[str, Step]] = {}

    def step(row: Row) -> Step:
        steps = by_version.setdefault(row.version, {})
        return steps.setdefault(row.element_id, Step(row.element_id))

    for row in conn.execute(_counts(alive, first, last)):
        found = step(row)
        found.name, found.type, found.reached, found.finished = row.name or "", row.type, int(row.reached), int(row.finished)
    for row in conn.execute(_running(of_process)):
        found = step(row)
        found.name, found.type, found.running = found.name or row.name or "", found.type or row.type, row.running
    for row in conn.execute(_decisions(alive, first, last)):
        found = step(row)
        found.name, found.done, found.returned = found.name or row.name or "", row.done, int(row.returned)
    rows = list(conn.execute(_times(alive, first, last)))
    worked = WorkedTime(calendar)
    for row in rows:
        step(row).times.append(worked.days(row.started_at, row.ended_at))
    together: dict[str, Step] = {}
    for number in sorted(by_version, reverse=True):
        for id, each in by_version[number].items():
            each.times.sort()
            together.setdefault(id, Step(id)).add(each)
    versions = tuple(VersionFigures(*row) for row in conn.execute(_versions(process_id, first, last)))
    return Statistics(versions, together, by_version, len(rows) >= SAMPLE)


def known_elements(catalogue: Any, conn: Connection, process_id: str, version: int | None = None) -> set[str]:
    """Ids of the elements that the deployed process has: of one version, or of the :data:`VERSIONS_READ` newest together.

    What a draft draws besides is new in it, and can have no figures.
    """
    versions = sorted((each.version for each in catalogue.all(conn) if each.kind == "process" and each.id == process_id), reverse=True)
    chosen = [each for each in versions if version is None or each == version][:VERSIONS_READ]
    found = (catalogue.find("process", process_id, version=each, conn=conn) for each in chosen)
    return {node.bpmn_id for process in found if process is not None for node in nodes(process.model) if node.bpmn_id}


def _visits(*columns: Any) -> Any:
    return select(instance.c.version, activity.c.element_id, *columns).join(activity, activity.c.instance_key == instance.c.key)


def _counts(alive: ColumnElement[bool], first: datetime, last: datetime) -> Any:
    """Reached and finished in the period, by version and element."""
    reached = and_(activity.c.started_at >= first, activity.c.started_at < last)
    finished = and_(activity.c.state == "COMPLETED", activity.c.ended_at >= first, activity.c.ended_at < last)
    columns = (
        func.max(activity.c.name).label("name"), func.max(activity.c.element_type).label("type"),
        func.sum(case((reached, 1), else_=0)).label("reached"), func.sum(case((finished, 1), else_=0)).label("finished"),
    )  # fmt: skip
    return _visits(*columns).where(alive, or_(reached, finished)).group_by(instance.c.version, activity.c.element_id)


def _running(of_process: Iterable[ColumnElement[bool]]) -> Any:
    columns = (func.max(activity.c.name).label("name"), func.max(activity.c.element_type).label("type"), func.count().label("running"))
    live = (*of_process, instance.c.state.in_(LIVE), activity.c.state == "ACTIVE")
    return _visits(*columns).where(*live).group_by(instance.c.version, activity.c.element_id)


def _times(alive: ColumnElement[bool], first: datetime, last: datetime) -> Any:
    takes_time = or_(*(activity.c.element_type.endswith(each, autoescape=True) for each in TAKES_TIME))
    finished = and_(activity.c.state == "COMPLETED", activity.c.ended_at >= first, activity.c.ended_at < last)
    chosen = _visits(activity.c.started_at, activity.c.ended_at).where(alive, takes_time, finished)
    return chosen.order_by(activity.c.ended_at.desc()).limit(SAMPLE)


def _decisions(alive: ColumnElement[bool], first: datetime, last: datetime) -> Any:
    """What people completed and what they sent back.  The case is named too, because the trail's index begins with it."""
    returned = func.sum(case((trail.c.action == RETURNED, 1), else_=0)).label("returned")
    columns = (instance.c.version, trail.c.element_id, func.max(trail.c.element_name).label("name"), func.count().label("done"), returned)
    joined = select(*columns).join(trail, and_(trail.c.case_key == instance.c.root_key, trail.c.instance_key == instance.c.key))
    decided = (trail.c.action.in_(("complete", RETURNED)), trail.c.at >= first, trail.c.at < last, trail.c.element_id.is_not(None))
    return joined.where(alive, *decided).group_by(instance.c.version, trail.c.element_id)


def _versions(process_id: str, first: datetime, last: datetime) -> Any:
    def number(*tests: ColumnElement[bool]) -> Any:
        return func.coalesce(func.sum(case((and_(*tests), 1), else_=0)), 0)

    row = instance.c
    columns = (
        row.version, number(row.state.in_(LIVE)), number(row.started_at >= first, row.started_at < last),
        number(row.ended_at >= first, row.ended_at < last),
    )  # fmt: skip
    return select(*columns).where(row.process_id == process_id).group_by(row.version).order_by(row.version.desc())


class WorkedTime:
    """Office time between two instants, in working days: each session is its share of the usual day of its time, whose hours an office may
    have changed since.  Sessions are added up once and then looked up."""

    def __init__(self, calendar: WorkCalendar) -> None:
        self._calendar = calendar
        self._first = self._last = None
        self._starts: list[float] = []
        self._ends: list[float] = []
        self._before: list[float] = []
        self._usual: list[float] = []

    def days(self, start: datetime, end: datetime) -> float:
        """Working days from ``start`` to ``end``; 0 when no office hour lies between them."""
        if end <= start:
            return 0.0
        if self._first is None or start < self._first or end > self._last:
            self._reach(start, end)
        return self._until(end.timestamp()) - self._until(start.timestamp())

    def _reach(self, start: datetime, end: datetime) -> None:
        # Some way further than asked, so that a year of steps in any order is added up a few times and not for each.
        self._first = min(start - REACH, self._first or start)
        self._last = max(end + REACH, self._last or end)
        day, last = self._calendar.local(self._first).date() - timedelta(days=1), self._calendar.local(self._last).date()
        self._starts, self._ends, self._before, self._usual, total = [], [], [], [], 0.0
        while day <= last:
            sessions = self._calendar.hours.in_force(day).sessions
            usual = sum((datetime.combine(day, closes) - datetime.combine(day, opens)).total_seconds() for opens, closes in sessions)
            for opens, closes in self._calendar.sessions(day):
                self._starts.append(opens.timestamp())
                self._ends.append(closes.timestamp())
                self._before.append(total)
                self._usual.append(usual)
                total += (self._ends[-1] - self._starts[-1]) / usual
            day += timedelta(days=1)

    def _until(self, at: float) -> float:
        """Working days from the first known session to ``at``."""
        place = bisect_right(self._starts, at) - 1
        return 0.0 if place < 0 else self._before[place] + (min(at, self._ends[place]) - self._starts[place]) / self._usual[place]
