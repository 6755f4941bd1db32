"""Settings of the PostgreSQL adapter: where the server is, who we are there, and how long we wait."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import parse_qsl, quote, unquote

from hms_registry.errors import SettingsInvalid

_OPTIONS = (
    "connect_timeout_s", "password", "scan_password", "scan_user", "sslmode", "sslrootcert", "statement_timeout_s",
)  # fmt: skip
_IN_URL = ("connect_timeout", "sslmode", "sslrootcert")
_SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
_URL_HINT = "write postgresql://USER:${PASSWORD}@HOST:5432/DATABASE"
_ENCODED = re.compile(r"(?:[^@/?#:%\s\[\]]|%[0-9A-Fa-f]{2})*\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A role and its password; empty = what libpq takes by itself (a password file, a certificate)."""

    user: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresConfig:
    """One database of one server.

    Attributes:
        crawler: who looks into the catalogue.
        reader: who reads rows; the crawler, unless the source's options say otherwise.
        statement_timeout_s: the longest that one statement of a crawl may take.
    """

    source: str
    host: str
    port: int
    database: str
    crawler: Account
    reader: Account
    ssl: Mapping[str, str] = field(default_factory=dict)
    connect_timeout_s: int = 10
    statement_timeout_s: float = 120.0

    @classmethod
    def from_url(cls, *, source: str, url: str, options: Mapping[str, str]) -> Self:
        """Build it from `postgresql://user:password@host:port/database`.

        Raises:
            SettingsInvalid: it is the URL of something else, or an option is wrong. Never repeats a part of either.
        """
        unknown = sorted(set(options) - set(_OPTIONS))
        if unknown:
            raise SettingsInvalid(
                f"source {source}: {unknown[0]!r} is no option of postgres", hint=f"there are {', '.join(_OPTIONS)}"
            )
        account, host, port, database, query = _parts(source, url)
        if "password" in options:
            account = Account(user=account.user, password=options["password"])
        reader = account
        if "scan_user" in options:
            reader = Account(user=options["scan_user"], password=options.get("scan_password", ""))
        stated = {**query, **{name: options[name] for name in ("sslmode", "sslrootcert") if name in options}}
        if stated.get("sslmode", "prefer") not in _SSL_MODES:
            raise SettingsInvalid(f"source {source}: no such sslmode", hint=f"there are {', '.join(_SSL_MODES)}")
        wait = options.get("connect_timeout_s", stated.pop("connect_timeout", "10"))
        return cls(
            source=source,
            host=host,
            port=port,
            database=database,
            crawler=account,
            reader=reader,
            ssl=stated,
            # libpq takes whole seconds, and fewer than two as two.
            connect_timeout_s=int(_seconds(source, "connect_timeout_s", wait, most=600)),
            statement_timeout_s=_seconds(
                source, "statement_timeout_s", options.get("statement_timeout_s", "120"), most=86_400
            ),
        )

    @property
    def location(self) -> str:
        """The database's URL without user and secret."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"postgresql://{host}:{self.port}/{quote(self.database, safe='')}"


def _seconds(source: str, name: str, text: str, *, most: int) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 1 <= seconds <= most:
        raise SettingsInvalid(f"source {source}: {name} is not 1 to {most} seconds", hint="e.g. 10")
    return seconds


def _parts(source: str, url: str) -> tuple[Account, str, int, str, dict[str, str]]:
    scheme, mark, rest = url.partition("://")
    # To the last @: a password that was filled in from the environment may hold any character.
    who, at, where = rest.rpartition("@")
    where, _mark, query = where.partition("?")
    host, _slash, database = where.partition("/")
    user, _colon, password = who.partition(":")
    if host.startswith("["):
        host, _bracket, port = host[1:].partition("]")
        port = port.removeprefix(":")
    else:
        host, _colon, port = host.partition(":")
    pairs = dict(parse_qsl(query, keep_blank_values=True))
    is_ours = mark and scheme.lower() in ("postgresql", "postgres") and host and database and "\0" not in url
    if not is_ours or not (port or "5432").isdecimal() or (at and not user):
        raise SettingsInvalid(f"source {source}: its URL names no PostgreSQL database", hint=_URL_HINT)
    if not 0 < int(port or "5432") < 65_536 or set(pairs) - set(_IN_URL):
        hint = f"after ? there may be {', '.join(_IN_URL)}"
        raise SettingsInvalid(f"source {source}: its URL has a port or parameter that is none", hint=hint)
    account = Account(user=_decoded(user), password=_decoded(password))
    return account, host, int(port or "5432"), unquote(database), pairs


def _decoded(text: str) -> str:
    """Decode what is percent-encoded as a whole; what holds raw characters that a URL may not is meant as it is."""
    return unquote(text) if _ENCODED.match(text) else text
