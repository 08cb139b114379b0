"""The cases: files, numbers, trails, drafts, attachments."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, LargeBinary, String, Table, Text

from engine.store.tables.common import key, metadata
from engine.store.types import Document, Instant

case_file = Table(
    "case_file",
    metadata,
    key(primary_key=True, comment="key of the root process instance"),
    Column("case_no", String(60), nullable=False, unique=True, comment="办件编号"),
    Column("procedure_id", String(255), nullable=False),
    key("procedure_key", nullable=False, comment="definition row of the procedure sheet in force at the start"),
    Column("title", String(500), nullable=False),
    Column("applicant", String(300), nullable=False, comment="as anyone with access may see it; masked when confidential"),
    Column("county", String(100), nullable=False),
    Column("urgency", String(20), nullable=False, comment="特急, 加急 or 平件"),
    Column("section_code", String(60), comment="owner section 主办科室"),
    Column("status", String(40), nullable=False, comment="办件状态, a word of the procedure sheet"),
    Column("result", String(200)),
    Column("starter", String(100), nullable=False),
    Column("start_token", String(64), unique=True, comment="one-time token of the page it was opened from; a replay collides"),
    Column("received_at", Instant, nullable=False),
    Column("accepted_at", Instant),
    Column("closed_at", Instant),
    Column("register", Document, nullable=False, comment="values of the register columns 台账"),
    Column("search", Text, nullable=False, comment="lower-case text the search box looks in; holds nothing confidential"),
    Column("terms", Document, comment="searchable values: [name, word, kind, number] each; see case_term"),
    key("terms_by", comment="the procedure sheet whose searchable fields they are; another than the one in use: to be worked out again"),
    Column("public_at", Instant, comment="since when people outside the office may see what the sheet makes public"),
    Index(None, "procedure_id", "received_at"),
    Index(None, "starter", "received_at"),
    Index(None, "closed_at"),
    Index(None, "procedure_id", "public_at"),
)

case_number = Table(
    "case_number",
    metadata,
    Column("prefix", String(60), primary_key=True, comment="a number rule with everything but the serial filled in"),
    Column("last", Integer, nullable=False),
)

trail = Table(
    "trail",
    metadata,
    key(primary_key=True),
    key("case_key", nullable=False),
    key("instance_key"),
    key("task_key"),
    Column("element_id", String(255)),
    Column("element_name", String(500)),
    Column("action", String(40), nullable=False, comment="start, claim, complete, return, urge, extend, pause, timer, message, …"),
    Column("actor", String(100), comment="login; empty: the system"),
    Column("on_behalf_of", String(100)),
    Column("outcome", String(60)),
    Column("outcome_label", String(100)),
    Column("opinion", Text),
    Column("received_at", Instant),
    Column("at", Instant, nullable=False),
    Column("details", Document, nullable=False, comment="for a completed task: form_id and the submitted form data"),
    Column("address", String(100)),
    Index(None, "case_key", "key"),
)

draft = Table(
    "draft",
    metadata,
    Column("subject", String(255), primary_key=True, comment="task:KEY or start:PROCESS"),
    Column("login", String(100), primary_key=True),
    Column("data", Document, nullable=False),
    Column("saved_at", Instant, nullable=False),
)

attachment = Table(
    "attachment",
    metadata,
    key(primary_key=True),
    key("case_key", comment="empty until the start form it belongs to is submitted"),
    Column("subject", String(255), nullable=False, comment="task:KEY or start:PROCESS it was uploaded on"),
    Column("field", String(255), nullable=False),
    Column("filename", String(255), nullable=False),
    Column("content_type", String(100), nullable=False),
    Column("size", Integer, nullable=False, comment="bytes"),
    Column("checksum", String(64), nullable=False),
    Column("uploaded_by", String(100), nullable=False),
    Column("uploaded_at", Instant, nullable=False),
    Column("removed_at", Instant),
    Index(None, "case_key"),
    Index(None, "subject"),
)

attachment_content = Table(
    "attachment_content",
    metadata,
    key(primary_key=True),
    Column("content", LargeBinary, nullable=False),
)

sensitive_view = Table(
    "sensitive_view",
    metadata,
    key(primary_key=True),
    key("case_key", nullable=False),
    Column("fields", Document, nullable=False),
    Column("viewer", String(100), nullable=False),
    Column("reason", String(60), nullable=False, comment="why it was allowed: role or assignee"),
    Column("at", Instant, nullable=False),
    Column("address", String(100)),
    Index(None, "case_key"),
)
