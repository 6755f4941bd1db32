"""The catalogue's first tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create every table; the search indexes are made by 0010, for the tables that it makes."""
    op.create_table(
        "audit",
        sa.Column("id", sa.Integer(), sa.Identity(), nullable=False),
        sa.Column("at", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("auth_method", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
    )
    op.create_table(
        "bundles",
        sa.Column("id", sa.Integer(), sa.Identity(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("files", sa.Text(), nullable=False),
        sa.Column("mentions", sa.Text(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("published_at", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bundles")),
    )
    op.create_table(
        "dataset_classes",
        sa.Column("id", sa.Integer(), sa.Identity(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("labels", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dataset_classes")),
        sa.UniqueConstraint("digest", name=op.f("uq_dataset_classes_digest")),
    )
    op.create_table(
        "epoch",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("value", sa.Integer(), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_epoch_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_epoch")),
    )
    op.create_table(
        "manifests",
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("address", name=op.f("pk_manifests")),
    )
    op.create_table(
        "outbox",
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("dataset_id", sa.Text(), nullable=True),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("epoch", "sequence", name=op.f("pk_outbox")),
    )
    op.create_table(
        "sources",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("stamp", sa.Text(), nullable=True),
        sa.Column("is_stale", sa.Boolean(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_sources")),
    )
    op.create_table(
        "column_classes",
        sa.Column("id", sa.Integer(), sa.Identity(), nullable=False),
        sa.Column("dataset_class_id", sa.Integer(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("labels", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["dataset_class_id"], ["dataset_classes.id"], name=op.f("fk_column_classes_dataset_class_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_column_classes")),
        sa.UniqueConstraint("dataset_class_id", "digest", name=op.f("uq_column_classes_dataset_class_id_digest")),
    )
    op.create_table(
        "crawls",
        sa.Column("id", sa.Integer(), sa.Identity(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("lease", sa.Integer(), nullable=False),
        sa.Column("lease_until", sa.Text(), nullable=False),
        sa.Column("started_at", sa.Text(), nullable=False),
        sa.Column("finished_at", sa.Text(), nullable=True),
        sa.Column("balance", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["source"], ["sources.name"], name=op.f("fk_crawls_source")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_crawls")),
        sa.UniqueConstraint("source", "lease", name=op.f("uq_crawls_source_lease")),
    )
    op.create_index(
        op.f("ix_crawls_source_state_finished_at"), "crawls", ["source", "state", "finished_at"], unique=False
    )
    op.create_table(
        "datasets",
        sa.Column("number", sa.Integer(), sa.Identity(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("schema_name", sa.Text(), nullable=False),
        sa.Column("table_name", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("trino_schema", sa.Text(), nullable=False),
        sa.Column("trino_table", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("described", sa.Text(), nullable=False),
        sa.Column("schema_hash", sa.Text(), nullable=False),
        sa.Column("stamp", sa.Text(), nullable=True),
        sa.Column("locator", sa.Text(), nullable=False),
        sa.Column("observation", sa.Text(), nullable=False),
        sa.Column("class_id", sa.Integer(), nullable=False),
        sa.Column("column_classes", sa.Text(), nullable=False),
        sa.Column("strictest_tier", sa.Integer(), nullable=True),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["class_id"], ["dataset_classes.id"], name=op.f("fk_datasets_class_id")),
        sa.ForeignKeyConstraint(["source"], ["sources.name"], name=op.f("fk_datasets_source")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_datasets")),
        sa.UniqueConstraint("address", name=op.f("uq_datasets_address")),
        sa.UniqueConstraint("id", name=op.f("uq_datasets_id")),
        sa.UniqueConstraint(
            "source", "schema_name", "table_name", name=op.f("uq_datasets_source_schema_name_table_name")
        ),
        sa.UniqueConstraint(
            "source", "trino_schema", "trino_table", name=op.f("uq_datasets_source_trino_schema_trino_table")
        ),
    )
    op.create_index(op.f("ix_datasets_class_id"), "datasets", ["class_id"], unique=False)
    op.create_index(op.f("ix_datasets_source_strictest_tier"), "datasets", ["source", "strictest_tier"], unique=False)
    op.create_table(
        "schemas",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("schema_name", sa.Text(), nullable=False),
        sa.Column("trino_schema", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["source"], ["sources.name"], name=op.f("fk_schemas_source")),
        sa.PrimaryKeyConstraint("source", "schema_name", name=op.f("pk_schemas")),
        sa.UniqueConstraint("source", "trino_schema", name=op.f("uq_schemas_source_trino_schema")),
    )
    op.create_table(
        "crawl_failures",
        sa.Column("crawl_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["crawl_id"], ["crawls.id"], name=op.f("fk_crawl_failures_crawl_id")),
        sa.PrimaryKeyConstraint("crawl_id", "position", name=op.f("pk_crawl_failures")),
    )
    op.create_table(
        "edges",
        sa.Column("id", sa.Integer(), sa.Identity(), nullable=False),
        sa.Column("upstream", sa.Text(), nullable=False),
        sa.Column("downstream", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("upstream_column", sa.Text(), nullable=True),
        sa.Column("downstream_column", sa.Text(), nullable=True),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("first_epoch", sa.Integer(), nullable=False),
        sa.Column("last_epoch", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["downstream"], ["datasets.id"], name=op.f("fk_edges_downstream")),
        sa.ForeignKeyConstraint(["upstream"], ["datasets.id"], name=op.f("fk_edges_upstream")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_edges")),
    )
    op.create_index(op.f("ix_edges_downstream_kind"), "edges", ["downstream", "kind"], unique=False)
    op.create_index(op.f("ix_edges_upstream_kind"), "edges", ["upstream", "kind"], unique=False)
    op.create_table(
        "search_entries",
        sa.Column("id", sa.Integer(), sa.Identity(), nullable=False),
        sa.Column("dataset_number", sa.Integer(), nullable=False),
        sa.Column("part", sa.Integer(), nullable=False),
        sa.Column("column_class_id", sa.Integer(), nullable=True),
        sa.Column("text", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["column_class_id"], ["column_classes.id"], name=op.f("fk_search_entries_column_class_id")
        ),
        sa.ForeignKeyConstraint(["dataset_number"], ["datasets.number"], name=op.f("fk_search_entries_dataset_number")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_search_entries")),
    )
    op.create_index(op.f("ix_search_entries_column_class_id"), "search_entries", ["column_class_id"], unique=False)
    op.create_index(op.f("ix_search_entries_dataset_number"), "search_entries", ["dataset_number"], unique=False)
    op.create_table(
        "search_names",
        sa.Column("id", sa.Integer(), sa.Identity(), nullable=False),
        sa.Column("dataset_number", sa.Integer(), nullable=False),
        sa.Column("folded", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["dataset_number"], ["datasets.number"], name=op.f("fk_search_names_dataset_number")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_search_names")),
    )
    op.create_index(op.f("ix_search_names_dataset_number"), "search_names", ["dataset_number"], unique=False)
    op.create_index(op.f("ix_search_names_folded"), "search_names", ["folded"], unique=False)
    op.create_table(
        "unknown_origins",
        sa.Column("dataset_id", sa.Text(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["dataset_id"], ["datasets.id"], name=op.f("fk_unknown_origins_dataset_id")),
        sa.PrimaryKeyConstraint("dataset_id", "origin", name=op.f("pk_unknown_origins")),
    )
    op.create_table(
        "versions",
        sa.Column("dataset_id", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["dataset_id"], ["datasets.id"], name=op.f("fk_versions_dataset_id")),
        sa.PrimaryKeyConstraint("dataset_id", "number", name=op.f("pk_versions")),
    )
    op.execute("INSERT INTO epoch (id, value) VALUES (1, 0)")
