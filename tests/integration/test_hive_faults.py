"""Bad input to the Hive adapter on real servers: numbers 8 and 10 to 16 of the faults."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hive_crawling import Registry, adapter_of, registry
from hms_registry.domain.columns import ColumnPath
from hms_registry.domain.crawls import CrawlState
from hms_registry.domain.datasets import DatasetRef, DatasetState, DescribedDataset
from hms_registry.domain.predicates import Conjunct, Operator
from hms_registry.errors import ScanFailed, SourceUnreachable
from hms_registry.ports.adapter import ScanRequest, Scope
from services.hive_tables import HiveDatabase
from services.seaweedfs import Bucket
from services.tcp_proxy import Fault, silent_server, tcp_proxy


@pytest.fixture
def catalogue_of_hive() -> Iterator[Registry]:
    """An empty registry."""
    with registry() as made:
        yield made


def url_of(database: HiveDatabase) -> str:
    return f"{database.metastore}/{database.name}"


def ref_of(database: HiveDatabase, table: str, **options: str) -> DatasetRef:
    adapter = adapter_of(url_of(database), **options)
    try:
        refs = [each for each in adapter.discover(Scope()) if isinstance(each, DatasetRef)]
    finally:
        adapter.close()
    return next(each for each in refs if each.address.table == table)


def test_partitions_are_counted_and_are_no_datasets(hive_database: HiveDatabase, catalogue_of_hive: Registry) -> None:
    """A table of 400 partitions, odd values among them, is one dataset that knows their number and keys."""
    hive_database.add("trips", {"id": "bigint"}, keys={"dt": "string", "n": "int"})
    values = [[f"2024-{at}", str(at)] for at in range(397)]
    odd = [["__HIVE_DEFAULT_PARTITION__", "1"], ["a%2Fb/c=d", "2"], ["%2F", "3"]]
    hive_database.add_partitions("trips", [*values, *odd])

    report = catalogue_of_hive.crawl(url_of(hive_database))

    assert (report.state, report.balance.listed) == (CrawlState.COMPLETE, 1)
    trips = catalogue_of_hive.datasets()["trips"]
    assert trips.properties["hive.partitions"] == "400"
    assert trips.properties["hive.partition_keys"] == "dt, n"
    assert [column.name for column in trips.columns if column.is_partition_key] == ["dt", "n"]


def test_a_partition_that_comes_changes_no_version(hive_database: HiveDatabase, catalogue_of_hive: Registry) -> None:
    """The count is told anew, under the version that was."""
    hive_database.add("trips", {"id": "bigint"}, keys={"dt": "string"})
    catalogue_of_hive.crawl(url_of(hive_database))

    hive_database.add_partitions("trips", [["x"]])
    report = catalogue_of_hive.crawl(url_of(hive_database))

    assert report.balance.changed == 1
    trips = catalogue_of_hive.datasets()["trips"]
    assert (trips.version, trips.properties["hive.partitions"]) == (1, "1")


def test_a_serde_that_nobody_has_is_registered_and_not_read(
    hive_database: HiveDatabase, catalogue_of_hive: Registry
) -> None:
    """A table of an unknown format is a dataset like any other; reading it says why it cannot be read."""
    hive_database.add("odd", {"id": "bigint"}, stored_as="org.nobody.Format")

    report = catalogue_of_hive.crawl(url_of(hive_database))

    assert report.state is CrawlState.COMPLETE
    assert catalogue_of_hive.datasets()["odd"].format == "Format"
    adapter = adapter_of(url_of(hive_database), read_from=hive_database.folder.as_uri())
    ref = ref_of(hive_database, "odd")
    with pytest.raises(ScanFailed, match="without HiveServer2: its files are not Parquet"):
        adapter.scan(ScanRequest(ref=ref, columns=("id",), schema=pa.schema([("id", pa.int64())])))
    adapter.close()


def test_a_location_outside_read_from_is_not_opened(hive_database: HiveDatabase) -> None:
    """Whoever makes a table may state any location; only what the operator opened is read."""
    hive_database.add("trips", {"id": "bigint"})
    adapter = adapter_of(url_of(hive_database), read_from="file:///srv/elsewhere")
    ref = ref_of(hive_database, "trips")

    with pytest.raises(ScanFailed, match="does not lie in a place of the option read_from"):
        adapter.scan(ScanRequest(ref=ref, columns=("id",), schema=pa.schema([("id", pa.int64())])))
    adapter.close()


def test_an_altered_table_is_not_read_under_its_old_labels(hive_database: HiveDatabase) -> None:
    """A table that lies elsewhere since it was registered fails the scan until it is crawled again."""
    hive_database.add("trips", {"id": "bigint"})
    options = {"read_from": hive_database.folder.as_uri()}
    ref = ref_of(hive_database, "trips")
    moved = hive_database.table("trips", {"id": "bigint"}, location=(hive_database.folder / "other").as_uri())
    hive_database.alter("trips", moved)

    adapter = adapter_of(url_of(hive_database), **options)
    with pytest.raises(ScanFailed, match="altered since it was registered"):
        adapter.scan(ScanRequest(ref=ref, columns=("id",), schema=pa.schema([("id", pa.int64())])))
    adapter.close()


def test_columns_are_found_without_regard_to_case_and_partitions_are_pruned(hive_database: HiveDatabase) -> None:
    """Spark spells columns as it likes; a predicate on a key leaves files unread, and the rows are right."""
    hive_database.add("trips", {"vesselid": "bigint"}, keys={"dt": "string"})
    hive_database.add_partitions("trips", [["a"], ["b"]])
    for at, value in enumerate(("a", "b")):
        place = hive_database.folder / "trips" / f"dt={value}"
        place.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table({"VesselId": [at]}), place / "part-0")
    adapter = adapter_of(url_of(hive_database), read_from=hive_database.folder.as_uri())
    schema = pa.schema([("vesselid", pa.int64()), ("dt", pa.string())])
    request = ScanRequest(ref=ref_of(hive_database, "trips"), columns=("vesselid", "dt"), schema=schema)

    whole = adapter.scan(request)
    part = adapter.scan(replace(request, predicate=(Conjunct(ColumnPath.of("dt"), Operator.EQ, ("b",)),)))

    assert sorted(row["vesselid"] for row in whole.open_reader().read_all().to_pylist()) == [0, 1]
    assert part.open_reader().read_all().to_pylist() == [{"vesselid": 1, "dt": "b"}]
    assert part.asked.startswith("read 1 of 1 files")
    adapter.close()


def test_a_view_says_what_it_is_made_of(hive_database: HiveDatabase, catalogue_of_hive: Registry) -> None:
    """The SQL of a view is read in Hive's dialect, backticks and all."""
    hive_database.add("trips", {"id": "bigint", "fare": "double"})
    sql = f"select `trips`.`id` as `trip` from `{hive_database.name}`.`trips` where `trips`.`fare` > 1"
    hive_database.add("v", {"trip": "bigint"}, view=sql)

    catalogue_of_hive.crawl(url_of(hive_database))

    edges = catalogue_of_hive.edges(hive_database.name, "v")
    assert ("id", "trip") in {(edge.upstream_column, edge.downstream_column) for edge in edges}


