"""One suite for every adapter, built-in or a stranger's, on its real store."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path
from threading import Event

import pyarrow as pa
import pytest

from hms_registry.domain.crawls import ContainerListed, Failure
from hms_registry.domain.datasets import DatasetRef, DescribedDataset
from hms_registry.domain.names import Address
from hms_registry.domain.predicates import Conjunct, Operator
from hms_registry.domain.profiles import Method, Profile
from hms_registry.errors import HmsError, ScanFailed, SourceUnreachable
from hms_registry.ports.adapter import Adapter, Scope
from hms_registry.ports.trino import FederatesInTrino, NotFederated
from hms_registry.testing.counting import assert_counted
from hms_registry.testing.harness import Harness, address_of, by_id
from hms_registry.testing.oracle import select
from hms_registry.testing.predicates import PREDICATES, where
from hms_registry.testing.sample import SAMPLE_ROWS, SAMPLE_SCHEMA

CANARY = "canary-6f1c2e"
"""Stands for a secret: it occurs in the URL or options of a store that is not there, and in no error."""


class AdapterContract(Harness):
    """Subclass it as `TestMine(AdapterContract)` and say how to make the store; every `test_` comes with it."""

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

    def test_what_it_says_of_trino_is_said_without_asking_the_store(self, tmp_path: Path) -> None:
        """Of a store that is not there it names a connector with its properties, or why there is none."""
        adapter = self.open(self.dead_url(tmp_path, CANARY))
        if not isinstance(adapter, FederatesInTrino):
            return  # an adapter need not know Trino

        stated = adapter.trino_catalog()
        adapter.close()

        if isinstance(stated, NotFederated):
            assert stated.reason and stated.hint
        else:
            assert stated.connector.isidentifier()
            assert all(value and value.isprintable() for value in stated.properties.values())
            assert not {stated.names_property, stated.folder_property} & stated.properties.keys()

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
        wanted = [(field.name, str(self.kept_as.get(field.name, field.type))) for field in SAMPLE_SCHEMA]
        found = [(column.name, column.arrow_type) for column in described.columns]
        assert [each for each in found if each[0] not in self.own_columns] == wanted

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

    # Profiling

    def test_a_profile_says_what_the_rows_say(self, folder: Path, store: Adapter) -> None:
        """Every figure is what counting the sample's rows gives; where there is none, a note says why."""
        self.analyze(folder)

        profile = self.profile(store, *SAMPLE_SCHEMA.names)

        assert isinstance(profile, Profile)
        assert profile.address == Address("src", *self.sample_name())
        assert profile.columns or profile.note
        is_sample = profile.method is Method.SAMPLE and (profile.rows or 0) < len(SAMPLE_ROWS)
        assert is_sample or profile.rows in (None, len(SAMPLE_ROWS))
        for column in profile.columns:
            if column.path.name not in self.own_columns:
                assert_counted(column, profile.method)

    def test_a_profile_holds_no_value_that_may_not_be_kept(self, folder: Path, store: Adapter) -> None:
        """Of a column that was not named, there are counts at most."""
        self.analyze(folder)

        profile = self.profile(store, "lock")

        assert isinstance(profile, Profile)
        assert [str(each.path) for each in profile.columns if each.holds_values and each.path.name != "lock"] == []

    def test_stamps_stay_as_they_are_where_profiles_are_wanted(self, folder: Path, store: Adapter) -> None:
        """A second look by another adapter sees the same stamps, so that nothing is profiled twice."""
        self.analyze(folder)
        again = self.open(self.url(folder))
        wanted = Scope(profiles=True)

        looks = [(each.stamp(wanted), list(each.discover(wanted))) for each in (store, again)]
        again.close()

        assert looks[0] == looks[1]

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
        predicate = (where("lock", Operator.EQ, 3),)
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
