"""The work calendar in its tables: seeding, reading, correcting, and what a correction does to running clocks."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, insert, select

from engine.deadlines import WorkCalendar, seed_years
from engine.deadlines.calendar import KINDS, OFFICIAL, PROVISIONAL, OfficeHours
from engine.errors import ValidationFailed
from engine.runtime import clocks
from engine.runtime.casestate import carry_due_dates, trail_row
from engine.runtime.clocks import ClockState
from engine.store import tables
from engine.store.types import DIALECT_INSERTS
from engine.words import T

if TYPE_CHECKING:
    from engine.runtime.desk import Desk

FIRST_YEAR, LAST_YEAR = 2020, 2026
"""The years seeded from the published arrangements (``domain.md`` §4.2 item 1)."""


def load_calendar(conn: Connection, hours: OfficeHours | None = None) -> WorkCalendar:
    """The calendar as the tables have it, with the office ``hours`` of the settings; missing years are worked out provisionally."""
    days = conn.execute(select(tables.calendar_day)).all()
    years = conn.execute(select(tables.calendar_year.c.year, tables.calendar_year.c.status))
    rows = ({"date": row.day, "kind": row.kind, "name": row.name, "source": row.source} for row in days)
    calendar = WorkCalendar.from_rows(rows, {row.year: row.status for row in years})
    return calendar if hours is None else calendar.with_hours(hours)


def seed_calendar(desk: Desk, first: int = FIRST_YEAR, last: int = LAST_YEAR) -> int:
    """Store the published years that are not stored yet; returns how many were added.  Years that are there stay as they are."""
    with desk.engine.transaction() as tx:
        have = set(tx.execute(select(tables.calendar_year.c.year)).scalars())
        missing = [year for year in range(first, last + 1) if year not in have]
        if not missing:
            return 0
        seeded = seed_years(first, last)
        tx.execute(insert(tables.calendar_year), [_year_row(seeded, year, None, tx.now) for year in missing])
        tx.execute(insert(tables.calendar_day), [_day_row(row) for year in missing for row in seeded.rows_for_year(year)])
    desk.forget_calendar()
    return len(missing)


def correct_calendar(
    desk: Desk, days: Mapping[date, str], *, name: str, notice: str, official: bool = True, by: str, address: str | None = None
) -> list[dict[str, Any]]:
    """Enter a notice: the kinds of some days, and whether their years are official from now on.

    Recomputes every unfinished clock.  Returns the due dates that moved, each ``{clock_key, case_key, label, from, to}``
    (aware UTC instants or ``None``), and writes each into its case's trail (``domain.md`` §4.2 item 4).  For ``admin`` only.
    """
    if not days or any(kind not in KINDS for kind in days.values()):
        words = T("Name at least one day, each with one of the kinds: %(kinds)s.", kinds=", ".join(KINDS))
        raise ValidationFailed(words, errors={"days": [words]})
    with desk.audited(by, address, role="admin") as tx:
        calendar = load_calendar(tx.conn, desk.settings.hours).with_days(days, name=name, source=notice)
        numbers = sorted({day.year for day in days})
        for number in numbers:
            row = _year_row(calendar, number, notice, tx.now)
            row["status"] = OFFICIAL if official else row["status"]
            _put(tx, tables.calendar_year, ["year"], [row])
            _put(tx, tables.calendar_day, ["day"], [_day_row(row) for row in calendar.rows_for_year(number)])
        desk.forget_calendar()
        moved = recompute(desk, tx, load_calendar(tx.conn, desk.settings.hours), notice, by)
        tx.audit("calendar.correct", f"calendar:{numbers[0]}", years=numbers, days=len(days), notice=notice, moved=len(moved))
    desk.forget_calendar()
    return moved


def recompute(desk: Desk, tx: Any, calendar: WorkCalendar, reason: str, by: str | None) -> list[dict[str, Any]]:
    """Derive every unfinished clock anew; returns the due dates that moved."""
    book = desk.book(tx.conn)
    rows = tx.execute(select(tables.clock).where(tables.clock.c.state != clocks.STOPPED).order_by(tables.clock.c.key)).mappings().all()
    changed, moved = [], []
    for row in rows:
        state = ClockState.of_row(row)
        before = dict(state.row)
        state.derive(calendar, book.ladder(row["ladder_id"]))
        if any(
            state.row[name] != before[name] for name in ("due_at", "yellow_at", "overdue_at", "provisional", "next_rung", "next_rung_at")
        ):
            state.changed = True
            changed.append(state)
        if state.row["due_at"] != before["due_at"]:
            moved.append((state, before["due_at"]))
    clocks.write(tx.conn, changed)
    carry_due_dates(tx.conn, [state for state, _ in moved])
    for state, before_due in moved:
        times = {
            "from": before_due.isoformat() if before_due else None,
            "to": state.row["due_at"].isoformat() if state.row["due_at"] else None,
        }
        details = {"rule": state.rule_id, "label": state.row["label"], **times}
        tx.add(tables.trail, **trail_row(state.row["case_key"], "recalculate", tx, actor=by, opinion=reason, details=details))
    return [
        {
            "clock_key": state.key,
            "case_key": state.row["case_key"],
            "label": state.row["label"],
            "from": before_due,
            "to": state.row["due_at"],
        }
        for state, before_due in moved
    ]


def _year_row(calendar: WorkCalendar, year: int, notice: str | None, now: Any) -> dict[str, Any]:
    status = calendar.year_status(year)
    return {"year": year, "status": status if status == OFFICIAL else PROVISIONAL, "notice": notice, "imported_at": now}


def _day_row(row: Mapping[str, Any]) -> dict[str, Any]:
    return {"day": row["date"], "kind": row["kind"], "name": row["name"] or None, "source": (row["source"] or "")[:200]}


def _put(tx: Any, table: Any, keys: list[str], rows: list[dict[str, Any]]) -> None:
    statement = DIALECT_INSERTS[tx.conn.dialect.name](table)
    changing = {column.name: statement.excluded[column.name] for column in table.c if column.name not in keys}
    tx.execute(statement.on_conflict_do_update(index_elements=keys, set_=changing), rows)
