"""Planning a scan: which files the partitions leave, what is applied while reading, and what is left to do."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from hms_formats.dialect import TextOptions
from hms_formats.filters import matching, split
from hms_formats.membership import members_of
from hms_formats.pieces import Piece
from hms_formats.scanning import constant, read_pieces, reader_of
from hms_formats.trees import Locator, Tree, piece_of
from hms_registry.domain.predicates import Conjunct
from hms_registry.ports.adapter import Scan, ScanRequest


def plan_scan(tree: Tree, request: ScanRequest) -> Scan:
    """List the files and prune those whose folders exclude them; nothing is opened.

    Raises:
        ScanFailed: the dataset is not there any more.
        LocationOutsideSource: it leads out of the source.
    """
    locator = Locator.parse(request.ref.locator)
    members = members_of(tree, locator)
    below = locator.path if locator.is_folder else None
    pieces = [piece_of(tree, entry, below=below) for entry in members.files]
    return plan_pieces(pieces, request, options=tree.text, has_one_schema=not locator.is_folder)


def plan_pieces(pieces: Sequence[Piece], request: ScanRequest, *, options: TextOptions, has_one_schema: bool) -> Scan:
    """Plan the reading of files that are known, but for those whose partitions exclude them.

    Args:
        has_one_schema: a column that a file lacks means that the dataset has changed; else it is NULL there.
    """
    exact, residual = split(request.predicate, request.schema)
    kept = [piece for piece in pieces if _may_match(piece, exact, request.schema)]
    limit = request.limit if not residual else None

    def open_reader() -> pa.RecordBatchReader:
        batches = read_pieces(kept, request, exact=exact, limit=limit, options=options, has_one_schema=has_one_schema)
        return reader_of(request.schema, batches)

    return Scan(
        open_reader=open_reader,
        residual=residual,
        is_limit_applied=limit is not None,
        asked=_asked(request, len(kept), len(pieces), exact, limit),
    )


def _may_match(piece: Piece, exact: Sequence[Conjunct], schema: pa.Schema) -> bool:
    keys = dict(piece.partitions)
    on_keys = [conjunct for conjunct in exact if conjunct.column.name in keys]
    if not on_keys:
        return True
    fields = [field for field in schema if field.name in keys]
    arrays = [constant(keys[field.name], field, 1, piece.name) for field in fields]
    return matching(pa.RecordBatch.from_arrays(arrays, schema=pa.schema(fields)), on_keys).num_rows > 0


def _asked(request: ScanRequest, kept: int, total: int, exact: Sequence[Conjunct], limit: int | None) -> str:
    text = f"read {kept} of {total} files, columns {', '.join(request.columns) or 'none'}"
    if exact:
        text += f" where {' and '.join(map(str, exact))}"
    return text + (f" limit {limit}" if limit is not None else "")
