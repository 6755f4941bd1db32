"""Forks a crawl for each home folder named on stdin, and prints the child's pid: a process to kill, soon after it began.

Imports are paid once; the child has one thread, so forking it is safe.
"""

import os
import sys
from pathlib import Path

import hms_crawler
import hms_files
import hms_registry.services.lineage
import hms_registry.store
import hms_sqlite
from hms_registry.bootstrap import Registry, now

LOADED = (hms_files, hms_sqlite, hms_registry.services.lineage, hms_registry.store)


def crawl(home: Path) -> None:
    with Registry.open(home) as registry:
        sources = list(registry.sources.values())
        hms_crawler.crawl_all(sources, open_adapter=registry.adapters, catalogue=registry.catalogue, clock=now)


for line in sys.stdin:
    child = os.fork()
    if child == 0:
        crawl(Path(line.rstrip("\n")))
        os._exit(0)
    print(child, flush=True)
    _, status = os.waitpid(child, 0)
    print("killed" if os.WIFSIGNALED(status) else "ended", flush=True)
