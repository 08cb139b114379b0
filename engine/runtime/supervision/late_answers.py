"""Supervision orders whose answer is overdue: who is told, once each, and a reminder of what is still late every working morning.

The day after its answer was due an order is told to who issued it, to whom it names and to the chief of the section, once: the unique
row in ``firing`` is the claim, so it happens once on however many nodes.  On the working days after that each issuer gets one line
with the number of orders still unanswered, not one for each.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from typing import TYPE_CHECKING, Any

from sqlalchemy import String, cast, exists, select

from engine.runtime.casework.access import CHIEFS
from engine.runtime.supervision import orders
from engine.runtime.telling.digest import AT
from engine.runtime.telling.notices import CLAIM_WIDTH, Notices
from engine.store import tables
from engine.store.types import DIALECT_INSERTS
from engine.words import T

if TYPE_CHECKING:
    from engine.runtime.desk import Desk

LATE, REMINDER = "order.late", "order.reminder"
_ORDER, _FIRING = tables.supervision_order, tables.firing
BATCH = 100
"""Orders told about in one transaction."""


def run(desk: Desk) -> int:
    """Tell about orders that became late, on working days from 08:30 on; gives how many.

    Asks nothing more on a day whose late orders this node has told: an order becomes late when a day begins, or when an answer that
    came late is sent back, which is told on the next day.
    """
    local = desk.engine.clock().astimezone(desk.zone)
    today = local.date()
    if local.time() < AT or desk.orders_told == today or not desk.calendar.is_workday(today):
        return 0
    # First the mornings' line about those that were told on an earlier day, then those that are new.
    with desk.engine.transaction() as tx:
        _remind(desk, tx, today)
    told = 0
    while True:
        with desk.engine.transaction() as tx:
            count = _tell_new(desk, tx, today)
        told += count
        if count < BATCH:
            break
    desk.orders_told = today
    return told


def _was_told() -> Any:
    """SQL: the order has been told as late for the day on which its answer was due."""
    return exists().where(_FIRING.c.kind == LATE, _FIRING.c.row_key == _ORDER.c.key, _FIRING.c.occurrence == cast(_ORDER.c.due_on, String))


def _claim(tx: Any, kind: str, row_key: int, occurrence: str) -> bool:
    claim = DIALECT_INSERTS[tx.conn.dialect.name](_FIRING).on_conflict_do_nothing(index_elements=["kind", "row_key", "occurrence"])
    row = {"kind": kind, "row_key": row_key, "occurrence": occurrence[:CLAIM_WIDTH], "fired_at": tx.now, "node": tx.node}
    return tx.execute(claim.values(row).returning(_FIRING.c.row_key)).first() is not None


def _issuers(directory: Any, order: Any) -> tuple[str, ...]:
    """Who issued it; the supervisors for an order of a ladder, and for one of somebody who has left."""
    return (order.issued_by,) if order.issued_by and directory.own_groups(order.issued_by) else directory.members("supervisor")


def _tell_new(desk: Desk, tx: Any, today: date) -> int:
    case = tables.case_file
    late = select(_ORDER, case.c.case_no, case.c.title).outerjoin(case, case.c.key == _ORDER.c.case_key)
    late = late.where(_ORDER.c.state == orders.ISSUED, _ORDER.c.due_on < today, ~_was_told()).order_by(_ORDER.c.due_on, _ORDER.c.key)
    rows = tx.execute(late.limit(BATCH)).all()
    directory, notices = desk.people.directory(tx.conn), Notices(tx.now, None)
    for row in rows:
        if not _claim(tx, LATE, row.key, row.due_on.isoformat()):
            continue
        words = T(
            "The answer to %(number)s is overdue: %(case_no)s, due %(day)s.",
            number=row.number, case_no=row.case_no or "", day=row.due_on.isoformat(), order=row.key,
        )  # fmt: skip
        chiefs = directory.holders(CHIEFS, row.to_section) if row.to_section else ()
        whom = [*_issuers(directory, row), *([row.to_login] if row.to_login else []), *chiefs]
        notices.tell(list(dict.fromkeys(whom)), "order", words, case_key=row.case_key)
        tx.audit(LATE, f"order:{row.key}", number=row.number)
    notices.post(desk, tx)
    return len(rows)


def _remind(desk: Desk, tx: Any, today: date) -> None:
    """One line for each issuer about the orders that were told as late on an earlier day and are still unanswered."""
    chosen = select(_ORDER.c.key, _ORDER.c.due_on, _ORDER.c.issued_by).where(_ORDER.c.state == orders.ISSUED, _ORDER.c.due_on < today, _was_told())
    directory, waiting = desk.people.directory(tx.conn), defaultdict(list)
    for row in tx.execute(chosen):
        for login in _issuers(directory, row):
            waiting[login].append(row.due_on)
    notices = Notices(tx.now, None)
    for login, days in sorted(waiting.items()):
        if _claim(tx, REMINDER, today.toordinal(), login):
            words = T("%(count)d supervision order(s) of yours are still unanswered; the oldest was due %(day)s.", count=len(days), day=min(days).isoformat(), orders="late")
            notices.tell([login], "order", words, case_key=None)
    notices.post(desk, tx)
