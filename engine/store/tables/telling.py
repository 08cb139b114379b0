"""Telling people: notifications, what goes out of the house, what each person wishes."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Index, Integer, String, Table, Text, UniqueConstraint

from engine.store.tables.common import key, metadata
from engine.store.types import Document, Instant

notification = Table(
    "notification",
    metadata,
    key(primary_key=True),
    Column("login", String(100), nullable=False),
    Column("kind", String(40), nullable=False, comment="assigned, urged, rung, returned, replied, …"),
    Column("msgid", Text, nullable=False),
    Column("params", Document, nullable=False),
    key("case_key"),
    key("task_key"),
    Column("created_at", Instant, nullable=False),
    Column("read_at", Instant),
    Column("note", Document, comment="a sentence beside it: told to a deputy too, or in whose place"),
    Index(None, "login", "read_at"),
    Index(None, "case_key"),
)

delivery = Table(
    "delivery",
    metadata,
    key(primary_key=True),
    key("notification_key", nullable=False),
    Column("login", String(100), nullable=False, comment="who it is for"),
    Column("channel", String(20), nullable=False, comment="mail, sms, wecom, dingtalk or webhook; the bell is the notification itself"),
    Column("state", String(12), nullable=False, comment="QUEUED, DELAYED, SENT, FAILED, SUPPRESSED, DEPUTY, FALLBACK or GIVEN_UP"),
    Column("kind", String(40), nullable=False, comment="of the notification"),
    key("case_key"),
    Column("urgent", Boolean, nullable=False, comment="a rung of level 3 or higher; may break the quiet hours"),
    Column("ordered", Boolean, nullable=False, comment="the ladder names this channel"),
    Column("on_behalf_of", String(100), comment="whose place the recipient takes"),
    Column("attempts", Integer, nullable=False),
    Column("reason", Document, comment="last error, or why it was held back or given up; a sentence"),
    Column("next_attempt_at", Instant),
    key("job_key", comment="the job that sends it; several deliveries share the job of a digest"),
    Column("bundle", Integer, comment="messages of the digest it went out with; empty: alone"),
    Column("created_at", Instant, nullable=False),
    Column("ended_at", Instant),
    UniqueConstraint("notification_key", "channel", "login"),
    Index(None, "state", "next_attempt_at"),
    Index(None, "job_key"),
    Index(None, "channel", "state"),
)

notice_preference = Table(
    "notice_preference",
    metadata,
    Column("login", String(100), primary_key=True),
    Column("choices", Document, nullable=False, comment="kinds by channel, quiet hours, digest; what is missing is the default"),
    Column("changed_at", Instant, nullable=False),
)
