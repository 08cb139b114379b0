"""The statements of the bell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, Row, and_, case, func, not_, select

from engine.store.tables import case_file, notification, user_task

PAGE_SIZE = 20
LOOKED_AT = 5_000
"""Unread reminders looked at for bundles, the latest first."""
PAUSE = timedelta(minutes=1)
"""Reminders less than this apart came out of one round; after an outage a round is worked off without a pause."""


@dataclass(frozen=True)
class Bundle:
    """Unread reminders of limits that came all at once: from key ``first`` to key ``last``."""

    first: int
    last: int
    count: int
    at: datetime


def bundles(conn: Connection, login: str, more_than: int) -> list[Bundle]:
    """Rounds in which more than ``more_than`` reminders of limits reached ``login`` that are unread, the latest first.

    After an outage a handler may have hundreds of them; one line that opens is what they get then, not a storm.
    """
    notice = notification.c
    chosen = select(notice.key, notice.created_at).where(notice.login == login, notice.read_at.is_(None), notice.kind == "rung")
    rounds: list[list[Row]] = []
    for row in conn.execute(chosen.order_by(notice.key.desc()).limit(LOOKED_AT)):
        if rounds and rounds[-1][-1].created_at - row.created_at <= PAUSE:
            rounds[-1].append(row)
        else:
            rounds.append([row])
    return [Bundle(each[-1].key, each[0].key, len(each), each[0].created_at) for each in rounds if len(each) > more_than]


def keys_of(conn: Connection, login: str, first: int, last: int) -> list[int]:
    """The unread reminders of one bundle."""
    notice = notification.c
    chosen = select(notice.key).where(notice.login == login, notice.kind == "rung", notice.read_at.is_(None), notice.key.between(first, last))
    return list(conn.execute(chosen.limit(LOOKED_AT)).scalars())


def page(
    conn: Connection, login: str, number: int, unread_only: bool, *, besides: Sequence[Bundle] = (), only: tuple[int, int] | None = None
) -> tuple[list[Row], int]:
    """One page of the notices of ``login``, unread ones first, then the latest; with the case number, whether the task is still open, and the total.

    ``besides`` leaves out what is bundled, ``only`` shows one bundle (its first and last key).
    """
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
    if only is not None:
        chosen = chosen.where(notice.kind == "rung", notice.key.between(*only))
    for each in besides:
        chosen = chosen.where(not_(and_(notice.kind == "rung", notice.read_at.is_(None), notice.key.between(each.first, each.last))))
    rows = list(conn.execute(chosen.limit(PAGE_SIZE).offset((number - 1) * PAGE_SIZE)))
    return rows, rows[0].total if rows else 0
