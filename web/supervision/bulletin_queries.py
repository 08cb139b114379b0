"""The statements about bulletins and deductions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, case, func, select

from engine.runtime.supervision import bulletins
from engine.store.tables import assessment_entry, bulletin, case_file
from web.supervision.state import PAGE_SIZE

EXPORT_LIMIT = 5000


def listed(conn: Connection, readable: Any, shown: str, section: str, page: int) -> tuple[list[Row], int]:
    """One page of the bulletins that ``readable`` lets through (page 0: all of them) and how many there are; one statement.

    ``shown`` is ``open``, ``heard`` (a view of the section waits to be weighed), a state, or ``all``; those to be weighed come first.
    """
    row = bulletin.c
    tests: list[Any] = [row.to_section == section] if section else []
    if shown == "open":
        tests.append(row.state.in_(bulletins.OPEN))
    elif shown == "heard":
        tests += [row.state.in_(bulletins.OPEN), row.objected_at.is_not(None)]
    elif shown != "all":
        tests.append(row.state == shown)
    columns = (*row, case_file.c.case_no, func.count().over().label("total"))
    chosen = select(*columns).join(case_file, case_file.c.key == row.case_key).where(readable, *tests)
    waiting = case(((row.objected_at.is_not(None)) & row.state.in_(bulletins.OPEN), 0), else_=1)
    chosen = chosen.order_by(waiting, row.key.desc())
    rows = list(conn.execute(chosen.limit(PAGE_SIZE).offset((page - 1) * PAGE_SIZE) if page else chosen.limit(EXPORT_LIMIT)))
    return rows, rows[0].total if rows else 0


def bulletins_of(conn: Connection, case_key: int, readable: Any) -> list[Row]:
    """The bulletins of a case that somebody may read, the latest first."""
    chosen = select(bulletin).join(case_file, case_file.c.key == bulletin.c.case_key).where(bulletin.c.case_key == case_key, readable)
    return list(conn.execute(chosen.order_by(bulletin.c.key.desc())))


def deductions(conn: Connection, readable: Any, since: datetime, until: datetime, section: str, state: str, page: int) -> tuple[list[Row], int]:
    """One page of the entries made in ``[since, until)`` (page 0: all of them), the latest first, and how many; one statement."""
    row = assessment_entry.c
    tests: list[Any] = [row.made_at >= since, row.made_at < until]
    tests += [row.section_code == section] if section else []
    tests += [row.state == state] if state else []
    columns = (*row, case_file.c.case_no, func.count().over().label("total"))
    chosen = select(*columns).join(case_file, case_file.c.key == row.case_key).where(readable, *tests).order_by(row.key.desc())
    rows = list(conn.execute(chosen.limit(PAGE_SIZE).offset((page - 1) * PAGE_SIZE) if page else chosen.limit(EXPORT_LIMIT)))
    return rows, rows[0].total if rows else 0


def totals(conn: Connection, readable: Any, since: datetime, until: datetime) -> Sequence[Row]:
    """Per section: entries that count, points times ten, and entries reversed, in ``[since, until)``; most points first."""
    row = assessment_entry.c
    counts = row.state != "REVERSED"
    columns = (
        row.section_code,
        func.sum(case((counts, 1), else_=0)).label("entries"),
        func.sum(case((counts, row.tenths), else_=0)).label("tenths"),
        func.sum(case((counts, 0), else_=1)).label("reversed"),
    )
    chosen = select(*columns).join(case_file, case_file.c.key == row.case_key).where(readable, row.made_at >= since, row.made_at < until)
    return conn.execute(chosen.group_by(row.section_code).order_by(func.sum(case((counts, row.tenths), else_=0)).desc(), row.section_code)).all()
