"""Forks a crawl for each line of stdin, `SECONDS COMMITS HOME`, and kills it -9 when it has lasted that long, or
when it is about to commit once more than so many times.

Prints `killed` or `ended`, and the seconds that it lasted. Imports are paid once; the child has one thread, so
forking it is safe. The killer is the parent or the child itself, so that no pid is ever another's.
"""

import itertools
import os
import signal
import sys
import time
from pathlib import Path

from sqlalchemy import Connection, Engine, event

import hms_crawler
import hms_crawler.edges
import hms_crawler.run
import hms_files
import hms_mongo
import hms_postgres
import hms_registry.services.lineage.edges
import hms_registry.store
import hms_s3
import hms_sqlite
from hms_registry.bootstrap import Registry, now
from moulds import use_moulds

LOADED = (
    hms_files, hms_mongo, hms_sqlite, hms_postgres, hms_s3, hms_registry.services.lineage.edges, hms_registry.store,
)  # fmt: skip

# Small batches, so that few datasets make many commits to die between.
hms_crawler.run.BATCH = hms_crawler.edges.BATCH = 7


def die_before_commit(number: int) -> None:
    """Kill this process where it is about to make the catalogue durable for the *number*-th time, from 0."""
    left = itertools.count(number, -1)

    def count(_connection: Connection) -> None:
        if next(left) == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    event.listen(Engine, "commit", count)


def crawl(home: Path) -> None:
    with Registry.open(home) as registry:
        sources = list(registry.sources.values())
        hms_crawler.crawl_all(sources, open_adapter=registry.adapters, catalogue=registry.catalogue, clock=now)


use_moulds()
for line in sys.stdin:
    seconds, commits, home = line.rstrip("\n").split(" ", 2)
    started = time.monotonic()
    child = os.fork()
    if child == 0:
        die_before_commit(int(commits))
        crawl(Path(home))
        os._exit(0)
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        lasted = time.monotonic() - started
        if done:
            break
        if lasted >= float(seconds):
            os.kill(child, signal.SIGKILL)
            _, status = os.waitpid(child, 0)
            break
        time.sleep(0.0005)
    sys.stdout.write(f"{'killed' if os.WIFSIGNALED(status) else 'ended'} {lasted}\n")
    sys.stdout.flush()
