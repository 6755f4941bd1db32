"""What a crawl does for profiles, counted: nothing where none is wanted, and little where they are."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sqlalchemy import event

from hms_files import FilesAdapter, FilesConfig
from hms_registry.domain.columns import PrivacyTier
from hms_registry.domain.crawls import Failure
from hms_registry.domain.profiles import Profile
from hms_registry.domain.sources import Source
from hms_registry.ports.adapter import Adapter
from hms_registry.ports.profiles import ProfileRequest
from hms_s3 import S3Adapter, S3Config
from hms_sqlite import SqliteAdapter, SqliteConfig
from services.seaweedfs import Bucket
from sqlite_source import Database
from store_crawling import CrawledStore, empty_catalogue


@pytest.fixture
def crawled() -> Iterator[CrawledStore]:
    """An empty catalogue."""
    with empty_catalogue() as catalogue:
        yield CrawledStore(catalogue)


@contextmanager
def statements(crawled: CrawledStore) -> Iterator[list[str]]:
    """Collect the statements that reach the catalogue's database."""
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        seen.append(statement)

    engine = crawled.catalogue._opened.engine  # type: ignore[attr-defined]
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(engine, "before_cursor_execute", note)


def source(kind: str = "files", *, profile: bool = True) -> Source:
    return Source(name="src", kind=kind, url=f"{kind}:x", privacy_tier=PrivacyTier.PUBLIC, profile=profile)


def files(folder: Path) -> Adapter:
    return FilesAdapter(FilesConfig.from_url(source="src", url=f"file://{folder}", options={}))


def parquet(rows: int, *, row_group_size: int | None = None) -> bytes:
    sink = io.BytesIO()
    columns = {"id": pa.array(range(rows)), "text": pa.array([f"{at:060}" for at in range(rows)])}
    pq.write_table(pa.table(columns), sink, row_group_size=row_group_size, compression="none")
    return sink.getvalue()


def test_a_crawl_without_profiles_asks_nothing_about_them(crawled: CrawledStore, tmp_path: Path) -> None:
    """The first crawl and the next: no statement of theirs names the table of profiles."""
    for name in ("a", "b"):
        (tmp_path / f"{name}.parquet").write_bytes(parquet(10))

    with statements(crawled) as seen:
        crawled.crawl_by(lambda: files(tmp_path), source(profile=False))
        (tmp_path / "b.parquet").write_bytes(parquet(11))
        crawled.crawl_by(lambda: files(tmp_path), source(profile=False))

    assert len(seen) > 10
    assert [each for each in seen if "profiles" in each] == []


def test_the_statements_of_profiles_do_not_grow_with_the_datasets(crawled: CrawledStore, tmp_path: Path) -> None:
    """3 or 60 of them: as many; and an unchanged source has one look at what it owes."""
    counts = []
    for name, count in (("few", 3), ("many", 60)):
        folder = tmp_path / name
        for at in range(count):
            (folder / f"s{at}").mkdir(parents=True)
            (folder / f"s{at}" / "t.parquet").write_bytes(parquet(2))
        with empty_catalogue() as catalogue:
            store = CrawledStore(catalogue)
            with statements(store) as seen:
                store.crawl_by(lambda folder=folder: files(folder), source())  # type: ignore[misc]
            counts.append(len(seen))
            with statements(store) as again:
                assert store.crawl_by(lambda folder=folder: files(folder), source()).state == "unchanged"  # type: ignore[misc]
            assert len([each for each in again if "profiles" in each]) == 1

    assert counts[0] == counts[1]


def test_what_did_not_change_is_not_profiled_again(crawled: CrawledStore, tmp_path: Path) -> None:
    """Of two files one is written anew: one profile is asked for, and kept."""
    asked: list[str] = []

    class Noting(FilesAdapter):
        def profile(self, requests: list[ProfileRequest]) -> Iterator[Profile | Failure]:  # type: ignore[override]
            asked.extend(request.ref.address.table for request in requests)
            return super().profile(requests)

    def opened() -> Adapter:
        return Noting(FilesConfig.from_url(source="src", url=f"file://{tmp_path}", options={}))

    for name in ("a", "b"):
        (tmp_path / f"{name}.parquet").write_bytes(parquet(10))
    crawled.crawl_by(opened, source())
    (tmp_path / "b.parquet").write_bytes(parquet(11))

    assert crawled.crawl_by(opened, source()).is_ok

    assert asked == ["a", "b", "b"]


