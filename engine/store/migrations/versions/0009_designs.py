"""drafts of procedures, who is working on them, and their way to publication"""

import sqlalchemy as sa
from alembic import op

from engine.store.types import Document, Instant

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def key(name: str, **kwargs) -> sa.Column:
    return sa.Column(name, sa.BigInteger(), autoincrement=False, **kwargs)


INDEXES = (
    ("design_draft", ("state", "process_id")),
    ("design_submission", ("draft_key",)),
    ("design_submission", ("process_id",)),
    ("design_submission", ("state", "effective_at")),
    ("design_companion", ("process_id", "name", "deployment_key")),
)


def index_name(table: str, names: tuple[str, ...]) -> str:
    return op.f("_".join(("ix", table, *names)))


def upgrade() -> None:
    op.create_table(
        "design_draft",
        key("key", nullable=False),
        sa.Column("process_id", sa.String(length=255), nullable=True, comment="the process it is about, as its files say; empty while they name none"),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("owner", sa.String(length=100), nullable=False),
        key("base_key", nullable=True, comment="the deployment it was branched from; empty: begun from nothing"),
        sa.Column("from_older", sa.Boolean(), nullable=False, comment="whether the base was not in use any more when it was branched"),
        sa.Column("base", Document, nullable=False, comment="file name -> list of [kind, id, version] that the file was when it was branched"),
        sa.Column("base_sums", Document, nullable=False, comment="file name -> SHA-256 of its text when it was branched"),
        sa.Column("files", Document, nullable=False, comment="file name -> text"),
        sa.Column("history", Document, nullable=True, comment="versions an imported archive told of, for reading only"),
        sa.Column("state", sa.String(length=10), nullable=False, comment="OPEN, SUBMITTED, PUBLISHED or DISCARDED"),
        sa.Column("revision", sa.Integer(), nullable=False, comment="plus one with every save of the files"),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("saved_by", sa.String(length=100), nullable=False),
        sa.Column("saved_at", Instant(), nullable=False),
        sa.Column("token", sa.String(length=100), nullable=True, comment="one-time token of the page that made it; a replay collides"),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_design_draft")),
        sa.UniqueConstraint("token", name=op.f("uq_design_draft_token")),
    )
    op.create_table(
        "design_save",
        key("key", nullable=False),
        key("draft_key", nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False, comment="the revision of the draft that this save made"),
        sa.Column("changes", Document, nullable=False, comment="file name -> new text, or null for a file that was removed"),
        sa.Column("note", sa.String(length=500), nullable=False),
        sa.Column("by", sa.String(length=100), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_design_save")),
        sa.UniqueConstraint("draft_key", "revision", name=op.f("uq_design_save_draft_key_revision")),
    )
    op.create_table(
        "design_autosave",
        key("draft_key", nullable=False),
        sa.Column("login", sa.String(length=100), nullable=False),
        sa.Column("file", sa.String(length=255), nullable=False),
        sa.Column("content", sa.Text(), nullable=False, comment="as it lay in the editor; nobody has checked it"),
        sa.Column("revision", sa.Integer(), nullable=False, comment="the revision of the draft that it was typed over"),
        sa.Column("at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("draft_key", "login", "file", name=op.f("pk_design_autosave")),
    )
    op.create_table(
        "design_presence",
        key("draft_key", nullable=False),
        sa.Column("login", sa.String(length=100), nullable=False),
        sa.Column("seen_at", Instant(), nullable=False, comment="when this person was last at work on the draft"),
        sa.PrimaryKeyConstraint("draft_key", "login", name=op.f("pk_design_presence")),
    )
    op.create_table(
        "design_submission",
        key("key", nullable=False),
        key("draft_key", nullable=False),
        sa.Column("process_id", sa.String(length=255), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False, comment="WAITING, REFUSED, WITHDRAWN, SCHEDULED, PUBLISHED or FAILED"),
        sa.Column("open_draft", sa.String(length=30), nullable=True, comment="key of the draft while it waits; two submissions of one draft collide"),
        sa.Column("reason", sa.String(length=1000), nullable=False, comment="why the procedure is changed"),
        sa.Column("effective_at", Instant(), nullable=True, comment="from when it is in use; empty: as soon as it is approved"),
        sa.Column("compared", Document, nullable=False, comment="versions in use that the designer has compared with: [kind, id, version]"),
        sa.Column("scenarios", Document, nullable=False, comment="how its scenarios ended: [name, title, passed]"),
        sa.Column("submitted_by", sa.String(length=100), nullable=False),
        sa.Column("submitted_at", Instant(), nullable=False),
        sa.Column("decided_by", sa.String(length=100), nullable=True),
        sa.Column("decided_at", Instant(), nullable=True),
        sa.Column("note", sa.String(length=1000), nullable=False, comment="the approver's words, or why it failed"),
        key("deployment_key", nullable=True, comment="the deployment that it became"),
        sa.Column("published_at", Instant(), nullable=True),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_design_submission")),
        sa.UniqueConstraint("open_draft", name=op.f("uq_design_submission_open_draft")),
    )
    op.create_table(
        "design_companion",
        key("key", nullable=False),
        sa.Column("process_id", sa.String(length=255), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False, comment="README.md, scenarios/NAME.json: what belongs to a procedure and is not executed"),
        sa.Column("content", sa.Text(), nullable=True, comment="empty: removed"),
        key("deployment_key", nullable=False, comment="the deployment it came with; the latest row up to a deployment is in force"),
        sa.Column("by", sa.String(length=100), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_design_companion")),
    )
    for table, names in INDEXES:
        op.create_index(index_name(table, names), table, list(names))


def downgrade() -> None:
    for table in ("design_companion", "design_submission", "design_presence", "design_autosave", "design_save", "design_draft"):
        op.drop_table(table)
