"""A store that dies after any answer of a crawl loses nothing, and the next crawl ends as if it had not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from itertools import count

import pytest

import hms_crawler.run
from catalogue_contents import contents
from hms_crawler import Report, crawl_all
from hms_registry.domain.crawls import CrawlState
from hms_registry.domain.datasets import DatasetState
from hms_registry.domain.sources import Source
from hms_registry.ports.catalogue import Catalogue
from hms_registry.store import open_catalogue
from hms_s3 import S3Adapter, S3Config
from services.seaweedfs import SECRET, Bucket
from services.tcp_proxy import STATUS, Fault, Proxy, tcp_proxy

OBJECTS = ("a/x.csv", "b/x.csv", "c.csv")


@pytest.fixture
def proxy(bucket: Bucket) -> Iterator[Proxy]:
    """A way to a bucket of three objects that counts answers."""
    bucket.put(dict.fromkeys(OBJECTS, b"id,n\n1,2\n"))
    with tcp_proxy(int(bucket.endpoint.rpartition(":")[2])) as made:
        made.mark = STATUS
        yield made


def _crawl(bucket: Bucket, proxy: Proxy, catalogue: Catalogue) -> Report:
    """Crawl with one request at a time."""
    options = {**bucket.options(), "endpoint": f"http://127.0.0.1:{proxy.port}", "connections": "1"}
    config = S3Config.from_url(source="lake", url=f"s3://{bucket.name}", options=options)
    (report,) = crawl_all(
        [Source(name="lake", kind="s3", url=f"s3://{bucket.name}")],
        open_adapter=lambda _: S3Adapter(config),
        catalogue=catalogue,
        clock=lambda: datetime.now(UTC),
    )
    assert SECRET not in str(report.as_dict())
    return report


def _states(catalogue: Catalogue) -> list[DatasetState]:
    with catalogue.unit() as uow:
        return [known.state for known in uow.registrations.known("lake").values()]


@pytest.mark.parametrize("was_crawled", [False, True])
def test_a_crawl_cut_after_any_answer_is_mended_by_the_next(
    bucket: Bucket, proxy: Proxy, monkeypatch: pytest.MonkeyPatch, was_crawled: bool
) -> None:
    """After k of n answers, for every k, first crawl or later: nothing is gone, and the next whole crawl has it all."""
    monkeypatch.setattr(hms_crawler.run, "BATCH", 1)
    with closing(open_catalogue("sqlite://")) as undisturbed:
        assert _crawl(bucket, proxy, undisturbed).is_ok
        expected = contents(undisturbed)
    seen = set()

    for answers in count():
        with closing(open_catalogue("sqlite://")) as catalogue:
            if was_crawled:
                bucket.put(dict.fromkeys(OBJECTS, b"id\n%d\n" % answers))
                proxy.revive(Fault())
                _crawl(bucket, proxy, catalogue)
                bucket.put(dict.fromkeys(OBJECTS, b"id,n\n1,2\n"))
            proxy.revive(Fault(dies_after=answers))
            cut = _crawl(bucket, proxy, catalogue)
            was_cut, left = proxy.is_dead, _states(catalogue)
            proxy.revive(Fault())
            whole = _crawl(bucket, proxy, catalogue)

            assert cut.balance.is_balanced and (cut.balance.gone, cut.balance.suspect) == (0, 0)
            assert whole.is_ok and set(left) <= {DatasetState.PRESENT}
            if not was_crawled:
                assert contents(catalogue) == expected
        if not was_cut:
            break
        assert cut.state in (CrawlState.FAILED, CrawlState.PARTIAL)
        assert any("source lake: " in text for text in (cut.error, *(failure.reason for failure in cut.failures)))
        seen.add(len(left))

    assert seen == ({len(OBJECTS)} if was_crawled else set(range(len(OBJECTS))))
