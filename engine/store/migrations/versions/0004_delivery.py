"""delivery: what becomes of a notification on each way out of the house, and what each person wants"""

import sqlalchemy as sa
from alembic import op

from engine.store.types import Document, Instant

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def key(name: str, **kwargs) -> sa.Column:
    return sa.Column(name, sa.BigInteger(), autoincrement=False, **kwargs)


INDEXES = (("delivery", ("state", "next_attempt_at")), ("delivery", ("job_key",)), ("delivery", ("channel", "state")))


def index_name(table: str, names: tuple[str, ...]) -> str:
    return op.f("_".join(("ix", table, *names)))


def upgrade() -> None:
    op.create_table(
        "delivery",
        key("key", nullable=False),
        key("notification_key", nullable=False),
        sa.Column("login", sa.String(length=100), nullable=False, comment="who it is for"),
        sa.Column(
            "channel",
            sa.String(length=20),
            nullable=False,
            comment="mail, sms, wecom, dingtalk or webhook; the bell is the notification itself",
        ),
        sa.Column(
            "state", sa.String(length=12), nullable=False, comment="QUEUED, DELAYED, SENT, FAILED, SUPPRESSED, DEPUTY, FALLBACK or GIVEN_UP"
        ),
        sa.Column("kind", sa.String(length=40), nullable=False, comment="of the notification"),
        key("case_key", nullable=True),
        sa.Column("urgent", sa.Boolean(), nullable=False, comment="a rung of level 3 or higher; may break the quiet hours"),
        sa.Column("ordered", sa.Boolean(), nullable=False, comment="the ladder names this channel"),
        sa.Column("on_behalf_of", sa.String(length=100), nullable=True, comment="whose place the recipient takes"),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("reason", Document, nullable=True, comment="last error, or why it was held back or given up; a sentence"),
        sa.Column("next_attempt_at", Instant(), nullable=True),
        key("job_key", nullable=True, comment="the job that sends it; several deliveries share the job of a digest"),
        sa.Column("bundle", sa.Integer(), nullable=True, comment="messages of the digest it went out with; empty: alone"),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("ended_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_delivery")),
        sa.UniqueConstraint("notification_key", "channel", "login", name=op.f("uq_delivery_notification_key_channel_login")),
    )
    op.create_table(
        "notice_preference",
        sa.Column("login", sa.String(length=100), nullable=False),
        sa.Column("choices", Document, nullable=False, comment="kinds by channel, quiet hours, digest; what is missing is the default"),
        sa.Column("changed_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("login", name=op.f("pk_notice_preference")),
    )
    op.add_column(
        "notification", sa.Column("note", Document, nullable=True, comment="a sentence beside it: told to a deputy too, or in whose place")
    )
    for table, names in INDEXES:
        op.create_index(index_name(table, names), table, list(names), unique=False)


def downgrade() -> None:
    for table, names in reversed(INDEXES):
        op.drop_index(index_name(table, names), table_name=table)
    with op.batch_alter_table("notification") as batch_op:
        batch_op.drop_column("note")
    for table in ("notice_preference", "delivery"):
        op.drop_table(table)
