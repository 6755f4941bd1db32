"""A connection that breaks after any answer of a crawl loses nothing, and the next crawl ends as if it had not."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from catalogue_contents import contents
from cut_crawls import assert_each_cut_is_mended
from postgres_crawling import registry
from services.postgres import Database, PostgresServer
from services.tcp_proxy import READY, Proxy, tcp_proxy

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


@pytest.fixture
def proxy(database: Database) -> Iterator[Proxy]:
    """A way to it that counts answers."""
    with tcp_proxy(database.port) as made:
        made.mark = READY
        yield made


def test_a_first_crawl_cut_after_any_answer_is_mended_by_the_next(database: Database, proxy: Proxy) -> None:
    """After k of n answers, for every k: every table, label and edge is there after the next whole crawl."""
    url = database.url_of("postgres", port=proxy.port)

    seen = assert_each_cut_is_mended(registry, lambda crawled: crawled.crawl(url), proxy=proxy)

    assert seen == set(range(TABLES + 2))  # none of them, one, ... and the view


def test_what_is_cut_has_edges_of_every_kind(database: Database) -> None:
    """A foreign key between tables, and the columns of a view: what an undisturbed crawl finds."""
    with registry() as undisturbed:
        undisturbed.crawl(database.url_of("postgres"))

        assert len(contents(undisturbed.catalogue)[1]) == 3
