"""Registering: idempotent, in bulk, versions only for schemas, and manifests over what is described."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from hms_registry.domain.columns import ARRAY, Column, ColumnPath, PrivacyTier, StorageTier
from hms_registry.domain.datasets import (
    Dataset,
    DatasetId,
    DatasetKind,
    DatasetState,
    DescribedDataset,
    ForeignKey,
    Observation,
    Stamp,
)
from hms_registry.domain.manifests import Manifest, ManifestColumn
from hms_registry.domain.names import Address, TrinoName
from hms_registry.domain.sources import Source
from hms_registry.errors import DatasetNotFound, SettingsInvalid, SourceNotFound
from hms_registry.ports.catalogue import Catalogue
from hms_registry.ports.registering import Known
from statements import statements
from store_samples import LAKE, column, described, get, put, register

AT = datetime(2026, 1, 2, tzinfo=UTC)


def annotate(catalogue: Catalogue, address: Address, **stated: Any) -> Any:
    with catalogue.unit(writes=True) as uow:
        done = uow.registrations.annotate(address, Manifest(**{"name": "Title", "source": "s3://x", **stated}))
        uow.commit()
    return done


def events(catalogue: Catalogue) -> list[str]:
    with catalogue.unit() as uow:
        return [each.kind for each in uow.outbox.since(0)]


RICH = DescribedDataset(
    ref=replace(described("Odd.Name").ref, kind=DatasetKind.FILE, locator="dir/\udcff.csv"),
    columns=(
        Column(
            path=ColumnPath.of("tonnes\0\udc80"),
            trino_type="double",
            native_type="f8",
            arrow_type="double",
            is_nullable=False,
            is_guessed=True,
            is_partition_key=True,
            unit="[ston_av]",
            scale=Decimal("1000.0"),
            description="thousand tons",
            tags=frozenset({"b", "a"}),
            privacy_tier=PrivacyTier.PUBLIC,
            is_declassified=True,
        ),
        Column(path=ColumnPath.of("crew", ARRAY, "name"), trino_type="varchar"),
        Column(path=ColumnPath.of("crew", ARRAY, "age"), trino_type="integer"),
    ),
    primary_key=("tonnes",),
    foreign_keys=(ForeignKey(columns=("a", "b"), target=Address("lake", "o", 't"'), target_columns=("x", "y")),),
    description="what it is",
    owner="Ana",
    location="file:///x",
    format="csv",
    is_readable=False,
    observation=Observation(row_count=3, is_estimate=True, size_bytes=5, file_count=1, modified_at=AT),
    findings=("one stray file",),
    properties={"delimiter": ";"},
)


def test_everything_described_is_read_back(catalogue: Catalogue) -> None:
    """Also what is not valid Unicode, nested paths, and every flag."""
    done = register(catalogue, RICH)[0]

    found = get(catalogue, done.dataset_id)

    assert (done.outcome, done.version, found.version) == ("new", 1, 1)
    for name in ("columns", "primary_key", "foreign_keys", "description", "owner", "location", "format"):
        assert getattr(found, name) == getattr(RICH, name)
    for name in ("is_readable", "observation", "findings", "properties"):
        assert getattr(found, name) == getattr(RICH, name)
    assert (found.address, found.kind, found.stamp, found.locator) == (
        RICH.ref.address, DatasetKind.FILE, "s1", "dir/\udcff.csv",
    )  # fmt: skip
    assert (found.agency, found.registry_id, found.state) == ("DOT", "local", DatasetState.PRESENT)
    assert found.trino_name == TrinoName("lake", "locks", "odd.name")
    assert [name for name, _ in found.labels.columns] == ["tonnes\0\udc80", "crew"]


def test_registering_the_same_again_writes_nothing(catalogue: Catalogue) -> None:
    """Not one statement changes anything, and the outcome says so."""
    register(catalogue, RICH, described("b"))

    with statements(catalogue) as seen:
        again = register(catalogue, RICH, described("b"))

    assert [each.outcome for each in again] == ["unchanged", "unchanged"]
    assert not [each for each in seen if each.split()[0] in {"INSERT", "UPDATE", "DELETE"}]


@pytest.mark.parametrize(
    "change",
    [
        {"columns": (column("id"), column("b"))},
        {"columns": (column("b"), column("id"))},
        {"columns": (column("id", "integer"), column("b"))},
        {"columns": (replace(column("id"), native_type="INT8"), column("b"))},
        {"columns": (replace(column("id"), is_nullable=False), column("b"))},
        {"columns": (column("id"), column("c"))},
        {"primary_key": ("id",)},
        {"foreign_keys": (ForeignKey(columns=("b",), target=Address("a", "b", "c"), target_columns=("d",)),)},
    ],
)
def test_a_change_of_schema_makes_one_version(catalogue: Catalogue, change: dict[str, Any]) -> None:
    """Paths, types, nullability, keys and order are the schema; the old version stays as it was."""
    first = described("a", "b", "id") if change.get("columns", ())[:1] == (column("id"),) else described("a", "id", "b")
    first = described("a", "id") if change == {"columns": (column("id"), column("b"))} else first
    register(catalogue, first)

    done = register(catalogue, replace(first, **change))[0]

    assert (done.outcome, done.version) == ("changed", 2)
    assert events(catalogue) == ["DatasetRegistered", "SchemaChanged"]
    with catalogue.unit() as uow:
        versions = uow.datasets.versions(done.dataset_id)
    assert [(each.number, each.epoch) for each in versions] == [(1, 1), (2, 2)]
    assert versions[0].columns == first.columns
    assert versions[1].columns == replace(first, **change).columns


@pytest.mark.parametrize(
    "change",
    [
        {"description": "other"},
        {"columns": (replace(column("id"), description="other"),)},
        {"columns": (replace(column("id"), arrow_type="int64"),)},
        {"location": "file:///elsewhere"},
        {"is_readable": False},
        {"findings": ("a stray file",)},
    ],
)
def test_a_change_of_facts_makes_an_event_and_no_version(catalogue: Catalogue, change: dict[str, Any]) -> None:
    """What is said of a dataset is not its schema."""
    register(catalogue, described("a"))

    done = register(catalogue, replace(described("a"), **change))[0]

    assert (done.outcome, done.version) == ("changed", 1)
    assert events(catalogue) == ["DatasetRegistered", "DatasetChanged"]


@pytest.mark.parametrize(
    "change", [{"observation": Observation(row_count=9)}, {"ref": replace(described("a").ref, stamp=Stamp("s2"))}]
)
def test_another_stamp_or_observation_is_written_without_an_event(catalogue: Catalogue, change: dict[str, Any]) -> None:
    """A busy table mints neither versions nor events."""
    register(catalogue, described("a"))

    done = register(catalogue, replace(described("a"), **change))[0]

    assert (done.outcome, done.version) == ("changed", 1)
    assert events(catalogue) == ["DatasetRegistered"]
    found = get(catalogue, done.dataset_id)
    assert (found.observation.row_count, found.stamp) in {(9, "s1"), (None, "s2")}


def test_results_come_in_order_and_the_last_of_two_twins_holds(catalogue: Catalogue) -> None:
    """An address described twice in a batch is one dataset, counted once."""
    done = register(catalogue, described("b"), described("a"), described("b", "id", "more"))

    assert [(each.address.table, each.outcome) for each in done] == [("b", "new"), ("a", "new"), ("b", "unchanged")]
    assert done[0].dataset_id == done[2].dataset_id
    assert len(get(catalogue, done[0].dataset_id).columns) == 2


def test_a_dataset_of_no_source_is_refused(catalogue: Catalogue) -> None:
    """Sources come first."""
    with catalogue.unit(writes=True) as uow, pytest.raises(SourceNotFound, match="no source is named 'lake'"):
        uow.registrations.register([described("a")])


def batch(count: int, *, width: int, schema: str = "locks") -> list[DescribedDataset]:
    return [described(f"T_{at}", *(f"c{step}" for step in range(width)), schema=schema) for at in range(count)]


def test_the_number_of_statements_does_not_grow_with_the_batch(catalogue: Catalogue) -> None:
    """50 or 500, new, unchanged, changed, marked or read: as many statements."""
    register(catalogue, described("a", "c0"))
    counts: dict[int, list[int]] = {50: [], 500: []}
    for size, found in counts.items():
        schema = f"s{size}"
        for width in (2, 2, 3):
            with statements(catalogue) as seen:
                register(catalogue, *batch(size, width=width, schema=schema))
            found.append(len(seen))
        with catalogue.unit(writes=True) as uow, statements(catalogue) as seen:
            known = uow.registrations.known("lake")
            ids = [each.dataset_id for address, each in known.items() if address.schema == schema]
            uow.registrations.mark(ids, DatasetState.SUSPECT)
            assert len(uow.datasets.get_many(ids)) == size
            uow.commit()
        found.append(len(seen))

    assert counts[50] == counts[500]
    assert max(counts[500]) < 40


def test_twins_get_distinct_names_and_keep_them(catalogue: Catalogue) -> None:
    """A name once given never changes its meaning because a twin appears."""
    upper = register(catalogue, described("FLU"))[0]
    lower = register(catalogue, described("flu"), described("Flu", schema="LOCKS"))[0]

    with catalogue.unit() as uow:
        names = [each.trino_name for each in uow.datasets.iter()]
        kept = uow.datasets.resolve(TrinoName("lake", "locks", "flu"))
    assert kept is not None and kept.id == upper.dataset_id != lower.dataset_id
    assert len(set(names)) == 3
    assert all(str(each) == str(each).lower() for each in names)


def test_a_name_made_of_a_twins_suffix_is_given_once(catalogue: Catalogue) -> None:
    """Who spells a table like the suffix of another gets a suffix too."""
    register(catalogue, described("x"))
    loser = register(catalogue, described("X"))[0]
    suffixed = get(catalogue, loser.dataset_id).trino_name.table

    thief = register(catalogue, described(suffixed.upper()), described(suffixed))

    names = {get(catalogue, each.dataset_id).trino_name.table for each in [loser, *thief]}
    assert len(names) == 3 and suffixed in names


def test_gone_datasets_are_found_by_address_only_and_can_return(catalogue: Catalogue) -> None:
    """Absence is a state: ids, names and versions stay, and each change of it is one event."""
    done = register(catalogue, described("a"), described("b"))
    ids = [each.dataset_id for each in done]

    for state in (DatasetState.SUSPECT, DatasetState.GONE, DatasetState.GONE):
        with catalogue.unit(writes=True) as uow:
            uow.registrations.mark(ids, state)
            uow.commit()

    with catalogue.unit() as uow:
        assert list(uow.datasets.iter()) == []
        assert uow.datasets.resolve(TrinoName("lake", "locks", "a")) is None
        gone = uow.datasets.find(done[0].address)
        assert gone is not None and (gone.id, gone.state) == (ids[0], DatasetState.GONE)
        assert uow.registrations.known("lake")[done[0].address] == Known(
            dataset_id=ids[0], stamp=Stamp("s1"), state=DatasetState.GONE
        )
    assert register(catalogue, described("a"))[0].outcome == "changed"
    with catalogue.unit(writes=True) as uow:
        uow.registrations.mark([ids[1]], DatasetState.PRESENT)
        uow.commit()
    assert events(catalogue)[2:] == ["DatasetGone", "DatasetGone", "DatasetReturned", "DatasetReturned"]


def test_what_is_known_can_be_asked_of_some_addresses_alone(catalogue: Catalogue) -> None:
    """Of those named, what is registered comes back and nothing else, whatever the others are."""
    a, _b = (each.address for each in register(catalogue, described("a"), described("b")))

    with catalogue.unit() as uow:
        found = uow.registrations.known("lake", among=[a, replace(a, table="nothing"), replace(a, source="other")])
        nothing = uow.registrations.known("lake", among=[])

    assert (list(found), nothing) == ([a], {})


def test_a_manifest_overrides_what_was_described(catalogue: Catalogue) -> None:
    """What a person states holds; what they left unsaid stays as the store says."""
    done = register(catalogue, RICH)[0]

    annotated = annotate(
        catalogue,
        done.address,
        owner="DOT:BTS",
        license="CC0",
        tags=frozenset({"locks"}),
        storage_tier=StorageTier.COLD,
        privacy_tier=PrivacyTier.PII_SAFE,
        columns=(ManifestColumn(name="crew[].AGE", trino_type="smallint", unit="a", scale=Decimal("0.1")),),
    )

    found = get(catalogue, done.dataset_id)
    assert (annotated.outcome, annotated.version) == ("changed", 2)
    assert (found.title, found.owner, found.license, found.description) == ("Title", "DOT:BTS", "CC0", "what it is")
    assert (found.tags, found.storage_tier, found.privacy_tier) == ({"locks"}, StorageTier.COLD, PrivacyTier.PII_SAFE)
    assert found.columns[:2] == RICH.columns[:2]
    age = found.columns[2]
    assert (age.trino_type, age.arrow_type, age.unit, age.scale) == ("smallint", "", "a", Decimal("0.1"))


def test_a_manifest_survives_every_crawl(catalogue: Catalogue) -> None:
    """It is kept by address, and applies to what is described later; the same again writes nothing."""
    guessed = replace(described("a"), columns=(replace(column("when", "varchar"), is_guessed=True),))
    done = register(catalogue, guessed)[0]
    stated = (ManifestColumn(name="when", trino_type="date"),)
    annotate(catalogue, done.address, columns=stated)

    with statements(catalogue) as seen:
        again = annotate(catalogue, done.address, columns=stated)
        crawled = register(catalogue, guessed)[0]

    assert (again.outcome, crawled.outcome) == ("unchanged", "unchanged")
    assert not [each for each in seen if each.split()[0] in {"INSERT", "UPDATE", "DELETE"}]
    register(catalogue, replace(guessed, columns=(*guessed.columns, column("more"))))
    found = get(catalogue, done.dataset_id)
    assert [(each.name, each.trino_type, each.is_guessed) for each in found.columns] == [
        ("when", "date", False), ("more", "bigint", False),
    ]  # fmt: skip


def test_an_unknown_stated_column_is_refused_and_named(catalogue: Catalogue) -> None:
    """The message tells the nearest that are there; nothing is kept."""
    done = register(catalogue, described("a", "tonnage", "vessel_id"))[0]

    with pytest.raises(SettingsInvalid) as caught:
        annotate(catalogue, done.address, columns=(ManifestColumn(name="tonage"), ManifestColumn(name="vessel_id")))

    assert caught.value.message == "lake.locks.a has no column tonage, which the manifest states"
    assert caught.value.hint == "did you mean tonnage?"
    assert get(catalogue, done.dataset_id).title == ""


def test_a_stated_column_that_a_crawl_finds_gone_is_a_finding(catalogue: Catalogue) -> None:
    """A crawl does not stop because a person's statement grew old."""
    done = register(catalogue, described("a", "id", "old"))[0]
    annotate(catalogue, done.address, columns=(ManifestColumn(name="old", unit="t"),))

    register(catalogue, described("a", "id"))

    found = get(catalogue, done.dataset_id)
    assert found.findings == ("the manifest states something of column old, which is not there",)
    assert found.title == "Title"


