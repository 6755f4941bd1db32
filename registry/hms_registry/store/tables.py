"""The tables, as this release reads and writes them. A change here comes with a migration.

Times are ISO 8601 text in UTC, documents are JSON text (`codec`), addresses compare byte by byte.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Identity,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
)

from hms_registry.domain.datasets import ABSENT as absent_states

ABSENT: Final = tuple(sorted(state.value for state in absent_states))
"""States of datasets that cannot be read, searched or listed."""

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

_LONG = BigInteger().with_variant(Integer(), "sqlite")  # SQLite's rowids are called so

epoch = Table(
    "epoch",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("value", Integer, nullable=False),
    Column("mark", Text, nullable=False, server_default=""),  # another with each commit that a reader can tell of
    CheckConstraint("id = 1", name="one_row"),
)

epochs = Table(
    "epochs",
    metadata,
    Column("value", Integer, primary_key=True, autoincrement=False),
    Column("at", Text),  # when it was committed; NULL: under a schema before 0009, by something that told no time
    # Of `epoch`, with the commit that made this one; empty under a schema before 0009, but for the last.
    Column("mark", Text, nullable=False),
    Index(None, "at"),
)

sources = Table(
    "sources",
    metadata,
    Column("name", Text, primary_key=True),
    Column("document", Text, nullable=False),
    Column("stamp", Text),
    Column("is_stale", Boolean, nullable=False),
    Column("epoch", Integer, nullable=False),  # of the last write that touched one of its datasets
)

schemas = Table(
    "schemas",
    metadata,
    Column("source", Text, ForeignKey("sources.name"), nullable=False),
    Column("schema_name", Text, nullable=False),
    Column("trino_schema", Text, nullable=False),
    PrimaryKeyConstraint("source", "schema_name"),
    UniqueConstraint("source", "trino_schema"),
)

datasets = Table(
    "datasets",
    metadata,
    Column("number", Integer, Identity(), primary_key=True),  # small, for the search tables; never leaves the store
    Column("id", Text, nullable=False, unique=True),
    Column("source", Text, ForeignKey("sources.name"), nullable=False),
    Column("schema_name", Text, nullable=False),
    Column("table_name", Text, nullable=False),
    Column("address", Text, nullable=False, unique=True),  # `str(Address)`, which is injective
    Column("trino_schema", Text, nullable=False),
    Column("trino_table", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("described", Text, nullable=False),  # what the adapter said, before its manifest
    Column("schema_hash", Text, nullable=False),
    Column("stamp", Text),
    Column("locator", Text, nullable=False),
    Column("observation", Text, nullable=False),
    Column("class_id", Integer, ForeignKey("dataset_classes.id"), nullable=False),
    Column("column_classes", Text, nullable=False),  # ids, one for each column name, in order
    Column("strictest_tier", Integer),  # what counts where an origin is unknown, see `labels`
    Column("epoch", Integer, nullable=False),
    Column("place", Text),  # `Place.path`; NULL: nobody else can look at it
    Column("store", Text),  # `Place.store`
    Column("curation", Text),  # what people stated of it at a door; NULL: nobody did
    UniqueConstraint("source", "schema_name", "table_name"),
    UniqueConstraint("source", "trino_schema", "trino_table"),
    Index(None, "class_id"),
    Index(None, "source", "strictest_tier"),
    Index(None, "place"),
    Index(None, "epoch"),
)

versions = Table(
    "versions",
    metadata,
    Column("dataset_id", Text, ForeignKey("datasets.id"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("document", Text, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("created_at", Text, nullable=False),
    PrimaryKeyConstraint("dataset_id", "number"),
)

departed_columns = Table(
    "departed_columns",
    metadata,
    Column("dataset_id", Text, ForeignKey("datasets.id"), nullable=False),
    Column("version", Integer, nullable=False),  # the first that did not have it any more
    Column("name", Text, nullable=False),  # `codec.exact`
    Column("column_class_id", Integer, ForeignKey("column_classes.id"), nullable=False),  # its last
    PrimaryKeyConstraint("dataset_id", "version", "name"),
)

profiles = Table(
    "profiles",
    metadata,
    Column("dataset_id", Text, ForeignKey("datasets.id"), primary_key=True),
    Column("document", Text, nullable=False),
    Column("stamp", Text),  # of the dataset, and of its content, when it was profiled
    Column("content_stamp", Text),
    Column("version", Integer, nullable=False),
    Column("column_classes", Text, nullable=False),  # of the dataset, when it was decided which values to keep
    Column("at", Text, nullable=False),
)

manifests = Table(
    "manifests",
    metadata,
    Column("address", Text, primary_key=True),
    Column("document", Text, nullable=False),
    Column("epoch", Integer, nullable=False),
)

edges = Table(
    "edges",
    metadata,
    Column("id", Integer, Identity(), primary_key=True),
    Column("upstream", Text, ForeignKey("datasets.id"), nullable=False),
    Column("downstream", Text, ForeignKey("datasets.id"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("upstream_column", Text),
    Column("downstream_column", Text),
    Column("origin", Text, nullable=False),
    Column("first_epoch", Integer, nullable=False),
    Column("last_epoch", Integer),  # the last one at which it held; NULL = it holds
    Index(None, "upstream", "kind"),
    Index(None, "downstream", "kind"),
    Index(None, "first_epoch"),
    # Of ended edges alone, as migration 0009 makes it: to say so here would import PostgreSQL's dialect for everybody.
    Index(None, "last_epoch"),
)

unknown_origins = Table(
    "unknown_origins",
    metadata,
    Column("dataset_id", Text, ForeignKey("datasets.id"), nullable=False),
    Column("origin", Text, nullable=False),
    PrimaryKeyConstraint("dataset_id", "origin"),
)

dataset_classes = Table(
    "dataset_classes",
    metadata,
    Column("id", Integer, Identity(), primary_key=True),
    Column("digest", Text, nullable=False, unique=True),
    Column("labels", Text, nullable=False),
)

column_classes = Table(
    "column_classes",
    metadata,
    Column("id", Integer, Identity(), primary_key=True),
    Column("dataset_class_id", Integer, ForeignKey("dataset_classes.id"), nullable=False),
    Column("digest", Text, nullable=False),
    Column("labels", Text, nullable=False),
    UniqueConstraint("dataset_class_id", "digest"),
)

search_reaches = Table(
    "search_reaches",
    metadata,
    Column("id", Integer, Identity(), primary_key=True),
    Column("classes", Text, nullable=False, unique=True),  # [class of the dataset, [[column classes of a slot], ...]]
)

search_documents = Table(
    "search_documents",
    metadata,
    Column("key", _LONG, primary_key=True, autoincrement=False),  # see `keys`: in the order of rank
    Column("dataset_number", Integer, ForeignKey("datasets.number"), nullable=False, unique=True),
    Column("reach_id", Integer, ForeignKey("search_reaches.id"), nullable=False),
    Column("name", Text, nullable=False),  # these and the others: see `documents`
    Column("own", Text),
    *(Column(f"c{slot}", Text) for slot in range(8)),
    Index(None, "reach_id"),
)

search_names = Table(
    "search_names",
    metadata,
    Column("id", Integer, Identity(), primary_key=True),
    Column("dataset_number", Integer, ForeignKey("datasets.number"), nullable=False),
    Column("folded", Text, nullable=False),  # a name that people write for the whole dataset, case-folded
    Index(None, "dataset_number"),
    Index(None, "folded"),
)

search_words = Table(
    "search_words",
    metadata,
    Column("word", Text, primary_key=True),  # a word of documents, see `vocabulary`
    Column("size", Integer, nullable=False),
    Column("first", Text, nullable=False),  # its first letter, and its last
    Column("last", Text, nullable=False),
    Index(None, "first", "size"),
    Index(None, "last", "size"),
)

crawls = Table(
    "crawls",
    metadata,
    Column("id", Integer, Identity(), primary_key=True),
    Column("source", Text, ForeignKey("sources.name"), nullable=False),
    Column("state", Text, nullable=False),
    Column("lease", Integer, nullable=False),
    Column("lease_until", Text, nullable=False),
    Column("started_at", Text, nullable=False),
    Column("finished_at", Text),
    Column("balance", Text),
    Column("error", Text, nullable=False),
    Column("holder", Text),  # the process that runs it, as `holders` names it
    UniqueConstraint("source", "lease"),
    Index(None, "source", "state", "finished_at"),
)

crawl_failures = Table(
    "crawl_failures",
    metadata,
    Column("crawl_id", Integer, ForeignKey("crawls.id"), nullable=False),
    Column("position", Integer, nullable=False),
    Column("subject", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("address", Text),
    PrimaryKeyConstraint("crawl_id", "position"),
)

bundles = Table(
    "bundles",
    metadata,
    Column("id", Integer, Identity(), primary_key=True),
    Column("digest", Text, nullable=False),
    Column("author", Text, nullable=False),
    Column("files", Text, nullable=False),
    Column("mentions", Text, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("published_at", Text, nullable=False),
)

audit = Table(
    "audit",
    metadata,
    Column("id", Integer, Identity(), primary_key=True),
    Column("at", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("auth_method", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("detail", Text, nullable=False),
)

proofs = Table(
    "proofs",
    metadata,
    Column("query_id", Text, primary_key=True),  # as the engine that ran it names it
    Column("at", Text, nullable=False),  # when it began, by the clock of that engine
    Column("verdict", Text, nullable=False),
    Column("document", Text, nullable=False),
    Index(None, "verdict", "at"),
)

outbox = Table(
    "outbox",
    metadata,
    Column("epoch", Integer, nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("kind", Text, nullable=False),
    Column("dataset_id", Text),
    Column("payload", Text, nullable=False),
    Column("at", Text),  # NULL: written under schema 0001
    PrimaryKeyConstraint("epoch", "sequence"),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("receiver", Text, primary_key=True),  # name of a webhook
    Column("epoch", Integer, nullable=False),  # of the last event that it took, or that it may not see
    Column("sequence", Integer, nullable=False),
    Column("lease", Integer, nullable=False),
    Column("lease_until", Text, nullable=False),
    Column("holder", Text),  # the process that delivers, as `holders` names it
)

jobs = Table(
    "jobs",
    metadata,
    Column("id", Integer, Identity(), primary_key=True),
    Column("digest", Text, nullable=False, unique=True),  # of namespace and name, which an index may not hold
    Column("namespace", Text, nullable=False),
    Column("name", Text, nullable=False),
)

runs = Table(
    "runs",
    metadata,
    Column("id", Integer, Identity(), primary_key=True),
    Column("job_id", Integer, ForeignKey("jobs.id"), nullable=False),
    Column("digest", Text, nullable=False),  # of what the job calls it
    Column("run_id", Text, nullable=False),  # `codec.exact`; empty: what is said of the job without a run
    Column("latest_at", Text, nullable=False),  # of its events
    Column("document", Text, nullable=False),  # see `run_documents`
    UniqueConstraint("job_id", "digest"),
    Index(None, "job_id", "latest_at"),
    Index(None, "latest_at"),
)

outer_names = Table(
    "outer_names",
    metadata,
    Column("id", Integer, Identity(), primary_key=True),
    Column("digest", Text, nullable=False, unique=True),
    Column("namespace", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("dataset_id", Text, ForeignKey("datasets.id")),  # what it names here; NULL: nothing that is registered
    Index(None, "dataset_id"),
)

outer_name_keys = Table(
    "outer_name_keys",
    metadata,
    Column("key", Text, nullable=False),  # a digest of what a dataset must have to be meant, see `outer_names`
    Column("name_id", Integer, ForeignKey("outer_names.id"), nullable=False),
    PrimaryKeyConstraint("key", "name_id"),
)

run_ends = Table(
    "run_ends",
    metadata,
    Column("run_id", Integer, ForeignKey("runs.id"), nullable=False),
    Column("name_id", Integer, ForeignKey("outer_names.id"), nullable=False),
    PrimaryKeyConstraint("run_id", "name_id"),
    Index(None, "name_id"),
)

job_outputs = Table(
    "job_outputs",
    metadata,
    Column("job_id", Integer, ForeignKey("jobs.id"), nullable=False),
    Column("name_id", Integer, ForeignKey("outer_names.id"), nullable=False),
    Column("at", Text, nullable=False),  # of the latest event of the run that counts
    Column("run", Text, nullable=False),  # the digest of that run: the order of two at one time
    Column("explained", Text, nullable=False),  # the columns of which it says what they come from
    Column("anew_at", Text),  # when the job last made it anew
    PrimaryKeyConstraint("job_id", "name_id"),
    Index(None, "name_id"),
)

flows = Table(
    "flows",
    metadata,
    Column("job_id", Integer, ForeignKey("jobs.id"), nullable=False),
    Column("output_id", Integer, ForeignKey("outer_names.id"), nullable=False),
    Column("input_id", Integer, ForeignKey("outer_names.id"), nullable=False),
    Column("current", Text, nullable=False),  # pairs of columns that the run that counts states
    Column("past", Text, nullable=False),  # those that only earlier ones stated
    PrimaryKeyConstraint("job_id", "output_id", "input_id"),
    Index(None, "output_id"),
    Index(None, "input_id"),
)

bearer_tokens = Table(
    "bearer_tokens",
    metadata,
    Column("id", Text, primary_key=True),
    Column("digest", Text, nullable=False, unique=True),  # SHA-256 of the token, which is not kept
    Column("subject", Text, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("made_by", Text, nullable=False),  # the login that made it
    Column("made_at", Text, nullable=False),
    Column("ends_at", Text, nullable=False),
    Column("revoked_at", Text),
)

trino_catalogs = Table(
    "trino_catalogs",
    metadata,
    Column("name", Text, primary_key=True),  # of a source, and of the catalog that was made of it by statements
    Column("definition", Text, nullable=False),  # a digest: what tells one definition from another
)
