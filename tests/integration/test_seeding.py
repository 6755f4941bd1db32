"""A seeded catalogue: as many as were asked for, always the same, and as a crawl would have left it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from catalogue_contents import contents
from catalogues import Catalogues
from command import hms
from hms_registry.bootstrap import now
from hms_registry.domain.crawls import CrawlState
from hms_registry.domain.decisions import Visibility
from hms_registry.domain.edges import EdgeKind
from hms_registry.ports.catalogue import Catalogue
from hms_registry.seeding import Plan, seed
from hms_registry.seeding.landscape import HUB, Landscape
from hms_registry.seeding.shape import Shape

PLAN = Plan(datasets=200, edges=300, column_edges=500)


@pytest.fixture(scope="module")
def seeded() -> Iterator[Catalogue]:
    """A seeded catalogue; nothing here changes it."""
    with Catalogues().empty() as catalogue:
        seed(PLAN, catalogue=catalogue, clock=now)
        yield catalogue


def told(catalogue: Catalogue) -> list[object]:
    """What `contents` tells, and what people read of each dataset."""
    with catalogue.unit() as uow:
        read = [
            (each.title, each.description, each.owner, each.tags, each.storage_tier, each.location, each.observation)
            for each in uow.datasets.iter()
        ]
    return [contents(catalogue), read]


@pytest.mark.parametrize(
    ("datasets", "edges"),
    [(1, 0), (4, 1), (8, 4), (33, 68), (100, 100), (100, 625), (1_000, 1_000), (1_000, 32_000), (3_000, 700)],
)
def test_a_plan_is_kept_to_the_edge(datasets: int, edges: int) -> None:
    """Every dataset has its place, and comes from others, no two alike, as many in all as were asked for."""
    landscape = Landscape(Plan(datasets=datasets, edges=edges))
    shape, count = Shape(landscape), 0

    for number in range(datasets):
        stretch = landscape.stretch_of(number)
        upstreams = shape.upstreams(stretch, number)
        assert number in range(stretch.first, stretch.first + stretch.size)
        assert number == HUB or number in stretch.block(stretch.subject_of(number))
        assert number not in upstreams
        assert all(0 <= each < datasets for each in upstreams)
        assert len(upstreams) == len(set(upstreams))
        count += len(upstreams)

    assert count == edges
    assert sum(each.size for each in landscape.stretches) == datasets


def test_the_same_plan_is_the_same_catalogue(seeded: Catalogue, catalogue: Catalogue) -> None:
    """On either database, whenever it is seeded, with labels that a relabelling leaves as they are."""
    seed(PLAN, catalogue=catalogue, clock=now)

    assert told(catalogue) == told(seeded)
    with catalogue.unit(writes=True) as uow:
        assert uow.registrations.relabel(frozenset()) == 0


def test_another_number_is_another_catalogue(seeded: Catalogue, memory: Catalogue) -> None:
    """As large, and with other names."""
    seed(replace(PLAN, seed=2), catalogue=memory, clock=now)

    assert told(memory) != told(seeded)


def test_it_holds_what_was_asked_for(seeded: Catalogue) -> None:
    """Datasets of five to forty columns, and edges between datasets and between columns, to the number."""
    with seeded.unit() as uow:
        datasets = list(uow.datasets.iter())
        edges = [end.edge for each in datasets for end in uow.edges.around(each.id) if end.edge.downstream == each.id]

    assert len(datasets) == PLAN.datasets
    assert all(5 <= len(each.columns) <= 40 for each in datasets)
    assert sum(edge.upstream_column is None for edge in edges) == PLAN.edges
    assert sum(edge.upstream_column is not None for edge in edges) == PLAN.column_edges
    assert {edge.kind for edge in edges} == {EdgeKind.DERIVES}


def test_its_labels_follow_its_edges(seeded: Catalogue) -> None:
    """What comes from others is as private as the strictest of them, in cycles too."""
    with seeded.unit() as uow:
        derived = [each for each in uow.datasets.iter() if each.labels.origins]

    assert len(derived) > PLAN.datasets / 3
    assert all(
        each.labels.privacy_tier >= max(origin.privacy_tier for origin in each.labels.origins)
        for each in derived
        if each.privacy_tier is None
    )


def test_its_lineage_has_chains_fans_cycles_and_a_hub() -> None:
    """A path of thirty steps, a table that dozens come from, a way back, and one that a twentieth of all come from."""
    landscape = Landscape(Plan(datasets=5_000, edges=5_000))
    shape = Shape(landscape)
    upstreams = {each: shape.upstreams(landscape.stretch_of(each), each) for each in range(5_000)}
    below: dict[int, list[int]] = defaultdict(list)
    for each, found in upstreams.items():
        for upstream in found:
            below[upstream].append(each)

    reached, todo = {HUB}, [HUB]
    while todo:
        fresh = [each for each in below[todo.pop()] if each not in reached]
        reached.update(fresh)
        todo += fresh
    steps = dict.fromkeys(range(landscape.first_derived), 0)
    for each in range(landscape.first_derived, 5_000):
        steps[each] = max((steps[upstream] + 1 for upstream in upstreams[each] if upstream < each), default=0)

    assert len(reached) == 251
    assert max(steps.values()) >= 30
    assert sorted(map(len, below.values()))[-2] >= 32
    assert any(upstream > each for each, found in upstreams.items() for upstream in found)


def test_some_words_are_everywhere_and_some_nearly_nowhere(seeded: Catalogue) -> None:
    """The first word of the vocabulary is in most datasets, one of hundreds in some, a number in one."""
    with seeded.unit() as uow:
        classes = uow.bundles.classes()
        everything = Visibility(dataset_classes=frozenset(classes.datasets), column_classes=frozenset(classes.columns))
        words = ("weekly", "vessel", "reference")
        totals = {word: uow.search.search(word, visible=everything, limit=1).total for word in words}

    assert totals["weekly"] > PLAN.datasets / 2
    assert 2 < totals["vessel"] < PLAN.datasets / 2
    assert totals["reference"] == 1


def test_each_source_was_crawled_once_and_whole(seeded: Catalogue) -> None:
    """Its run is balanced and complete, so its datasets are as fresh as those of a store."""
    with seeded.unit() as uow:
        runs = uow.crawls.latest(limit=100)
        sources = uow.sources.all()

    assert len(runs) == len(sources)
    assert {run.state for run in runs} == {CrawlState.COMPLETE}
    assert all(run.balance is not None and run.balance.is_balanced for run in runs)
    assert sum(run.balance.new for run in runs if run.balance is not None) == PLAN.datasets
    assert all(status.last_crawled_at is not None for status in sources)


def test_the_same_again_writes_no_dataset(memory: Catalogue) -> None:
    """Neither dataset nor edge: only that it was looked at again."""
    plan = Plan(datasets=60, edges=40)
    seed(plan, catalogue=memory, clock=now)
    with memory.unit() as uow:
        epoch = uow.epoch()

    again = seed(plan, catalogue=memory, clock=now)

    with memory.unit() as uow:
        assert uow.epoch() == epoch
    assert again.written == 0


def test_one_that_broke_off_goes_on(memory: Catalogue) -> None:
    """What was registered stays, and in the end the catalogue is that of one run."""
    plan = Plan(datasets=100, edges=100)

    class Stopped(Exception):
        pass

    def stop(done: int) -> None:
        if done > 60:
            raise Stopped

    with pytest.raises(Stopped):
        seed(plan, catalogue=memory, clock=now, progress=stop)
    resumed = seed(plan, catalogue=memory, clock=lambda: now() + timedelta(hours=1))

    with Catalogues().empty() as whole:
        seed(plan, catalogue=whole, clock=now)
        assert told(memory) == told(whole)
    assert 0 < resumed.written < plan.datasets


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        (
            ("--datasets", "0"),
            "0 datasets cannot be seeded",
            "say a number from 1 to 10,000,000",
        ),
        (
            ("--datasets", "8", "--edges", "5"),
            "5 edges do not go between 8 datasets",
            "say a number from 0 to 4",
        ),
        (
            ("--datasets", "8", "--edges", "1", "--column-edges", "26"),
            "26 column edges do not go along 1 edges",
            "say a number from 0 to 25",
        ),
    ],
)
def test_what_cannot_be_is_refused(tmp_path: Path, words: tuple[str, ...], message: str, hint: str) -> None:
    """With the number that could be."""
    (tmp_path / "sources.yml").write_text("sources: {}\n", encoding="utf-8")

    done = hms(tmp_path, "bench", "seed", *words)

    assert (done.code, done.err) == (2, f"error: {message}\n  hint: {hint}\n")


def test_a_home_with_datasets_of_its_own_is_refused_unless_they_are_added(tmp_path: Path) -> None:
    """Nobody's catalogue is mixed with what no store has by mistake; nor are two plans."""
    (tmp_path / "lake").mkdir()
    (tmp_path / "lake" / "tide.csv").write_text("day,level\n2024-01-01,3\n", encoding="utf-8")
    (tmp_path / "sources.yml").write_text("sources:\n  lake: {url: file:lake}\n", encoding="utf-8")
    assert hms(tmp_path, "crawl").code == 0

    refused = hms(tmp_path, "bench", "seed", "--datasets", "40")
    added = hms(tmp_path, "bench", "seed", "--datasets", "40", "--edges", "30", "--add", "--json")
    other = hms(tmp_path, "bench", "seed", "--datasets", "41", "--add")

    assert refused.code == 2
    assert "this home holds datasets of lake" in refused.err
    assert "add to this one with --add" in refused.err
    assert added.json == {"sources": 25, "datasets": 40, "edges": 30, "column_edges": 0, "written": 40}
    assert other.code == 2
    assert "this home was seeded with other numbers: 40 datasets, 30 edges, 0 column edges, seed 1" in other.err


def test_a_source_of_ones_own_is_never_taken_for_a_seeded_one(tmp_path: Path) -> None:
    """A store that sources.yml calls as a seeded one is called keeps its name."""
    (tmp_path / "sources.yml").write_text('sources:\n  bts_lake: {url: "file:."}\n', encoding="utf-8")

    done = hms(tmp_path, "bench", "seed", "--datasets", "40", "--add")

    assert done.code == 2
    assert "sources of this home have the names of seeded ones: bts_lake" in done.err
