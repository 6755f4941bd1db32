"""The coordinator: how the registry logs in to Trino, and in whose name it asks there."""

from __future__ import annotations

from typing import Self
from urllib.parse import urlsplit

from hms_federation.trino.asking.statement import Statement
from hms_registry.errors import AccessDenied, NotInstalled
from hms_registry.services.trino_settings import TrinoSettings

try:
    import requests
    from requests.adapters import HTTPAdapter
    from trino.auth import BasicAuthentication
    from trino.client import ClientSession, TrinoRequest
except ImportError as exc:
    raise NotInstalled("Trino support is not installed", hint="pip install 'hms-dta[trino]'") from exc

_CONNECT_S, _READ_S = 5.0, 30.0
_ATTEMPTS = 3
_CONNECTIONS = 16
_SOURCE = "hms-dta"


class Coordinator:
    """One Trino. Thread-safe; close it when the process ends."""

    def __init__(self, settings: TrinoSettings) -> None:
        """Connect to nothing yet."""
        parts = urlsplit(settings.url)
        self.url = settings.url
        self._scheme, self._host = parts.scheme, parts.hostname or ""
        self._port = parts.port or (443 if parts.scheme == "https" else 80)
        self._settings = settings
        self._connections = HTTPAdapter(pool_connections=1, pool_maxsize=_CONNECTIONS)

    def submit(self, sql: str, *, user: str) -> Statement:
        """Hand in one statement; it runs when this returns, and its pages wait to be read.

        Args:
            user: in whose name: the registry's own service identity logs in, and Trino asks whether it may be them.

        Raises:
            AccessDenied: no user of Trino can be called that.
            TrinoUnreachable, CredentialsRejected
            HmsError: Trino does not take it at all.
        """
        if not (user.isascii() and user.isprintable() and user == user.strip() and user):
            raise AccessDenied(
                "your name has a letter that Trino takes in no name of a user", hint="ask without --engine trino"
            )
        return Statement.submitted(sql, request=self._request(user), url=self.url)

    def close(self) -> None:
        """Close its connections. Idempotent."""
        self._connections.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _request(self, user: str) -> TrinoRequest:
        password, ca = self._settings.password, self._settings.ca
        # One session a statement: it keeps its user's headers. The connections under it are shared.
        session = requests.Session()
        session.trust_env = False  # REQUESTS_CA_BUNDLE would take the place of `ca`, and .netrc that of the password
        session.verify = str(ca) if ca is not None else True
        session.mount(f"{self._scheme}://", self._connections)
        return TrinoRequest(
            host=f"[{self._host}]" if ":" in self._host else self._host,
            port=self._port,
            http_scheme=self._scheme,
            client_session=ClientSession(user=user, source=_SOURCE, timezone="UTC"),
            http_session=session,
            auth=BasicAuthentication(self._settings.user, password) if password is not None else None,
            max_attempts=_ATTEMPTS,
            request_timeout=(_CONNECT_S, _READ_S),
        )
