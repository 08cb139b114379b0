"""supervision: drafts of bulletins, deductions in the assessment, and clocks that are brought to a changed ladder"""

import sqlalchemy as sa
from alembic import op

from engine.store.types import Document, Instant

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def key(name: str, **kwargs) -> sa.Column:
    return sa.Column(name, sa.BigInteger(), autoincrement=False, **kwargs)


INDEXES = (
    ("bulletin", ("case_key",)),
    ("bulletin", ("state", "key")),
    ("bulletin", ("to_section", "state")),
    ("bulletin_step", ("bulletin_key", "key")),
    ("assessment_entry", ("case_key",)),
    ("assessment_entry", ("made_at",)),
    ("assessment_entry", ("state", "made_at")),
    ("ladder_change", ("state", "key")),
    ("ladder_change_item", ("change_key", "state")),
    ("ladder_change_item", ("clock_key", "state")),
)


def index_name(table: str, names: tuple[str, ...]) -> str:
    return op.f("_".join(("ix", table, *names)))


def upgrade() -> None:
    op.create_table(
        "bulletin",
        key("key", nullable=False),
        sa.Column("number", sa.String(length=60), nullable=True, comment="通报文号; drawn when it is issued, empty before"),
        key("case_key", nullable=False),
        key("clock_key", nullable=True, comment="the limit it is about"),
        sa.Column("rung", sa.String(length=60), nullable=True, comment="the rung that drafted it; empty: a person did"),
        key("only_key", nullable=True, comment="the clock, until the bulletin is withdrawn: one matter, one bulletin (一事一报)"),
        sa.Column("state", sa.String(length=10), nullable=False, comment="DRAFT, APPROVED, ISSUED or WITHDRAWN"),
        sa.Column("to_section", sa.String(length=60), nullable=True, comment="the section that is criticised"),
        sa.Column("to_login", sa.String(length=100), nullable=True, comment="the person who had the case when it was drafted; empty: the section as a whole"),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False, comment="why it is drafted; stays in the house"),
        sa.Column("facts", Document, nullable=False, comment="what the draft was written from: case number, limit, due day, days overdue, rungs"),
        sa.Column("drafted_at", Instant(), nullable=False),
        sa.Column("drafted_by", sa.String(length=100), nullable=True, comment="empty: the ladder"),
        sa.Column("changed_by", sa.String(length=100), nullable=True, comment="who wrote the text last; may not approve it"),
        sa.Column("objected_at", Instant(), nullable=True, comment="the section has stated its view (陈述意见); empty once that was weighed"),
        sa.Column("approved_at", Instant(), nullable=True),
        sa.Column("approved_by", sa.String(length=100), nullable=True),
        sa.Column("issued_at", Instant(), nullable=True),
        sa.Column("issued_by", sa.String(length=100), nullable=True),
        sa.Column("ended_at", Instant(), nullable=True, comment="withdrawn"),
        sa.Column("ended_by", sa.String(length=100), nullable=True, comment="empty: of itself, because its ground fell away"),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_bulletin")),
        sa.UniqueConstraint("number", name=op.f("uq_bulletin_number")),
        sa.UniqueConstraint("only_key", name=op.f("uq_bulletin_only_key")),
    )
    op.create_table(
        "bulletin_step",
        key("key", nullable=False),
        key("bulletin_key", nullable=False),
        sa.Column("action", sa.String(length=10), nullable=False, comment="draft, change, object, weigh, approve, return, issue, withdraw or note"),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("actor", sa.String(length=100), nullable=True, comment="empty: the ladder"),
        sa.Column("at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_bulletin_step")),
    )
    op.create_table(
        "assessment_entry",
        key("key", nullable=False),
        key("case_key", nullable=False),
        key("clock_key", nullable=False),
        sa.Column("rung", sa.String(length=60), nullable=False, comment="with the clock it is unique: a rung deducts once"),
        sa.Column("section_code", sa.String(length=60), nullable=True, comment="whose assessment it counts in"),
        sa.Column("login", sa.String(length=100), nullable=True, comment="the person; empty: nobody in particular had the case"),
        sa.Column("tenths", sa.Integer(), nullable=False, comment="points deducted, times ten"),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False, comment="VALID, ASKED (somebody asks to reverse it) or REVERSED"),
        sa.Column("made_at", Instant(), nullable=False),
        sa.Column("asked_at", Instant(), nullable=True),
        sa.Column("asked_by", sa.String(length=100), nullable=True),
        sa.Column("asked_reason", sa.Text(), nullable=True),
        sa.Column("decided_at", Instant(), nullable=True, comment="of the latest decision about a reversal"),
        sa.Column("decided_by", sa.String(length=100), nullable=True),
        sa.Column("decided_reason", sa.Text(), nullable=True),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_assessment_entry")),
        sa.UniqueConstraint("clock_key", "rung", name=op.f("uq_assessment_entry_clock_key_rung")),
    )
    op.create_table(
        "ladder_change",
        key("key", nullable=False),
        sa.Column("definition_id", sa.String(length=255), nullable=False, comment="the sheet of ladders"),
        sa.Column("version", sa.Integer(), nullable=False, comment="of the sheet that the clocks are brought to"),
        sa.Column("ladders", Document, nullable=False, comment="ids of the ladders that differ from the version before"),
        sa.Column("state", sa.String(length=10), nullable=False, comment="RUNNING or DONE"),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("created_by", sa.String(length=100), nullable=True),
        sa.Column("ended_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_ladder_change")),
        sa.UniqueConstraint("definition_id", "version", name=op.f("uq_ladder_change_definition_id_version")),
    )
    op.create_table(
        "ladder_change_item",
        key("change_key", nullable=False),
        key("clock_key", nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False, comment="OPEN, SAME, MOVED, MOOT or FAILED"),
        sa.Column("message", sa.Text(), nullable=True, comment="why it failed"),
        sa.PrimaryKeyConstraint("change_key", "clock_key", name=op.f("pk_ladder_change_item")),
    )
    for table, names in INDEXES:
        op.create_index(index_name(table, names), table, list(names))


def downgrade() -> None:
    op.drop_table("ladder_change_item")
    op.drop_table("ladder_change")
    op.drop_table("assessment_entry")
    op.drop_table("bulletin_step")
    op.drop_table("bulletin")
