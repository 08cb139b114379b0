"""electronic supervision: cards, and what was said on each"""

import sqlalchemy as sa
from alembic import op

from engine.store.types import Document, Instant

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def key(name: str, **kwargs) -> sa.Column:
    return sa.Column(name, sa.BigInteger(), autoincrement=False, **kwargs)


INDEXES = (
    ("card", ("case_key",)),
    ("card", ("clock_key",)),
    ("card", ("issued_at",)),
    ("card", ("to_login", "issued_at")),
    ("card", ("to_section", "issued_at")),
    ("card_step", ("card_key", "key")),
    # What ended late since the last look, and what has turned yellow, is found without reading every clock.
    ("clock", ("stopped_at",)),
    ("clock", ("state", "yellow_at")),
)


def index_name(table: str, names: tuple[str, ...]) -> str:
    return op.f("_".join(("ix", table, *names)))


def upgrade() -> None:
    op.create_table(
        "card",
        key("key", nullable=False),
        sa.Column("number", sa.String(length=60), nullable=False, comment="监察卡号"),
        sa.Column("rule_id", sa.String(length=60), nullable=False),
        sa.Column("rule_label", sa.String(length=200), nullable=False, comment="as the rule read when the card was issued"),
        sa.Column("kind", sa.String(length=30), nullable=False, comment="what the rule watches"),
        sa.Column("degree", sa.String(length=8), nullable=False, comment="warning, yellow or red"),
        sa.Column("subject", sa.String(length=100), nullable=False, comment="clock:KEY, task:KEY, …; with rule and degree it is the claim: a card is issued once"),
        key("case_key", nullable=False),
        key("clock_key", nullable=True),
        key("task_key", nullable=True),
        sa.Column("procedure_id", sa.String(length=255), nullable=False),
        sa.Column("to_section", sa.String(length=60), nullable=True, comment="the section it counts for"),
        sa.Column("to_login", sa.String(length=100), nullable=True, comment="the person it is issued to; empty: the section as a whole"),
        sa.Column("evidence", Document, nullable=False, comment="the rule and the version of the sheet, and the facts as packed words"),
        sa.Column("fell_due_at", Instant(), nullable=False, comment="when the fact came about"),
        sa.Column("issued_at", Instant(), nullable=False),
        sa.Column("late", sa.Boolean(), nullable=False, comment="issued well after the fact: the office's machines stood still, or the case did"),
        sa.Column("appeal_until", sa.Date(), nullable=False, comment="last office day for an appeal"),
        sa.Column("state", sa.String(length=10), nullable=False, comment="ISSUED, APPEALED, UPHELD or REVOKED; a revoked one does not count"),
        sa.Column("appealed_at", Instant(), nullable=True),
        sa.Column("appealed_by", sa.String(length=100), nullable=True),
        sa.Column("decided_at", Instant(), nullable=True),
        sa.Column("decided_by", sa.String(length=100), nullable=True),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_card")),
        sa.UniqueConstraint("number", name=op.f("uq_card_number")),
        sa.UniqueConstraint("rule_id", "subject", "degree", name=op.f("uq_card_rule_id_subject_degree")),
    )
    op.create_table(
        "card_step",
        key("key", nullable=False),
        key("card_key", nullable=False),
        sa.Column("action", sa.String(length=10), nullable=False, comment="issue, appeal, uphold or revoke"),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("actor", sa.String(length=100), nullable=True, comment="empty: the rule"),
        sa.Column("on_behalf_of", sa.String(length=100), nullable=True),
        key("attachment_key", nullable=True, comment="the paper that an appeal rests on"),
        sa.Column("at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_card_step")),
    )
    for table, names in INDEXES:
        op.create_index(index_name(table, names), table, list(names))


def downgrade() -> None:
    for table, names in INDEXES:
        if table == "clock":
            op.drop_index(index_name(table, names), table)
    op.drop_table("card_step")
    op.drop_table("card")
