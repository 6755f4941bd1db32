"""One suite for every adapter, built-in or a stranger's, on its real store."""

from __future__ import annotations

import pickle
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from threading import Event

import pyarrow as pa
import pytest

from hms_registry.domain.columns import ColumnPath
from hms_registry.domain.crawls import ContainerListed, Failure
from hms_registry.domain.datasets import DatasetRef, DescribedDataset
from hms_registry.domain.names import Address
from hms_registry.domain.predicates import Conjunct, Operator
from hms_registry.errors import HmsError, ScanFailed, SourceUnreachable
from hms_registry.ports.adapter import Adapter, Scan, ScanRequest, Scans, Scope
from hms_registry.testing.oracle import select
from hms_registry.testing.sample import SAMPLE_ROWS, SAMPLE_SCHEMA, Row

CANARY = "canary-6f1c2e"
"""Stands for a secret: it occurs in the URL or options of a store that is not there, and in no error."""


def _where(column: str, operator: Operator, *values: int | float | str | date) -> Conjunct:
    return Conjunct(ColumnPath.of(column), operator, values)


PREDICATES: tuple[tuple[Conjunct, ...], ...] = (
    (_where("id", Operator.EQ, 7),),
    (_where("id", Operator.NE, 7),),
    (_where("lock", Operator.LT, 3),),
    (_where("lock", Operator.LE, 3),),
    (_where("lock", Operator.GT, 3),),
    (_where("lock", Operator.GE, 3),),
    (_where("lock", Operator.IN, 1, 3, 99),),
    (_where("lock", Operator.IS_NULL),),
    (_where("lock", Operator.IS_NOT_NULL),),
    (_where("lock", Operator.NE, 3),),
    (_where("tonnage", Operator.EQ, 12.5),),
    (_where("tonnage", Operator.GT, 0.0),),
    (_where("tonnage", Operator.NE, 0.0),),
    (_where("tonnage", Operator.GT, 100),),
    (_where("tonnage", Operator.IN, 12.5, -12.5, 0.0),),
    (_where("vessel", Operator.EQ, "Algoma"),),
    (_where("vessel", Operator.NE, "Algoma"),),
    (_where("vessel", Operator.IN, "%", "_", "O'Neil"),),
    (_where("vessel", Operator.LT, "Zz"),),
    (_where("vessel", Operator.GE, "a"),),
    (_where("vessel", Operator.IS_NULL),),
    (_where("passed_on", Operator.EQ, date(2024, 1, 13)),),
    (_where("passed_on", Operator.GE, date(2024, 2, 3)), _where("passed_on", Operator.LT, date(2024, 3, 2))),
    (_where("passed_on", Operator.IS_NOT_NULL), _where("lock", Operator.IN, 0, 1), _where("id", Operator.GT, 40)),
    (_where("id", Operator.EQ, 2**63),),
    (_where("id", Operator.LT, 7.5),),
)


