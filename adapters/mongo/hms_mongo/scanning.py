"""Reading documents: one `find` with a filter and a projection, made into the registered types or refused."""

from __future__ import annotations

import time
import weakref
from collections.abc import Generator, Sequence

import pyarrow as pa

from hms_formats.arrays import blank_batch
from hms_formats.filters import matching, split
from hms_formats.stopping import Stop
from hms_mongo.client import Client, Document
from hms_mongo.failures import gone, unfit
from hms_mongo.listing import find_listed
from hms_mongo.predicates import is_plain, query_of
from hms_mongo.streaming import Stream
from hms_mongo.values import Unfit, text, to_array
from hms_registry.domain.names import quote_identifier
from hms_registry.domain.predicates import Conjunct
from hms_registry.ports.adapter import Scan, ScanRequest

_MOST_AT_ONCE = 10_000


def plan_find(client: Client, request: ScanRequest) -> Scan:
    """Plan one `find`.

    Raises:
        ScanFailed: it is not there any more.
        SourceUnreachable, CredentialsRejected
    """
    address = request.ref.address
    until = time.monotonic() + request.deadline_s
    if find_listed(client, address.schema, address.table, until=until) is None:
        raise gone(str(address))
    schema = request.schema if request.columns else pa.schema([])
    exact, residual = split(request.predicate, schema)
    query = query_of(exact, schema)
    projection = _projection(request.columns)
    # A filter keeps more than is wanted, so its limit is counted here.
    limit = request.limit if request.limit is not None and not request.predicate else None
    limits = request.limit if not residual else None

    def open_reader() -> pa.RecordBatchReader:
        if limits == 0:
            return pa.RecordBatchReader.from_batches(schema, [])
        stream = Stream(
            client,
            namespace=(address.schema, address.table),
            what=str(address),
            query=query,
            projection=projection,
            limit=limit or 0,
            batch_rows=min(max(request.batch_rows, 1), _MOST_AT_ONCE),
            stop=Stop.of(request),
        )
        stream.start()
        batches = _batches(stream, schema, exact, limits, what=str(address))
        weakref.finalize(batches, stream.close)
        return pa.RecordBatchReader.from_batches(schema, batches)

    return Scan(
        open_reader=open_reader,
        residual=residual,
        is_limit_applied=limits is not None,
        asked=_asked(address.table, query, projection, limit),
    )


def _projection(columns: Sequence[str]) -> Document | None:
    """Return what is asked of each document; None = all of it, where a name would mean something else."""
    if not all(map(is_plain, columns)):
        return None
    wanted: Document = dict.fromkeys(columns or ["_id"], 1)
    return wanted if "_id" in wanted else {"_id": 0, **wanted}


def _asked(name: str, query: Document, projection: Document | None, limit: int | None) -> str:
    parts = [f"find {quote_identifier(name)}"]
    parts += [f"where {text(query)}"] if query else []
    parts += [f"fields {', '.join(field for field, asked in projection.items() if asked)}"] if projection else []
    parts += [f"limit {limit}"] if limit is not None else []
    return " ".join(parts)


def _batches(
    stream: Stream, schema: pa.Schema, exact: Sequence[Conjunct], limit: int | None, *, what: str
) -> Generator[pa.RecordBatch, None, None]:
    left = limit
    try:
        for documents in stream:
            batch = matching(_batch(documents, schema, what=what), exact)
            if left is not None:
                batch = batch.slice(0, left)
                left -= batch.num_rows
            if batch.num_rows:
                yield batch
            if left == 0:
                return
    finally:
        stream.close()


def _batch(documents: Sequence[Document], schema: pa.Schema, *, what: str) -> pa.RecordBatch:
    if not schema.names:
        return blank_batch(len(documents))
    arrays = []
    for field in schema:
        name = field.name
        try:
            arrays.append(to_array([each.get(name) for each in documents], field.type))
        except Unfit as error:
            raise unfit(what, quote_identifier(name), str(field.type)) from error
    return pa.RecordBatch.from_arrays(arrays, schema=schema)
