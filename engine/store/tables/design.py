"""The designer's room: drafts of procedures, who is working on them, and their way to publication."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Index, Integer, PrimaryKeyConstraint, String, Table, Text, UniqueConstraint

from engine.store.tables.common import key, metadata
from engine.store.types import Document, Instant

design_draft = Table(
    "design_draft",
    metadata,
    key(primary_key=True),
    Column("process_id", String(255), comment="the process it is about, as its files say; empty while they name none"),
    Column("title", String(200), nullable=False),
    Column("owner", String(100), nullable=False),
    key("base_key", comment="the deployment it was branched from; empty: begun from nothing"),
    Column("from_older", Boolean, nullable=False, comment="whether the base was not in use any more when it was branched"),
    Column("base", Document, nullable=False, comment="file name -> list of [kind, id, version] that the file was when it was branched"),
    Column("base_sums", Document, nullable=False, comment="file name -> SHA-256 of its text when it was branched"),
    Column("files", Document, nullable=False, comment="file name -> text"),
    Column("history", Document, comment="versions an imported archive told of, for reading only"),
    Column("state", String(10), nullable=False, comment="OPEN, SUBMITTED, PUBLISHED or DISCARDED"),
    Column("revision", Integer, nullable=False, comment="plus one with every save of the files"),
    Column("created_at", Instant, nullable=False),
    Column("saved_by", String(100), nullable=False),
    Column("saved_at", Instant, nullable=False),
    Column("token", String(100), unique=True, comment="one-time token of the page that made it; a replay collides"),
    Index(None, "state", "process_id"),
)

design_save = Table(
    "design_save",
    metadata,
    key(primary_key=True),
    key("draft_key", nullable=False),
    Column("revision", Integer, nullable=False, comment="the revision of the draft that this save made"),
    Column("changes", Document, nullable=False, comment="file name -> new text, or null for a file that was removed"),
    Column("note", String(500), nullable=False),
    Column("by", String(100), nullable=False),
    Column("at", Instant, nullable=False),
    UniqueConstraint("draft_key", "revision"),
)

design_autosave = Table(
    "design_autosave",
    metadata,
    key("draft_key", nullable=False),
    Column("login", String(100), nullable=False),
    Column("file", String(255), nullable=False),
    Column("content", Text, nullable=False, comment="as it lay in the editor; nobody has checked it"),
    Column("revision", Integer, nullable=False, comment="the revision of the draft that it was typed over"),
    Column("at", Instant, nullable=False),
    PrimaryKeyConstraint("draft_key", "login", "file"),
)

design_presence = Table(
    "design_presence",
    metadata,
    key("draft_key", nullable=False),
    Column("login", String(100), nullable=False),
    Column("seen_at", Instant, nullable=False, comment="when this person was last at work on the draft"),
    PrimaryKeyConstraint("draft_key", "login"),
)

design_submission = Table(
    "design_submission",
    metadata,
    key(primary_key=True),
    key("draft_key", nullable=False),
    Column("process_id", String(255), nullable=False),
    Column("state", String(10), nullable=False, comment="WAITING, REFUSED, WITHDRAWN, SCHEDULED, PUBLISHED or FAILED"),
    Column("open_draft", String(30), unique=True, comment="key of the draft while it waits; two submissions of one draft collide"),
    Column("reason", String(1000), nullable=False, comment="why the procedure is changed"),
    Column("effective_at", Instant, comment="from when it is in use; empty: as soon as it is approved"),
    Column("compared", Document, nullable=False, comment="versions in use that the designer has compared with: [kind, id, version]"),
    Column("scenarios", Document, nullable=False, comment="how its scenarios ended: [name, title, passed]"),
    Column("submitted_by", String(100), nullable=False),
    Column("submitted_at", Instant, nullable=False),
    Column("decided_by", String(100)),
    Column("decided_at", Instant),
    Column("note", String(1000), nullable=False, comment="the approver's words, or why it failed"),
    key("deployment_key", comment="the deployment that it became"),
    Column("published_at", Instant),
    Column("revision", Integer, nullable=False),
    Index(None, "draft_key"),
    Index(None, "process_id"),
    Index(None, "state", "effective_at"),
)

design_companion = Table(
    "design_companion",
    metadata,
    key(primary_key=True),
    Column("process_id", String(255), nullable=False),
    Column("name", String(255), nullable=False, comment="README.md, scenarios/NAME.json: what belongs to a procedure and is not executed"),
    Column("content", Text, comment="empty: removed"),
    key("deployment_key", nullable=False, comment="the deployment it came with; the latest row up to a deployment is in force"),
    Column("by", String(100), nullable=False),
    Column("at", Instant, nullable=False),
    Index(None, "process_id", "name", "deployment_key"),
)
