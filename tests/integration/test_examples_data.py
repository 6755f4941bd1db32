"""The demo's data is what its README says, and the adapters, manifests and policies agree about it."""

from __future__ import annotations

import hashlib
import re
import sqlite3
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from demo_home import EXAMPLES, loaded
from hms_files import FilesAdapter
from hms_files.config import FilesConfig
from hms_policies import load_bundle, run_tests
from hms_registry.domain.columns import Column
from hms_registry.domain.crawls import Failure
from hms_registry.domain.datasets import Dataset, DatasetId, DatasetRef, DatasetState, DescribedDataset
from hms_registry.domain.labels import DatasetLabels
from hms_registry.domain.names import TrinoName
from hms_registry.ports.adapter import Scope
from hms_registry.services.lineage.edges import edges_of, lookup_among
from hms_registry.services.manifest import parse_manifest, read_manifest
from hms_registry.services.sources_file import absolute_url, read_sources
from hms_sqlite import SqliteAdapter
from hms_sqlite.config import SqliteConfig


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the demo's stores once."""
    folder = tmp_path_factory.mktemp("demo")
    loaded("build_demo").build(folder)
    return folder


@pytest.fixture
def lake(home: Path) -> Iterator[FilesAdapter]:
    adapter = FilesAdapter(FilesConfig.from_url(source="lake", url=f"file:{home}/lake", options={}))
    yield adapter
    adapter.close()


@pytest.fixture
def cdc(home: Path) -> Iterator[SqliteAdapter]:
    adapter = SqliteAdapter(SqliteConfig.from_url(source="cdc", url=f"sqlite:///{home}/cdc/cdc.db", options={}))
    yield adapter
    adapter.close()


def described(adapter: FilesAdapter | SqliteAdapter) -> dict[str, DescribedDataset]:
    refs = [found for found in adapter.discover(Scope()) if isinstance(found, DatasetRef)]
    results = list(adapter.describe(refs))
    assert not [result for result in results if isinstance(result, Failure)]
    return {str(result.ref.address): result for result in results if isinstance(result, DescribedDataset)}


def types(dataset: DescribedDataset) -> dict[str, str]:
    return {column.name: column.trino_type for column in dataset.columns}


def test_every_committed_file_has_the_digest_that_the_readme_states() -> None:
    """Origin and bytes of what is committed are on record; the cut file's are those of its uncompressed text."""
    import gzip

    readme = (EXAMPLES / "data/README.md").read_text(encoding="utf-8")
    files = [path for path in (EXAMPLES / "data").rglob("*") if path.suffix in (".csv", ".gz")]

    assert len(files) == 7
    for path in files:
        raw = path.read_bytes()
        digests = {hashlib.sha256(raw).hexdigest()}
        if path.suffix == ".gz":
            digests.add(hashlib.sha256(gzip.decompress(raw)).hexdigest())
        row = next(line for line in readme.splitlines() if f"`{path.relative_to(EXAMPLES / 'data')}`" in line)
        assert set(re.findall(r"[0-9a-f]{64}", row)) <= digests


def test_the_examples_stay_small() -> None:
    """A clone is quick: the whole folder is below 1.5 MB."""
    assert sum(path.stat().st_size for path in EXAMPLES.rglob("*") if path.is_file()) < 1_500_000


@pytest.mark.parametrize(
    ("year", "week", "saturday"),
    [
        (1997, 40, date(1997, 10, 4)),
        (2014, 53, date(2015, 1, 3)),
        (2018, 1, date(2018, 1, 6)),
        (2019, 52, date(2019, 12, 28)),
        (2020, 1, date(2020, 1, 4)),
        (2020, 53, date(2021, 1, 2)),
    ],
)
def test_an_mmwr_week_ends_on_its_saturday(year: int, week: int, saturday: date) -> None:
    """Weeks are Sunday to Saturday, and week 1 holds January 4: https://ndc.services.cdc.gov/wp-content/uploads/MMWR_Week_overview.pdf"""
    assert loaded("build_demo").mmwr_week_end(year, week) == saturday


def test_the_build_is_the_same_every_time(home: Path, tmp_path: Path) -> None:
    """A seeded generator makes the same rows, so that the demo's checks can name them."""
    loaded("build_demo").build(tmp_path)

    for folder in (home, tmp_path):
        with sqlite3.connect(folder / "cdc/cdc.db") as store:
            assert store.execute("SELECT count(*) FROM linelist_synthetic").fetchone() == (2400,)
            assert store.execute("PRAGMA foreign_key_check").fetchall() == []
        store.close()
    parts = [sorted((folder / "lake/seaway").rglob("*.parquet")) for folder in (home, tmp_path)]
    assert [path.read_bytes() for path in parts[0]] == [path.read_bytes() for path in parts[1]]


