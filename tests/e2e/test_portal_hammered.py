"""A server as a portal meets it: a thousand streams, and a Redis that is killed, flushed and filled with garbage while
everybody asks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hms_registry.domain.columns import PrivacyTier
from hms_registry.domain.sources import Source
from portals import Portal, portal
from services.running import free_port
from serving import Server, serving
from store_samples import put

WORDS = ("flu", "one", "two", "three", "none", "fluu")
FOUND = {"flu": 3, "one": 1, "two": 1, "three": 1, "none": 1, "fluu": 3}
"""How much of it the analyst finds: `none` is taken for `one`, and `fluu` for `flu`."""
PEOPLE = ("ana", "ben", "eve")
STREAMS, MOST, MOST_EACH = 1_001, 100, 10
CLIENTS, ROUNDS = 6, 5


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Portal]:
    """A registry of three public datasets, whose answers are kept in a Redis that is not there yet."""
    settings = f"cache: {{url: 'redis://127.0.0.1:{free_port()}/0', memory: 1}}\n"
    with portal(tmp_path / "home", settings=settings) as made:
        put(
            made.registry.catalogue, Source(name="lake", kind="files", url="file:lake", privacy_tier=PrivacyTier.PUBLIC)
        )
        made.add("flu one", "flu two", "flu three")
        yield made


def served(made: Portal) -> Iterator[Server]:
    assert made.registry.home is not None
    yield from serving(made.registry.home)
