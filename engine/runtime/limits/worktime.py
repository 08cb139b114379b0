"""The work calendar in its tables: seeding and reading.

It changes only by a proposal that a second person approves (:mod:`engine.runtime.limits.calendar_proposals`); what a change does to running
clocks is the matter of :mod:`engine.runtime.limits.recalculation`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, insert, select

from engine.deadlines import WorkCalendar, seed_years
from engine.deadlines.arrangement import ArrangedDay
from engine.deadlines.calendar import OFFICIAL, PROVISIONAL
from engine.deadlines.hours import OfficeHours, read_hours, written_hours
from engine.store import tables
from engine.store.types import DIALECT_INSERTS

if TYPE_CHECKING:
    from engine.runtime.desk import Desk

FIRST_YEAR, LAST_YEAR = 2020, 2026
"""The years seeded from the published arrangements (``domain.md`` §4.2 item 1)."""
VERSION = "calendar.version"
"""The setting that counts the changes of the calendar."""
STANDING = "calendar.hours"
"""The setting with the usual office hours that were approved: ``{"changes": [{"from", "sessions", "summer", "source"}, …]}``."""


def load_calendar(conn: Connection, hours: OfficeHours | None = None) -> WorkCalendar:
    """The calendar as the tables have it; missing years are worked out provisionally.

    ``hours`` are those of the configuration, which apply until the first arrangement of usual hours that was approved on the pages.
    """
    # The version first: read after the days it could claim a change that they do not show yet.
    setting = tables.setting.c
    kept = dict(conn.execute(select(setting.name, setting.value).where(setting.name.in_((VERSION, STANDING)))).all())
    version = int(kept[VERSION]["version"]) if VERSION in kept else 0
    days = conn.execute(select(tables.calendar_day)).all()
    years = conn.execute(select(tables.calendar_year.c.year, tables.calendar_year.c.status))
    rows = ({"date": row.day, "kind": row.kind, "name": row.name, "source": row.source} for row in days)
    calendar = WorkCalendar.from_rows(rows, {row.year: row.status for row in years})
    special = {row.day: read_hours(row.hours) for row in days if row.hours}
    changes = kept[STANDING]["changes"] if STANDING in kept else ()
    standing = tuple((date.fromisoformat(each["from"]), OfficeHours.from_dict(each)) for each in changes)
    hours = dataclasses.replace(hours or OfficeHours(), days=special, standing=standing)
    return calendar.with_hours(hours).with_version(version)


def calendar_version(conn: Connection) -> int:
    """How often the calendar has been changed; 0 as seeded."""
    value = conn.execute(select(tables.setting.c.value).where(tables.setting.c.name == VERSION)).scalar_one_or_none()
    return int(value["version"]) if value else 0


def next_version(tx: Any) -> int:
    """Count a change: within its transaction, after which other changes wait.  The row is locked until the commit."""
    setting = tables.setting
    tx.execute(DIALECT_INSERTS[tx.conn.dialect.name](setting).values(name=VERSION, value={"version": 0}).on_conflict_do_nothing())
    stored = tx.execute(select(setting.c.value).where(setting.c.name == VERSION).with_for_update()).scalar_one()
    version = int(stored["version"]) + 1
    tx.execute(setting.update().where(setting.c.name == VERSION).values(value={"version": version}))
    return version


def store_standing(tx: Any, days: Iterable[ArrangedDay], source: str) -> None:
    """Write the usual office hours that ``days`` arrange, each in place of what began on the same day.

    Within the transaction that has counted the change (:func:`next_version`), whose lock lets one through at a time.
    """
    given = {each.day.isoformat(): {"from": each.day.isoformat(), "source": source[:200], **each.standing.to_dict()} for each in days if each.standing}
    if not given:
        return
    setting = tables.setting
    stored = tx.execute(select(setting.c.value).where(setting.c.name == STANDING)).scalar_one_or_none()
    known = {each["from"]: each for each in stored["changes"]} if stored else {}
    value = {"changes": [each for _, each in sorted({**known, **given}.items())]}
    put = DIALECT_INSERTS[tx.conn.dialect.name](setting).values(name=STANDING, value=value)
    tx.execute(put.on_conflict_do_update(index_elements=["name"], set_={"value": put.excluded.value}))


def standing(conn: Connection) -> list[Mapping[str, Any]]:
    """The usual office hours that were approved, the latest first: ``from`` (office day, ISO), ``sessions``, ``summer``, ``source``."""
    stored = conn.execute(select(tables.setting.c.value).where(tables.setting.c.name == STANDING)).scalar_one_or_none()
    return list(reversed(stored["changes"])) if stored else []


def seed_calendar(desk: Desk, first: int = FIRST_YEAR, last: int = LAST_YEAR) -> int:
    """Store the published years that are not stored yet; returns how many were added.  Years that are there stay as they are."""
    with desk.engine.transaction() as tx:
        have = set(tx.execute(select(tables.calendar_year.c.year)).scalars())
        missing = [year for year in range(first, last + 1) if year not in have]
        if not missing:
            return 0
        seeded = seed_years(first, last)
        tx.execute(insert(tables.calendar_year), [_year_row(seeded, year, None, tx.now) for year in missing])
        tx.execute(
            insert(tables.calendar_day), [_day_row(seeded, row, row["source"]) for year in missing for row in seeded.rows_for_year(year)]
        )
    desk.forget_calendar()
    return len(missing)


def store_years(tx: Any, calendar: WorkCalendar, whole: Iterable[int], days: Iterable[date], notice: str, keep: frozenset[date]) -> None:
    """Write a changed calendar: the years ``whole`` with all their days except ``keep``, and of other years the named ``days`` only.

    A year that no table holds yet is written whole.
    """
    have = set(tx.execute(select(tables.calendar_year.c.year)).scalars())
    named = sorted(set(days))
    touched = {day.year for day in named} | set(whole)
    complete = {year for year in touched if year in whole or year not in have}
    rows: list[dict[str, Any]] = []
    for year in sorted(touched):
        if year in complete:
            _put(tx, tables.calendar_year, ["year"], [_year_row(calendar, year, notice if year in whole else None, tx.now)])
        changed = {day for day in named if day.year == year}
        for row in calendar.rows_for_year(year):
            if row["date"] in changed:
                rows.append(_day_row(calendar, row, notice))
            elif year in complete and row["date"] not in keep:
                rows.append(_day_row(calendar, row, notice if year in whole else row["source"]))
    if rows:
        _put(tx, tables.calendar_day, ["day"], rows)


def _year_row(calendar: WorkCalendar, year: int, notice: str | None, now: Any) -> dict[str, Any]:
    status = calendar.year_status(year)
    return {"year": year, "status": status if status == OFFICIAL else PROVISIONAL, "notice": notice, "imported_at": now}


def _day_row(calendar: WorkCalendar, row: Mapping[str, Any], source: str | None) -> dict[str, Any]:
    hours = written_hours(calendar.hours.days.get(row["date"], ())) or None
    return {"day": row["date"], "kind": row["kind"], "name": row["name"] or None, "source": (source or "")[:200], "hours": hours}


def _put(tx: Any, table: Any, keys: list[str], rows: list[dict[str, Any]]) -> None:
    statement = DIALECT_INSERTS[tx.conn.dialect.name](table)
    changing = {column.name: statement.excluded[column.name] for column in table.c if column.name not in keys}
    tx.execute(statement.on_conflict_do_update(index_elements=keys, set_=changing), rows)