def test_the_lake_is_six_datasets_with_the_columns_of_their_manifests(lake: FilesAdapter) -> None:
    """Every manifest beside data is sound, names one dataset of the lake, and no column that is not there."""
    datasets = described(lake)
    texts = list(lake.manifests(Scope()))

    assert set(datasets) == {
        "lake.bts.monthly_transportation_statistics",
        "lake.census.state_population",
        "lake.hhs.hhs_regions",
        "lake.locks27.barge_weekly",
        "lake.rail.rail_weekly",
        "lake.seaway.passages_synthetic",
    }
    assert len(texts) == len(datasets)
    for text in texts:
        assert not isinstance(text, Failure)
        manifest = parse_manifest(text.text, name=text.name)
        assert text.ref is not None
        stated = {column.name for column in manifest.columns}
        assert stated <= types(datasets[str(text.ref.address)]).keys()


def test_cdcs_store_is_registered_table_by_table(home: Path, cdc: SqliteAdapter) -> None:
    """Every manifest of CDC's lies at one of its tables or views, and states columns that are there."""
    datasets = described(cdc)
    located = set()
    for path in sorted((home / "cdc").glob("*.manifest.yml")):
        manifest = read_manifest(path)
        ref = cdc.locate(absolute_url(manifest.source, folder=path.parent))
        assert ref is not None, path.name
        located.add(str(ref.address))
        assert {column.name for column in manifest.columns} <= types(datasets[str(ref.address)]).keys()

    assert located == set(datasets)


def test_the_join_is_of_dates_on_both_sides(lake: FilesAdapter, cdc: SqliteAdapter) -> None:
    """The week is a date in every store, so that the question needs no cast."""
    files, tables = described(lake), described(cdc)

    assert types(files["lake.locks27.barge_weekly"])["week_end_date"] == "date"
    assert types(files["lake.seaway.passages_synthetic"])["week_end"] == "date"
    assert types(tables["cdc.public.flu_weekly"])["week_end"] == "date"
    assert types(tables["cdc.public.linelist_synthetic"])["week_end"] == "date"


def test_the_views_of_cdc_are_traced_whole(cdc: SqliteAdapter) -> None:
    """Nothing in the demo's views is unknown, and a filter on the outcome of a patient is lineage too."""
    tables = described(cdc)
    datasets = [registered(dataset) for dataset in tables.values()]
    lookup = lookup_among(datasets, dialect="sqlite")
    edges = {}
    for definition in cdc.definitions([dataset.ref for dataset in tables.values()]):
        view = lookup(definition.view.schema, definition.view.table)
        assert view is not None
        parsed = edges_of(definition, view=view, lookup=lookup)
        assert not parsed.has_unknown, parsed.notes
        edges[view.address.table] = {(edge.upstream_column, edge.downstream_column) for edge in parsed.edges}

    assert edges == {
        "flu_season_summary": {
            ("mmwr_week", "season_start"),
            ("mmwr_year", "season_start"),
            ("ili_total", "ili_total"),
            ("ili_total", "peak_ili_total"),
        },
        "linelist_weekly_synthetic": {
            ("week_end", "week_end"),
            ("occupation", "crew"),
            ("outcome", None),
            ("week_end", None),
        },
        "linelist_by_zip_synthetic": {
            ("week_end", "week_end"),
            ("zip", "zip"),
            ("outcome", None),
            ("week_end", None),
            ("zip", None),
        },
    }


def registered(dataset: DescribedDataset) -> Dataset:
    address = dataset.ref.address
    columns: tuple[Column, ...] = dataset.columns
    return Dataset(
        id=DatasetId(str(address)),
        address=address,
        trino_name=TrinoName(address.source, address.schema, address.table),
        kind=dataset.ref.kind,
        state=DatasetState.PRESENT,
        version=1,
        columns=columns,
        labels=DatasetLabels(),
        epoch=1,
    )


@pytest.mark.parametrize("folder", ["policies", "policies-proposed"])
def test_the_demos_policies_hold_their_own_tests(folder: str) -> None:
    """Both the policy in force and the proposed one load, and every case they state holds."""
    report = run_tests(load_bundle(EXAMPLES / folder, author="reviewer"), [])

    assert report.is_ok, report.sentences()
    assert report.passed > 20


def test_the_demos_sources_are_two_stores() -> None:
    """Their kinds follow from their URLs, and their paths from the folder of sources.yml."""
    lake, cdc = read_sources(EXAMPLES / "sources.yml")

    assert (lake.name, lake.kind, lake.agency) == ("lake", "files", "DOT")
    assert (cdc.name, cdc.kind, cdc.agency) == ("cdc", "sqlite", "HHS:CDC")
