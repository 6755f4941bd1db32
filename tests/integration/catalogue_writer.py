"""Writes to a catalogue in a process of its own, for tests that kill it or let several go at once.

`catalogue_writer.py URL NAME COUNT`: registers COUNT datasets, one a unit, and prints each epoch. With COUNT 0 it
opens one unit, registers one dataset, prints `ready`, waits for a line on stdin, commits, and prints its epoch.
"""

from __future__ import annotations

import sys

from hms_registry.store import open_catalogue
from store_samples import described


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main(url: str, name: str, count: int) -> None:
    catalogue = open_catalogue(url)
    for at in range(count):
        with catalogue.unit(writes=True) as uow:
            uow.registrations.known("lake")
            uow.registrations.register([described(f"{name}_{at}_{each}") for each in range(1 + at % 3)])
            say(str(uow.commit()))
    if count == 0:
        with catalogue.unit(writes=True) as uow:
            uow.registrations.register([described(name)])
            say("ready")
            sys.stdin.readline()
            say(str(uow.commit()))
    catalogue.close()


main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
