"""Lists: deciding and searching ten thousand datasets of a thousand classes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING

from bench import ROOT
from bench.figures import Figure, require_equal
from bench.homes import make_home
from bench.stores import LARGE, Workshop
from bench.timing import median_ms, timed

if TYPE_CHECKING:
    from hms_registry.bootstrap import Registry
    from hms_registry.domain.datasets import DatasetId, DescribedDataset
    from hms_registry.domain.labels import DatasetLabels

_SOURCES, _OWNERS = 50, 20
_WORDS = ("buoy", "tide", "ferry", "crane", "lock", "pilot", "wharf", "cargo", "grain", "ice")


def deciding(workshop: Workshop) -> Iterator[Figure]:
    """Which of 10,000 datasets somebody may find, by class, against asking Oso about every tenth of them."""
    with long_list(workshop) as registry:
        principal = registry.principal("shipping-analyst")
        labels = _labels(registry)
        class_of = {known: number for number, known in registry.decisions()._classes().datasets.items()}
        listed = [(dataset_id, class_of[known]) for dataset_id, known in labels.items()]

        def decide() -> list[DatasetId]:
            found = registry.decisions().visibility(principal).dataset_classes
            return [dataset_id for dataset_id, number in listed if number in found]

        first_ms, _ = timed(decide)
        ours_ms = median_ms(decide, runs=51)
        tenth = dict(islice(labels.items(), 0, None, 10))
        limit_ms, asked = timed(partial(_ask_oso, registry, tenth))
        found = decide()
        require_equal([each for each in found if each in tenth], asked, "which datasets may be found")
        decisions = registry.decisions()
        in_full = median_ms(lambda: [decisions.decide(principal, each) for each in labels.values()], runs=3)
    classes = f"{len(found):,} found, {len(class_of):,} classes"
    yield Figure(
        name="deciding",
        what=f"deciding a list of {len(listed):,} datasets, classes known, beside plain Oso on a tenth of it",
        ours=ours_ms,
        limit=limit_ms,
        allowance=10,
        note=classes,
    )
    yield Figure(name="deciding", what="the same list, classes not known yet", ours=first_ms, limit=limit_ms)
    yield Figure(name="deciding", what="each of them in full: row filters, and a mask for each column", ours=in_full)


def searching(workshop: Workshop) -> Iterator[Figure]:
    """A search over 10,000 datasets as somebody who may find some of them."""
    from hms_registry.services.search import search

    with long_list(workshop) as registry:
        principal, decisions = registry.principal("shipping-analyst"), registry.decisions()
        visible = decisions.visibility(principal).dataset_classes
        class_of = {known: number for number, known in decisions._classes().datasets.items()}
        with registry.catalogue.unit() as uow:
            allowed = [each for each in uow.datasets.iter() if class_of[each.labels] in visible]

        def matches(words: str) -> int:
            return sum(all(word in str(each.address) for word in words.split()) for each in allowed)

        def ask(words: str) -> int:
            with registry.catalogue.unit() as uow:
                return search(words, uow=uow, principal=principal, decisions=registry.decisions()).total

        for words in ("wharf", "wharf tide", "station_04217"):
            scanned_ms, total = timed(partial(matches, words))
            require_equal(ask(words), total, f"how many datasets match {words!r}")
            yield Figure(
                name="search",
                what=f"search for {words!r} among {LARGE:,} datasets, beside a scan of their names in memory",
                ours=median_ms(partial(ask, words), runs=15),
                limit=scanned_ms,
                note=f"{total:,} found",
            )


@contextmanager
def long_list(workshop: Workshop) -> Iterator[Registry]:
    """A catalogue of 10,000 datasets that no store has: 50 sources, 20 owners in each, five columns in each."""
    from hms_policies import load_bundle
    from hms_registry.bootstrap import Registry
    from hms_registry.domain.columns import PrivacyTier
    from hms_registry.domain.sources import Source

    home = workshop.folder / "lists"
    is_new = not home.exists()
    if is_new:
        make_home(home, {"files": {"url": "file:."}})
    with Registry.open(home) as registry:
        if is_new:
            tiers = (None, *PrivacyTier)
            with registry.catalogue.unit(writes=True) as uow:
                for at in range(_SOURCES):
                    tags = frozenset({"line-list"} if at % 7 == 0 else ())
                    tier = tiers[at % len(tiers)]
                    source = Source(name=f"port{at:02}", kind="files", url="file:.", privacy_tier=tier, tags=tags)
                    uow.sources.put(source)
                for start in range(0, LARGE, 500):
                    uow.registrations.register([_described(at) for at in range(start, start + 500)])
                uow.bundles.publish(load_bundle(ROOT / "examples" / "policies", author="bench"))
                uow.commit()
        yield registry


def _described(at: int) -> DescribedDataset:
    from hms_registry.domain.columns import Column, ColumnPath
    from hms_registry.domain.datasets import DatasetRef, DescribedDataset
    from hms_registry.domain.names import Address

    table = f"station_{at:05} {_WORDS[at % len(_WORDS)]} {_WORDS[at // 13 % len(_WORDS)]}"
    names = ("day", "reading", "unit_price", "vessel", f"note_{at % 100}")
    return DescribedDataset(
        ref=DatasetRef(address=Address(f"port{at % _SOURCES:02}", "public", table)),
        columns=tuple(Column(path=ColumnPath.of(name), trino_type="varchar", arrow_type="string") for name in names),
        owner=f"desk {at // _SOURCES % _OWNERS}",
    )


def _labels(registry: Registry) -> dict[DatasetId, DatasetLabels]:
    with registry.catalogue.unit() as uow:
        return {dataset.id: dataset.labels for dataset in uow.datasets.iter()}


def _ask_oso(registry: Registry, labels: dict[DatasetId, DatasetLabels]) -> list[DatasetId]:
    """Ask the rules themselves about each dataset, with nothing remembered."""
    from hms_policies.engine import Engine
    from hms_policies.records import DatasetRecord, PrincipalRecord
    from hms_policies.statements import read_statements

    engine = Engine(read_statements(registry.decisions().bundle.files))
    who = PrincipalRecord.of(registry.principal("shipping-analyst"))
    found = []
    for dataset_id, known in labels.items():
        what = DatasetRecord.of(known)
        if not engine.holds("deny", who, "find", what) and engine.holds("allow", who, "find", what):
            found.append(dataset_id)
    return found
