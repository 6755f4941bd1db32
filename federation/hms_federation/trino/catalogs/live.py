"""What a running Trino is told and asked here, as the registry's own user; its own words are told to who runs sync."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from typing import Final

from trino.exceptions import TrinoQueryError

from hms_federation.trino.asking.coordinator import Coordinator
from hms_federation.trino.catalogs.text import literal, name
from hms_registry.errors import QueryFailed

Row = Sequence[object]

_LONGEST_S: Final = 120.0
_MOST_TEXT: Final = 400
_BAD_VALUE: Final = re.compile(r"Invalid value '.*?' for")
_CATALOGS: Final = "SELECT catalog_name, connector_name FROM system.metadata.catalogs"


class Live:
    """One Trino that runs."""

    def __init__(self, coordinator: Coordinator, *, user: str) -> None:
        self._coordinator = coordinator
        self._user = user

    def rows(self, sql: str) -> list[Row]:
        """Run a statement to its end.

        Raises:
            QueryFailed: Trino did not do it; its own words are in the message.
            TrinoUnreachable, CredentialsRejected
        """
        try:
            statement = self._coordinator.submit(sql, user=self._user)
            return [row for page in statement.pages(go_on=_until(time.monotonic() + _LONGEST_S)) for row in page.rows]
        except TrinoQueryError as error:
            raise QueryFailed(_told(error), hint="see Trino's own log, and docs/trino.md") from None

    def catalogs(self) -> dict[str, str]:
        """Return the connector of each catalog that is there.

        Raises:
            QueryFailed, TrinoUnreachable, CredentialsRejected
        """
        return {str(catalog): str(connector) for catalog, connector in self.rows(_CATALOGS)}

    def answers(self, catalog: str) -> None:
        """See that a catalog reaches its store.

        Raises:
            QueryFailed, TrinoUnreachable, CredentialsRejected
        """
        self.rows(f"SHOW SCHEMAS FROM {name(catalog)} LIKE {literal('information_schema')}")


def _until(end: float) -> Callable[[], None]:
    def go_on() -> None:
        if time.monotonic() > end:
            raise QueryFailed(
                f"Trino did not end a statement within {_LONGEST_S:g} s", hint="look what it waits for, and try again"
            )

    return go_on


def _told(error: TrinoQueryError) -> str:
    """Return what Trino says, without the value that it may have filled in for a reference."""
    words = " ".join(str(error.message).split())
    return _BAD_VALUE.sub("Invalid value for", words)[:_MOST_TEXT]
