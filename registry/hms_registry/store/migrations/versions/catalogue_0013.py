"""The words of documents, so that one that is mistyped finds them; what is deprecated comes last."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Make the table, empty: `upgrade` derives it, and the keys of documents, again."""
    op.create_table(
        "search_words",
        sa.Column("word", sa.Text(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("first", sa.Text(), nullable=False),
        sa.Column("last", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("word", name=op.f("pk_search_words")),
    )
    op.create_index(op.f("ix_search_words_first_size"), "search_words", ["first", "size"], unique=False)
    op.create_index(op.f("ix_search_words_last_size"), "search_words", ["last", "size"], unique=False)
