"""What files tell of their values without being read: the statistics of Parquet footers, and the names of folders.

CSV and JSON lines carry no statistics. A look at their heads would tell of their first rows alone, and files are
mostly sorted by something, so nothing is said of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import pyarrow as pa
import pyarrow.compute as pc

from hms_formats.detection import Format
from hms_formats.footers import FooterFacts, Spread, facts_of
from hms_formats.membership import members_of
from hms_formats.partitions import partition_type
from hms_formats.pieces import Piece
from hms_formats.trees import Locator, Tree, piece_of
from hms_registry.domain.columns import Column
from hms_registry.domain.profiles import MAX_TOP, ColumnProfile, Method, Profile, TopValue
from hms_registry.errors import ScanFailed
from hms_registry.ports.profiles import ProfileRequest

MAX_CHUNKS = 100_000
"""Row groups times columns, of all files of a dataset: each has statistics of its own."""

_MAY_BE_CUT = 64  # some writers cut texts in statistics, the shortest known at this many bytes
_NO_STATISTICS = "its files carry no statistics, and no rows are read for a profile"
_TOO_MANY = "it has more statistics than are read for a profile: write it in larger row groups"


@dataclass(frozen=True, slots=True)
class _Files:
    """The files of a dataset with what their footers tell of the columns asked for."""

    pieces: Sequence[Piece]
    facts: Sequence[FooterFacts]

    @property
    def rows(self) -> int:
        return sum(each.rows for each in self.facts)


def profile_one(tree: Tree, request: ProfileRequest) -> Profile:
    """Profile a dataset: one further look at the footer of each of its files.

    Raises:
        ScanFailed: it is not there any more, or damaged.
        LocationOutsideSource: it leads out of the source.
    """
    locator = Locator.parse(request.ref.locator)
    members = members_of(tree, locator)
    pieces = [piece_of(tree, entry, below=locator.path if locator.is_folder else None) for entry in members.files]
    address = request.ref.address
    if pieces[0].kind.format is not Format.PARQUET:
        return Profile(address=address, method=Method.EXACT, note=_NO_STATISTICS)
    wanted = tuple(column.name for column in request.columns if not column.is_partition_key)
    budget = MAX_CHUNKS // len(pieces)
    facts = list(tree.each(partial(_facts, names=wanted, budget=budget), pieces))
    files = _Files(pieces, facts)
    columns = tuple(_profiles(request, files))
    note = "" if all(each.is_whole for each in facts) else _TOO_MANY
    return Profile(address=address, method=Method.EXACT, rows=files.rows, columns=columns, note=note)


def _facts(piece: Piece, *, names: Sequence[str], budget: int) -> FooterFacts:
    try:
        return facts_of(piece, names, budget=budget)
    except PermissionError as exc:
        raise ScanFailed(f"{piece.name} may not be read by this account", hint="give it read access") from exc


def _profiles(request: ProfileRequest, files: _Files) -> Iterator[ColumnProfile]:
    keys = [key for key, _ in files.pieces[0].partitions]
    for column in request.columns:
        if column.is_partition_key and column.name in keys:
            found = _partition(column, keys.index(column.name), files)
        elif (spread := _merged(column.name, files)) is not None:
            found = ColumnProfile(
                path=column.path, nulls=spread.nulls, minimum=_told(spread.minimum), maximum=_told(spread.maximum)
            )
        else:
            continue
        if column.name not in request.values_of:
            found = found.without_values()
        if found != ColumnProfile(path=column.path):
            yield found


def _merged(name: str, files: _Files) -> Spread | None:
    spreads = [each.spreads.get(name, Spread(nulls=each.rows)) for each in files.facts]
    if not any(name in each.spreads for each in files.facts):
        return None
    merged = spreads[0]
    for each in spreads[1:]:
        merged = merged.joined(each)
    return merged


def _told(value: object) -> str | None:
    if isinstance(value, bool):
        return str(value).lower()
    text = None if value is None else str(value)
    is_cut = isinstance(value, str) and len(value.encode()) >= _MAY_BE_CUT
    return None if is_cut else text


def _partition(column: Column, at: int, files: _Files) -> ColumnProfile:
    """Profile a column whose values are the names of folders: how many rows lie in each is in the footers."""
    values = [piece.partitions[at][1] for piece in files.pieces]
    counted: Counter[str | None] = Counter()
    for value, facts in zip(values, files.facts, strict=True):
        counted[value] += facts.rows
    rows, nulls = files.rows, counted.pop(None, 0)
    kept = [value for value, count in counted.items() if value is not None and count]
    ends = pc.min_max(pa.array(kept, pa.string()).cast(partition_type(values)))
    return ColumnProfile(
        path=column.path,
        nulls=nulls,
        distinct=len(kept),
        minimum=_told(ends["min"].as_py()),
        maximum=_told(ends["max"].as_py()),
        top=tuple(
            TopValue(value=str(value), share=count / rows) for value, count in counted.most_common(MAX_TOP) if count
        ),
    )
