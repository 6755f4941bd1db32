"""What a crawl that profiles keeps of each dataset, apart from its versions."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add a table; what is there stays as it is."""
    op.create_table(
        "profiles",
        sa.Column("dataset_id", sa.Text(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("stamp", sa.Text()),
        sa.Column("content_stamp", sa.Text()),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("column_classes", sa.Text(), nullable=False),
        sa.Column("at", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["dataset_id"], ["datasets.id"], name=op.f("fk_profiles_dataset_id")),
        sa.PrimaryKeyConstraint("dataset_id", name=op.f("pk_profiles")),
    )
