"""The work calendar, proposals to change it, and what a change does to running clocks."""

from __future__ import annotations

from sqlalchemy import Column, Date, Index, Integer, String, Table, Text

from engine.store.tables.common import key, metadata
from engine.store.types import Document, Instant

calendar_year = Table(
    "calendar_year",
    metadata,
    Column("year", Integer, primary_key=True, autoincrement=False),
    Column("status", String(12), nullable=False, comment="official, provisional or missing"),
    Column("notice", String(200)),
    Column("imported_at", Instant),
)

calendar_day = Table(
    "calendar_day",
    metadata,
    Column("day", Date, primary_key=True),
    Column("kind", String(20), nullable=False, comment="workday, weekend, statutory, in_lieu, makeup_workday or closed"),
    Column("name", String(100)),
    Column("source", String(200), nullable=False),
    Column("hours", Document, comment="office hours of this day alone, [[from, to], …]; empty: the usual ones"),
)

calendar_proposal = Table(
    "calendar_proposal",
    metadata,
    key(primary_key=True),
    Column("kind", String(12), nullable=False, comment="notice, closure or correction"),
    Column("state", String(10), nullable=False, comment="PROPOSED, APPROVED, REJECTED or WITHDRAWN"),
    Column("notice", String(200), nullable=False, comment="number of the notice, or where the days come from"),
    Column("reason", Text, nullable=False),
    Column("whole_years", Document, nullable=False, comment="years the notice arranges as a whole and makes official"),
    Column("source_text", Text, nullable=False, comment="what was pasted or uploaded"),
    Column("days", Document, nullable=False, comment="list of {day, kind, name, line, hours}"),
    Column("findings", Document, nullable=False, comment="list of {line, severity, msgid, params}"),
    Column("made_by", String(100), nullable=False),
    Column("made_at", Instant, nullable=False),
    Column("decided_by", String(100)),
    Column("decided_at", Instant),
    Column("decision_reason", Text),
    Column("version", Integer, comment="of the calendar that its approval made"),
    Index(None, "state", "key"),
)

recalculation = Table(
    "recalculation",
    metadata,
    key(primary_key=True),
    key("proposal_key", nullable=False),
    Column("version", Integer, nullable=False, comment="of the calendar to which the clocks are brought"),
    Column("state", String(10), nullable=False, comment="RUNNING or DONE"),
    Column("total", Integer, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("created_by", String(100)),
    Column("ended_at", Instant),
    Index(None, "state", "key"),
)

recalculation_item = Table(
    "recalculation_item",
    metadata,
    key("recalculation_key", primary_key=True),
    key("clock_key", primary_key=True),
    key("case_key", nullable=False),
    Column("state", String(8), nullable=False, comment="OPEN, SAME, MOVED, HELD, ACCEPTED, KEPT, MOOT or FAILED"),
    Column("old_due_at", Instant),
    Column("new_due_at", Instant, comment="by the new calendar; of a held one what it would become"),
    Column("message", Text, comment="why it failed"),
    Column("decided_by", String(100)),
    Column("decided_at", Instant),
    Column("reason", Text),
    Index(None, "recalculation_key", "state"),
    Index(None, "state"),
    Index(None, "clock_key"),
)
