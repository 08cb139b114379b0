"""Cards of electronic supervision, and what was said and decided on each."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Date, Index, Integer, String, Table, Text, UniqueConstraint

from engine.store.tables.common import key, metadata
from engine.store.types import Document, Instant

card = Table(
    "card",
    metadata,
    key(primary_key=True),
    Column("number", String(60), nullable=False, unique=True, comment="监察卡号"),
    Column("rule_id", String(60), nullable=False),
    Column("rule_label", String(200), nullable=False, comment="as the rule read when the card was issued"),
    Column("kind", String(30), nullable=False, comment="what the rule watches"),
    Column("degree", String(8), nullable=False, comment="warning, yellow or red"),
    Column("subject", String(100), nullable=False, comment="clock:KEY, task:KEY, …; with rule and degree it is the claim: a card is issued once"),
    key("case_key", nullable=False),
    key("clock_key"),
    key("task_key"),
    Column("procedure_id", String(255), nullable=False),
    Column("to_section", String(60), comment="the section it counts for"),
    Column("to_login", String(100), comment="the person it is issued to; empty: the section as a whole"),
    Column("evidence", Document, nullable=False, comment="the rule and the version of the sheet, and the facts as packed words"),
    Column("fell_due_at", Instant, nullable=False, comment="when the fact came about"),
    Column("issued_at", Instant, nullable=False),
    Column("late", Boolean, nullable=False, comment="issued well after the fact: the office's machines stood still, or the case did"),
    Column("appeal_until", Date, nullable=False, comment="last office day for an appeal"),
    Column("state", String(10), nullable=False, comment="ISSUED, APPEALED, UPHELD or REVOKED; a revoked one does not count"),
    Column("appealed_at", Instant),
    Column("appealed_by", String(100)),
    Column("decided_at", Instant),
    Column("decided_by", String(100)),
    Column("revision", Integer, nullable=False),
    UniqueConstraint("rule_id", "subject", "degree"),
    Index(None, "case_key"),
    Index(None, "clock_key"),
    Index(None, "issued_at"),
    Index(None, "to_login", "issued_at"),
    Index(None, "to_section", "issued_at"),
)

card_step = Table(
    "card_step",
    metadata,
    key(primary_key=True),
    key("card_key", nullable=False),
    Column("action", String(10), nullable=False, comment="issue, appeal, uphold or revoke"),
    Column("text", Text, nullable=False),
    Column("actor", String(100), comment="empty: the rule"),
    Column("on_behalf_of", String(100)),
    key("attachment_key", comment="the paper that an appeal rests on"),
    Column("at", Instant, nullable=False),
    Index(None, "card_key", "key"),
)
