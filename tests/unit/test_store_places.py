"""Datasets at one place: linked in the unit that registers the later one, whichever that is, and as long as both lie
there."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import event

from hms_registry.domain.columns import PrivacyTier
from hms_registry.domain.datasets import DatasetId, DatasetKind, DatasetState, DescribedDataset
from hms_registry.domain.edges import EdgeKind
from hms_registry.domain.names import Address
from hms_registry.domain.places import place_at, store_at
from hms_registry.ports.catalogue import Catalogue
from hms_registry.store.unit import SqlCatalogue
from store_samples import LAKE, column, described, get, put, register

HERE, THERE = store_at("https://here.example"), store_at("https://there.example")
FOLDER, FILE = DatasetKind.FOLDER, DatasetKind.FILE


def lying(name: str, path: str, *columns: str, store: str = HERE, kind: DatasetKind = FOLDER) -> DescribedDataset:
    """A dataset at a path of one bucket; its name is SOURCE.TABLE."""
    source, _, table = name.partition(".")
    made = described(table, *columns, source=source, kind=kind)
    return replace(made, place=place_at("s3://lake", path, store=store))


def table(name: str, path: str, *columns: str, store: str = HERE) -> DescribedDataset:
    """One that a metastore tells of."""
    return lying(name, path, *columns, store=store, kind=DatasetKind.TABLE)


def same(catalogue: Catalogue) -> set[frozenset[str]]:
    """Return which datasets are said to be the same data, in pairs."""
    with catalogue.unit() as uow:
        sources = [each.source.name for each in uow.sources.all()]
        known = {address: one for source in sources for address, one in uow.registrations.known(source).items()}
        names = {one.dataset_id: f"{address.source}.{address.table}" for address, one in known.items()}
        edges = [each.edge for one in names for each in uow.edges.around(one, kind=EdgeKind.SAME_DATA)]
    return {frozenset((names[edge.upstream], names[edge.downstream])) for edge in edges}


def pairs(*names: str) -> set[frozenset[str]]:
    return {frozenset(each.split(" = ")) for each in names}


def mark(catalogue: Catalogue, dataset_id: DatasetId, state: DatasetState) -> None:
    with catalogue.unit(writes=True) as uow:
        uow.registrations.mark([dataset_id], state)
        uow.commit()


@pytest.mark.parametrize("order", [1, -1])
def test_whichever_is_registered_last_links_them(catalogue: Catalogue, order: int) -> None:
    """A table and the folder at its location are one, in whatever order their sources are crawled."""
    for each in [lying("lake.t", "x/t"), table("hive.t", "x/t/")][::order]:
        register(catalogue, each)

    assert same(catalogue) == pairs("lake.t = hive.t")


def test_labels_follow_in_the_unit_that_registers(catalogue: Catalogue) -> None:
    """No commit leaves a table whose folder is open: the tier and the tags of columns are there with it."""
    put(catalogue, replace(LAKE, privacy_tier=PrivacyTier.PUBLIC))
    folder = register(catalogue, lying("lake.t", "x/t", "ID", "name"))[0].dataset_id
    assert get(catalogue, folder).labels.privacy_tier is PrivacyTier.PUBLIC

    secret = column("id", tags=["patient"])
    with catalogue.unit(writes=True) as uow:
        uow.sources.put(replace(LAKE, name="hive", privacy_tier=PrivacyTier.RESTRICTED))
        uow.registrations.register([replace(table("hive.t", "x/t"), columns=(secret, column("name")))])
        uow.commit()

    labels = dict(get(catalogue, folder).labels.columns)
    assert get(catalogue, folder).labels.privacy_tier is PrivacyTier.RESTRICTED
    assert [set(origin[1].tags) for origin in labels["ID"].origins] == [{"patient"}]
    assert [set(origin[1].tags) for origin in labels["name"].origins] == [set()]


def test_a_column_without_a_namesake_may_be_any_that_has_none(catalogue: Catalogue) -> None:
    """A text file without a header has other names than its table: what is said of a column there reaches each."""
    folder = register(catalogue, lying("lake.t", "x/t", "column_1", "column_2", "day"))[0].dataset_id
    ssn = column("ssn", tags=["patient"])

    register(catalogue, replace(table("hive.t", "x/t"), columns=(ssn, column("age"), column("day"))))

    labels = dict(get(catalogue, folder).labels.columns)
    tagged = {name: any(origin[1].tags for origin in each.origins) for name, each in labels.items()}
    assert tagged == {"column_1": True, "column_2": True, "day": False}


def test_what_lies_within_is_a_part_of_it(catalogue: Catalogue) -> None:
    """Files, partition folders and the buckets' own roots; a neighbour whose name begins alike is not within."""
    register(
        catalogue,
        lying("lake.one", "x/t/1.parquet", kind=FILE),
        lying("lake.two", "x/t/2.parquet", kind=FILE),
        lying("lake.near", "x/tt/1.parquet", kind=FILE),
    )

    register(catalogue, table("hive.t", "x/t"), table("other.day", "x/t/dt=1"))

    assert same(catalogue) == pairs("hive.t = lake.one", "hive.t = lake.two", "hive.t = other.day")


