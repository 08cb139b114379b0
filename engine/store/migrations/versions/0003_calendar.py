"""calendar: proposals with a second person's approval, recalculation of clocks, hours of single days

New tables, and columns with a default or empty, so that what an older release has stored stays as it is.
"""

import sqlalchemy as sa
from alembic import op

from engine.store.types import Document, Instant

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def key(name: str, **kwargs) -> sa.Column:
    return sa.Column(name, sa.BigInteger(), autoincrement=False, **kwargs)


INDEXES = (
    ("clock", ("state", "calendar_version")),
    ("calendar_proposal", ("state", "key")),
    ("recalculation", ("state", "key")),
    ("recalculation_item", ("recalculation_key", "state")),
    ("recalculation_item", ("state",)),
    ("recalculation_item", ("clock_key",)),
)
KINDS_BEFORE = "workday, weekend, statutory, in_lieu or makeup_workday"
KINDS_NOW = "workday, weekend, statutory, in_lieu, makeup_workday or closed"


def index_name(table: str, names: tuple[str, ...]) -> str:
    return op.f("_".join(("ix", table, *names)))


def upgrade() -> None:
    op.create_table(
        "calendar_proposal",
        key("key", nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False, comment="notice, closure or correction"),
        sa.Column("state", sa.String(length=10), nullable=False, comment="PROPOSED, APPROVED, REJECTED or WITHDRAWN"),
        sa.Column("notice", sa.String(length=200), nullable=False, comment="number of the notice, or where the days come from"),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("whole_years", Document, nullable=False, comment="years the notice arranges as a whole and makes official"),
        sa.Column("source_text", sa.Text(), nullable=False, comment="what was pasted or uploaded"),
        sa.Column("days", Document, nullable=False, comment="list of {day, kind, name, line, hours}"),
        sa.Column("findings", Document, nullable=False, comment="list of {line, severity, msgid, params}"),
        sa.Column("made_by", sa.String(length=100), nullable=False),
        sa.Column("made_at", Instant(), nullable=False),
        sa.Column("decided_by", sa.String(length=100), nullable=True),
        sa.Column("decided_at", Instant(), nullable=True),
        sa.Column("decision_reason", sa.Text(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=True, comment="of the calendar that its approval made"),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_calendar_proposal")),
    )
    op.create_table(
        "recalculation",
        key("key", nullable=False),
        key("proposal_key", nullable=False),
        sa.Column("version", sa.Integer(), nullable=False, comment="of the calendar to which the clocks are brought"),
        sa.Column("state", sa.String(length=10), nullable=False, comment="RUNNING or DONE"),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("created_by", sa.String(length=100), nullable=True),
        sa.Column("ended_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_recalculation")),
    )
    op.create_table(
        "recalculation_item",
        key("recalculation_key", nullable=False),
        key("clock_key", nullable=False),
        key("case_key", nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False, comment="OPEN, SAME, MOVED, HELD, ACCEPTED, KEPT, MOOT or FAILED"),
        sa.Column("old_due_at", Instant(), nullable=True),
        sa.Column("new_due_at", Instant(), nullable=True, comment="by the new calendar; of a held one what it would become"),
        sa.Column("message", sa.Text(), nullable=True, comment="why it failed"),
        sa.Column("decided_by", sa.String(length=100), nullable=True),
        sa.Column("decided_at", Instant(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("recalculation_key", "clock_key", name=op.f("pk_recalculation_item")),
    )
    op.add_column(
        "clock",
        sa.Column(
            "calendar_version",
            sa.Integer(),
            nullable=False,
            server_default=sa.text("0"),
            comment="by which version of the calendar it was worked out",
        ),
    )
    op.add_column(
        "calendar_day", sa.Column("hours", Document, nullable=True, comment="office hours of this day alone, [[from, to], …]; empty: the usual ones")
    )
    if op.get_bind().dialect.name != "sqlite":
        op.alter_column("calendar_day", "kind", comment=KINDS_NOW, existing_comment=KINDS_BEFORE)
    for table, names in INDEXES:
        op.create_index(index_name(table, names), table, list(names), unique=False)


def downgrade() -> None:
    for table, names in reversed(INDEXES):
        op.drop_index(index_name(table, names), table_name=table)
    if op.get_bind().dialect.name != "sqlite":
        op.alter_column("calendar_day", "kind", comment=KINDS_BEFORE, existing_comment=KINDS_NOW)
    with op.batch_alter_table("calendar_day") as batch_op:
        batch_op.drop_column("hours")
    with op.batch_alter_table("clock") as batch_op:
        batch_op.drop_column("calendar_version")
    for table in ("recalculation_item", "recalculation", "calendar_proposal"):
        op.drop_table(table)
