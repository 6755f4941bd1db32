"""What people state of datasets at a door."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Add a column; of what is there, nobody stated anything yet."""
    op.add_column("datasets", sa.Column("curation", sa.Text()))
