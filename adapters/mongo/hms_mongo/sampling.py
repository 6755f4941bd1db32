"""Reading a bounded part of a collection, the same part each time: its lowest `_id`s, fixed points, its highest.

A random sample would make a rare field come and go with every crawl. The fixed points are multiples of a power of
two (of seconds for an ObjectId), which stay where they are while a collection grows. A collection of a million
documents costs what one of a thousand costs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bson import ObjectId
from bson.datetime_ms import DatetimeMS

from hms_mongo.client import CODEC, Client, Document
from hms_mongo.config import Bounds
from hms_mongo.listing import Listed

POINTS = 3
_FEWEST_WITH_POINTS = 20


@dataclass(frozen=True, slots=True)
class Sample:
    """What was read. *is_cut*: the bound of bytes ended it before the one of documents."""

    documents: list[Document]
    is_cut: bool = False


def take_sample(
    client: Client, listed: Listed, *, count: int | None, mean_size: int, bounds: Bounds, until: float
) -> Sample:
    """Read documents within *bounds*: one command each for the ends and the points, each with one answer.

    Args:
        count: documents in all, by the collection's metadata; None = not known, as for a view.
        mean_size: bytes of a document, likewise; it bounds how many are asked for. Where it misleads, the server
            ends an answer at 16 MB.

    Raises:
        SourceUnreachable, CredentialsRejected
    """
    most = min(bounds.documents, max(1, bounds.size // max(mean_size, 1)))
    is_cut = most < min(bounds.documents, bounds.documents if count is None else count)

    def found(query: Document, *, direction: int, limit: int) -> list[Document]:
        command: Document = {"find": listed.name, "filter": query, "limit": limit, "batchSize": limit}
        command |= {"sort": {"_id": direction}} if direction else {}
        return _answer(client, listed, {**command, "singleBatch": True}, limit, seconds=bounds.seconds, until=until)

    if count is None or listed.kind != "collection":
        return Sample(found({}, direction=0, limit=most), is_cut)
    point_most = most // 10 if most >= _FEWEST_WITH_POINTS else 0
    tail_most = (most - POINTS * point_most) // 2
    if count <= most or not tail_most:
        return Sample(found({}, direction=1, limit=most), is_cut)
    documents = found({}, direction=1, limit=most - POINTS * point_most - tail_most)
    tail = found({}, direction=-1, limit=tail_most)
    for point in points(documents[-1].get("_id"), tail[-1].get("_id")) if point_most and documents and tail else []:
        documents += found({"_id": {"$gte": point}}, direction=1, limit=point_most)
    return Sample(documents + tail, is_cut)


def _answer(
    client: Client, listed: Listed, command: Document, limit: int, *, seconds: float, until: float
) -> list[Document]:
    with client.asking(until=until, seconds=seconds):
        database = client.database(listed.database)
        answer = database.command(command, codec_options=CODEC, read_preference=database.read_preference)
    cursor = answer.get("cursor")
    batch = cursor.get("firstBatch") if isinstance(cursor, dict) else None
    # A server that gives more than it was asked for is not believed.
    return batch[:limit] if isinstance(batch, list) else []


def points(lowest: object, highest: object) -> Sequence[object]:
    """Return values between two `_id`s that do not move when the higher grows; none for what has no distance."""
    if isinstance(lowest, ObjectId) and isinstance(highest, ObjectId):
        seconds = _multiples(int.from_bytes(lowest.binary[:4]), int.from_bytes(highest.binary[:4]))
        return [ObjectId(each.to_bytes(4) + bytes(8)) for each in seconds]
    if isinstance(lowest, DatetimeMS) and isinstance(highest, DatetimeMS):
        return [DatetimeMS(each) for each in _multiples(int(lowest), int(highest))]
    if isinstance(lowest, int) and isinstance(highest, int) and not isinstance(lowest, bool):
        return _multiples(lowest, highest)
    return []


def _multiples(lowest: int, highest: int) -> list[int]:
    """Return three multiples, far apart, of the largest power of two that has three of them in the range."""
    step = 1 << max(0, (highest - lowest) // POINTS).bit_length()
    while step > 1 and highest // step - lowest // step < POINTS:
        step >>= 1
    found = range((lowest // step + 1) * step, highest + 1, step)
    return [found[len(found) * at // POINTS] for at in range(POINTS)] if len(found) >= POINTS else []
