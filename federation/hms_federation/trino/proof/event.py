"""Trino's query events, read leniently: what they hold may change with each release of Trino, and says so.

Only what the proof needs is taken. An event also holds the text of the query, its plan, and the properties of every
catalog that it touched, with secrets where somebody wrote them there: nothing of that goes further than this module.
https://trino.io/docs/476/admin/event-listeners-http.html
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from hms_registry.domain.enforcement import AppliedColumn, AppliedQuery, AppliedTable
from hms_registry.errors import QueryEventInvalid

_NAMED: Final = 300
"""Characters of a name that are kept: Trino's own ids, states and names are shorter."""
_TEXT: Final = 20_000
"""Characters of a filter or mask that are kept: a policy's are shorter, and what is cut is a difference."""

Node = Mapping[str, object]


def read_event(body: bytes) -> AppliedQuery:
    """Read a query-created or query-completed event.

    Raises:
        QueryEventInvalid: it is not JSON, or names no query, nobody who asked, or no moment.
    """
    try:
        event = json.loads(body)
    except (ValueError, RecursionError):
        raise _invalid("it is not JSON") from None
    if not isinstance(event, dict):
        raise _invalid("it is not an object")
    metadata, context = _node(event, "metadata"), _node(event, "context")
    query_id, user = _name(metadata, "queryId"), _name(context, "user")
    created_at = _moment(event.get("createTime"))
    if not query_id or not user or created_at is None:
        lacking = "metadata.queryId" if not query_id else "context.user" if not user else "createTime"
        raise _invalid(f"it has no {lacking}")
    ended_at = _moment(event.get("endTime"))
    return AppliedQuery(
        query_id=query_id,
        user=user,
        groups=frozenset(_names(context, "groups")),
        state=_name(metadata, "queryState"),
        kind=_name(context, "queryType"),
        created_at=created_at,
        ended_at=ended_at,
        sql_sha256=_digest(metadata.get("query")),
        error=_name(_node(_node(event, "failureInfo"), "errorCode"), "name"),
        tables=() if ended_at is None else tuple(map(_table, _nodes(metadata, "tables"))),
    )


def _table(node: Node) -> AppliedTable:
    chain = [_qualified(each) for each in _nodes(node, "referenceChain")]
    return AppliedTable(
        catalog=_name(node, "catalog"),
        schema=_name(node, "schema"),
        table=_name(node, "table"),
        authorization=_name(node, "authorization"),
        filters=tuple(_expressions(node.get("filters"))),
        columns=tuple(_column(each) for each in _nodes(node, "columns")),
        through=tuple(each for each in chain if each),
    )


def _column(node: Node) -> AppliedColumn:
    """Read a column; up to Trino 475 its masks were a list."""
    masks = _expressions(node.get("mask")) or _expressions(node.get("masks"))
    return AppliedColumn(name=_name(node, "column"), mask=" AND ".join(masks) if masks else None)


def _qualified(node: Node) -> str:
    """Name a view of a chain; what else stands there, a filter or mask, names none."""
    names = [_name(node, part) for part in ("catalogName", "schemaName", "viewName")]
    return ".".join(names) if all(names) else ""


def _expressions(value: object) -> list[str]:
    """Read one expression or several: a text, or what holds one under `expression`."""
    found = value if isinstance(value, list) else [value]
    texts = [_name(each, "expression", most=_TEXT) if isinstance(each, dict) else each for each in found]
    return [each[:_TEXT] for each in texts if isinstance(each, str) and each]


def _node(node: Node, name: str) -> Node:
    found = node.get(name)
    return found if isinstance(found, dict) else {}


def _nodes(node: Node, name: str) -> list[Node]:
    found = node.get(name)
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def _name(node: Node, name: str, *, most: int = _NAMED) -> str:
    found = node.get(name)
    return found[:most] if isinstance(found, str) else ""


def _names(node: Node, name: str) -> list[str]:
    found = node.get(name)
    return [each[:_NAMED] for each in found if isinstance(each, str)] if isinstance(found, list) else []


def _moment(value: object) -> datetime | None:
    """Read a moment: ISO 8601 as Trino 476 writes it, or seconds since 1970."""
    try:
        if isinstance(value, str):
            found = datetime.fromisoformat(value)
            return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return None


def _digest(text: object) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest() if isinstance(text, str) else ""


def _invalid(fact: str) -> QueryEventInvalid:
    return QueryEventInvalid(f"that is no query event of Trino: {fact}", hint="see docs/proof.md for how it is wired")
