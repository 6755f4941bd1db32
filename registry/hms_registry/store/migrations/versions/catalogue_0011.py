"""What engines that are not ours told of their queries, and what was found of each."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Add a table; nobody was told anything yet."""
    op.create_table(
        "proofs",
        sa.Column("query_id", sa.Text(), nullable=False),
        sa.Column("at", sa.Text(), nullable=False),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("query_id", name=op.f("pk_proofs")),
    )
    op.create_index(op.f("ix_proofs_verdict_at"), "proofs", ["verdict", "at"], unique=False)
