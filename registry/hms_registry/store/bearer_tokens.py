"""Bearer tokens, by the digest of what is presented. Writing them moves no epoch; revoking one moves the mark."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, bindparam, delete, insert, select, update

from hms_registry.errors import TokenNotFound
from hms_registry.ports.tokens import IssuedToken
from hms_registry.store import tables
from hms_registry.store.codec import bindable, parse_time, time_text
from hms_registry.store.session import Session

_table = tables.bearer_tokens
_BY_DIGEST = select(_table).where(_table.c.digest == bindparam("digest"))


class SqlBearerTokens:
    """Implements `BearerTokens`."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, tokens: Sequence[IssuedToken]) -> int:
        """Keep those whose digest is not kept yet; returns how many."""
        if not tokens:
            return 0
        among = self._session.dialect.among(_table.c.digest, [each.digest for each in tokens])
        kept = set(self._session.read(select(_table.c.digest).where(among)).scalars())
        rows = [_row(each) for each in tokens if each.digest not in kept]
        if rows:
            self._session.write_unseen(insert(_table), rows)
        return len(rows)

    def find(self, digest: str) -> IssuedToken | None:
        """By the digest of what is presented."""
        row = self._session.read(_BY_DIGEST.params(digest=digest)).one_or_none()
        return None if row is None else _issued(row)

    def all(self) -> list[IssuedToken]:
        """All, the latest first."""
        rows = self._session.read(select(_table).order_by(_table.c.made_at.desc(), _table.c.id))
        return [_issued(row) for row in rows]

    def revoke(self, token_id: str, *, at: datetime) -> IssuedToken:
        """End one, and move the mark: whoever remembers tokens forgets them by that."""
        mine = _table.c.id == bindable(token_id)
        found = update(_table).where(mine, _table.c.revoked_at.is_(None)).values(revoked_at=time_text(at))
        self._session.write_quietly(found)
        row = self._session.read(select(_table).where(mine)).one_or_none()
        if row is None:
            raise TokenNotFound(f"no token has the id {token_id}", hint="hms-dta token list shows those there are")
        return _issued(row)

    def forget(self, *, ended_before: datetime) -> int:
        """Drop those that ended before then."""
        ended = delete(_table).where(_table.c.ends_at < time_text(ended_before))
        return self._session.write_unseen(ended).rowcount


def _row(token: IssuedToken) -> dict[str, str | None]:
    return {
        "id": token.id,
        "digest": token.digest,
        "subject": bindable(token.subject),
        "purpose": bindable(token.purpose),
        "name": bindable(token.name),
        "made_by": bindable(token.made_by),
        "made_at": time_text(token.made_at),
        "ends_at": time_text(token.ends_at),
        "revoked_at": None if token.revoked_at is None else time_text(token.revoked_at),
    }


def _issued(row: Row[Any]) -> IssuedToken:
    made_at, ends_at = parse_time(row.made_at), parse_time(row.ends_at)
    assert made_at is not None and ends_at is not None
    return IssuedToken(
        id=row.id,
        digest=row.digest,
        subject=row.subject,
        purpose=row.purpose,
        name=row.name,
        made_by=row.made_by,
        made_at=made_at,
        ends_at=ends_at,
        revoked_at=parse_time(row.revoked_at),
    )
