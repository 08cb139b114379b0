"""The statements about supervision orders, chosen cases, and the numbers of a report."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, case, func, select

from engine.runtime.supervision import orders
from engine.runtime.supervision.figures import Period
from engine.runtime.supervision.readers import title_for
from engine.store.tables import case_file, supervision_order, user_task
from web.supervision.state import PAGE_SIZE

EXPORT_LIMIT = 5000


def listed(conn: Connection, readable: Any, visible: Any, shown: str, level: str, page: int, today: date) -> tuple[list[Row], int]:
    """One page of the orders that ``readable`` lets through (page 0: all of them) and how many there are; one statement.

    The title of the case is for who may read that (``visible``); others get ``None``.  ``shown`` is ``open``, ``late``, ``ended`` or ``all``; those whose answer is overdue at ``today`` come first.
    """
    order = supervision_order.c
    late = case(((order.state == orders.ISSUED) & (order.due_on < today), 1), else_=0)
    tests: list[Any] = [order.level == level] if level else []
    if shown == "open":
        tests.append(order.state.in_(orders.OPEN))
    elif shown == "late":
        tests += [order.state == orders.ISSUED, order.due_on < today]
    elif shown == "ended":
        tests.append(order.state.not_in(orders.OPEN))
    columns = (*order, case_file.c.case_no, case_file.c.procedure_id, title_for(visible), late.label("late"), func.count().over().label("total"))
    chosen = select(*columns).join(case_file, case_file.c.key == order.case_key).where(readable, *tests)
    chosen = chosen.order_by(late.desc(), order.due_on if shown in ("open", "late") else order.key.desc(), order.key)
    rows = list(conn.execute(chosen.limit(PAGE_SIZE).offset((page - 1) * PAGE_SIZE) if page else chosen.limit(EXPORT_LIMIT)))
    return rows, rows[0].total if rows else 0


def open_cases(conn: Connection, visible: Any, keys: Collection[int]) -> list[Row]:
    """Of the cases ``keys``, the open ones that ``visible`` lets through."""
    chosen = select(case_file.c.key, case_file.c.case_no, case_file.c.title, case_file.c.section_code)
    return list(conn.execute(chosen.where(visible, case_file.c.key.in_(list(keys)), case_file.c.closed_at.is_(None)).order_by(case_file.c.case_no)))


def open_tasks(conn: Connection, case_key: int) -> list[int]:
    """The keys of the open tasks of a case."""
    task = user_task.c
    return list(conn.execute(select(task.key).where(task.root_key == case_key, task.state == "CREATED").order_by(task.key)).scalars())


def narrowed(procedure: str, county: str) -> list[ColumnElement[bool]]:
    """SQL on ``case_file`` for the filters of the figures."""
    chosen = ((case_file.c.procedure_id, procedure), (case_file.c.county, county))
    return [column == value for column, value in chosen if value]


def numbers(conn: Connection, visible: Any, period: Period, calendar: Any) -> tuple[int, int, int]:
    """Orders issued and settled in the period, and open now; one statement."""
    since, until = period.instants(calendar)
    order = supervision_order.c

    def count(test: Any) -> Any:
        return func.coalesce(func.sum(case((test, 1), else_=0)), 0)

    wanted = (
        count((order.issued_at >= since) & (order.issued_at < until)),
        count((order.state == orders.CLOSED) & (order.ended_at >= since) & (order.ended_at < until)),
        count(order.state.in_(orders.OPEN)),
    )
    issued, closed, still = conn.execute(select(*wanted).join(case_file, case_file.c.key == order.case_key).where(visible)).one()
    return int(issued), int(closed), int(still)
