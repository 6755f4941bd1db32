"""kill -9 of a crawl of MongoDB before any of its commits, and of the server in its middle: the next crawl mends it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from catalogue_contents import contents
from command import hms
from hms_mongo import MongoAdapter
from hms_registry.bootstrap import Registry
from hms_registry.domain.crawls import CrawlState, Discovery
from hms_registry.domain.datasets import DatasetState
from hms_registry.ports.adapter import Scope
from mongo_crawling import registry
from services import mongo
from services.fixtures import service_folder
from services.mongo import MongoServer
from services.odd_mongo import OddMongo

FORKS = Path(__file__).with_name("crawl_forks.py")
COLLECTIONS = [f"t{at}" for at in range(5)]

pytestmark = pytest.mark.slow


def _contents(home: Path) -> object:
    with Registry.open(home) as opened:
        return contents(opened.catalogue)


def _crawl(home: Path) -> None:
    done = hms(home, "crawl")
    assert done.code == 0, done


def test_a_crawl_of_documents_killed_before_any_of_its_commits_is_mended_by_the_next(
    odd_mongo: OddMongo, tmp_path: Path
) -> None:
    """Either old or new of each collection and view, and the next crawl ends where an undisturbed one does."""
    for name in COLLECTIONS[:2]:
        odd_mongo.collection("shop", name).put({"_id": 1, "n": 1})
    pipeline = [{"$project": {"number": "$n"}}]
    odd_mongo.collection("shop", "v", kind="view", options={"viewOn": "t0", "pipeline": pipeline}).put({"number": 1})
    (tmp_path / "sources.yml").write_text(f"sources:\n  shop: {{url: '{odd_mongo.url}'}}\n")
    assert hms(tmp_path, "init").code == 0
    kept, fresh = tmp_path / ".hms-dta", tmp_path / "fresh"
    shutil.copytree(kept, fresh)
    _crawl(tmp_path)
    expected, number, how = _contents(tmp_path), 0, "killed"

    with subprocess.Popen(
        [sys.executable, str(FORKS)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
    ) as forks:
        assert forks.stdin is not None and forks.stdout is not None
        while how == "killed":
            shutil.rmtree(kept)
            shutil.copytree(fresh, kept)
            forks.stdin.write(f"60 {number} {tmp_path}\n")
            how = forks.stdout.readline().split()[0]
            _crawl(tmp_path)
            assert _contents(tmp_path) == expected, number
            number += 1
        forks.stdin.close()

    assert number > 3, number


def test_a_server_killed_in_the_middle_of_a_crawl_loses_no_dataset() -> None:
    """The run says what broke and of which source; everything stays, and the next crawl finds it whole."""
    with service_folder("mongo-killed") as folder, registry() as crawled:
        server = mongo.start(folder)
        try:
            url = f"{server.url}shop"
            for name in COLLECTIONS:
                server.client["shop"][name].insert_one({"_id": 1, "n": 1})
            assert crawled.crawl(url).is_ok

            report = crawled.crawl(url, kind=_killer_of(server))

            server.stop()
            server = mongo.start(folder, port=server.port)
            assert (report.source, report.state) == ("src", CrawlState.PARTIAL)
            assert report.error.startswith("source src: ")
            assert report.balance.is_balanced
            assert report.balance.gone == report.balance.suspect == 0
            assert {each.state for each in crawled.datasets().values()} == {DatasetState.PRESENT}
            assert crawled.crawl(url).balance.unchanged == len(COLLECTIONS)
            assert set(crawled.datasets()) == set(COLLECTIONS)
        finally:
            server.stop()


def _killer_of(server: MongoServer) -> type[MongoAdapter]:
    running = server.running
    assert running is not None

    class Killer(MongoAdapter):
        """Its server dies when two collections were listed."""

        def discover(self, scope: Scope) -> Iterator[Discovery]:
            for at, item in enumerate(super().discover(scope)):
                if at == 2:
                    os.killpg(running.pid, signal.SIGKILL)
                yield item

    return Killer
