"""What tells one state of the catalogue from every other, also where a backup was restored and written on."""

from __future__ import annotations

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add the column, and mark the state that is there."""
    op.add_column("epoch", sa.Column("mark", sa.Text(), nullable=False, server_default=""))
    op.execute(sa.text("UPDATE epoch SET mark = :mark").bindparams(mark=secrets.token_hex(16)))
