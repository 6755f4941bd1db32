"""A folder of files as a source, for the tests of the files adapter."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from hms_files import FilesAdapter, FilesConfig
from hms_registry.domain.crawls import ContainerListed, Failure
from hms_registry.domain.datasets import DatasetRef, DescribedDataset
from hms_registry.domain.predicates import Conjunct
from hms_registry.ports.adapter import Scan, ScanRequest, Scope


class Lake:
    """A folder and its adapter."""

    def __init__(self, root: Path, **options: str) -> None:
        self.root = root
        self.adapter = FilesAdapter(FilesConfig.from_url(source="lake", url=str(root), options=options))

    def put(self, path: str, text: str = "a,b\n1,2\n") -> Path:
        """Write a file."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def refs(self) -> dict[str, DatasetRef]:
        """List the refs by `schema.table`."""
        found = [item for item in self.adapter.discover(Scope()) if isinstance(item, DatasetRef)]
        assert len({ref.address for ref in found}) == len(found)
        return {f"{ref.address.schema}.{ref.address.table}": ref for ref in found}

    def names(self) -> list[str]:
        """List the names."""
        return sorted(self.refs())

    def containers(self) -> dict[str, ContainerListed]:
        """List the containers."""
        return {item.schema: item for item in self.adapter.discover(Scope()) if isinstance(item, ContainerListed)}

    def failures(self) -> list[Failure]:
        """List what could not be listed."""
        return [item for item in self.adapter.discover(Scope()) if isinstance(item, Failure)]

    def describe(self, name: str) -> DescribedDataset:
        """Describe one that can be."""
        (result,) = self.adapter.describe([self.refs()[name]])
        assert isinstance(result, DescribedDataset), result
        return result

    def fail(self, name: str) -> str:
        """Describe one that cannot be."""
        (result,) = self.adapter.describe([self.refs()[name]])
        assert isinstance(result, Failure)
        return result.reason

    def scan(self, name: str, schema: dict[str, pa.DataType], *predicate: Conjunct, limit: int | None = None) -> Scan:
        """Plan a scan of a described dataset."""
        request = ScanRequest(
            ref=self.describe(name).ref,
            columns=tuple(schema),
            schema=pa.schema(schema),
            predicate=predicate,
            limit=limit,
        )
        return self.adapter.scan(request)


def rows_of(scan: Scan) -> list[dict[str, object]]:
    """Read a scan whole."""
    rows: list[dict[str, object]] = scan.open_reader().read_all().to_pylist()
    return rows
