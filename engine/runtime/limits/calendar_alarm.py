"""The alarm that a year has no official arrangement yet (``domain.md`` §4.2 item 5): from 1 November about the next year, and about the
current one at any time; once a week until the notice is imported, whichever node is first."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from engine.deadlines import WorkCalendar
from engine.deadlines.calendar import OFFICIAL
from engine.runtime.telling.notices import ALARM, Notices
from engine.store import tables
from engine.store.types import DIALECT_INSERTS
from engine.words import T

if TYPE_CHECKING:
    from engine.runtime.desk import Desk

FROM_MONTH = 11


def unarranged(calendar: WorkCalendar, today: date) -> tuple[int, ...]:
    """The years whose official arrangement is due by ``today`` and not there."""
    expected = (today.year, today.year + 1) if today.month >= FROM_MONTH else (today.year,)
    return tuple(year for year in expected if calendar.year_status(year) != OFFICIAL)


def raise_alarm(desk: Desk) -> int:
    """Tell the administrators about each unarranged year, once in a week of the calendar; returns how many were told."""
    calendar = desk.calendar
    today = desk.engine.clock().astimezone(desk.zone).date()
    years = unarranged(calendar, today)
    week = "{}-W{:02d}".format(*today.isocalendar()[:2])
    if not years or desk.calendar_alarmed == (years, week):
        return 0
    told = 0
    with desk.engine.transaction() as tx:
        firing = tables.firing
        claim = DIALECT_INSERTS[tx.conn.dialect.name](firing).on_conflict_do_nothing(index_elements=["kind", "row_key", "occurrence"])
        notices = Notices(tx.now, None)
        for year in years:
            row = {"kind": "calendar", "row_key": year, "occurrence": week, "fired_at": tx.now, "node": tx.node}
            if tx.execute(claim.values(row).returning(firing.c.row_key)).first() is None:
                continue
            words = T("The holiday notice of %(year)d has not been entered: due dates in that year are estimates.", year=year)
            told += len(notices.tell(desk.people.directory(tx.conn).members("admin"), ALARM, words, case_key=None))
        notices.post(desk, tx)
    desk.calendar_alarmed = (years, week)
    return told
