"""FOR VERSION AS OF: the rows of the last crawl, out of a bucket that keeps versions, under the policy of today."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from governed import STEWARD, crawl_sources, publish_policies
from hms_registry.bootstrap import Registry
from hms_registry.errors import AccessDenied, HmsError, SqlRefused, VersionNotFound, VersionNotReadable
from hms_registry.home import make_home
from services.seaweedfs import SECRET, Bucket

TOLLS, NOTES = "lake.port.tolls", "notes.public.notes"
POLICY = """
# What a ship carries is its own affair.
mask(p: Principal, column: Column, "redact") if column.name = "ship" and not "steward" in p.roles;

# Analysts see heavy ships.
row_filter(p: Principal, d: Dataset, "tons > 15") if d.source = "lake" and not "steward" in p.roles;
"""


@pytest.fixture
def registry(bucket: Bucket, tmp_path: Path) -> Iterator[Registry]:
    """A bucket that keeps versions, and a folder that does not."""
    bucket.keep_versions()
    bucket.put({"port/tolls.csv": b"ship,tons\nAlma,10\nBerta,20\n"})
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "notes.csv").write_text("n,t\n1,x\n2,y\n")
    (tmp_path / "sources.yml").write_text(
        f"sources:\n  notes: {{url: 'file:notes', privacy_tier: PUBLIC}}\n"
        f"  lake: {{url: 's3://{bucket.name}', privacy_tier: PUBLIC, options: {{endpoint: '{bucket.endpoint}',"
        " access_key: '${S3_KEY}', secret_key: '${S3_SECRET}'}}\n"
    )
    make_home(tmp_path, steward=STEWARD)
    (tmp_path / "policies" / "ships.polar").write_text(POLICY)
    environ = {**os.environ, "S3_KEY": bucket.reader, "S3_SECRET": SECRET}
    with Registry(tmp_path, environ=environ) as opened:
        publish_policies(opened)
        crawl_sources(opened)
        yield opened


def rows(registry: Registry, sql: str, who: str = "role:steward") -> list[tuple[object, ...]]:
    with registry.sql.ask(sql, principal=registry.principal(who)) as answer:
        return [row for batch in answer for row in zip(*(c.to_pylist() for c in batch.columns), strict=True)]


def test_a_version_is_read_as_its_last_crawl_saw_it(registry: Registry, bucket: Bucket) -> None:
    """An object that was replaced is read in the version that was crawled, beside the one of now."""
    bucket.put({"port/tolls.csv": b"ship,tons\nCora,30\n"})

    assert rows(registry, f"SELECT ship FROM {TOLLS}") == [("Cora",)]
    assert rows(registry, f"SELECT ship FROM {TOLLS} FOR VERSION AS OF 1 ORDER BY ship") == [("Alma",), ("Berta",)]
    both = f"SELECT o.ship, n.ship FROM {TOLLS} FOR VERSION AS OF 1 AS o JOIN {TOLLS} AS n ON n.tons = o.tons + 10"
    assert rows(registry, both) == [("Berta", "Cora")]

    bucket.delete("port/tolls.csv")
    assert len(rows(registry, f"SELECT ship FROM {TOLLS} FOR VERSION AS OF 1")) == 2


def test_the_policy_of_today_is_applied_to_old_rows(registry: Registry, bucket: Bucket) -> None:
    """Filters and masks are those of the dataset; what is told of the query names the version."""
    bucket.put({"port/tolls.csv": b"ship,tons\nCora,30\n"})
    sql = f"SELECT ship, tons FROM {TOLLS} FOR VERSION AS OF 1 AS t"

    assert rows(registry, sql, "role:analyst") == [("***", 20)]

    explained = registry.sql.explain(sql, principal=registry.principal("role:analyst"))
    assert f"FROM {TOLLS} FOR VERSION AS OF 1 WHERE" in explained.governed_sql


def test_a_version_whose_columns_have_changed_since_is_not_read(registry: Registry, bucket: Bucket) -> None:
    """Its columns may hold what no label of today covers; the catalogue keeps no pin of it either."""
    bucket.put({"port/tolls.csv": b"ship,tons,master\nCora,30,Dora\n"})
    crawl_sources(registry)

    with pytest.raises(VersionNotReadable) as caught:
        rows(registry, f"SELECT ship FROM {TOLLS} FOR VERSION AS OF 1")

    assert caught.value.message == f"no copy of version 1 of {TOLLS} is known any more"
    assert caught.value.hint == "read it without a version, or its current one: FOR VERSION AS OF 2"
    assert rows(registry, f"SELECT master FROM {TOLLS} FOR VERSION AS OF 2") == [("Dora",)]


@pytest.mark.parametrize(
    ("table", "kind", "message"),
    [
        (f"{TOLLS} FOR VERSION AS OF 2", VersionNotFound, f"{TOLLS} has no version 2"),
        (f"{TOLLS} FOR VERSION AS OF 0", VersionNotFound, f"{TOLLS} has no version 0"),
        (f"{NOTES} FOR VERSION AS OF 1", VersionNotReadable, f"the store keeps no copy of {NOTES} as it was crawled"),
        (f"{TOLLS} FOR VERSION AS OF '1'", SqlRefused, "old content is named by the number of a version"),
        (f"{TOLLS} FOR VERSION AS OF 1 + 0", SqlRefused, "old content is named by the number of a version"),
        (f"{TOLLS} FOR VERSION AS OF 99999999999", SqlRefused, "old content is named by the number of a version"),
        (f"{TOLLS} FOR TIMESTAMP AS OF current_timestamp", SqlRefused, "old content is named by"),
    ],
)
def test_what_is_no_version_that_can_be_read_says_so(
    registry: Registry, table: str, kind: type[HmsError], message: str
) -> None:
    """A pin is never taken from a query: it could name what is not the dataset's."""
    with pytest.raises(kind) as caught:
        rows(registry, f"SELECT * FROM {table}")

    assert message in caught.value.message
    assert caught.value.hint


def test_who_may_not_read_a_dataset_learns_nothing_of_its_versions(registry: Registry) -> None:
    """The decision comes first."""
    asked = [f"SELECT 1 AS x FROM {TOLLS} FOR VERSION AS OF {number}" for number in (1, 7)]
    (registry.home / "policies" / "no.polar").write_text(  # type: ignore[operator] # it has one
        'deny(p: Principal, "read", d: Dataset) if d.source = "lake" and not "steward" in p.roles;\n'
    )
    publish_policies(registry)

    told = []
    for sql in asked:
        with pytest.raises(AccessDenied) as caught:
            rows(registry, sql, "role:analyst")
        told.append(caught.value.message)

    assert told[0] == told[1]
