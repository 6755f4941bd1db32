"""One statement that runs on Trino: its pages as they come, and an end to it that Trino hears of."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Self

import requests
from trino.exceptions import HttpError, TrinoConnectionError, TrinoQueryError

from hms_federation.trino.asking import failures
from hms_registry.errors import HmsError

if TYPE_CHECKING:
    from requests import Response
    from trino.client import TrinoRequest, TrinoStatus

_NO_LOGIN = (401, 403)


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What Trino tells at a time.

    Attributes:
        columns: name and type of each; None = it does not know yet.
        rows: as its JSON has them, a list of cells each.
        stats: how far it is.
    """

    columns: tuple[tuple[str, str], ...] | None
    rows: Sequence[Sequence[object]]
    stats: Mapping[str, object]


class Statement:
    """A statement that Trino took.

    Attributes:
        id: Trino's own, as in its list of queries and its events.
    """

    def __init__(self, *, request: TrinoRequest, status: TrinoStatus, url: str) -> None:
        self.id = status.id
        self._request = request
        self._url = url
        self._status = status
        self._is_over = status.next_uri is None
        self._ending = Lock()

    @classmethod
    def submitted(cls, sql: str, *, request: TrinoRequest, url: str) -> Self:
        """Hand it in.

        Raises:
            TrinoUnreachable, CredentialsRejected
            TrinoQueryError: Trino does not take it.
        """
        status = _told(lambda: request.post(sql), request=request, url=url)
        return cls(request=request, status=status, url=url)

    def pages(self, *, go_on: Callable[[], None]) -> Generator[Page, None, None]:
        """Yield what Trino tells until it has told all. Left early, it is cancelled.

        Args:
            go_on: called before each page is asked for, which takes a second at most; raises to end it.

        Raises:
            TrinoUnreachable
            TrinoQueryError: it failed there.
        """
        try:
            while True:
                status = self._status
                yield _page(status)
                if status.next_uri is None:
                    self._is_over = True
                    return
                go_on()
                self._status = self._next(status.next_uri)
        finally:
            self.cancel()

    def cancel(self) -> None:
        """Have Trino end it, whoever reads. Idempotent; callable from any thread; does nothing once it is over."""
        with self._ending:
            uri = self._status.next_uri
            if self._is_over or uri is None:
                return
            self._is_over = True
        with suppress(requests.RequestException, HttpError):
            self._request.delete(uri)

    def _next(self, uri: str) -> TrinoStatus:
        try:
            return _told(lambda: self._request.get(uri), request=self._request, url=self._url)
        except TrinoQueryError:
            self._is_over = True
            raise


def _told(ask: Callable[[], Response], *, request: TrinoRequest, url: str) -> TrinoStatus:
    try:
        response = ask()
        if response.status_code in _NO_LOGIN:
            raise failures.rejected(url)
        return request.process(response)
    except (requests.RequestException, HttpError, TrinoConnectionError, ValueError, KeyError) as error:
        raise _unreachable(error, url) from None


def _unreachable(error: Exception, url: str) -> HmsError:
    if isinstance(error, requests.exceptions.SSLError):
        return failures.unreachable(url, "its certificate is not vouched for")
    if isinstance(error, requests.Timeout):
        return failures.unreachable(url, "it takes too long")
    if isinstance(error, requests.RequestException):
        return failures.unreachable(url, "no connection")
    return failures.unreachable(url, "what answers there is no Trino that is up")


def _page(status: TrinoStatus) -> Page:
    columns = status.columns
    return Page(
        columns=tuple((str(each["name"]), str(each["type"])) for each in columns) if columns else None,
        rows=status.rows if isinstance(status.rows, list) else [],
        stats=status.stats,
    )
