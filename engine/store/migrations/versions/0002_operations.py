"""operations: suspended definitions, resolved incidents, variable history, removal dates, batches

New columns only, all with a default or empty, so that what an older release has stored stays as it is.
"""

import sqlalchemy as sa
from alembic import op

from engine.store.types import Document, Instant

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def key(name: str, **kwargs) -> sa.Column:
    return sa.Column(name, sa.BigInteger(), autoincrement=False, **kwargs)


def columns() -> dict[str, tuple[sa.Column, ...]]:
    """The new columns of the tables that stand already."""
    return {
        "definition": (
            sa.Column("suspended_at", Instant(), nullable=True, comment="since when it starts nothing; empty: it may start"),
            sa.Column(
                "revision",
                sa.Integer(),
                nullable=False,
                server_default=sa.text("1"),
                comment="raised by each change of the row, so that other nodes notice it",
            ),
        ),
        "instance": (
            sa.Column("removal_at", Instant(), nullable=True, comment="when the clean-up may delete it with its history; empty: kept for ever"),
            sa.Column("correlation_key", sa.String(length=255), nullable=True, comment="of the message that started it"),
        ),
        "job": (
            sa.Column("attempts", sa.Integer(), nullable=False, server_default=sa.text("0"), comment="how often a worker has had it"),
        ),
        "incident": (
            key("job_key", nullable=True, comment="the job that has no retries left; empty: the element itself failed"),
            sa.Column("details", Document, nullable=True, comment="stack of call activities and scopes, cause, expression and the values it saw"),
            sa.Column("resolved_by", sa.String(length=100), nullable=True),
        ),
    }


INDEXES = (
    ("instance", ("removal_at",)),
    ("incident", ("resolved_at", "key")),
    ("message_start", ("instance_key",)),
    ("variable_change", ("instance_key", "key")),
    ("variable_change", ("root_key",)),
    ("batch", ("state", "key")),
    ("batch_item", ("batch_key", "state")),
)


def index_name(table: str, names: tuple[str, ...]) -> str:
    return op.f("_".join(("ix", table, *names)))


def upgrade() -> None:
    op.create_table(
        "message_start",
        sa.Column("process_id", sa.String(length=255), nullable=False),
        sa.Column("correlation_key", sa.String(length=255), nullable=False, comment="one running instance a key: this row is the claim"),
        key("instance_key", nullable=False),
        sa.PrimaryKeyConstraint("process_id", "correlation_key", name=op.f("pk_message_start")),
    )
    op.create_table(
        "data_store",
        sa.Column("name", sa.String(length=255), nullable=False, comment="of the BPMN data store; shared by all instances"),
        sa.Column("value", Document, nullable=True),
        sa.Column("changed_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_data_store")),
    )
    op.create_table(
        "variable_change",
        key("key", nullable=False),
        key("instance_key", nullable=False),
        key("root_key", nullable=False),
        sa.Column("scope", sa.String(length=255), nullable=False, comment="element id of the scope; empty: the process instance"),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", Document, nullable=True, comment="what it became; written at history level “full” only"),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("by", sa.String(length=100), nullable=True),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_variable_change")),
    )
    op.create_table(
        "batch",
        key("key", nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False, comment="migrate, cancel, retry, suspend, resume or delete"),
        sa.Column("state", sa.String(length=10), nullable=False, comment="RUNNING, DONE or CANCELED"),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("failed", sa.Integer(), nullable=False),
        sa.Column("parameters", Document, nullable=False, comment="what is done to each instance, and why"),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("created_by", sa.String(length=100), nullable=True),
        sa.Column("ended_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_batch")),
    )
    op.create_table(
        "batch_item",
        key("batch_key", nullable=False),
        key("instance_key", nullable=False),
        sa.Column("state", sa.String(length=6), nullable=False, comment="OPEN, DONE or FAILED"),
        sa.Column("message", sa.Text(), nullable=True, comment="why it failed"),
        sa.PrimaryKeyConstraint("batch_key", "instance_key", name=op.f("pk_batch_item")),
    )
    for table, new in columns().items():
        for column in new:
            op.add_column(table, column)
    if op.get_bind().dialect.name != "sqlite":
        op.alter_column("subscription", "kind", comment="message, signal or condition", existing_comment="message or signal")
    for table, names in INDEXES:
        op.create_index(index_name(table, names), table, list(names), unique=False)


def downgrade() -> None:
    for table, names in reversed(INDEXES):
        op.drop_index(index_name(table, names), table_name=table)
    if op.get_bind().dialect.name != "sqlite":
        op.alter_column("subscription", "kind", comment="message or signal", existing_comment="message, signal or condition")
    for table, new in columns().items():
        with op.batch_alter_table(table) as batch_op:
            for column in new:
                batch_op.drop_column(column.name)
    for table in ("batch_item", "batch", "variable_change", "data_store", "message_start"):
        op.drop_table(table)
