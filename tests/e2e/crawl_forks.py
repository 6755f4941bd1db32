"""Forks a crawl for each home folder named on stdin, and prints the child's pid: a process to kill at any moment.

Imports are paid once; the child has one thread, so forking it is safe.
"""

import os
import sys
from pathlib import Path

import hms_crawler
import hms_files
import hms_registry.services.lineage.edges
import hms_registry.store
import hms_sqlite
from hms_registry.bootstrap import Registry, now

LOADED = (hms_files, hms_sqlite, hms_registry.services.lineage.edges, hms_registry.store)


def crawl(home: Path) -> None:
    with Registry.open(home) as registry:
        sources = list(registry.sources.values())
        hms_crawler.crawl_all(sources, open_adapter=registry.adapters, catalogue=registry.catalogue, clock=now)


for line in sys.stdin:
    child = os.fork()
    if child == 0:
        crawl(Path(line.rstrip("\n")))
        os._exit(0)
    sys.stdout.write(f"{child}\n")
    sys.stdout.flush()
    _, status = os.waitpid(child, 0)
    sys.stdout.write("killed\n" if os.WIFSIGNALED(status) else "ended\n")
    sys.stdout.flush()
