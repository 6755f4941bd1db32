"""What the author of an adapter says of their store, and what the contract does with it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from hms_registry.domain.crawls import Failure
from hms_registry.domain.datasets import DatasetRef, DescribedDataset
from hms_registry.domain.names import Address
from hms_registry.domain.profiles import Profile
from hms_registry.ports.adapter import Adapter, Scan, ScanRequest, Scans, Scope
from hms_registry.ports.profiles import ProfileRequest, Profiles
from hms_registry.testing.sample import SAMPLE_SCHEMA, Row


class Harness(ABC):
    """The store holds one table with `SAMPLE_SCHEMA` and `SAMPLE_ROWS`."""

    adapter: type[Adapter]
    odd_names: Sequence[str] = ()
    """Names that the store can give a table; see `ODD_NAMES`."""
    own_columns: Sequence[str] = ()
    """Columns that the store gives every table beside the sample's, e.g. MongoDB's `_id`."""
    kept_as: Mapping[str, pa.DataType] = {}
    """Types that the store keeps columns of the sample as, where it has none such; reading them as the sample's must
    be exact, since a manifest may state those types."""

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

    def analyze(self, folder: Path) -> None:  # noqa: B027 # most stores need not be told
        """Have the store count the values of the sample, if it does so only when it is told to."""

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

    def profile(self, adapter: Adapter, *values_of: str) -> Profile | Failure:
        """Profile the sample, with the values of these columns; an adapter that cannot is not asked further."""
        if not isinstance(adapter, Profiles):
            pytest.skip("this adapter does not profile")
        (described,) = adapter.describe([self.sample(adapter)])
        assert isinstance(described, DescribedDataset)
        columns, kept = described.columns, frozenset(values_of)
        (result,) = adapter.profile([ProfileRequest(ref=described.ref, columns=columns, values_of=kept)])
        return result

    def read(self, scan: Scan) -> list[Row]:
        """Read a scan whole."""
        rows: list[Row] = scan.open_reader().read_all().to_pylist()
        return rows


def address_of(result: DescribedDataset | Failure) -> Address:
    """Return which ref a result is for."""
    address = result.address if isinstance(result, Failure) else result.ref.address
    assert address is not None
    return address


def by_id(rows: list[Row]) -> list[Row]:
    """Sort rows as the sample is."""
    return sorted(rows, key=lambda row: str(row["id"]).zfill(9))
