"""What "unchanged" is made of: for the database as a whole, and for one table in it.

A table's stamp is a hash over the catalogue rows that its description is made of (`queries.LISTING`). Rows of the
table itself never change it, nor do ANALYZE, VACUUM or TRUNCATE: no cheap exact stamp of content exists. The whole
source's stamp is a hash over the tables'. Both hold which database of which cluster and timeline it is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple

from hms_postgres.queries import CLUSTER, IDENTITY, SNAPSHOT
from hms_postgres.session import Session
from hms_registry.domain.datasets import Stamp
from hms_registry.errors import SourceUnreachable

_SHAPE = 2
"""Raise it when a description tells more than it did: every table is then described again."""

_OLDEST = 140_000
_NO_SNAPSHOT = "-"


class Listed(NamedTuple):
    """One schema of the listing: name, kind and stamp of each relation in it, by name.

    Attributes:
        kinds: a letter each, as `pg_class.relkind` has it.
        stamps: oid and digest, with a dot between; a `table_stamp` but for the identity.
    """

    schema: str
    names: Sequence[str]
    kinds: str
    stamps: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Which database it is, and the moment that a session sees.

    Attributes:
        digest: of cluster, timeline, database, and who reads rows there.
        moment: the snapshot as text; equal moments of one database = nothing was committed in between. Empty on
            a standby, where that does not hold: transactions under way are not listed there.
    """

    digest: str
    moment: str


def identity(session: Session) -> Identity:
    """Ask which database it is.

    Raises:
        SourceUnreachable: it is a server that is too old.
    """
    ((version, oid, is_standby, may_ask),) = session.rows(IDENTITY)
    if not isinstance(version, int) or version < _OLDEST:
        raise SourceUnreachable(
            f"source {session.config.source}: its server is older than PostgreSQL 14",
            hint="upgrade it; 14 is the oldest release that PostgreSQL itself supports",
        )
    cluster = session.rows(CLUSTER)[0] if may_ask else (session.config.host, session.config.port)
    moment = "" if is_standby else str(session.rows(SNAPSHOT)[0][0])
    # Another account for rows may read other things, though nothing was committed meanwhile.
    reader = session.config.reader.user
    return Identity(digest=_digest([_SHAPE, *cluster, oid, reader])[:8], moment=moment)


def table_stamp(stamp: str, *, identity: Identity) -> Stamp:
    """Return the stamp of one table, as it was listed."""
    return Stamp(f"{identity.digest}.{stamp}")


def identity_in(stamp: Stamp) -> str | None:
    """Return which table of which database a table's stamp is of: an oid stays when a table is renamed or moved."""
    identity, _dot, _digest = stamp.rpartition(".")
    return identity or None


def source_stamp(listing: Iterable[Listed], content: Mapping[int, Stamp], *, identity: Identity) -> Stamp:
    """Return the stamp of everything, and the moment at which it held.

    Args:
        content: what changes with the statistics of each table, by oid, where a crawl profiles.
    """
    tables = ((listed.schema, listed.names, listed.stamps) for listed in listing)
    digest = _digest(chain(tables, sorted(content.items())))
    return Stamp(f"{identity.digest}.{digest}@{identity.moment or _NO_SNAPSHOT}")


def is_same_moment(previous: Stamp, *, identity: Identity) -> bool:
    """Say whether nothing at all was committed since *previous* was taken."""
    content, _mark, moment = previous.partition("@")
    return bool(identity.moment) and moment == identity.moment and content.partition(".")[0] == identity.digest


def is_same_content(previous: Stamp, stamp: Stamp) -> bool:
    """Say whether two stamps differ in their moment only: what was committed in between changed no schema."""
    return previous.partition("@")[0] == stamp.partition("@")[0]


def _digest(parts: Iterable[object]) -> str:
    hashed = hashlib.sha256()
    for part in parts:
        hashed.update(repr(part).encode())
    return hashed.hexdigest()[:32]