def test_a_profile_that_cannot_be_made_is_a_failure_and_tried_again(crawled: CrawledStore, tmp_path: Path) -> None:
    """The dataset is registered whole; the run says what it lacks, and the next one makes up for it."""

    class Breaking(FilesAdapter):
        def profile(self, requests: list[ProfileRequest]) -> Iterator[Profile | Failure]:  # type: ignore[override]
            yield from super().profile(requests[:1])
            raise ValueError("canary")

    config = FilesConfig.from_url(source="src", url=f"file://{tmp_path}", options={})
    for name in ("a", "b"):
        (tmp_path / f"{name}.parquet").write_bytes(parquet(10))

    broken = crawled.crawl_by(lambda: Breaking(config), source())
    mended = crawled.crawl_by(lambda: FilesAdapter(config), source())

    assert (broken.state, broken.balance.new) == ("partial", 2)
    assert [(each.subject, each.reason) for each in broken.failures] == [
        ("profile of src.public.b", "the adapter broke: ValueError")
    ]
    assert (mended.state, mended.balance.unchanged) == ("complete", 2)
    with crawled.catalogue.unit() as uow:
        assert len(uow.profiles.profiled("src")) == 2


def test_a_store_that_gives_no_profiles_says_so(crawled: CrawledStore, tmp_path: Path) -> None:
    """It is a mistake in sources.yml, and nothing is crawled until it is mended."""

    class Silent:
        kind = "files"
        config = FilesConfig

        def __init__(self) -> None:
            self._own = files(tmp_path)
            self.check, self.stamp, self.discover = self._own.check, self._own.stamp, self._own.discover
            self.describe, self.close = self._own.describe, self._own.close

    report = crawled.crawl_by(Silent, source())  # type: ignore[arg-type] # it has all that the port asks for

    assert report.state == "failed"
    assert report.error == "source src: its kind, files, gives no profiles"
    assert report.hint == "take `profile` out of it in sources.yml"


def test_a_bucket_costs_one_request_more_a_file(crawled: CrawledStore, bucket: Bucket) -> None:
    """A footer is read again for its statistics, whatever lies before it, and nothing else is."""
    bucket.put(
        {"a/one.parquet": parquet(20_000, row_group_size=500), "a/two.parquet": parquet(3), "a/c.csv": b"a\n1\n"}
    )
    counted = {profile: Counter[str]() for profile in (False, True)}

    for profile, asked in counted.items():
        adapter = S3Adapter(S3Config.from_url(source="src", url=f"s3://{bucket.name}", options=bucket.options()))
        send = adapter.client.transport.send

        def counting(request: Any, *, asked: Counter[str] = asked, send: Any = send, **_: object) -> Any:
            asked.update([request.method if "list-type=2" not in request.url else "list"])
            return send(request)

        adapter.client.transport.send = counting
        with empty_catalogue() as catalogue:
            assert (
                CrawledStore(catalogue).crawl_by(lambda adapter=adapter: adapter, source("s3", profile=profile)).is_ok
            )

    assert counted[True]["GET"] == counted[False]["GET"] + 2


def test_rows_that_change_in_sqlite_make_another_profile_and_no_version(crawled: CrawledStore, tmp_path: Path) -> None:
    """Its tables' stamps do not tell of rows; where profiles are wanted, the file's own does."""
    database = Database(tmp_path / "x.db", "CREATE TABLE t (n INTEGER); INSERT INTO t VALUES (1)")
    config = SqliteConfig.from_url(source="src", url=f"sqlite:///{database.path}", options={})
    crawled.crawl_by(lambda: SqliteAdapter(config), source("sqlite"))
    database.run("INSERT INTO t VALUES (5)")

    report = crawled.crawl_by(lambda: SqliteAdapter(config), source("sqlite"))

    (dataset,) = crawled.registered()
    with crawled.catalogue.unit() as uow:
        kept = uow.profiles.of([dataset.id]).get(dataset.id)
    assert kept is not None
    assert (report.balance.unchanged, dataset.version) == (1, 1)
    assert (kept.profile.rows, kept.profile.columns[0].maximum) == (2, "5")
