"""Settings of the MongoDB adapter: which server, who we are there, how long we wait and how much we sample."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import parse_qsl, unquote

from hms_registry.errors import SettingsInvalid

_IN_URL = (
    "authMechanism", "authSource", "directConnection", "readPreference", "replicaSet", "tls", "tlsCAFile",
    "tlsCertificateKeyFile",
)  # fmt: skip
_OWN = (
    "connect_timeout_s", "keep_fields", "operation_timeout_s", "password", "sample_bytes", "sample_documents",
    "sample_seconds", "trino_schema",
)  # fmt: skip
_FLAGS = ("directConnection", "tls")
_MECHANISMS = ("MONGODB-X509", "PLAIN", "SCRAM-SHA-1", "SCRAM-SHA-256")
_PREFERENCES = ("nearest", "primary", "primaryPreferred", "secondary", "secondaryPreferred")
_URL_HINT = "write mongodb://USER:${PASSWORD}@HOST:27017/DATABASE"
_HOST = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[^\s:\[\]/?#,@]+)(?::\d{1,5})?\Z")
_DATABASE = re.compile(r"[^\s/\\.\"$*<>:|?\0]{1,63}\Z")
_ENCODED = re.compile(r"(?:[^@/?#:%\s\[\]]|%[0-9A-Fa-f]{2})*\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How much is read of one collection to learn its shape.

    Attributes:
        documents: at most.
        size: bytes of documents after which no further batch is asked for.
        seconds: that the server may take.
    """

    documents: int = 100
    size: int = 4 << 20
    seconds: float = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class MongoConfig:
    """One server, or one replica set.

    Attributes:
        keeps_fields: what earlier samples showed counts as well.
        is_srv: the host's name is looked up as a SRV record.
        database: the only one that is looked into; empty = all that the account may see.
        driver: options of the driver, as the URL or `options` spelled them.
        trino_may_write: the owner consents to the collection that Trino's connector writes into each database.
    """

    source: str
    hosts: tuple[str, ...]
    is_srv: bool = False
    database: str = ""
    user: str = ""
    password: str = field(default="", repr=False)
    driver: Mapping[str, str] = field(default_factory=dict)
    connect_timeout_s: float = 10.0
    operation_timeout_s: float = 30.0
    keeps_fields: bool = True
    trino_may_write: bool = False
    bounds: Bounds = Bounds()

    @classmethod
    def from_url(cls, *, source: str, url: str, options: Mapping[str, str]) -> Self:
        """Build it from `mongodb://user:password@host:port/database`.

        Raises:
            SettingsInvalid: it is the URL of something else, or an option is wrong. Never repeats a part of either.
        """
        known = (*_OWN, *_IN_URL)
        unknown = sorted(set(options) - set(known))
        if unknown:
            hint = f"there are {', '.join(known)}"
            raise SettingsInvalid(f"source {source}: {unknown[0]!r} is no option of mongo", hint=hint)
        is_srv, account, hosts, database, query = _parts(source, url)
        user, password = account
        if options.get("keep_fields", "true") not in ("true", "false"):
            raise SettingsInvalid(f"source {source}: keep_fields is neither true nor false", hint="e.g. true")
        if options.get("trino_schema", "allowed") != "allowed":
            hint = "leave it out, and MongoDB is no catalog of Trino"
            raise SettingsInvalid(f"source {source}: trino_schema is not `allowed`", hint=hint)
        driver = {**query, **{name: options[name] for name in _IN_URL if name in options}}
        _check_driver(source, driver)
        return cls(
            source=source,
            hosts=hosts,
            is_srv=is_srv,
            database=database,
            user=user,
            password=options.get("password", password),
            driver=driver,
            connect_timeout_s=_number(source, options, "connect_timeout_s", least=1, most=600, default=10),
            operation_timeout_s=_number(source, options, "operation_timeout_s", least=1, most=3600, default=30),
            keeps_fields=options.get("keep_fields") != "false",
            trino_may_write="trino_schema" in options,
            bounds=Bounds(
                documents=int(_number(source, options, "sample_documents", least=1, most=100_000, default=100)),
                size=int(_number(source, options, "sample_bytes", least=1024, most=1 << 30, default=4 << 20)),
                seconds=_number(source, options, "sample_seconds", least=1, most=600, default=10),
            ),
        )

    @property
    def location(self) -> str:
        """The server's URL without user, secret and options."""
        return f"mongodb{'+srv' if self.is_srv else ''}://{','.join(self.hosts)}/"


def _check_driver(source: str, driver: Mapping[str, str]) -> None:
    wrong = [name for name in _FLAGS if driver.get(name, "true") not in ("true", "false")]
    if driver.get("authMechanism", _MECHANISMS[0]) not in _MECHANISMS:
        wrong.append("authMechanism")
    if driver.get("readPreference", _PREFERENCES[0]) not in _PREFERENCES:
        wrong.append("readPreference")
    if wrong:
        hint = f"true or false; {', '.join(_MECHANISMS)}; {', '.join(_PREFERENCES)}"
        raise SettingsInvalid(f"source {source}: {wrong[0]} has a value that it cannot have", hint=hint)


def _number(source: str, options: Mapping[str, str], name: str, *, least: int, most: int, default: int) -> float:
    try:
        number = float(options.get(name, str(default)))
    except ValueError:
        number = -1.0
    if not least <= number <= most:
        raise SettingsInvalid(f"source {source}: {name} is not {least} to {most}", hint=f"e.g. {default}")
    return number


def _parts(source: str, url: str) -> tuple[bool, tuple[str, str], tuple[str, ...], str, dict[str, str]]:
    scheme, mark, rest = url.partition("://")
    # To the last @: a password that was filled in from the environment may hold any character.
    who, at, where = rest.rpartition("@")
    where, _mark, query = where.partition("?")
    listed, _slash, database = where.partition("/")
    user, _colon, password = who.partition(":")
    hosts, is_srv = tuple(listed.split(",")), scheme.lower() == "mongodb+srv"
    database = unquote(database)
    is_ours = bool(mark) and scheme.lower() in ("mongodb", "mongodb+srv") and "\0" not in url
    is_named = all(map(_HOST.match, hosts)) and (not database or bool(_DATABASE.match(database)))
    if not is_ours or not is_named or (at and not user) or (is_srv and len(hosts) > 1):
        raise SettingsInvalid(f"source {source}: its URL names no MongoDB server", hint=_URL_HINT)
    pairs = dict(parse_qsl(query, keep_blank_values=True))
    ports = [int(port) for host in hosts if (port := host.rpartition(":")[2]).isdecimal() and ":" in host]
    if set(pairs) - set(_IN_URL) or not all(0 < port < 65_536 for port in ports):
        hint = f"after ? there may be {', '.join(_IN_URL)}"
        raise SettingsInvalid(f"source {source}: its URL has a port or parameter that is none", hint=hint)
    return is_srv, (_decoded(user), _decoded(password)), hosts, database, pairs


def _decoded(text: str) -> str:
    """Decode what is percent-encoded as a whole; what holds raw characters that a URL may not is meant as it is."""
    return unquote(text) if _ENCODED.match(text) else text
