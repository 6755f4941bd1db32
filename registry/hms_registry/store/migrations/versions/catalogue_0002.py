"""What a history and a feed need beside the first tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add tables and columns; what is there stays as it is."""
    op.create_table(
        "departed_columns",
        sa.Column("dataset_id", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("column_class_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["dataset_id"], ["datasets.id"], name=op.f("fk_departed_columns_dataset_id")),
        sa.ForeignKeyConstraint(
            ["column_class_id"], ["column_classes.id"], name=op.f("fk_departed_columns_column_class_id")
        ),
        sa.PrimaryKeyConstraint("dataset_id", "version", "name", name=op.f("pk_departed_columns")),
    )
    op.add_column("outbox", sa.Column("at", sa.Text()))
    op.create_table(
        "deliveries",
        sa.Column("receiver", sa.Text(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("lease", sa.Integer(), nullable=False),
        sa.Column("lease_until", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("receiver", name=op.f("pk_deliveries")),
    )
