"""Search looks into one document a dataset, where it looked into an entry for each part and class."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import context, op

revision = "0010"
down_revision = "0009"

_BEFORE = {
    "sqlite": ("DROP TABLE IF EXISTS search_index", "DROP TABLE IF EXISTS name_index"),
    "postgresql": ("DROP INDEX IF EXISTS ix_search_names_pieces", "DROP FUNCTION IF EXISTS name_pieces(text)"),
}


def upgrade() -> None:
    """Make the tables anew, empty: what search knows is derived, and `upgrade` derives it again."""
    for statement in _BEFORE[op.get_bind().dialect.name]:
        op.execute(sa.text(statement))
    op.drop_table("search_entries")
    op.create_table(
        "search_reaches",
        sa.Column("id", sa.Integer(), sa.Identity(), nullable=False),
        sa.Column("classes", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_search_reaches")),
        sa.UniqueConstraint("classes", name=op.f("uq_search_reaches_classes")),
    )
    op.create_table(
        "search_documents",
        sa.Column("key", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("dataset_number", sa.Integer(), nullable=False),
        sa.Column("reach_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("own", sa.Text(), nullable=True),
        *(sa.Column(f"c{slot}", sa.Text(), nullable=True) for slot in range(8)),
        sa.ForeignKeyConstraint(
            ["dataset_number"], ["datasets.number"], name=op.f("fk_search_documents_dataset_number")
        ),
        sa.ForeignKeyConstraint(["reach_id"], ["search_reaches.id"], name=op.f("fk_search_documents_reach_id")),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_search_documents")),
        sa.UniqueConstraint("dataset_number", name=op.f("uq_search_documents_dataset_number")),
    )
    op.create_index(op.f("ix_search_documents_reach_id"), "search_documents", ["reach_id"], unique=False)
    for statement in context.config.attributes["dialect"].search_indexes:
        op.execute(sa.text(statement))