class AdapterContract(ABC):
    """Subclass it as `TestMine(AdapterContract)` and say how to make the store; every `test_` comes with it.

    The store holds one table with `SAMPLE_SCHEMA` and `SAMPLE_ROWS`.
    """

    adapter: type[Adapter]
    odd_names: Sequence[str] = ()
    """Names that the store can give a table; see `ODD_NAMES`."""

    @abstractmethod
    def make(self, folder: Path) -> None:
        """Make the store with the sample table."""

    @abstractmethod
    def url(self, folder: Path) -> str:
        """Return the store's URL."""

    @abstractmethod
    def sample_name(self) -> tuple[str, str]:
        """Return schema and table of the sample."""

    @abstractmethod
    def add_table(self, folder: Path, name: str) -> str:
        """Add a table of that name, of any schema; return what the table of its address must be."""

    @abstractmethod
    def change_schema(self, folder: Path) -> None:
        """Give the sample a further column."""

    @abstractmethod
    def drop(self, folder: Path) -> None:
        """Remove the sample."""

    @abstractmethod
    def dead_url(self, folder: Path, canary: str) -> str:
        """Return the URL of a store that is not there, with *canary* in it where a secret would be."""

    def options(self) -> Mapping[str, str]:
        """Return the adapter's options."""
        return {}

    # Setting up

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        """A store with the sample."""
        self.make(tmp_path)
        return tmp_path

    @pytest.fixture
    def store(self, folder: Path) -> Iterator[Adapter]:
        """An adapter of that store."""
        opened = self.open(self.url(folder))
        yield opened
        opened.close()

    def open(self, url: str) -> Adapter:
        """Make an adapter as the product does."""
        return self.adapter(self.adapter.config.from_url(source="src", url=url, options=self.options()))

    def refs(self, adapter: Adapter) -> dict[Address, DatasetRef]:
        """List the refs by address."""
        return {item.address: item for item in adapter.discover(Scope()) if isinstance(item, DatasetRef)}

    def sample(self, adapter: Adapter) -> DatasetRef:
        """Find the sample."""
        return self.refs(adapter)[Address("src", *self.sample_name())]

    def request(self, adapter: Adapter, *columns: str, **asked: object) -> ScanRequest:
        """Ask for columns of the sample; for all of them without any name."""
        names = columns or tuple(SAMPLE_SCHEMA.names)
        schema = pa.schema([SAMPLE_SCHEMA.field(name) for name in names])
        return replace(ScanRequest(ref=self.sample(adapter), columns=names, schema=schema), **asked)  # type: ignore[arg-type] # fields of the request

    def scan(self, adapter: Adapter, request: ScanRequest) -> Scan:
        """Plan a scan; an adapter that cannot is not asked further."""
        if not isinstance(adapter, Scans):
            pytest.skip("this adapter does not scan")
        return adapter.scan(request)

    def read(self, scan: Scan) -> list[Row]:
        """Read a scan whole."""
        rows: list[Row] = scan.open_reader().read_all().to_pylist()
        return rows

    # Reaching it

    def test_constructing_does_not_connect(self, tmp_path: Path) -> None:
        """An adapter of a store that is not there can be made and closed."""
        self.open(self.dead_url(tmp_path, CANARY)).close()

    def test_a_dead_source_is_unreachable_and_its_secret_stays_secret(self, tmp_path: Path) -> None:
        """Check, stamp and discover say SourceUnreachable, and neither text nor hint repeats the URL's secret."""
        adapter = self.open(self.dead_url(tmp_path, CANARY))

        for ask in (adapter.check, lambda: adapter.stamp(Scope()), lambda: list(adapter.discover(Scope()))):
            with pytest.raises(SourceUnreachable) as caught:
                ask()

            assert CANARY not in caught.value.message + caught.value.hint
            assert caught.value.hint

    def test_a_living_source_passes_its_check(self, store: Adapter) -> None:
        """Check returns."""
        store.check()

    def test_close_is_idempotent(self, store: Adapter) -> None:
        """Closing twice is closing once."""
        store.close()
        store.close()

    # Listing and describing

    def test_discover_yields_each_address_once_and_its_container_after_it(self, store: Adapter) -> None:
        """No address comes twice, and no ref comes after its container."""
        seen: set[Address] = set()
        closed: set[str] = set()

        for item in store.discover(Scope()):
            if isinstance(item, DatasetRef):
                assert item.address not in seen
                assert not {item.address.schema, ""} & closed
                seen.add(item.address)
            elif isinstance(item, ContainerListed):
                assert item.is_complete
                closed.add(item.schema)

        assert {address.schema for address in seen} <= closed
        assert Address("src", *self.sample_name()) in seen

    def test_describe_yields_one_result_a_ref_with_the_sample_as_it_is(self, store: Adapter) -> None:
        """Each ref has one result, and the sample's columns have their names and Arrow types."""
        refs = list(self.refs(store).values())

        results = {address_of(result): result for result in store.describe(refs)}

        assert set(results) == {ref.address for ref in refs}
        described = results[Address("src", *self.sample_name())]
        assert isinstance(described, DescribedDataset)
        assert [(column.name, column.arrow_type) for column in described.columns] == [
            (field.name, str(field.type)) for field in SAMPLE_SCHEMA
        ]

    def test_describe_fails_only_for_what_was_dropped(self, folder: Path, store: Adapter) -> None:
        """A dataset that is gone since it was listed is one Failure; the others are described."""
        self.add_table(folder, "other")
        refs = list(self.refs(store).values())
        self.drop(folder)

        results = list(store.describe(refs))

        assert sorted(map(address_of, results)) == sorted(ref.address for ref in refs)
        assert [address_of(result) for result in results if isinstance(result, Failure)] == [
            Address("src", *self.sample_name())
        ]

    def test_stamps_stay_as_they_are_while_nothing_changes(self, folder: Path, store: Adapter) -> None:
        """A second look, also by another adapter and after reading, sees the same stamps."""
        first = store.stamp(Scope()), {ref.address: ref.stamp for ref in self.refs(store).values()}
        list(store.describe(list(self.refs(store).values())))
        again = self.open(self.url(folder))

        assert (again.stamp(Scope()), {ref.address: ref.stamp for ref in self.refs(again).values()}) == first

    def test_stamps_tell_a_changed_schema(self, folder: Path, store: Adapter) -> None:
        """A further column changes the stamp of the source and of that dataset, and of no other."""
        self.add_table(folder, "other")
        stamp, before = store.stamp(Scope()), self.refs(store)
        self.change_schema(folder)

        after = self.refs(store)

        assert stamp is None or store.stamp(Scope()) != stamp
        changed = {address for address in before if before[address].stamp != after[address].stamp}
        assert changed == {Address("src", *self.sample_name())}

    def test_odd_names_round_trip(self, folder: Path, store: Adapter) -> None:
        """Every odd name is one address, byte for byte, and can be described."""
        wanted = {self.add_table(folder, name) for name in self.odd_names}

        refs = self.refs(store)
        described = list(store.describe(list(refs.values())))

        assert len(wanted) == len(self.odd_names)
        assert wanted <= {address.table for address in refs}
        assert not [result for result in described if isinstance(result, Failure)]

    def test_refs_cross_a_process_boundary(self, folder: Path, store: Adapter) -> None:
        """A ref that was pickled is enough for another adapter: a query's child process has no listing."""
        request = self.request(store)
        again = self.open(self.url(folder))

        rows = self.read(self.scan(again, replace(request, ref=pickle.loads(pickle.dumps(request.ref)))))

        assert by_id(rows) == list(SAMPLE_ROWS)

    # Scanning

    def test_scan_yields_every_row_in_exactly_the_schema(self, store: Adapter) -> None:
        """Names, types and values are the sample's."""
        reader = self.scan(store, self.request(store)).open_reader()

        assert reader.schema.equals(SAMPLE_SCHEMA)
        batches = list(reader)
        assert all(batch.schema.equals(SAMPLE_SCHEMA) for batch in batches)
        assert by_id([row for batch in batches for row in batch.to_pylist()]) == list(SAMPLE_ROWS)

    def test_scan_yields_the_columns_asked_for_in_their_order(self, store: Adapter) -> None:
        """A projection is honoured, in the order of the request."""
        reader = self.scan(store, self.request(store, "tonnage", "id")).open_reader()

        assert reader.schema.names == ["tonnage", "id"]
        assert by_id(reader.read_all().to_pylist()) == [
            {"tonnage": row["tonnage"], "id": row["id"]} for row in SAMPLE_ROWS
        ]

    @pytest.mark.parametrize("predicate", PREDICATES, ids=lambda each: " AND ".join(map(str, each)))
    def test_what_is_pushed_and_the_residual_make_the_predicate(
        self, store: Adapter, predicate: tuple[Conjunct, ...]
    ) -> None:
        """What the source applies is never tighter than SQL, and exact with the residual on top."""
        scan = self.scan(store, self.request(store, predicate=predicate))

        rows = select(self.read(scan), scan.residual)

        assert set(scan.residual) <= set(predicate)
        assert by_id(rows) == select(SAMPLE_ROWS, predicate)
        pushed = [conjunct for conjunct in predicate if conjunct not in scan.residual]
        assert by_id(self.read(scan)) == select(SAMPLE_ROWS, pushed)

    def test_a_limit_that_is_applied_stops_and_comes_after_the_predicate(self, store: Adapter) -> None:
        """A limit is exact if the adapter says so, and then nothing of the predicate is left."""
        predicate = (_where("lock", Operator.EQ, 3),)
        matching = select(SAMPLE_ROWS, predicate)

        scan = self.scan(store, self.request(store, predicate=predicate, limit=2))
        rows = self.read(scan)

        assert not (scan.is_limit_applied and scan.residual)
        assert len(rows) == 2 if scan.is_limit_applied else len(rows) >= len(matching)
        assert all(row in matching for row in select(rows, predicate))

    def test_a_scan_of_no_columns_counts_rows(self, store: Adapter) -> None:
        """Batches without columns carry the right number of rows, also under a predicate."""
        schema = pa.schema([])
        request = replace(self.request(store), columns=(), schema=schema)

        batches = list(self.scan(store, request).open_reader())

        assert sum(batch.num_rows for batch in batches) == len(SAMPLE_ROWS)
        assert all(batch.num_columns == 0 for batch in batches)

    def test_a_scan_can_be_opened_twice_at_once(self, store: Adapter) -> None:
        """A self-join reads two readers of one scan side by side."""
        scan = self.scan(store, self.request(store, "id", batch_rows=50))

        one, other = scan.open_reader(), scan.open_reader()
        first = one.read_next_batch()
        rows = other.read_all().num_rows

        assert rows == len(SAMPLE_ROWS)
        assert first.num_rows + sum(batch.num_rows for batch in one) == len(SAMPLE_ROWS)

    def test_a_reader_can_be_closed_half_way(self, store: Adapter) -> None:
        """Closing after one batch lets go; the scan can be opened again."""
        scan = self.scan(store, self.request(store, batch_rows=10))
        reader = scan.open_reader()
        reader.read_next_batch()

        reader.close()

        assert len(self.read(scan)) == len(SAMPLE_ROWS)

    def test_a_cancelled_scan_fails_instead_of_ending_early(self, store: Adapter) -> None:
        """Once cancelled, a reader raises: a cut answer must not look like a whole one."""
        cancel = Event()
        scan = self.scan(store, self.request(store, batch_rows=10, cancel=cancel))
        cancel.set()

        with pytest.raises(ScanFailed):
            self.read(scan)

    def test_a_scan_of_what_was_dropped_fails(self, folder: Path, store: Adapter) -> None:
        """The error is ours, with a next step, when it is planned or when it is read."""
        request = self.request(store)
        self.drop(folder)

        with pytest.raises(HmsError) as caught:
            self.read(self.scan(store, request))

        assert isinstance(caught.value, ScanFailed | SourceUnreachable)
        assert caught.value.hint


def address_of(result: DescribedDataset | Failure) -> Address:
    """Return which ref a result is for."""
    address = result.address if isinstance(result, Failure) else result.ref.address
    assert address is not None
    return address


def by_id(rows: list[Row]) -> list[Row]:
    """Sort rows as the sample is."""
    return sorted(rows, key=lambda row: str(row["id"]).zfill(9))


__all__ = ["CANARY", "PREDICATES", "AdapterContract", "address_of", "by_id"]
