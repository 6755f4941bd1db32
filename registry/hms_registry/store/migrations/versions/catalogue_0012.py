<<<<<<< HEAD
"""The words of documents, so that one that is mistyped finds them; what is deprecated comes last."""
=======
"""Catalogs that were made in Trino by statements are known again: Trino tells nothing of a catalog but its name."""
>>>>>>> main

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
<<<<<<< HEAD
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
=======
    """Make the table, empty."""
    op.create_table(
        "trino_catalogs",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("definition", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_trino_catalogs")),
    )
>>>>>>> main
