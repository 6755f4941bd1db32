"""Where the server is and who we are there, from a URL as libpq reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Self

import psycopg
from psycopg.conninfo import conninfo_to_dict

from hms_registry.errors import SettingsInvalid

CONNECT_S: Final = 10
STATEMENT_S: Final = 60
TURN_S: Final = 30
"""How long a unit waits for its turn to write."""
IDLE_S: Final = 300
"""How long a unit may do nothing in its transaction: then the server ends it, so that it stops nobody else."""

_HINT = "write postgresql://USER@HOST:5432/DATABASE"
_LIKE_OURS: Final = {
    "application_name": "hms-dta",
    "connect_timeout": str(CONNECT_S),
    # A host that is gone without a word is noticed while we wait for it, and before we write to it.
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "30000",
}
_SETTINGS: Final = {
    "statement_timeout": f"{STATEMENT_S}s",
    "lock_timeout": f"{TURN_S}s",
    "idle_in_transaction_session_timeout": f"{IDLE_S}s",
    "jit": "off",
    "client_min_messages": "warning",
}


@dataclass(frozen=True, slots=True)
class Location:
    """A database of a server; prints without user and secret.

    Attributes:
        parameters: libpq's.
    """

    parameters: Mapping[str, str] = field(repr=False)

    @classmethod
    def parse(cls, url: str) -> Self:
        """Read a URL: https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-URIS

        Raises:
            SettingsInvalid: it is none, or names no database. Never repeats a part of it.
        """
        try:
            stated = {name: str(value) for name, value in conninfo_to_dict(url).items() if value is not None}
        except (psycopg.Error, UnicodeError):
            # libpq quotes what it does not understand, which may be a secret.
            raise SettingsInvalid(
                "the catalogue's URL is not one of PostgreSQL",
                hint=f"{_HINT}, and percent-encode what is not a letter, digit, - or _ in its parts",
            ) from None
        if not stated.get("dbname"):
            raise SettingsInvalid("the catalogue's URL names no database", hint=_HINT)
        if not all(port.isascii() and port.isdecimal() for port in stated.get("port", "5432").split(",")):
            raise SettingsInvalid("the catalogue's URL names a port that is no number", hint=_HINT)
        settings = " ".join(f"-c {name}={value}" for name, value in _SETTINGS.items())
        ours = {"options": f"{settings} {stated.get('options', '')}".rstrip(), "client_encoding": "UTF8"}
        return cls({**_LIKE_OURS, **stated, **ours})

    def __str__(self) -> str:
        hosts = self.parameters.get("host", self.parameters.get("hostaddr", "")).split(",")
        ports = self.parameters.get("port", "5432").split(",")
        ports = ports * len(hosts) if len(ports) == 1 else ports
        where = ",".join(
            f"{f'[{host}]' if ':' in host else host}:{port}" for host, port in zip(hosts, ports, strict=False)
        )
        return f"postgresql://{where}/{self.parameters['dbname']}"
