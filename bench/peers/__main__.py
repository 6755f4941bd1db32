"""`python -m bench.peers [NAME ...] [--quick]`: DataHub's crawler beside ours, and what each lost."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator

from bench.figures import Unequal, in_markdown, laid_out
from bench.peers import beside, losing
from bench.peers.datahub import VERSION, DataHub
from bench.stores import Workshop, open_workshop
from bench.timing import machine
from bench.venvs import NotInstalled
from services.running import ServiceFailed, ServiceMissing

PARTS: dict[str, Callable[[Workshop, DataHub, bool], Iterator[beside.Beside]]] = {
    "postgres": beside.postgres,
    "s3": beside.s3,
    "mongo": beside.mongo,
}
LOSSES: dict[str, Callable[[Workshop, DataHub], Iterator[str]]] = {
    "postgres-losses": losing.postgres,
    "s3-losses": losing.s3,
    "mongo-losses": losing.mongo,
}


def main() -> int:
    """Run what was named, or all; 0 = both sides ran."""
    parser = argparse.ArgumentParser(prog="python -m bench.peers", description=__doc__)
    names = [*PARTS, *LOSSES]
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(names)}; none = all")
    parser.add_argument("--markdown", action="store_true", help="print the table as the README shows it")
    parser.add_argument("--quick", action="store_true", help="leave the largest stores out")
    asked = parser.parse_args()
    unknown = sorted(set(asked.names) - set(names))
    if unknown:
        parser.error(f"there is no {unknown[0]}: choose from {', '.join(names)}")
    rows: list[tuple[str, ...]] = [beside.COLUMNS]
    said: list[str] = []
    with open_workshop() as workshop:
        try:
            datahub = DataHub.in_cache(workshop.folder / "datahub")
            for name in asked.names or names:
                print(f"{name} ...", file=sys.stderr, flush=True)
                if name in PARTS:
                    rows += (each.cells() for each in PARTS[name](workshop, datahub, asked.quick))
                else:
                    said += [*LOSSES[name](workshop, datahub), ""]
        except (NotInstalled, ServiceMissing, ServiceFailed, Unequal) as error:
            print(error, file=sys.stderr)
            return 1
    if len(rows) > 1:
        told = in_markdown(rows) if asked.markdown else laid_out(rows)
        print(f"HMS-DTA beside DataHub {VERSION}; {machine()}; load {os.getloadavg()[0]:.1f}\n\n{told}\n")
    print("\n".join(said))
    return 0


if __name__ == "__main__":
    sys.exit(main())
