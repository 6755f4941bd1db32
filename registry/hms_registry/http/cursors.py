"""Cursors of REST's pages: a place in a list, opaque to callers, and no right to anything that stands there.

A forged one is either none or another place; whoever presents it is shown what they may find from there on.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Final

from hms_registry.domain.names import Address
from hms_registry.errors import SettingsInvalid

MAX_CURSOR: Final = 6_000
"""Characters; an address has at most 2,600 bytes."""

_MOST_SKIPPED: Final = 10**9


def cursor_after(address: Address) -> str:
    """Write the place behind a dataset, in the order of addresses."""
    return _written([address.source, address.schema, address.table])


def cursor_at(offset: int) -> str:
    """Write a place in a list by how many stand before it."""
    return _written(offset)


def address_before(cursor: str) -> Address:
    """Read back `cursor_after`.

    Raises:
        SettingsInvalid: it is none.
    """
    match _read(cursor):
        case [str(source), str(schema), str(table)] if source and schema and table:
            return Address(source, schema, table)
    raise _no_cursor()


def offset_of(cursor: str) -> int:
    """Read back `cursor_at`.

    Raises:
        SettingsInvalid: it is none.
    """
    place = _read(cursor)
    if type(place) is not int or not 0 <= place <= _MOST_SKIPPED:  # true is an int, too
        raise _no_cursor()
    return place


def _written(place: object) -> str:
    return urlsafe_b64encode(json.dumps(place, separators=(",", ":")).encode()).decode()


def _read(cursor: str) -> object:
    try:
        return json.loads(urlsafe_b64decode(cursor.encode()))
    except (ValueError, RecursionError):
        raise _no_cursor() from None


def _no_cursor() -> SettingsInvalid:
    return SettingsInvalid("that is no cursor", hint="take `next` of the page before; none = from the first")