def test_a_manifest_of_nothing_registered_is_refused(catalogue: Catalogue) -> None:
    """There is nothing to annotate."""
    with pytest.raises(DatasetNotFound, match="no dataset is registered at"):
        annotate(catalogue, Address("lake", "locks", "none"))


def test_what_a_source_states_reaches_its_datasets(catalogue: Catalogue) -> None:
    """Another agency, owner, tag or tier of a source is at once that of its datasets, and clears the stamp."""
    done = register(catalogue, described("a"))[0]

    put(catalogue, replace(LAKE, agency="CDC", owner="nchs", tags=frozenset({"flu"}), privacy_tier=PrivacyTier.PUBLIC))

    found = get(catalogue, done.dataset_id)
    assert (found.agency, found.owner, found.tags) == ("CDC", "nchs", {"flu"})
    assert (found.labels.agency, found.labels.owner, found.labels.tags) == ("CDC", "nchs", {"flu"})
    assert found.labels.privacy_tier is PrivacyTier.PUBLIC


def test_a_source_is_kept_as_it_is_written(catalogue: Catalogue) -> None:
    """References to secrets stay references."""
    source = Source(
        name="cdc",
        kind="postgres",
        url="postgresql://${USER}:${PASSWORD}@db/cdc",
        options={"sslmode": "require"},
        include=("public.*",),
        exclude=("public.tmp*",),
    )

    put(catalogue, source, LAKE)

    with catalogue.unit() as uow:
        assert uow.sources.get("cdc").source == source
        assert [each.source.name for each in uow.sources.all()] == ["cdc", "lake"]
        with pytest.raises(SourceNotFound, match="no source is named 'none'"):
            uow.sources.get("none")


def test_datasets_are_read_in_the_order_asked_or_by_address(catalogue: Catalogue) -> None:
    """Missing ones are left out, pages do not show, and byte order is the order."""
    done = register(catalogue, *(described(name) for name in ("b", "a", "B", "é", "Z%", "_")))
    register(catalogue, *batch(1100, width=1))

    with catalogue.unit() as uow:
        asked = [done[2].dataset_id, DatasetId("none"), done[0].dataset_id]
        assert [each.id for each in uow.datasets.get_many(asked)] == [asked[0], asked[2]]
        listed: list[Dataset] = list(uow.datasets.iter(source="lake"))
        with pytest.raises(DatasetNotFound, match="no dataset has the id 'none'"):
            uow.datasets.get(DatasetId("none"))
        assert uow.datasets.find(Address("lake", "locks", "none")) is None

    assert [each.address for each in listed] == sorted(each.address for each in listed)
    assert len(listed) == 1106
