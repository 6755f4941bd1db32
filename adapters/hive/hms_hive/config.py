"""Settings of the Hive adapter: HiveServer2, the metastore, and which folders of the lake may be read directly."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import unquote, urlsplit

from hms_hive.places import Place, parse_place
from hms_registry.errors import SettingsInvalid

_AUTH = ("CUSTOM", "LDAP", "NONE", "NOSASL")
_OPTIONS = (
    "access_key", "auth", "call_timeout_s", "connect_timeout_s", "connections", "describe_all", "endpoint",
    "metastore", "metastore_tls", "password", "read_from", "region", "secret_key", "tls", "tls_ca_file",
)  # fmt: skip
_URL_HINT = "write hive://USER:${PASSWORD}@HOST:10000/DATABASE, or thrift://HOST:9083/DATABASE for a metastore alone"
_ENCODED = re.compile(r"(?:[^@/?#:%\s\[\]]|%[0-9A-Fa-f]{2})*\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A host and port; *ca_file* empty = the certificates that this machine trusts."""

    host: str
    port: int
    is_tls: bool = False
    ca_file: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lake:
    """What may be read without HiveServer2: a table's location is what anybody said who may make tables.

    Attributes:
        places: folders and prefixes; nothing outside them is opened.
    """

    places: tuple[Place, ...] = ()
    endpoint: str = ""
    region: str = ""
    access_key: str = ""
    secret_key: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class HiveConfig:
    """One Hive.

    Attributes:
        server: HiveServer2; None = there is the metastore alone.
        metastore: None = HiveServer2 alone.
        database: the only one that is looked into; empty = all.
        connections: to HiveServer2 at once, while tables are described one by one.
        describes_all: through HiveServer2 alone, each crawl describes each table, whatever the listing tells.
        call_timeout_s: the longest that one call may take.
    """

    source: str
    server: Server | None
    metastore: Server | None
    database: str = ""
    user: str = "hms-dta"
    password: str = field(default="", repr=False)
    auth: str = "NONE"
    lake: Lake = field(default_factory=Lake)
    connections: int = 4
    describes_all: bool = False
    connect_timeout_s: float = 10.0
    call_timeout_s: float = 60.0

    @classmethod
    def from_url(cls, *, source: str, url: str, options: Mapping[str, str]) -> Self:
        """Build it from `hive://user:password@host:port/database`, or `thrift://host:port/database`.

        Raises:
            SettingsInvalid: it is the URL of something else, or an option is wrong. Never repeats a part of either.
        """
        unknown = sorted(set(options) - set(_OPTIONS))
        if unknown:
            raise SettingsInvalid(
                f"source {source}: {unknown[0]!r} is no option of hive", hint=f"there are {', '.join(_OPTIONS)}"
            )
        scheme, user, password, named, database = _parts(source, url)
        is_bare = scheme == "thrift"
        if is_bare and (user or "metastore" in options):
            raise SettingsInvalid(f"source {source}: a thrift:// URL is the metastore itself", hint=_URL_HINT)
        auth = options.get("auth", "NONE").upper()
        if auth not in _AUTH:
            raise SettingsInvalid(
                f"source {source}: no such auth", hint=f"there are {', '.join(_AUTH)}; Kerberos is not supported"
            )
        metastore = named if is_bare else options.get("metastore", "").removeprefix("thrift://").rstrip("/")
        return cls(
            source=source,
            server=None if is_bare else _server(source, named, options, default=10_000, tls="tls"),
            metastore=_server(source, metastore, options, default=9083, tls="tls" if is_bare else "metastore_tls")
            if metastore
            else None,
            database=database,
            user=user or "hms-dta",
            password=options.get("password", password),
            auth=auth,
            lake=_lake(source, options),
            connections=int(_number(source, options, "connections", default="4", most=32)),
            describes_all=_flag(source, options, "describe_all"),
            connect_timeout_s=_number(source, options, "connect_timeout_s", default="10", most=600),
            call_timeout_s=_number(source, options, "call_timeout_s", default="60", most=3600),
        )

    @property
    def location(self) -> str:
        """Where Hive is, without user and secret."""
        server = self.server or self.metastore
        assert server is not None
        host = f"[{server.host}]" if ":" in server.host else server.host
        return f"{'hive' if self.server else 'thrift'}://{host}:{server.port}"


def _parts(source: str, url: str) -> tuple[str, str, str, str, str]:
    """Return scheme, user, password, host with port, and database."""
    scheme, mark, rest = url.partition("://")
    # To the last @: a password that was filled in from the environment may hold any character.
    who, at, where = rest.rpartition("@")
    host, _slash, database = where.partition("/")
    user, _colon, password = who.partition(":")
    is_ours = mark and scheme.lower() in ("hive", "thrift") and host and "\0" not in url
    if not is_ours or (at and not user) or not re.fullmatch(r"\w*", database):
        raise SettingsInvalid(f"source {source}: its URL names no Hive", hint=_URL_HINT)
    return scheme.lower(), _decoded(user), _decoded(password), host, database.lower()


def _decoded(text: str) -> str:
    """Decode what is percent-encoded as a whole; what holds raw characters that a URL may not is meant as it is."""
    return unquote(text) if _ENCODED.match(text) else text


def _server(source: str, named: str, options: Mapping[str, str], *, default: int, tls: str) -> Server:
    try:
        parts = urlsplit(f"//{named}")
        host, port = parts.hostname or "", parts.port or default
    except ValueError:
        host, port = "", 0
    if not host or not 0 < port < 65_536 or "/" in named or "@" in named:
        raise SettingsInvalid(f"source {source}: its server is no HOST:PORT", hint=_URL_HINT)
    return Server(host=host, port=port, is_tls=_flag(source, options, tls), ca_file=options.get("tls_ca_file", ""))


def _lake(source: str, options: Mapping[str, str]) -> Lake:
    named = (each.strip() for each in options.get("read_from", "").split(","))
    places = tuple(parse_place(source, each) for each in named if each)
    endpoint, key, secret = (options.get(name, "") for name in ("endpoint", "access_key", "secret_key"))
    if bool(key) != bool(secret):
        raise SettingsInvalid(
            f"source {source}: access_key and secret_key go together",
            hint="give both as ${ENV} references, or neither to use the environment's own",
        )
    if endpoint and not re.fullmatch(r"https?://[^/@\s]+/?", endpoint):
        raise SettingsInvalid(
            f"source {source}: the endpoint is not the URL of a server", hint="e.g. https://s3.example.org:9000"
        )
    return Lake(
        places=places,
        endpoint=endpoint.rstrip("/"),
        region=options.get("region", ""),
        access_key=key,
        secret_key=secret,
    )


def _flag(source: str, options: Mapping[str, str], name: str) -> bool:
    text = options.get(name, "").strip().lower()
    if text not in ("", "true", "false"):
        raise SettingsInvalid(f"source {source}: {name} is true or false", hint="leave it out if in doubt")
    return text == "true"


def _number(source: str, options: Mapping[str, str], name: str, *, default: str, most: int) -> float:
    try:
        number = float(options.get(name, default))
    except ValueError:
        number = -1.0
    if not 1 <= number <= most:
        raise SettingsInvalid(f"source {source}: {name} is not 1 to {most}", hint="leave it out if in doubt")
    return number
