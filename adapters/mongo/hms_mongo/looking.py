"""One look at a collection: what its metadata says, its indexes, and the shape of a sample of it."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from bson import json_util
from pymongo.errors import OperationFailure

from hms_mongo.client import Client, Document
from hms_mongo.failures import UNAUTHORIZED, code_of, is_late
from hms_mongo.listing import Listed
from hms_mongo.profiling import Figures, figures_of
from hms_mongo.sampling import Sample, take_sample
from hms_mongo.shapes import Shape, shape_of
from hms_mongo.validators import json_schema, state
from hms_registry.domain.datasets import Stamp
from hms_registry.errors import SourceError

T = TypeVar("T")

_RULES = "1"
"""Changes with what a description is made of: stamps of older releases then differ."""


class Unusable(Exception):
    """This collection or view cannot be looked at; the others can. Its text is a reason without any value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What was seen.

    Attributes:
        shape: of the sampled documents, with what the validator states.
        indexes: as the server describes them, but for the one on `_id`.
        count: documents, by metadata; None = not known.
        size: their bytes, likewise.
        is_readable: False: this account may not read it.
        figures: of the sample, where a profile is wanted.
    """

    listed: Listed
    shape: Shape
    sampled: int = 0
    is_cut: bool = False
    indexes: tuple[Mapping[str, object], ...] = field(default_factory=tuple)
    count: int | None = None
    size: int | None = None
    is_readable: bool = True
    figures: Figures | None = None

    @property
    def stamp(self) -> Stamp:
        """A hash of all that a description is made of, but for counts and shares, which move with every write."""
        told = (
            _RULES, self.listed.kind, self.listed.uuid, self.is_readable, _text(self.listed.options),
            _text(self.indexes), self.shape.outline(), self.is_cut,
        )  # fmt: skip
        return Stamp(hashlib.sha256(repr(told).encode("utf-8", "backslashreplace")).hexdigest()[:32])


def _text(told: Mapping[str, object] | Sequence[object]) -> str:
    return json_util.dumps(told) if told else ""


def look_at(client: Client, listed: Listed, *, until: float, profiles: bool = False) -> Look:
    """Look at one collection or view: a fixed number of commands, whatever its size.

    Raises:
        Unusable: it fails alone.
        SourceUnreachable, CredentialsRejected
    """
    try:
        return _look(client, listed, until=until, profiles=profiles)
    except SourceError as error:
        cause = error.__cause__
        if code_of(cause or error) == UNAUTHORIZED:
            return Look(listed=listed, shape=_declared(Shape(), listed), is_readable=False)
        if isinstance(cause, OperationFailure):
            late = is_late(cause) and time.monotonic() < until
            reason = "its server could not read a sample of it in time" if late else "its server could not read it"
            raise Unusable(reason) from error
        if cause is not None and not _is_network(cause):
            raise Unusable("it holds a document that is no valid BSON") from error
        raise


def _look(client: Client, listed: Listed, *, until: float, profiles: bool) -> Look:
    is_stored = listed.kind == "collection"
    told: Document = {}
    indexes: tuple[Mapping[str, object], ...] = ()
    if is_stored:
        told = _asked(client, lambda: client.database(listed.database).command("collStats", listed.name), until)
        found = _asked(client, lambda: list(client.collection(listed.database, listed.name).list_indexes()), until)
        indexes = tuple(each for each in found if each.get("name") != "_id_")
    count, size = _count(told.get("count")), _count(told.get("size"))
    sample: Sample = take_sample(
        client,
        listed,
        count=count if is_stored else None,
        mean_size=(size or 0) // max(count or 0, 1),
        bounds=client.config.bounds,
        until=until,
    )
    return Look(
        listed=listed,
        shape=_declared(shape_of(sample.documents), listed),
        sampled=len(sample.documents),
        is_cut=sample.is_cut,
        indexes=indexes,
        count=count,
        size=size,
        figures=figures_of(sample.documents) if profiles else None,
    )


def _asked(client: Client, ask: Callable[[], T], until: float) -> T:
    with client.asking(until=until):
        return ask()


def _declared(shape: Shape, listed: Listed) -> Shape:
    schema = json_schema(listed.options)
    if schema:
        state(shape, schema)
    return shape


def _count(told: object) -> int | None:
    return int(told) if isinstance(told, int | float) and told >= 0 else None


def _is_network(cause: BaseException) -> bool:
    from pymongo.errors import PyMongoError

    return isinstance(cause, PyMongoError | OSError)
