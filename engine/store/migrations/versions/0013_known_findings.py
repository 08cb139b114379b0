"""the findings that the author of a submission knew and accepted"""

import sqlalchemy as sa
from alembic import op

from engine.store.types import Document

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "design_submission",
        sa.Column("findings", Document, nullable=True, comment="warnings that its author accepted, as packed problems; empty: of before they were kept"),
    )


def downgrade() -> None:
    op.drop_column("design_submission", "findings")
