"""Tables as JSON files in a folder: the smallest adapter that lists, describes and scans."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import ClassVar, Self
from urllib.parse import unquote

import pyarrow as pa

from hms_registry.domain.columns import Column, ColumnPath
from hms_registry.domain.crawls import ContainerListed, Discovery, Failure
from hms_registry.domain.datasets import DatasetRef, DescribedDataset, Stamp
from hms_registry.domain.names import Address
from hms_registry.domain.profiles import ColumnProfile, Method, Profile
from hms_registry.errors import ScanFailed, SettingsInvalid, SourceUnreachable
from hms_registry.ports.adapter import AdapterConfig, Scan, ScanRequest, Scope
from hms_registry.ports.profiles import ProfileRequest

_TYPES: dict[str, pa.DataType] = {
    "bigint": pa.int64(),
    "double": pa.float64(),
    "varchar": pa.string(),
    "date": pa.date32(),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TideConfig:
    """Where the folder lies."""

    source: str
    folder: str

    @classmethod
    def from_url(cls, *, source: str, url: str, options: Mapping[str, str]) -> Self:
        """Build it from `tide:///folder`."""
        if options or not url.startswith("tide:///"):
            raise SettingsInvalid(f"source {source}: its URL is not tide:///FOLDER", hint="it takes no options")
        return cls(source=source, folder=url.removeprefix("tide://"))


class TideAdapter:
    """One folder of JSON tables."""

    kind: ClassVar[str] = "tide"
    config: ClassVar[type[AdapterConfig]] = TideConfig

    def __init__(self, config: AdapterConfig) -> None:
        assert isinstance(config, TideConfig)
        self._source = config.source
        self._folder = Path(config.folder)

    def check(self) -> None:
        """Look whether the folder is there."""
        if not self._folder.is_dir():
            raise SourceUnreachable(f"source {self._source}: its folder is not there", hint="mend its url")

    def stamp(self, scope: Scope) -> Stamp | None:
        """It cannot tell cheaply."""
        self.check()
        return None

    def discover(self, scope: Scope) -> Iterator[Discovery]:
        """Yield a ref a file; the stamp is the digest of its bytes."""
        self.check()
        for path in sorted(self._folder.glob("*.json")):
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            address = Address(self._source, "tides", unquote(path.stem))
            yield DatasetRef(address=address, stamp=Stamp(digest), locator=path.name)
        yield ContainerListed(schema="tides", is_complete=True)

    def describe(self, refs: Sequence[DatasetRef]) -> Iterator[DescribedDataset | Failure]:
        """Yield the columns that each file states."""
        for ref in refs:
            try:
                columns = self._read(ref)[0]
            except ScanFailed as error:
                yield Failure(subject=str(ref.address), reason=error.message, address=ref.address)
            else:
                yield DescribedDataset(ref=ref, columns=tuple(map(_column, columns.items())))

    def profile(self, requests: Sequence[ProfileRequest]) -> Iterator[Profile | Failure]:
        """Count: the file is read whole for its stamp anyway."""
        for request in requests:
            address = request.ref.address
            try:
                names, rows = self._read(request.ref)
            except ScanFailed as error:
                yield Failure(subject=str(address), reason=error.message, address=address)
                continue
            cells = dict(zip(names, zip(*rows, strict=True), strict=False))
            columns = [
                ColumnProfile(path=each.path, nulls=values.count(None), distinct=len({*values} - {None}))
                for each in request.columns
                if (values := cells.get(each.name)) is not None
            ]
            yield Profile(address=address, method=Method.EXACT, rows=len(rows), columns=tuple(columns))

    def scan(self, request: ScanRequest) -> Scan:
        """Read the file whole; nothing is pushed."""

        def batches() -> Iterator[pa.RecordBatch]:
            columns, rows = self._read(request.ref)
            places = [list(columns).index(name) for name in request.columns]
            for at in range(0, len(rows), request.batch_rows):
                if request.cancel is not None and request.cancel.is_set():
                    raise ScanFailed(f"{request.ref.address} was stopped", hint="ask again")
                part = rows[at : at + request.batch_rows]
                yield _batch([[row[place] for place in places] for row in part], request.schema)

        def open_reader() -> pa.RecordBatchReader:
            return pa.RecordBatchReader.from_batches(request.schema, batches())

        return Scan(open_reader=open_reader, residual=request.predicate, asked=f"read {request.ref.locator}")

    def close(self) -> None:
        """There is nothing to let go of."""

    def _read(self, ref: DatasetRef) -> tuple[dict[str, str], list[list[str | int | float | None]]]:
        try:
            said = json.loads((self._folder / Path(ref.locator).name).read_text())
        except (OSError, ValueError) as exc:
            raise ScanFailed(f"{ref.address} cannot be read", hint="crawl again") from exc
        return said["columns"], said["rows"]


def _column(item: tuple[str, str]) -> Column:
    name, kind = item
    return Column(path=ColumnPath.of(name), trino_type=kind, native_type=kind, arrow_type=str(_TYPES[kind]))


def _batch(rows: list[list[str | int | float | None]], schema: pa.Schema) -> pa.RecordBatch:
    if not schema.names:
        return pa.RecordBatch.from_struct_array(pa.array([{}] * len(rows), pa.struct([])))
    arrays = []
    for field, cells in zip(schema, zip(*rows, strict=True), strict=True):
        is_date = pa.types.is_date32(field.type)
        arrays.append(pa.array([date.fromisoformat(cell) if is_date and cell else cell for cell in cells], field.type))
    return pa.RecordBatch.from_arrays(arrays, schema=schema)
