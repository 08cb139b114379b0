"""The statements of the bell."""

from __future__ import annotations

from sqlalchemy import Connection, Row, case, func, select

from engine.store.tables import case_file, notification, user_task

PAGE_SIZE = 20


def page(conn: Connection, login: str, number: int, unread_only: bool) -> tuple[list[Row], int]:
    """One page of the notices of ``login``, unread ones first, then the latest; with the case number, whether the task is still open, and the total."""
    notice = notification.c
    chosen = (
        select(
            notification, case_file.c.case_no, case_file.c.title, user_task.c.state.label("task_state"), func.count().over().label("total")
        )
        .select_from(
            notification.outerjoin(case_file, case_file.c.key == notice.case_key).outerjoin(user_task, user_task.c.key == notice.task_key)
        )
        .where(notice.login == login)
        .order_by(case((notice.read_at.is_(None), 0), else_=1), notice.created_at.desc(), notice.key.desc())
    )  # fmt: skip
    if unread_only:
        chosen = chosen.where(notice.read_at.is_(None))
    rows = list(conn.execute(chosen.limit(PAGE_SIZE).offset((number - 1) * PAGE_SIZE)))
    return rows, rows[0].total if rows else 0
