"""When each epoch was, and what was written since: lineage as of a date, and an index of it that is kept current."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

# What tells when an epoch was: events, and the schema versions that were written before events had times.
_TIMES = """
INSERT INTO epochs (value, at, mark)
SELECT epoch, min(at), '' FROM (
    SELECT epoch, at FROM outbox WHERE at IS NOT NULL
    UNION ALL SELECT epoch, created_at FROM versions
    UNION ALL SELECT epoch, published_at FROM bundles
) AS told
WHERE epoch < (SELECT value FROM epoch)
GROUP BY epoch"""
_NOW = """
INSERT INTO epochs (value, at, mark)
SELECT value, (SELECT max(at) FROM (
    SELECT at FROM outbox WHERE epoch.value = outbox.epoch
    UNION ALL SELECT created_at FROM versions WHERE epoch.value = versions.epoch
    UNION ALL SELECT published_at FROM bundles WHERE epoch.value = bundles.epoch
) AS told), mark FROM epoch WHERE value > 0"""


def upgrade() -> None:
    """Add a table of epochs, with those times that something told, and indexes."""
    op.create_table(
        "epochs",
        sa.Column("value", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", sa.Text()),
        sa.Column("mark", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("value", name=op.f("pk_epochs")),
    )
    op.create_index(op.f("ix_epochs_at"), "epochs", ["at"])
    op.create_index(op.f("ix_datasets_epoch"), "datasets", ["epoch"])
    op.create_index(op.f("ix_edges_first_epoch"), "edges", ["first_epoch"])
    ended = sa.column("last_epoch").is_not(None)
    op.create_index(op.f("ix_edges_last_epoch"), "edges", ["last_epoch"], sqlite_where=ended, postgresql_where=ended)
    op.execute(_TIMES)
    op.execute(_NOW)
