"""What must hold of the catalogue for any names, any lineage and any order of events."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from catalogues import Catalogues
from hms_registry.domain.columns import PrivacyTier
from hms_registry.domain.datasets import DatasetId
from hms_registry.domain.edges import Edge, EdgeKind
from hms_registry.domain.labels import DatasetLabels
from hms_registry.domain.manifests import Manifest, ManifestColumn
from hms_registry.domain.names import Address
from hms_registry.ports.bundles import Bundle
from hms_registry.ports.catalogue import Catalogue
from hms_registry.store import open_catalogue
from store_samples import LAKE, column, described, everything, register

NASTY = st.sampled_from(
    [
        "a",
        "A",
        "a.b",
        '"',
        '""',
        "'; DROP TABLE datasets; --",
        "%",
        "_",
        "*",
        "a__ca978112",
        "é",
        "e\u0301",
        "İ",
        "i̇",
        "ß",
        "SS",
    ]
)
NAMES = NASTY | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=8)
TIERS = st.none() | st.sampled_from(PrivacyTier)
TABLES = ("t0", "t1", "t2", "t3", "t4")
COLUMNS = ("a", "b")


@settings(deadline=None, derandomize=True, max_examples=15)
@given(st.lists(st.tuples(NAMES, NAMES), min_size=1, max_size=12, unique=True), st.integers(1, 5))
def test_any_names_stay_apart_and_can_be_had_back(
    catalogues: Catalogues, pairs: list[tuple[str, str]], size: int
) -> None:
    """Distinct addresses get distinct ids and SQL names, in whatever batches; each finds its own dataset, and an
    exact search puts it first."""
    with catalogues.empty() as catalogue:
        datasets = [described(table, schema=schema) for schema, table in pairs]

        done = [each for at in range(0, len(datasets), size) for each in register(catalogue, *datasets[at : at + size])]

        visible = everything(catalogue)
        with catalogue.unit() as uow:
            listed = list(uow.datasets.iter())
            assert len({each.dataset_id for each in done}) == len({each.trino_name for each in listed}) == len(pairs)
            for each in done:
                found = uow.datasets.get(each.dataset_id)
                assert found.address == each.address
                assert uow.datasets.find(each.address) == uow.datasets.resolve(found.trino_name) == found
                first = uow.search.search(str(found.trino_name), visible=visible, limit=20)
                assert each.dataset_id in [hit.dataset_id for hit in first.hits]


@settings(deadline=None, derandomize=True, max_examples=15)
@given(st.lists(st.text(max_size=60), min_size=1, max_size=10))
def test_any_text_can_be_searched_for(texts: list[str]) -> None:
    """No text is an error, a page is never longer than its total, and suggestions are few."""
    catalogue = open_catalogue("sqlite://")
    register(catalogue, described("a"), described("flu weekly", 'b"', "%"))
    visible = everything(catalogue)

    with catalogue.unit() as uow:
        for text in texts:
            page = uow.search.search(text, visible=visible, limit=1)
            assert len(page.hits) == min(page.total, 1)
            assert len(uow.search.nearest(text, visible=visible)) <= 2
    catalogue.close()


def _links() -> st.SearchStrategy[list[Edge]]:
    ends = st.none() | st.sampled_from(COLUMNS)
    kinds = st.sampled_from([EdgeKind.DERIVES, EdgeKind.DERIVES, EdgeKind.SAME_DATA, EdgeKind.REFERENCES])
    edge = st.builds(
        Edge,
        upstream=st.sampled_from(TABLES).map(DatasetId),
        downstream=st.just(DatasetId("")),
        kind=kinds,
        upstream_column=ends,
        downstream_column=ends,
    )
    return st.lists(edge, max_size=3)


MANIFESTS = st.builds(
    Manifest,
    name=st.just(""),
    source=st.just("x"),
    privacy_tier=TIERS,
    is_declassified=st.booleans(),
    tags=st.none() | st.just(frozenset({"steward"})),
    columns=st.lists(
        st.builds(ManifestColumn, name=st.sampled_from(COLUMNS), privacy_tier=TIERS, is_declassified=st.booleans()),
        max_size=2,
        unique_by=lambda stated: stated.name,
    ).map(tuple),
)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("edges"), st.sampled_from(TABLES), _links(), st.booleans()),
        st.tuples(st.just("state"), st.sampled_from(TABLES), MANIFESTS),
        st.tuples(st.just("crawl"), st.sampled_from(TABLES), TIERS),
        st.tuples(st.just("publish"), st.sets(st.sampled_from([*COLUMNS, "lake.locks.t0", "lake.locks.t1"]))),
        st.tuples(st.just("source"), TIERS),
    ),
    min_size=1,
    max_size=10,
)


@settings(deadline=None, derandomize=True, max_examples=40)
@given(STEPS)
def test_labels_kept_step_by_step_are_those_computed_at_once(steps: list[tuple[object, ...]]) -> None:
    """Whatever happened in whatever order, labelling everything anew changes nothing."""
    catalogue = open_catalogue("sqlite://")
    done = register(catalogue, *(described(table, *COLUMNS) for table in TABLES))
    ids = {each.address.table: each.dataset_id for each in done}

    for at, step in enumerate(steps):
        _take(catalogue, step, ids, at)

    kept = _labels(catalogue)
    with catalogue.unit(writes=True) as uow:
        bundle = uow.bundles.current()
        mentions = frozenset() if bundle is None else bundle.mentions
        assert uow.registrations.relabel(mentions) == 0
        uow.commit()
    assert _labels(catalogue) == kept
    declassified = {each[1] for each in steps if each[0] == "state"}
    _check_nothing_is_laundered(catalogue, except_for={str(each) for each in declassified})
    catalogue.close()


def _check_nothing_is_laundered(catalogue: Catalogue, *, except_for: set[str]) -> None:
    """Walk upstream naively from each dataset; what is met is an origin, unless a steward may have stopped it."""
    with catalogue.unit() as uow:
        datasets = {each.id: each for each in uow.datasets.iter()}
        edges = [each.edge for one in datasets for each in uow.edges.around(one) if each.edge.kind != "references"]
    stopped = {each.id for each in datasets.values() if each.address.table in except_for}
    for dataset in datasets.values():
        met, todo = {dataset.id}, [dataset.id]
        while todo:
            at = todo.pop()
            ups = {each.upstream for each in edges if each.downstream == at}
            ups |= {each.downstream for each in edges if each.upstream == at and each.kind == "same_data"}
            fresh = set() if at in stopped else ups - met
            met |= fresh
            todo += fresh
        carried = {*dataset.labels.origins, _bare(dataset.labels)}
        assert all(_bare(datasets[each].labels) in carried for each in met)


def _bare(labels: DatasetLabels) -> DatasetLabels:
    return replace(labels, origins=(), columns=())


def _take(catalogue: Catalogue, step: tuple[object, ...], ids: dict[str, DatasetId], at: int) -> None:
    with catalogue.unit(writes=True) as uow:
        match step:
            case ("edges", str(table), list(edges), bool(has_unknown)):
                made = [replace(each, upstream=ids[each.upstream], downstream=ids[table]) for each in edges]
                uow.edges.replace(ids[table], origin="view", edges=made, has_unknown=has_unknown)
            case ("state", str(table), Manifest() as manifest):
                uow.registrations.annotate(Address("lake", "locks", table), manifest)
            case ("crawl", str(table), tier):
                assert tier is None or isinstance(tier, PrivacyTier)
                uow.registrations.register([described(table, column("a", tier=tier, tags=[f"{at}"]), "b")])
            case ("publish", set(mentions)):
                uow.bundles.publish(Bundle(files={}, digest=f"{at}", author="", mentions=frozenset(mentions)))
            case ("source", tier):
                assert tier is None or isinstance(tier, PrivacyTier)
                uow.sources.put(replace(LAKE, privacy_tier=tier))
        uow.commit()


def _labels(catalogue: Catalogue) -> dict[str, tuple[DatasetLabels, object]]:
    with catalogue.unit() as uow:
        return {str(each.address): (each.labels, each.labels.columns) for each in uow.datasets.iter()}
