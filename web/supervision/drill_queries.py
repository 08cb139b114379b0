"""The statement behind the lists that the figures lead to."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, func, select

from engine.runtime.limits.clocks import STOPPED, not_restarted
from engine.runtime.supervision.figures import Period
from engine.store.tables import case_file, clock
from web.supervision.state import PAGE_SIZE

NO_SECTION = "-"
"""Stands in the address for cases that belong to no section."""


def finished_limits(
    conn: Connection, visible: Any, period: Period, calendar: Any, *narrowed: Any, section: str = "", late: bool = False, page: int = 1
) -> tuple[list[Row], int]:
    """One page of the limits that the figures count, the latest first, and how many there are; one statement.

    ``visible`` and ``narrowed`` are SQL on ``case_file``; ``section`` is a code, :data:`NO_SECTION` or empty for all; ``late`` leaves only
    those that were finished too late.
    """
    since, until = period.instants(calendar)
    tests = [visible, *narrowed, clock.c.state == STOPPED, clock.c.stopped_at >= since, clock.c.stopped_at < until, not_restarted()]
    if section:
        tests.append(case_file.c.section_code.is_(None) if section == NO_SECTION else case_file.c.section_code == section)
    if late:
        tests.append(clock.c.stopped_at >= clock.c.overdue_at)
    columns = (
        case_file.c.key.label("case_key"), case_file.c.case_no, case_file.c.title, case_file.c.section_code, clock.c.label, clock.c.started_at,
        clock.c.due_at, clock.c.overdue_at, clock.c.stopped_at, func.count().over().label("total"),
    )  # fmt: skip
    chosen = select(*columns).join(case_file, case_file.c.key == clock.c.case_key).where(*tests).order_by(clock.c.stopped_at.desc(), clock.c.key)
    rows = list(conn.execute(chosen.limit(PAGE_SIZE).offset((page - 1) * PAGE_SIZE)))
    return rows, rows[0].total if rows else 0
