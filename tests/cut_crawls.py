"""Crawls that are cut after any answer of their store, and what the next whole crawl makes of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from itertools import count
from typing import TypeVar

import pytest

import hms_crawler.edges
import hms_crawler.run
from catalogue_contents import contents
from hms_crawler import Report
from hms_registry.domain.crawls import CrawlState
from hms_registry.domain.datasets import DatasetState
from services.tcp_proxy import Fault, Proxy
from store_crawling import CrawledStore

S = TypeVar("S", bound=CrawledStore)


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """A batch is one dataset, or all of them would be described at once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hms_crawler.run, "BATCH", 1)
        patch.setattr(hms_crawler.edges, "BATCH", 1)
        yield


def assert_each_cut_is_mended(
    registry: Callable[[], AbstractContextManager[S]],
    crawl: Callable[[S], Report],
    *,
    proxy: Proxy,
    crawl_cut: Callable[[S], Report] | None = None,
    change: Callable[[int], object] | None = None,
    step: int = 1,
) -> set[int]:
    """Cut a crawl through *proxy* after k answers, for every k; then crawl whole, which ends as if it had not been.

    Args:
        crawl_cut: the same with less patience.
        change: given, there was a whole crawl before each, and then it changes every dataset, each time otherwise.
        step: for every k that is a multiple of it.

    Returns:
        How many datasets were registered after each cut.
    """
    seen: set[int] = set()
    with registry() as kept:
        for answers in count(step=step):
            if change is not None:
                assert crawl(kept).is_ok
                change(answers)
            if change is not None or not answers:
                with registry() as undisturbed:
                    assert crawl(undisturbed).is_ok
                    expected = contents(undisturbed.catalogue)
            with nullcontext(kept) if change is not None else registry() as crawled:
                proxy.revive(Fault(dies_after=answers))
                with one_at_a_time():
                    cut = (crawl_cut or crawl)(crawled)
                left = crawled.registered()
                proxy.revive(Fault())
                assert cut.balance.is_balanced, answers
                assert (cut.balance.gone, cut.balance.suspect) == (0, 0), answers
                assert {each.state for each in left} <= {DatasetState.PRESENT}, answers
                if cut.is_ok:  # it needs no more answers than these
                    assert contents(crawled.catalogue) == expected
                    return seen
                assert cut.state in (CrawlState.FAILED, CrawlState.PARTIAL), answers
                assert any("source src: " in text for text in (cut.error, *(each.reason for each in cut.failures)))
                seen.add(len(left))
                assert crawl(crawled).is_ok, answers
                assert contents(crawled.catalogue) == expected, answers
    raise AssertionError("it never ends")
