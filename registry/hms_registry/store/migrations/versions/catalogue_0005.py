"""Which process holds a lease."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add columns; of the leases that are held, nobody knows by whom."""
    op.add_column("crawls", sa.Column("holder", sa.Text()))
    op.add_column("deliveries", sa.Column("holder", sa.Text()))
