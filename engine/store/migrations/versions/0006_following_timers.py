"""a timer of a model follows the limits it was worked out from"""

import sqlalchemy as sa
from alembic import op

from engine.store.types import Document, Instant

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

INDEXES = ("case_key", "calendar_version")
SLEEPS = "empty while a pause holds the limit that it follows: it sleeps"


def upgrade() -> None:
    with op.batch_alter_table("timer") as batch_op:
        batch_op.alter_column("due_at", existing_type=Instant(), nullable=True, comment=SLEEPS)
        batch_op.add_column(
            sa.Column(
                "case_key", sa.BigInteger(), nullable=True, comment="of a timer that follows limits: their case; empty: its instant stands"
            )
        )
        batch_op.add_column(
            sa.Column("follows", Document, nullable=True, comment="the limits it asked for, and what it needs to be worked out again")
        )
        batch_op.add_column(
            sa.Column(
                "calendar_version",
                sa.Integer(),
                nullable=True,
                comment="of a timer that follows limits: the calendar it was worked out with",
            )
        )
    for name in INDEXES:
        op.create_index(op.f(f"ix_timer_{name}"), "timer", [name], unique=False)


def downgrade() -> None:
    for name in INDEXES:
        op.drop_index(op.f(f"ix_timer_{name}"), table_name="timer")
    # What sleeps has no instant that the older table could hold; it would have to be due some day.
    op.execute(sa.text("UPDATE timer SET due_at = '9999-01-01 00:00:00' WHERE due_at IS NULL"))
    with op.batch_alter_table("timer") as batch_op:
        for name in ("calendar_version", "follows", "case_key"):
            batch_op.drop_column(name)
        batch_op.alter_column("due_at", existing_type=Instant(), nullable=False, comment=None, existing_comment=SLEEPS)
