"""runs of a draft's scenarios in the background, and why a publication failed in the reader's language"""

import sqlalchemy as sa
from alembic import op

from engine.store.types import Document, Instant

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def key(name: str, **kwargs) -> sa.Column:
    return sa.Column(name, sa.BigInteger(), autoincrement=False, **kwargs)


INDEXES = (("design_run", ("draft_key",)), ("design_run", ("state",)))


def index_name(table: str, names: tuple[str, ...]) -> str:
    return op.f("_".join(("ix", table, *names)))


def upgrade() -> None:
    op.create_table(
        "design_run",
        key("key", nullable=False),
        key("draft_key", nullable=False),
        sa.Column("open_draft", sa.String(length=30), nullable=True, comment="key of the draft until the run has ended; two runs of one draft collide"),
        sa.Column("revision", sa.Integer(), nullable=False, comment="the draft's revision when it was asked for"),
        sa.Column("state", sa.String(length=10), nullable=False, comment="QUEUED, RUNNING, DONE, CANCELED or BROKEN"),
        sa.Column("total", sa.Integer(), nullable=False, comment="scenarios to play"),
        sa.Column("done", sa.Integer(), nullable=False, comment="scenarios played so far"),
        sa.Column("failed", sa.Integer(), nullable=False, comment="how many of those failed"),
        sa.Column("present", sa.String(length=300), nullable=False, comment="title of the scenario that is being played"),
        sa.Column("results", Document, nullable=False, comment="how each scenario went, with what it visited"),
        sa.Column(
            "content_sum",
            sa.String(length=64),
            nullable=True,
            comment="SHA-256 of the files and of the office they were played in; empty: the office changed under the run",
        ),
        sa.Column("following", Document, nullable=True, comment="what is done with the results: submit, approve or publish, with its values; empty: nothing"),
        sa.Column("outcome", Document, nullable=True, comment="what became of that"),
        sa.Column("asked_by", sa.String(length=100), nullable=False),
        sa.Column("asked_at", Instant(), nullable=False),
        sa.Column("address", sa.String(length=100), nullable=True, comment="where it was asked from"),
        sa.Column("node", sa.String(length=60), nullable=True, comment="the process that plays it"),
        sa.Column("attempts", sa.Integer(), nullable=False, comment="how often a node began it; also the claim of the present one"),
        sa.Column("seen_at", Instant(), nullable=True, comment="the last sign of life of that node"),
        sa.Column("ended_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_design_run")),
        sa.UniqueConstraint("open_draft", name=op.f("uq_design_run_open_draft")),
    )
    for table, names in INDEXES:
        op.create_index(index_name(table, names), table, list(names))
    op.add_column("design_submission", sa.Column("failure", Document, nullable=True, comment="why it could not be published, as packed words"))


def downgrade() -> None:
    op.drop_column("design_submission", "failure")
    op.drop_table("design_run")
