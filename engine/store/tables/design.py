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
    Column("findings", Document, comment="warnings that its author accepted, as packed problems; empty: of before they were kept"),
    Column("submitted_by", String(100), nullable=False),
    Column("submitted_at", Instant, nullable=False),
    Column("decided_by", String(100)),
    Column("decided_at", Instant),
    Column("note", String(1000), nullable=False, comment="the approver's words, or why it failed"),
    Column("failure", Document, comment="why it could not be published, as packed words"),
    key("deployment_key", comment="the deployment that it became"),
    Column("published_at", Instant),
    Column("revision", Integer, nullable=False),
    Index(None, "draft_key"),
    Index(None, "process_id"),
    Index(None, "state", "effective_at"),
)

design_run = Table(
    "design_run",
    metadata,
    key(primary_key=True),
    key("draft_key", nullable=False),
    Column("open_draft", String(30), unique=True, comment="key of the draft until the run has ended; two runs of one draft collide"),
    Column("revision", Integer, nullable=False, comment="the draft's revision when it was asked for"),
    Column("state", String(10), nullable=False, comment="QUEUED, RUNNING, DONE, CANCELED or BROKEN"),
    Column("total", Integer, nullable=False, comment="scenarios to play"),
    Column("done", Integer, nullable=False, comment="scenarios played so far"),
    Column("failed", Integer, nullable=False, comment="how many of those failed"),
    Column("present", String(300), nullable=False, comment="title of the scenario that is being played"),
    Column("results", Document, nullable=False, comment="how each scenario went, with what it visited"),
    Column("content_sum", String(64), comment="SHA-256 of the files and of the office they were played in; empty: the office changed under the run"),
    Column("following", Document, comment="what is done with the results: submit, approve or publish, with its values; empty: nothing"),
    Column("outcome", Document, comment="what became of that"),
    Column("asked_by", String(100), nullable=False),
    Column("asked_at", Instant, nullable=False),
    Column("address", String(100), comment="where it was asked from"),
    Column("node", String(60), comment="the process that plays it"),
    Column("attempts", Integer, nullable=False, comment="how often a node began it; also the claim of the present one"),
    Column("seen_at", Instant, comment="the last sign of life of that node"),
    Column("ended_at", Instant),
    Index(None, "draft_key"),
    Index(None, "state"),
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
