"""Supervision: orders and the steps taken on them."""

from __future__ import annotations

from sqlalchemy import Column, Date, Index, Integer, String, Table, Text, UniqueConstraint

from engine.store.tables.common import key, metadata
from engine.store.types import Instant

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
