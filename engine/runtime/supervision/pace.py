"""Where cases wait, how long each step takes, and which cases the present pace makes late.

A step's time is taken from the user tasks that were finished lately: from when the task appeared to when it was done, in calendar
days with nights and week-ends, because that is what the case waited.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from typing import Any

from sqlalchemy import Connection, Row, case, func, select

from engine.runtime.limits.clocks import not_restarted
from engine.store.tables import case_file, clock, instance, user_task

LOOK_BACK = timedelta(days=365)
SAMPLE = 20_000
"""Finished tasks read at most, the latest first."""
ENOUGH = 5
"""Fewer finished cases than this prove nothing; then nothing is forecast."""


def quantile(values: list[float], share: float) -> float:
    """The smallest value that at least ``share`` of ``values`` (sorted, not empty) do not exceed."""
    return values[max(0, ceil(share * len(values)) - 1)]


@dataclass(frozen=True)
class Step:
    """One step of a procedure: calendar days it takes (``None``: never finished lately), and who waits there now."""

    element_id: str
    name: str
    finished: int
    median: float | None
    p90: float | None
    waiting: int
    oldest: float | None


def steps(conn: Connection, visible: Any, process_id: str, now: datetime) -> list[Step]:
    """The steps of a process, the most crowded first; two statements.  ``visible`` is SQL on ``case_file``."""
    task = user_task.c
    joined = select(task.element_id, task.name, task.created_at, task.ended_at, task.state).join(case_file, case_file.c.key == task.root_key)
    done = joined.where(visible, task.process_id == process_id, task.state == "COMPLETED", task.ended_at >= now - LOOK_BACK)
    times: dict[str, list[float]] = {}
    names: dict[str, str] = {}
    for row in conn.execute(done.order_by(task.ended_at.desc()).limit(SAMPLE)):
        times.setdefault(row.element_id, []).append(_days(row.ended_at - row.created_at))
        names.setdefault(row.element_id, row.name)
    waiting: dict[str, list[float]] = {}
    for row in conn.execute(joined.where(visible, task.process_id == process_id, task.state == "CREATED")):
        waiting.setdefault(row.element_id, []).append(_days(now - row.created_at))
        names[row.element_id] = row.name
    found = []
    for element_id, name in names.items():
        taken, here = sorted(times.get(element_id, ())), waiting.get(element_id, [])
        found.append(
            Step(
                element_id, name, len(taken), quantile(taken, 0.5) if taken else None, quantile(taken, 0.9) if taken else None, len(here), max(here, default=None)
            )
        )
    return sorted(found, key=lambda step: (-step.waiting, -(step.median or 0), step.element_id))


def _days(span: timedelta) -> float:
    return span.total_seconds() / 86400


@dataclass(frozen=True)
class Forecast:
    """A case that will be late if it goes on as others did.

    ``rest`` is the median of the calendar days that ``sample`` finished cases needed from the appearance of the same step to the stop
    of the same limit, ``here`` the days the step has lasted already.  ``expected_at`` is never before now.
    """

    case_key: int
    case_no: str
    title: str
    section_code: str | None
    label: str
    step: str
    overdue_at: datetime
    due_at: datetime
    expected_at: datetime
    here: float
    rest: float
    sample: int


def forecasts(conn: Connection, visible: Any, now: datetime) -> list[Forecast]:
    """The running limits that are not over yet and will be, at the present pace; three statements at most.

    What a step still costs is not the sum of medians of steps along some path of the model: loops and branches make that a guess.
    It is what really happened after that step in the cases finished within the last year.
    """
    open_rows = list(conn.execute(_open(visible, now)))
    if not open_rows:
        return []
    rests = _rests(conn, visible, now, {row.rule_id for row in open_rows})
    found: dict[tuple[int, int], Forecast] = {}
    for row in open_rows:
        seen = rests.get((row.rule_id, row.element_id))
        if not seen or len(seen) < ENOUGH:
            continue
        rest = quantile(seen, 0.5)
        expected = max(now, row.created_at + timedelta(days=rest))
        if expected < row.overdue_at:
            continue
        forecast = Forecast(
            row.case_key, row.case_no, row.title, row.section_code, row.label, row.name, row.overdue_at, row.due_at, expected,
            _days(now - row.created_at), rest, len(seen),
        )  # fmt: skip
        known = found.get((row.case_key, row.clock_key))
        if known is None or expected > known.expected_at:
            found[row.case_key, row.clock_key] = forecast
    return sorted(found.values(), key=lambda each: (each.overdue_at, each.case_no))


def _open(visible: Any, now: datetime) -> Any:
    """Open steps of cases with a running limit that is not over."""
    task = user_task.c
    columns = (
        case_file.c.key.label("case_key"), case_file.c.case_no, case_file.c.title, case_file.c.section_code, clock.c.key.label("clock_key"),
        clock.c.rule_id, clock.c.label, clock.c.overdue_at, clock.c.due_at, task.element_id, task.name, task.created_at,
    )  # fmt: skip
    joined = select(*columns).join(case_file, case_file.c.key == clock.c.case_key).join(user_task, task.root_key == clock.c.case_key)
    # The limit of one step says nothing about the step after it.
    governs = (clock.c.element_id.is_(None)) | (clock.c.key == task.clock_key)
    running = (clock.c.state == "RUNNING", clock.c.overdue_at > now, case_file.c.closed_at.is_(None), task.state == "CREATED", governs)
    return joined.where(visible, *running).order_by(clock.c.overdue_at, task.key)


def _rests(conn: Connection, visible: Any, now: datetime, rules: Iterable[str]) -> dict[tuple[str, str], list[float]]:
    """(rule, step) → sorted calendar days from the step's last appearance to the stop of the limit, of limits stopped lately."""
    task = user_task.c
    began = func.max(task.created_at).label("began")
    governs = (clock.c.element_id.is_(None)) | (clock.c.key == task.clock_key)
    chosen = (
        select(clock.c.rule_id, task.element_id, clock.c.stopped_at, began)
        .join(case_file, case_file.c.key == clock.c.case_key)
        .join(instance, instance.c.key == clock.c.case_key)
        .join(user_task, task.root_key == clock.c.case_key)
        .where(
            visible, clock.c.state == "STOPPED", clock.c.stopped_at >= now - LOOK_BACK, clock.c.rule_id.in_(sorted(rules)),
            instance.c.state != "TERMINATED", task.created_at <= clock.c.stopped_at, governs, not_restarted(),
        )
        .group_by(clock.c.key, clock.c.rule_id, task.element_id, clock.c.stopped_at)
        .limit(SAMPLE)
    )  # fmt: skip
    found: dict[tuple[str, str], list[float]] = {}
    for row in conn.execute(chosen):
        found.setdefault((row.rule_id, row.element_id), []).append(_days(row.stopped_at - row.began))
    return {place: sorted(values) for place, values in found.items()}


def processes(conn: Connection, visible: Any) -> list[Row]:
    """The processes that have steps of visible cases, called ones included, with how many wait: the most crowded first."""
    task = user_task.c
    waiting = func.sum(case((task.state == "CREATED", 1), else_=0)).label("waiting")
    latest = func.max(task.definition_key).label("definition_key")
    chosen = select(task.process_id, latest, waiting).join(case_file, case_file.c.key == task.root_key).where(visible).group_by(task.process_id)
    return list(conn.execute(chosen.order_by(waiting.desc(), task.process_id)))
