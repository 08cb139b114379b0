"""What the people who work on the cases of a section have before them and have finished.

A figure counts steps, not limits: a limit of a case belongs to everybody who had it in hand, a step to one person.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, select

from engine.deadlines import WorkCalendar
from engine.runtime.supervision.figures import Period
from engine.runtime.supervision.pace import quantile
from engine.store.tables import case_file, user_task


@dataclass
class Work:
    """One person.  ``cases`` are those in which they have an open step, ``overdue`` their open steps past the due instant; ``finished`` and
    ``late`` their steps of the period, ``times`` the working days of each."""

    cases: set[int] = field(default_factory=set)
    overdue: int = 0
    finished: int = 0
    dated: int = 0
    late: int = 0
    times: list[int] = field(default_factory=list)

    @property
    def rate(self) -> float | None:
        """Share of the finished steps with a due instant that were in time, 0 to 1; ``None`` without any."""
        return (self.dated - self.late) / self.dated if self.dated else None

    @property
    def median(self) -> float | None:
        """Working days that half of the finished steps took at most."""
        return quantile(sorted(self.times), 0.5) if self.times else None


def work(conn: Connection, visible: Any, section_code: str, period: Period, calendar: WorkCalendar, now: datetime, *narrowed: Any) -> dict[str, Work]:
    """Login (empty: nobody has taken the step) → work on the cases of a section, who has most overdue first; two statements.

    ``visible`` and ``narrowed`` are SQL on ``case_file``; an empty ``section_code`` stands for cases of no section.
    """
    code = case_file.c.section_code
    own = (visible, *narrowed, code == section_code if section_code else code.is_(None))
    since, until = period.instants(calendar)
    found: dict[str, Work] = {}
    task = user_task.c
    for row in conn.execute(_steps(task.assignee.label("login")).where(*own, task.state == "CREATED", case_file.c.closed_at.is_(None))):
        person = found.setdefault(row.login or "", Work())
        person.cases.add(row.root_key)
        person.overdue += int(row.due_at is not None and row.due_at < now)
    done = (task.state == "COMPLETED", task.completed_by.is_not(None), task.ended_at >= since, task.ended_at < until)
    for row in conn.execute(_steps(task.completed_by.label("login")).where(*own, *done)):
        person = found.setdefault(row.login, Work())
        person.finished += 1
        person.dated += int(row.due_at is not None)
        person.late += int(row.due_at is not None and row.ended_at > row.due_at)
        person.times.append(calendar.workdays_between(calendar.local(row.created_at).date(), calendar.local(row.ended_at).date()))
    return dict(sorted(found.items(), key=lambda each: (-each[1].overdue, -len(each[1].cases), -each[1].finished, each[0])))


def _steps(login: Any) -> Select:
    task = user_task.c
    return select(login, task.root_key, task.created_at, task.ended_at, task.due_at).join(case_file, case_file.c.key == task.root_key)
