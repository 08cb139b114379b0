"""The morning digest: one notification a working day that says what is due and what is late (``domain.md`` §5 item 10)."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from engine.runtime.telling import preferences
from engine.runtime.telling.notices import Notices
from engine.store import tables
from engine.store.types import DIALECT_INSERTS
from engine.words import T

if TYPE_CHECKING:
    from engine.runtime.desk import Desk

AT = time(8, 30)


def send_digest(desk: Desk) -> int:
    """Tell everybody who holds tasks what today brings, once a working day from 08:30 office time on; returns how many were told.

    Whichever node claims the day sends it; a day on which no node ran is not made up for.
    """
    local = desk.engine.clock().astimezone(desk.zone)
    day = local.date()
    if local.time() < AT or desk.digested == day or not desk.calendar.is_workday(day):
        return 0
    with desk.engine.transaction() as tx:
        firing = tables.firing
        claim = DIALECT_INSERTS[tx.conn.dialect.name](firing).on_conflict_do_nothing(index_elements=["kind", "row_key", "occurrence"])
        row = {"kind": "digest", "row_key": day.toordinal(), "occurrence": AT.isoformat(), "fired_at": tx.now, "node": tx.node}
        told = 0
        if tx.execute(claim.values(row).returning(firing.c.row_key)).first() is not None:
            told = _tell(desk, tx, datetime.combine(day + timedelta(days=1), time.min, desk.zone).astimezone(UTC))
    desk.digested = day
    return told


def _tell(desk: Desk, tx: Any, tomorrow: datetime) -> int:
    task, clock = tables.user_task.c, tables.clock.c
    held = select(task.assignee, clock.due_at, clock.overdue_at, clock.state).outerjoin(tables.clock, clock.key == task.clock_key)
    held = held.where(task.state == "CREATED", task.assignee.is_not(None))
    total, due, overdue = Counter(), Counter(), Counter()
    for row in tx.execute(held):
        total[row.assignee] += 1
        if row.state != "RUNNING" or row.overdue_at is None:
            continue
        if row.overdue_at <= tx.now:
            overdue[row.assignee] += 1
        elif row.due_at < tomorrow:
            due[row.assignee] += 1
    notices = Notices(tx.now, None)
    unwanted = preferences.without_digest(tx.conn)
    for login in sorted(total.keys() - unwanted):
        words = T(
            "Today: %(due)d of your %(total)d task(s) are due, %(overdue)d are overdue.",
            due=due[login], total=total[login], overdue=overdue[login],
        )  # fmt: skip
        notices.tell([login], "digest", words, case_key=None)
    notices.post(desk, tx)
    return len(notices.rows)
