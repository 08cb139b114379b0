"""The clocks, the rungs that have fired, and the extensions that were asked for."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Index, Integer, String, Table, Text, text

from engine.store.tables.common import key, metadata
from engine.store.types import Document, Instant

clock = Table(
    "clock",
    metadata,
    key(primary_key=True),
    key("case_key", nullable=False),
    key("instance_key", nullable=False),
    Column("element_id", String(255), comment="the element it is bound to; empty: the case as a whole"),
    Column("token", Integer),
    key("task_key"),
    Column("rule_id", String(60), nullable=False),
    Column("label", String(200), nullable=False),
    Column("state", String(12), nullable=False, comment="RUNNING, PAUSED or STOPPED"),
    Column("ledger", Document, nullable=False, comment="budget, pauses and extensions: the truth; what follows is derived"),
    Column("started_at", Instant, nullable=False),
    Column("due_at", Instant, comment="empty while paused"),
    Column("yellow_at", Instant, comment="from here on the light is yellow"),
    Column("overdue_at", Instant, comment="the first instant that is too late"),
    Column("provisional", Boolean, nullable=False),
    Column("stopped_at", Instant),
    Column("ladder_id", String(60), nullable=False),
    Column("next_rung", String(60)),
    Column("next_rung_at", Instant),
    Column("level", Integer, nullable=False, comment="highest rung level fired"),
    Column(
        "calendar_version", Integer, nullable=False, server_default=text("0"), comment="by which version of the calendar it was worked out"
    ),
    Index(None, "case_key"),
    Index(None, "state", "next_rung_at"),
    Index(None, "state", "due_at"),
    Index(None, "state", "calendar_version"),
    Index(None, "stopped_at"),
    Index(None, "state", "yellow_at"),
)

rung_firing = Table(
    "rung_firing",
    metadata,
    key("clock_key", primary_key=True),
    Column("rung", String(60), primary_key=True, comment="a rung fires once: this key is the claim"),
    key("case_key", nullable=False),
    Column("label", String(200), nullable=False),
    Column("level", Integer, nullable=False),
    Column("action", String(60), nullable=False),
    Column("channel", String(40), nullable=False),
    Column("recipients", Document, nullable=False, comment="list of {login, name, role}"),
    Column("planned_at", Instant, nullable=False),
    Column("fired_at", Instant, nullable=False),
    Column("late", Boolean, nullable=False, comment="fired more than two acquirer intervals after it was due"),
    Column("node", String(60), nullable=False),
    Index(None, "case_key"),
)

extension_request = Table(
    "extension_request",
    metadata,
    key(primary_key=True),
    key("case_key", nullable=False),
    key("clock_key", nullable=False),
    key("only_key", unique=True, comment="the clock, while the request waits: one at a time"),
    Column("state", String(10), nullable=False, comment="ASKED, GRANTED, REFUSED or WITHDRAWN"),
    Column("amount", String(30), nullable=False, comment="asked for, a decimal number in unit"),
    Column("granted", String(30), comment="what was granted of it"),
    Column("unit", String(4), nullable=False),
    Column("reason", Text, nullable=False),
    Column("document", String(200), nullable=False, comment="number of the paper; may be empty"),
    key("attachment_key", comment="its copy among the documents of the case"),
    Column("due_at", Instant, comment="of the limit when it was asked for"),
    Column("asked_by", String(100), nullable=False),
    Column("asked_at", Instant, nullable=False),
    Column("decided_by", String(100)),
    Column("decided_at", Instant),
    Column("decision", Text, comment="the words of who decided"),
    Index(None, "case_key"),
    Index(None, "state", "key"),
)
