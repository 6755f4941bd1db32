"""Reading a bounded part of a collection, the same part each time: its lowest `_id`s, fixed points, its highest.

A random sample would make a rare field come and go with every crawl. The fixed points are multiples of a power of
two (of seconds for an ObjectId), which stay where they are while a collection grows. A collection of a million
documents costs what one of a thousand costs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import cast

import bson
from bson import ObjectId
from bson.datetime_ms import DatetimeMS

from hms_mongo.client import CODEC, Client, Document
from hms_mongo.config import Bounds
from hms_mongo.listing import Listed

POINTS = 3
_FEWEST_WITH_POINTS = 20


@dataclass(slots=True)
class Sample:
    """What was read. *is_cut*: the bound of bytes ended it before the one of documents."""

    documents: list[Document]
    size: int = 0
    is_cut: bool = False


def take_sample(
    client: Client, listed: Listed, *, count: int | None, mean_size: int, bounds: Bounds, until: float
) -> Sample:
    """Read documents within *bounds*.

    Args:
        count: documents in all, by the collection's metadata; None = not known, as for a view.
        mean_size: bytes of a document, likewise; it bounds how many come at once.

    Raises:
        SourceUnreachable, CredentialsRejected
    """
    reading = _Reading(client, listed, mean_size=mean_size, bounds=bounds, until=until)
    most = bounds.documents
    if count is None or listed.kind != "collection":
        return reading.found({}, direction=0, most=most)
    if count <= most:
        return reading.found({}, direction=1, most=most)
    point_most = most // 10 if most >= _FEWEST_WITH_POINTS else 0
    ends = (most - POINTS * point_most) // 2
    reading.found({}, direction=1, most=most - POINTS * point_most - ends)
    head = list(reading.sample.documents)
    reading.found({}, direction=-1, most=ends)
    tail = reading.sample.documents[len(head) :]
    if point_most and head and tail:
        for point in points(head[-1].get("_id"), tail[-1].get("_id")):
            reading.found({"_id": {"$gte": point}}, direction=1, most=point_most)
    return reading.sample


class _Reading:
    """One collection, read by several short queries under one bound of bytes."""

    def __init__(self, client: Client, listed: Listed, *, mean_size: int, bounds: Bounds, until: float) -> None:
        self._client = client
        self._listed = listed
        self._bounds = bounds
        self._until = until
        self._at_once = max(1, bounds.size // max(mean_size, 1))
        self.sample = Sample([])

    def found(self, query: Document, *, direction: int, most: int) -> Sample:
        """Add up to *most* documents of a query, by ascending or descending `_id`, or (0) as they come."""
        sample = self.sample
        if most < 1 or sample.is_cut:
            return sample
        with self._client.asking(until=self._until, seconds=self._bounds.seconds):
            collection = self._client.collection(self._listed.database, self._listed.name)
            cursor = collection.find_raw_batches(query, limit=most, batch_size=min(most, self._at_once))
            with cursor.sort("_id", direction) if direction else cursor:
                left = most
                for batch in cursor:
                    raw = cast(bytes, batch)
                    # A server that gives more than it was asked for is not believed.
                    documents = list(islice(bson.decode_all(raw, CODEC), left)) if raw else []
                    sample.documents += documents
                    sample.size += len(raw)
                    left -= len(documents)
                    sample.is_cut = sample.size >= self._bounds.size
                    if sample.is_cut or left < 1:
                        break
        return sample


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
