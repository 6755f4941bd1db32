"""A connection that breaks after any answer of a crawl loses nothing, and the next crawl ends as if it had not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

import pytest

import hms_crawler.edges
import hms_crawler.run
from catalogue_contents import contents
from hms_registry.domain.crawls import CrawlState
from postgres_crawling import registry
from services.postgres import Database, PostgresServer
from services.tcp_proxy import READY, Fault, Proxy, tcp_proxy

TABLES = 2


def _build(database: Database) -> None:
    database.execute(
        *(f"CREATE TABLE t{at} (id int PRIMARY KEY, n text)" for at in range(TABLES)),
        # From the first that is listed to the last, so that whatever breaks in between has it wait for its target.
        "ALTER TABLE t0 ADD FOREIGN KEY (id) REFERENCES t1",
        "CREATE VIEW a_view AS SELECT id AS number, n FROM t1",
    )


@pytest.fixture(scope="module")
def database(postgres_server: PostgresServer) -> Iterator[Database]:
    """Two tables, a foreign key and a view."""
    with postgres_server.database() as made:
        _build(made)
        yield made


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """A batch is one table, or all of them would be described at once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hms_crawler.run, "BATCH", 1)
        patch.setattr(hms_crawler.edges, "BATCH", 1)
        yield


@pytest.fixture
def proxy(database: Database) -> Iterator[Proxy]:
    """A way to it that counts answers."""
    with tcp_proxy(database.port) as made:
        made.mark = READY
        yield made


def test_a_first_crawl_cut_after_any_answer_is_mended_by_the_next(database: Database, proxy: Proxy) -> None:
    """After k of n answers, for every k: every table, label and edge is there after the next whole crawl."""
    with registry() as undisturbed:
        assert undisturbed.crawl(database.url_of("postgres", port=proxy.port)).is_ok
        expected = contents(undisturbed.catalogue)
    assert len(expected[1]) == 3
    seen = set()

    for answers in count():
        proxy.revive(Fault(dies_after=answers))
        with registry() as crawled:
            with one_at_a_time():
                cut = crawled.crawl(database.url_of("postgres", port=proxy.port))
            was_cut, left = proxy.is_dead, len(crawled.datasets())
            proxy.revive(Fault())
            whole = crawled.crawl(database.url_of("postgres", port=proxy.port))
            assert contents(crawled.catalogue) == expected, (answers, left)
        assert cut.balance.is_balanced and whole.is_ok and cut.balance.gone == 0, answers
        if not was_cut:
            break
        assert cut.state in (CrawlState.FAILED, CrawlState.PARTIAL), answers
        assert any("source src: " in text for text in (cut.error, *(failure.reason for failure in cut.failures)))
        seen.add(left)

    assert seen == set(range(TABLES + 2))  # none of them, one, ... and the view
