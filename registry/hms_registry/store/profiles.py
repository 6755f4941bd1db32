"""The latest profile of each dataset: a document of its own, apart from versions, search, events and audit."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Row, delete, exists, insert, select

from hms_registry.domain.columns import ColumnPath
from hms_registry.domain.datasets import DatasetId, Stamp
from hms_registry.domain.names import Address
from hms_registry.domain.profiles import ColumnProfile, KeptProfile, Method, Profile, TopValue
from hms_registry.ports.profiles import ProfiledAs
from hms_registry.store import tables
from hms_registry.store.codec import dump, parse_time, time_text
from hms_registry.store.session import Session

_table, _datasets = tables.profiles, tables.datasets
_of_dataset = _table.c.dataset_id == _datasets.c.id


class SqlProfiles:
    """Implements `KeptProfiles`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def of(self, ids: Sequence[DatasetId]) -> dict[DatasetId, KeptProfile]:
        """As they were kept, by dataset."""
        among = self._session.dialect.among(_table.c.dataset_id, ids)
        rows = self._session.read(select(_table, _datasets.c.address).where(_of_dataset, among))
        return {DatasetId(row.dataset_id): _kept(row) for row in rows}

    def profiled(self, source: str) -> dict[Address, ProfiledAs]:
        """Return what is profiled of a source and has the labels still that it had then."""
        wanted = (_datasets.c.schema_name, _datasets.c.table_name, _table.c.stamp, _table.c.content_stamp)
        is_same = _table.c.column_classes == _datasets.c.column_classes
        rows = self._session.read(select(*wanted).where(_of_dataset, _datasets.c.source == source, is_same))
        return {
            Address(source, row.schema_name, row.table_name): ProfiledAs(_stamp(row.stamp), _stamp(row.content_stamp))
            for row in rows
        }

    def owes(self, source: str) -> bool:
        """Say whether something of a source got other labels since it was profiled."""
        is_other = _table.c.column_classes != _datasets.c.column_classes
        found = exists().where(_of_dataset, _datasets.c.source == source, is_other)
        return bool(self._session.read(select(found)).scalar_one())

    def put(self, profiles: Sequence[KeptProfile]) -> None:
        """Keep these instead of those that were."""
        if not profiles:
            return
        session, among = self._session, self._session.dialect.among
        ids = [each.dataset_id for each in profiles]
        wanted = select(_datasets.c.id, _datasets.c.source, _datasets.c.column_classes)
        found = {row.id: row for row in session.read(wanted.where(among(_datasets.c.id, ids)))}
        forget_profiles(session, ids)
        values = [
            {
                "dataset_id": each.dataset_id,
                "document": _dump(each.profile),
                "stamp": each.stamp,
                "content_stamp": each.content_stamp,
                "version": each.version,
                "column_classes": found[each.dataset_id].column_classes,
                "at": time_text(each.at),
            }
            for each in profiles
        ]
        session.write(insert(_table), values)
        session.touch({row.source for row in found.values()})


def forget_profiles(session: Session, ids: Iterable[DatasetId]) -> None:
    """Take the profiles of datasets away."""
    session.write(delete(_table).where(session.dialect.among(_table.c.dataset_id, ids)))


def forget_profiles_of(session: Session, source: str) -> None:
    """Take away every profile of a source, of which none is wanted any more."""
    mine = select(_datasets.c.id).where(_datasets.c.source == source)
    session.write(delete(_table).where(_table.c.dataset_id.in_(mine)))


def _stamp(text: str | None) -> Stamp | None:
    return None if text is None else Stamp(text)


def _dump(profile: Profile) -> str:
    return dump(
        {
            "method": profile.method.value,
            "rows": profile.rows,
            "note": profile.note,
            "measured_at": None if profile.measured_at is None else time_text(profile.measured_at),
            "columns": [
                {
                    "path": str(each.path),
                    "nulls": each.nulls,
                    "distinct": each.distinct,
                    "minimum": each.minimum,
                    "maximum": each.maximum,
                    "top": [[one.value, one.share] for one in each.top],
                }
                for each in profile.columns
            ],
        }
    )


def _kept(row: Row[Any]) -> KeptProfile:
    at = parse_time(row.at)
    assert at is not None
    return KeptProfile(
        dataset_id=DatasetId(row.dataset_id),
        profile=_parse(row.document, Address.parse(row.address)),
        stamp=_stamp(row.stamp),
        content_stamp=_stamp(row.content_stamp),
        version=row.version,
        at=at,
    )


def _parse(text: str, address: Address) -> Profile:
    document = json.loads(text)
    return Profile(
        address=address,
        method=Method(document["method"]),
        rows=document["rows"],
        note=document["note"],
        measured_at=parse_time(document["measured_at"]),
        columns=tuple(
            ColumnProfile(
                path=ColumnPath.parse(each["path"]),
                nulls=each["nulls"],
                distinct=each["distinct"],
                minimum=each["minimum"],
                maximum=each["maximum"],
                top=tuple(TopValue(value=value, share=share) for value, share in each["top"]),
            )
            for each in document["columns"]
        ),
    )