def test_a_secret_parameter_is_not_told(hive_database: HiveDatabase, catalogue_of_hive: Registry) -> None:
    """A JDBC table keeps its password among its parameters."""
    hive_database.add("far", {"id": "bigint"}, parameters={"hive.sql.dbcp.password": "canary-3b", "numRows": "7"})

    catalogue_of_hive.crawl(url_of(hive_database))

    far = catalogue_of_hive.datasets()["far"]
    assert "canary-3b" not in repr(far)
    assert far.observation.row_count == 7


def test_what_was_dropped_is_gone_after_two_whole_runs(
    hive_database: HiveDatabase, catalogue_of_hive: Registry
) -> None:
    """One listing without it makes it suspect, a second one gone."""
    for name in ("a", "b"):
        hive_database.add(name, {"id": "bigint"})
    catalogue_of_hive.crawl(url_of(hive_database))
    hive_database.drop("b")

    first = catalogue_of_hive.crawl(url_of(hive_database))
    state = catalogue_of_hive.datasets()["b"].state

    assert (first.balance.suspect, first.balance.gone, state) == (1, 0, DatasetState.SUSPECT)


@pytest.mark.slow
def test_a_connection_cut_after_any_answer_loses_nothing(
    hive_database: HiveDatabase, catalogue_of_hive: Registry
) -> None:
    """However many bytes come through, what was registered stays, and the next run is whole."""
    for name in ("a", "b", "c"):
        hive_database.add(name, {"id": "bigint"}, keys={"dt": "string"})
    assert catalogue_of_hive.crawl(url_of(hive_database)).state is CrawlState.COMPLETE

    for cut in range(0, 4000, 400):
        with tcp_proxy(hive_database.port) as proxy:
            proxy.fault = Fault(cut_after=cut)
            catalogue_of_hive.crawl(f"thrift://127.0.0.1:{proxy.port}/{hive_database.name}")
        assert set(catalogue_of_hive.datasets()) == {"a", "b", "c"}, cut

    assert catalogue_of_hive.crawl(url_of(hive_database)).balance.unchanged == 3


def test_a_database_that_is_not_there_takes_nothing_for_dropped(
    hive_database: HiveDatabase, catalogue_of_hive: Registry
) -> None:
    """The metastore says of what is not there that it has no tables; that is an error here."""
    with pytest.raises(SourceUnreachable, match="there is no database 'nowhere'"):
        adapter_of(f"{hive_database.metastore}/nowhere").check()


def test_files_on_s3_are_read_where_they_lie(hive_database: HiveDatabase, bucket: Bucket) -> None:
    """A table at `s3a:` is told as `s3:`, and its files are read by the key of the source."""
    sink = io.BytesIO()
    pq.write_table(pa.table({"id": [1, 2]}), sink)
    bucket.put({"raw/trips/000000_0": sink.getvalue(), "raw/trips/_SUCCESS": b""})
    hive_database.add("trips", {"id": "bigint"}, location=f"s3a://{bucket.name}/raw/trips")
    adapter = adapter_of(url_of(hive_database), read_from=f"s3://{bucket.name}/raw", **bucket.options())
    (described,) = adapter.describe([ref_of(hive_database, "trips")])
    assert isinstance(described, DescribedDataset)

    scan = adapter.scan(ScanRequest(ref=described.ref, columns=("id",), schema=pa.schema([("id", pa.int64())])))

    assert described.location == f"s3://{bucket.name}/raw/trips"
    assert scan.open_reader().read_all().to_pylist() == [{"id": 1}, {"id": 2}]
    adapter.close()


@pytest.mark.parametrize("scheme", ["thrift", "hive"])
def test_a_server_that_says_nothing_is_given_up(scheme: str) -> None:
    """A call has an end: the metastore's and HiveServer2's alike."""
    with silent_server() as port:
        adapter = adapter_of(f"{scheme}://127.0.0.1:{port}/", call_timeout_s="1")

        with pytest.raises(SourceUnreachable, match="did not answer in time"):
            adapter.check()

        adapter.close()
