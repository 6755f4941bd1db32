"""A release that knows no more than the schema before today's, running on while another upgrades: `older_release.py
URL` makes the catalogue in an empty database, begins a unit and prints `ready`; commits it at a line on stdin; then, at
another, tries to write and to decide once more, and prints what it is told each time.
"""

from __future__ import annotations

import sys
from dataclasses import replace

from alembic import command

import hms_registry.store.revisions as revisions

vars(revisions)["REVISIONS"] = revisions.REVISIONS[:-1]  # before anything else has read them
_upgrade = command.upgrade
vars(command)["upgrade"] = lambda config, _head: _upgrade(config, revisions.REVISIONS[-1])

from hms_registry.errors import HmsError  # noqa: E402
from hms_registry.ports.catalogue import Catalogue  # noqa: E402
from hms_registry.store import open_catalogue  # noqa: E402
from store_samples import LAKE  # noqa: E402


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def write(catalogue: Catalogue) -> None:
    with catalogue.unit(writes=True) as uow:
        uow.sources.put(replace(LAKE, name="late"))
        uow.commit()


def decide(catalogue: Catalogue) -> None:
    with catalogue.unit() as uow:
        uow.bundles.epoch()


def main(url: str) -> None:
    catalogue = open_catalogue(url)
    with catalogue.unit(writes=True) as uow:
        uow.sources.put(replace(LAKE, name="early"))
        say("ready")
        sys.stdin.readline()
        uow.commit()
    sys.stdin.readline()
    for attempt in (write, decide):
        try:
            attempt(catalogue)
        except HmsError as error:
            say(f"{type(error).__name__}: {error.message}; {error.hint}")
        else:
            say("done")
    catalogue.close()


main(sys.argv[1])
