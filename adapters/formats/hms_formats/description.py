"""Describing: the schema of a file, or the one schema of a folder's files and what does not share it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache, partial

import pyarrow as pa

from hms_formats.dialect import TextOptions
from hms_formats.inspection import Inspected, inspect
from hms_formats.listing import Entry
from hms_formats.membership import Members, members_of
from hms_formats.partitions import partition_type
from hms_formats.pieces import Piece
from hms_formats.schemas import merge
from hms_formats.trees import Locator, Tree, piece_of
from hms_registry.domain.columns import Column, ColumnPath
from hms_registry.domain.datasets import DatasetRef, DescribedDataset, Observation
from hms_registry.errors import ScanFailed
from hms_registry.ports.arrow import trino_type

Properties = Callable[[Sequence[Entry]], Mapping[str, str]]

_NAMED = 5
_MAX_LEFT_OUT = 1000


@dataclass(slots=True, kw_only=True)
class _Folder:
    """What is known of a folder's files while they are looked at."""

    pieces: list[Piece]
    seen: list[Inspected]
    left_out: list[str]
    findings: list[str]
    has_unreadable: bool = False


def describe_one(tree: Tree, ref: DatasetRef, *, properties: Properties = lambda _: {}) -> DescribedDataset:
    """Describe a dataset.

    Args:
        properties: what the store says of the files that make it up.

    Raises:
        ScanFailed: it is not there, damaged, or not what its name says.
        LocationOutsideSource: it leads out of the source.
    """
    locator = Locator.parse(ref.locator)
    members = members_of(tree, replace(locator, left_out=()) if locator.left_out else locator)
    files = {entry.path: entry for entry in members.files}
    pieces = [piece_of(tree, entry, below=locator.path if locator.is_folder else None) for entry in members.files]
    folder = _look(pieces, tree)
    if not folder.seen:
        if folder.has_unreadable:
            return _unreadable(tree, ref, locator, members)
        raise ScanFailed("; ".join(folder.findings[:_NAMED]), hint="repair or remove it")
    merged = _merge(folder)
    columns = [*_columns(merged, folder.pieces), *_partition_columns(folder.pieces)]
    if len(folder.left_out) > _MAX_LEFT_OUT:
        raise ScanFailed(
            f"{len(folder.left_out)} of {len(pieces)} files of {locator.path} have another schema than the rest",
            hint="put the files of one schema into one folder",
        )
    kept = [files[piece.name] for piece in folder.pieces]
    left_out = tuple(folder.left_out)
    return DescribedDataset(
        ref=ref if left_out == locator.left_out else replace(ref, locator=str(replace(locator, left_out=left_out))),
        columns=tuple(columns),
        location=tree.location(locator.path),
        place=tree.place(locator.path),
        format=str(folder.pieces[0].kind.format),
        observation=_observation(kept, merged.row_count),
        findings=(*_stray_findings(members), *folder.findings),
        properties=properties(kept),
    )


def _look(pieces: Sequence[Piece], tree: Tree) -> _Folder:
    folder = _Folder(pieces=[], seen=[], left_out=[], findings=[])
    for piece, seen in zip(pieces, tree.each(partial(_inspected, options=tree.text), pieces), strict=True):
        if isinstance(seen, Inspected):
            folder.pieces.append(piece)
            folder.seen.append(seen)
            folder.findings.extend(seen.findings)
            continue
        folder.left_out.append(piece.name)
        if isinstance(seen, PermissionError):
            folder.has_unreadable = True
            folder.findings.append(f"{piece.name} may not be read by this account")
        else:
            folder.findings.append(seen.message)
    return folder


def _inspected(piece: Piece, options: TextOptions) -> Inspected | ScanFailed | PermissionError:
    try:
        return inspect(piece, options)
    except (ScanFailed, PermissionError) as error:
        return error


def _merge(folder: _Folder) -> Inspected:
    if len(folder.seen) == 1:
        return folder.seen[0]
    keys = Counter(tuple(key for key, _ in piece.partitions) for piece in folder.pieces).most_common(1)[0][0]
    odd = [at for at, piece in enumerate(folder.pieces) if tuple(key for key, _ in piece.partitions) != keys]
    _leave_out(folder, odd, "lie under other partition keys")
    merged, other = merge(folder.seen)
    _leave_out(folder, other, "have another schema")
    return merged


def _leave_out(folder: _Folder, places: Sequence[int], why: str) -> None:
    if not places:
        return
    names = [folder.pieces[at].name for at in places]
    shown = ", ".join(names[:_NAMED]) + (", ..." if len(names) > _NAMED else "")
    total = len(folder.pieces)
    folder.findings.append(f"{len(names)} of {total} files {why} and are left out: {shown}")
    folder.left_out.extend(names)
    out = set(places)
    folder.pieces = [piece for at, piece in enumerate(folder.pieces) if at not in out]
    folder.seen = [seen for at, seen in enumerate(folder.seen) if at not in out]


@lru_cache(maxsize=1024)
def _spelled(arrow: pa.DataType) -> tuple[str, str]:
    """Return how Trino and Arrow write a type: a lake has many columns and few types.

    Arrow calls lists equal whose items have other names. What comes here is of `plain_type`, where they have one.
    """
    return trino_type(arrow), str(arrow)


def _columns(merged: Inspected, pieces: Sequence[Piece]) -> list[Column]:
    keys = {key for key, _ in pieces[0].partitions}
    return [
        Column(
            path=ColumnPath.of(field.name),
            trino_type=(spelled := _spelled(field.type))[0],
            native_type=native,
            arrow_type=spelled[1],
            is_nullable=merged.is_guessed or field.nullable,
            is_guessed=merged.is_guessed,
        )
        for field, native in zip(merged.schema, merged.native, strict=True)
        if field.name not in keys
    ]


def _partition_columns(pieces: Sequence[Piece]) -> list[Column]:
    columns = []
    for at, (key, _) in enumerate(pieces[0].partitions):
        found: pa.DataType = partition_type([piece.partitions[at][1] for piece in pieces])
        columns.append(
            Column(
                path=ColumnPath.of(key),
                trino_type=trino_type(found),
                native_type="folder name",
                arrow_type=str(found),
                is_guessed=True,
                is_partition_key=True,
            )
        )
    return columns


def _unreadable(tree: Tree, ref: DatasetRef, locator: Locator, members: Members) -> DescribedDataset:
    return DescribedDataset(
        ref=ref,
        columns=(),
        location=tree.location(locator.path),
        place=tree.place(locator.path),
        format=str(locator.format or ""),
        is_readable=False,
        observation=_observation(members.files, None),
        findings=("this account may not read it",),
    )


def _stray_findings(members: Members) -> list[str]:
    if not members.strays:
        return []
    names = [entry.path for entry in members.strays]
    shown = ", ".join(names[:_NAMED]) + (", ..." if len(names) > _NAMED else "")
    return [f"{len(names)} files in the folder are of another format and are left out: {shown}"]


def _observation(entries: Sequence[Entry], row_count: int | None) -> Observation:
    latest = max(entry.mtime_ns for entry in entries)
    return Observation(
        row_count=row_count,
        size_bytes=sum(entry.size for entry in entries),
        file_count=len(entries),
        modified_at=datetime.fromtimestamp(latest // 1_000_000_000, UTC).replace(
            microsecond=latest % 1_000_000_000 // 1000
        ),
    )
