"""supervision: orders that somebody must answer, and what was said on each"""

import sqlalchemy as sa
from alembic import op

from engine.store.types import Instant

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def key(name: str, **kwargs) -> sa.Column:
    return sa.Column(name, sa.BigInteger(), autoincrement=False, **kwargs)


INDEXES = (
    ("supervision_order", ("case_key",)),
    ("supervision_order", ("state", "due_on")),
    ("supervision_order", ("to_section", "state")),
    ("supervision_order", ("to_login", "state")),
    ("supervision_step", ("order_key", "key")),
)


def index_name(table: str, names: tuple[str, ...]) -> str:
    return op.f("_".join(("ix", table, *names)))


def upgrade() -> None:
    op.create_table(
        "supervision_order",
        key("key", nullable=False),
        sa.Column("number", sa.String(length=60), nullable=False, comment="督办单号"),
        key("case_key", nullable=False),
        key("clock_key", nullable=True, comment="the clock whose ladder issued it; empty: a person did"),
        sa.Column("rung", sa.String(length=60), nullable=True, comment="the rung that issued it; with the clock it is unique, so a rung issues one order"),
        sa.Column("token", sa.String(length=100), nullable=True, comment="one-time token of the page and the case; a replay collides"),
        sa.Column("level", sa.String(length=8), nullable=False, comment="blue, yellow or red"),
        sa.Column("to_section", sa.String(length=60), nullable=True, comment="the section that has to answer"),
        sa.Column("to_login", sa.String(length=100), nullable=True, comment="the person who has to answer; empty: anybody of the section"),
        sa.Column("text", sa.Text(), nullable=False, comment="what is asked for"),
        sa.Column("due_on", sa.Date(), nullable=False, comment="office day by which an answer is due"),
        sa.Column("state", sa.String(length=10), nullable=False, comment="ISSUED, ANSWERED, CLOSED or WITHDRAWN"),
        sa.Column("issued_at", Instant(), nullable=False),
        sa.Column("issued_by", sa.String(length=100), nullable=True, comment="empty: the ladder"),
        sa.Column("answered_at", Instant(), nullable=True, comment="of the latest answer"),
        sa.Column("ended_at", Instant(), nullable=True),
        sa.Column("ended_by", sa.String(length=100), nullable=True),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_supervision_order")),
        sa.UniqueConstraint("number", name=op.f("uq_supervision_order_number")),
        sa.UniqueConstraint("token", name=op.f("uq_supervision_order_token")),
        sa.UniqueConstraint("clock_key", "rung", name=op.f("uq_supervision_order_clock_key_rung")),
    )
    op.create_table(
        "supervision_step",
        key("key", nullable=False),
        key("order_key", nullable=False),
        sa.Column("action", sa.String(length=10), nullable=False, comment="issue, answer, return, close or withdraw"),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("actor", sa.String(length=100), nullable=True, comment="empty: the ladder"),
        sa.Column("at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_supervision_step")),
    )
    for table, names in INDEXES:
        op.create_index(index_name(table, names), table, list(names))


def downgrade() -> None:
    op.drop_table("supervision_step")
    op.drop_table("supervision_order")
