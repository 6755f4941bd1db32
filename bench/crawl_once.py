"""One crawl in a process of its own, so that its peak memory is its own: `python -m bench.crawl_once HOME`."""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path

from hms_crawler import crawl_all
from hms_registry.bootstrap import Registry, now


def main() -> None:
    """Crawl every source of a home and print what it took."""
    with Registry.open(Path(sys.argv[1])) as registry:
        start = time.perf_counter()
        reports = crawl_all(
            list(registry.sources.values()), open_adapter=registry.adapters, catalogue=registry.catalogue, clock=now
        )
        seconds = time.perf_counter() - start
    if not all(report.is_ok for report in reports):
        sys.exit(f"the crawl failed: {[report.as_dict() for report in reports]}")
    told = {
        "seconds": seconds,
        "peak_kib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
        "listed": sum(report.balance.listed for report in reports),
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main()