def test_a_file_belongs_to_the_nearest_folder_of_a_source(catalogue: Catalogue) -> None:
    """A source that lists files has each in one dataset: folders within folders of it are not the same data."""
    register(catalogue, lying("lake.t", "x/t"), lying("lake.old", "x/t/old"))

    register(catalogue, lying("copy.f", "x/t/old/f.csv", kind=FILE), table("hive.new", "x/t/new"))

    assert same(catalogue) == pairs("lake.old = copy.f", "lake.t = hive.new")


def test_tables_of_one_metastore_at_one_place_are_one(catalogue: Catalogue) -> None:
    """Who may make tables may make another over the same files, or over a folder of them."""
    register(catalogue, table("hive.t", "x/t"), table("hive.u", "x/t"), table("hive.part", "x/t/dt=1"))

    assert same(catalogue) == pairs("hive.t = hive.u", "hive.t = hive.part")


def test_another_store_with_such_a_bucket_is_another(catalogue: Catalogue) -> None:
    """Where the endpoints are known and differ, nothing is linked; where one is not known, it may be any."""
    register(catalogue, lying("here.t", "x/t"), lying("there.t", "x/t", store=THERE))
    assert same(catalogue) == set()

    register(catalogue, table("hive.t", "x/t", store=""))

    assert same(catalogue) == pairs("here.t = hive.t", "there.t = hive.t")


def test_what_moves_takes_its_link_along(catalogue: Catalogue) -> None:
    """The old place lets go in the same unit, and what lies there finds what else does."""
    register(catalogue, lying("lake.t", "x/t"), lying("lake.u", "x/u"), table("hive.t", "x/t"), table("ice.t", "x/t"))
    assert same(catalogue) == pairs("lake.t = hive.t", "lake.t = ice.t", "hive.t = ice.t")

    moved = replace(table("hive.t", "x/u"), location="s3://lake/x/u")
    register(catalogue, moved)

    assert same(catalogue) == pairs("lake.u = hive.t", "lake.t = ice.t")


def test_what_is_gone_is_the_same_as_nothing(catalogue: Catalogue) -> None:
    """A link ends with either end, and is there again when that comes back; what is only doubted keeps it."""
    folder, hive, file = (
        each.dataset_id
        for each in register(
            catalogue, lying("lake.t", "x/t"), table("hive.t", "x/t"), lying("copy.f", "x/t/f.csv", kind=FILE)
        )
    )
    whole = pairs("lake.t = hive.t", "lake.t = copy.f", "hive.t = copy.f")

    mark(catalogue, folder, DatasetState.SUSPECT)
    assert same(catalogue) == whole
    mark(catalogue, folder, DatasetState.GONE)
    assert same(catalogue) == pairs("hive.t = copy.f")
    mark(catalogue, folder, DatasetState.PRESENT)
    assert same(catalogue) == whole
    mark(catalogue, hive, DatasetState.GONE)
    mark(catalogue, file, DatasetState.GONE)
    assert same(catalogue) == set()

    register(catalogue, table("hive.t", "x/t"))

    assert same(catalogue) == pairs("lake.t = hive.t")


def test_a_manifest_moves_nothing(catalogue: Catalogue) -> None:
    """What is stated of a dataset is written without anybody looking where it lies."""
    from hms_registry.domain.manifests import Manifest

    register(catalogue, lying("lake.t", "x/t"), table("hive.t", "x/t"))

    with catalogue.unit(writes=True) as uow:
        address = Address("lake", "locks", "t")
        uow.registrations.annotate(address, Manifest(name="T", source="x", privacy_tier=PrivacyTier.PII_SAFE))
        uow.commit()

    assert same(catalogue) == pairs("lake.t = hive.t")


def test_linking_costs_two_statements_a_batch_where_nobody_else_looks(catalogue: Catalogue) -> None:
    """However many datasets there are, and none where nothing has a place."""
    assert isinstance(catalogue, SqlCatalogue)
    put(catalogue, LAKE)
    register(catalogue, *(table(f"hive.t{at}", f"x/t{at}") for at in range(50)))
    many = [lying(f"lake.n{at}", f"y/{at}/{at % 7}.csv", kind=FILE) for at in range(300)]
    placeless = [replace(each, place=None) for each in many]

    counts = [statements(catalogue, batch) for batch in (placeless, many[:1], many)]

    assert [count - counts[0] for count in counts] == [0, 2, 2]


def statements(catalogue: SqlCatalogue, batch: list[DescribedDataset]) -> int:
    """Count what registering new datasets asks of the database; nothing is kept."""
    seen: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        seen.append(statement)

    engine = catalogue._opened.engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        with catalogue.unit(writes=True) as uow:
            uow.registrations.register(batch)
    finally:
        event.remove(engine, "before_cursor_execute", note)
    return len(seen)


def test_a_thousand_tables_at_one_place_are_as_many_edges(memory: Catalogue) -> None:
    """Each is linked to the first of each source, and not to every other."""
    register(memory, lying("lake.t", "x/t"), *(table(f"hive.t{at}", "x/t") for at in range(60)))

    assert len(same(memory)) == 60 + 59
