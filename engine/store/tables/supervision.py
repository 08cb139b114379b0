"""Supervision: orders, bulletins and deductions, and ladders that change under running clocks."""

from __future__ import annotations

from sqlalchemy import Column, Date, Index, Integer, String, Table, Text, UniqueConstraint

from engine.store.tables.common import key, metadata
from engine.store.types import Document, Instant

supervision_order = Table(
    "supervision_order",
    metadata,
    key(primary_key=True),
    Column("number", String(60), nullable=False, unique=True, comment="督办单号"),
    key("case_key", nullable=False),
    key("clock_key", comment="the clock whose ladder issued it; empty: a person did"),
    Column("rung", String(60), comment="the rung that issued it; with the clock it is unique, so a rung issues one order"),
    Column("token", String(100), unique=True, comment="one-time token of the page and the case; a replay collides"),
    Column("level", String(8), nullable=False, comment="blue, yellow or red"),
    Column("to_section", String(60), comment="the section that has to answer"),
    Column("to_login", String(100), comment="the person who has to answer; empty: anybody of the section"),
    Column("text", Text, nullable=False, comment="what is asked for"),
    Column("due_on", Date, nullable=False, comment="office day by which an answer is due"),
    Column("state", String(10), nullable=False, comment="ISSUED, ANSWERED, CLOSED or WITHDRAWN"),
    Column("issued_at", Instant, nullable=False),
    Column("issued_by", String(100), comment="empty: the ladder"),
    Column("answered_at", Instant, comment="of the latest answer"),
    Column("ended_at", Instant),
    Column("ended_by", String(100)),
    Column("revision", Integer, nullable=False),
    UniqueConstraint("clock_key", "rung"),
    Index(None, "case_key"),
    Index(None, "state", "due_on"),
    Index(None, "to_section", "state"),
    Index(None, "to_login", "state"),
)

supervision_step = Table(
    "supervision_step",
    metadata,
    key(primary_key=True),
    key("order_key", nullable=False),
    Column("action", String(10), nullable=False, comment="issue, answer, return, close or withdraw"),
    Column("text", Text, nullable=False),
    Column("actor", String(100), comment="empty: the ladder"),
    Column("at", Instant, nullable=False),
    Index(None, "order_key", "key"),
)

bulletin = Table(
    "bulletin",
    metadata,
    key(primary_key=True),
    Column("number", String(60), unique=True, comment="通报文号; drawn when it is issued, empty before"),
    key("case_key", nullable=False),
    key("clock_key", comment="the limit it is about"),
    Column("rung", String(60), comment="the rung that drafted it; empty: a person did"),
    key("only_key", unique=True, comment="the clock, until the bulletin is withdrawn: one matter, one bulletin (一事一报)"),
    Column("state", String(10), nullable=False, comment="DRAFT, APPROVED, ISSUED or WITHDRAWN"),
    Column("to_section", String(60), comment="the section that is criticised"),
    Column("to_login", String(100), comment="the person who had the case when it was drafted; empty: the section as a whole"),
    Column("title", String(200), nullable=False),
    Column("text", Text, nullable=False),
    Column("reason", Text, nullable=False, comment="why it is drafted; stays in the house"),
    Column("facts", Document, nullable=False, comment="what the draft was written from: case number, limit, due day, days overdue, rungs"),
    Column("drafted_at", Instant, nullable=False),
    Column("drafted_by", String(100), comment="empty: the ladder"),
    Column("changed_by", String(100), comment="who wrote the text last; may not approve it"),
    Column("objected_at", Instant, comment="the section has stated its view (陈述意见); empty once that was weighed"),
    Column("approved_at", Instant),
    Column("approved_by", String(100)),
    Column("issued_at", Instant),
    Column("issued_by", String(100)),
    Column("ended_at", Instant, comment="withdrawn"),
    Column("ended_by", String(100), comment="empty: of itself, because its ground fell away"),
    Column("revision", Integer, nullable=False),
    Index(None, "case_key"),
    Index(None, "state", "key"),
    Index(None, "to_section", "state"),
)

bulletin_step = Table(
    "bulletin_step",
    metadata,
    key(primary_key=True),
    key("bulletin_key", nullable=False),
    Column("action", String(10), nullable=False, comment="draft, change, object, weigh, approve, return, issue, withdraw or note"),
    Column("text", Text, nullable=False),
    Column("actor", String(100), comment="empty: the ladder"),
    Column("at", Instant, nullable=False),
    Index(None, "bulletin_key", "key"),
)

assessment_entry = Table(
    "assessment_entry",
    metadata,
    key(primary_key=True),
    key("case_key", nullable=False),
    key("clock_key", nullable=False),
    Column("rung", String(60), nullable=False, comment="with the clock it is unique: a rung deducts once"),
    Column("section_code", String(60), comment="whose assessment it counts in"),
    Column("login", String(100), comment="the person; empty: nobody in particular had the case"),
    Column("tenths", Integer, nullable=False, comment="points deducted, times ten"),
    Column("reason", Text, nullable=False),
    Column("state", String(10), nullable=False, comment="VALID, ASKED (somebody asks to reverse it) or REVERSED"),
    Column("made_at", Instant, nullable=False),
    Column("asked_at", Instant),
    Column("asked_by", String(100)),
    Column("asked_reason", Text),
    Column("decided_at", Instant, comment="of the latest decision about a reversal"),
    Column("decided_by", String(100)),
    Column("decided_reason", Text),
    Column("revision", Integer, nullable=False),
    UniqueConstraint("clock_key", "rung"),
    Index(None, "case_key"),
    Index(None, "made_at"),
    Index(None, "state", "made_at"),
)

ladder_change = Table(
    "ladder_change",
    metadata,
    key(primary_key=True),
    Column("definition_id", String(255), nullable=False, comment="the sheet of ladders"),
    Column("version", Integer, nullable=False, comment="of the sheet that the clocks are brought to"),
    Column("ladders", Document, nullable=False, comment="ids of the ladders that differ from the version before"),
    Column("state", String(10), nullable=False, comment="RUNNING or DONE"),
    Column("created_at", Instant, nullable=False),
    Column("created_by", String(100)),
    Column("ended_at", Instant),
    UniqueConstraint("definition_id", "version"),
    Index(None, "state", "key"),
)

ladder_change_item = Table(
    "ladder_change_item",
    metadata,
    key("change_key", primary_key=True),
    key("clock_key", primary_key=True),
    Column("state", String(8), nullable=False, comment="OPEN, SAME, MOVED, MOOT or FAILED"),
    Column("message", Text, comment="why it failed"),
    Index(None, "change_key", "state"),
    Index(None, "clock_key", "state"),
)
