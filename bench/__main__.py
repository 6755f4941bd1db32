"""`python -m bench [NAME ...] [--json|--markdown]`: run the figures, print one table."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterable

from bench import (
    crawls,
    federated,
    hive,
    joins,
    lineage,
    lists,
    mongo,
    portal,
    postgres,
    s3,
    seeded,
    starts,
    trino,
    trino_opa,
    warm,
)
from bench.figures import Figure, Unequal, for_readme, table
from bench.stores import Workshop, open_workshop
from bench.timing import machine
from services.running import ServiceFailed, ServiceMissing

BENCHES: dict[str, Callable[[Workshop], Iterable[Figure]]] = {
    "help": starts.help_text,
    "first-answer": starts.first_answer,
    "join": joins.join,
    "http": joins.over_http,
    "deciding": lists.deciding,
    "search": lists.searching,
    "portal": portal.page,
    "lineage": lineage.walks,
    "warm": warm.warm,
    "seeded": seeded.servers,
    "recrawl": crawls.recrawl,
    "first-crawl": crawls.first_crawl,
    "memory": crawls.memory,
    "postgres-first": postgres.first_crawl,
    "postgres-again": postgres.unchanged,
    "postgres-changed": postgres.one_changed,
    "s3-first": s3.first_crawl,
    "s3-again": s3.unchanged,
    "mongo-first": mongo.first_crawl,
    "mongo-large": mongo.large,
    "hive-first": hive.first_crawl,
    "store-join": federated.join,
    "pushdown": federated.pushdown,
    "trino": trino.policy,
    "trino-http": trino.over_http,
    "trino-opa": trino_opa.answers,
}
NIGHTLY: dict[str, Callable[[Workshop], Iterable[Figure]]] = {
    "hive-nightly": hive.nightly,
    "lineage-nightly": lineage.nightly,
    "mongo-nightly": mongo.nightly,
    "postgres-nightly": postgres.nightly,
    "seeded-nightly": seeded.nightly,
}
"""Run only when they are named."""


def main() -> int:
    """Run what was named, or all; 0 = both sides' answers were equal, whether or not a target was met."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    known = {**BENCHES, **NIGHTLY}
    names = f"one of {', '.join(known)}; none = all but {', '.join(NIGHTLY)}"
    parser.add_argument("names", nargs="*", metavar="NAME", help=names)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--markdown", action="store_true", help="print the table as the README shows it")
    asked = parser.parse_args()
    unknown = sorted(set(asked.names) - known.keys())
    if unknown:
        parser.error(f"there is no {unknown[0]}: choose from {', '.join(known)}")
    # Installed, both sides come as byte code; where this forbids to write it, ours would be compiled in each run.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    start = time.monotonic()
    figures: list[Figure] = []
    with open_workshop() as workshop:
        for name in asked.names or BENCHES:
            print(f"{name} ...", file=sys.stderr, flush=True)
            try:
                figures += known[name](workshop)
            except Unequal as error:
                print(f"{name}: the answers differ: {error}", file=sys.stderr)
                return 1
            except (ServiceMissing, ServiceFailed) as error:
                print(f"{name}: {error}", file=sys.stderr)
                return 1
    seconds = time.monotonic() - start
    if asked.json:
        print(json.dumps({"machine": machine(), "seconds": seconds, "figures": [f.as_dict() for f in figures]}))
    else:
        missed = sum(figure.verdict == "missed" for figure in figures)
        rows = for_readme(figures) if asked.markdown else table(figures)
        print(f"{machine()}; load {os.getloadavg()[0]:.1f}; {seconds:.0f} s; {missed} missed\n\n{rows}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
