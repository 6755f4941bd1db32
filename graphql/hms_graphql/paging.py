"""Pages of a Relay connection: https://relay.dev/graphql/connections.htm

A cursor is a place in the list and carries no right: whoever presents it is shown what they may find from there on.
"""

from __future__ import annotations

from binascii import Error

from strawberry.relay.utils import from_base64, to_base64

from hms_registry.errors import SettingsInvalid

MOST = 100
"""Datasets or runs of one page."""

_KIND = "Place"


def cursor(place: int) -> str:
    """Write a place in a list: how many stand before what comes next."""
    return to_base64(_KIND, str(place))


def place_of(text: str) -> int:
    """Read back `cursor`.

    Raises:
        SettingsInvalid: it is none.
    """
    try:
        kind, place = from_base64(text)
    except (ValueError, Error):
        kind, place = "", ""
    if kind != _KIND or not (place.isascii() and place.isdecimal() and len(place) <= 9):
        raise SettingsInvalid("that is no cursor", hint="take endCursor of the page before; null = from the first")
    return int(place)


def page_size(first: int) -> int:
    """Return *first* if a page may be so long.

    Raises:
        SettingsInvalid: it may not.
    """
    if not 1 <= first <= MOST:
        raise SettingsInvalid(f"a page holds 1 to {MOST} datasets, not {first}", hint="ask for less, and go on after")
    return first
