"""extensions of limits that somebody asks for on the case page and somebody else decides on"""

import sqlalchemy as sa
from alembic import op

from engine.store.types import Instant

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def key(name: str, **kwargs) -> sa.Column:
    return sa.Column(name, sa.BigInteger(), autoincrement=False, **kwargs)


INDEXES = (("case_key",), ("state", "key"))


def upgrade() -> None:
    op.create_table(
        "extension_request",
        key("key", nullable=False),
        key("case_key", nullable=False),
        key("clock_key", nullable=False),
        key("only_key", nullable=True, comment="the clock, while the request waits: one at a time"),
        sa.Column("state", sa.String(length=10), nullable=False, comment="ASKED, GRANTED, REFUSED or WITHDRAWN"),
        sa.Column("amount", sa.String(length=30), nullable=False, comment="asked for, a decimal number in unit"),
        sa.Column("granted", sa.String(length=30), nullable=True, comment="what was granted of it"),
        sa.Column("unit", sa.String(length=4), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("document", sa.String(length=200), nullable=False, comment="number of the paper; may be empty"),
        key("attachment_key", nullable=True, comment="its copy among the documents of the case"),
        sa.Column("due_at", Instant(), nullable=True, comment="of the limit when it was asked for"),
        sa.Column("asked_by", sa.String(length=100), nullable=False),
        sa.Column("asked_at", Instant(), nullable=False),
        sa.Column("decided_by", sa.String(length=100), nullable=True),
        sa.Column("decided_at", Instant(), nullable=True),
        sa.Column("decision", sa.Text(), nullable=True, comment="the words of who decided"),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_extension_request")),
        sa.UniqueConstraint("only_key", name=op.f("uq_extension_request_only_key")),
    )
    for names in INDEXES:
        op.create_index(op.f("_".join(("ix_extension_request", *names))), "extension_request", list(names))


def downgrade() -> None:
    op.drop_table("extension_request")
