"""The seam where the drivers' errors become ours: facts and next steps, none of a driver's words or the DSN."""

from __future__ import annotations

from collections.abc import Sequence

from hms_formats.stopping import timed_out
from hms_postgres.config import PostgresConfig
from hms_registry.domain.names import Address
from hms_registry.errors import CredentialsRejected, ScanFailed, SourceError, SourceUnreachable

CHANGED = frozenset({"XX000", "42P01", "42704", "42703", "42883"})
"""What a catalogue query answers when something was dropped between its snapshot and a system function's."""

_NAMED = 3

LOCKED = "55P03"
"""What a statement answers that waited for a lock as long as we let it."""

_REJECTED = frozenset({"28000", "28P01"})
_TIMED_OUT = "57014"
_CONNECT_PHRASES = (
    ("password authentication failed", "28P01"),
    ("no password supplied", "28P01"),
    ("no pg_hba.conf entry", "28000"),
    ("authentication failed", "28000"),
    ("certificate authentication failed", "28000"),
    ("is not permitted to log in", "28000"),
    ("permission denied for database", "28000"),
    ('" does not exist', "3D000"),
    ("too many connections", "53300"),
    ("remaining connection slots", "53300"),
    ("too many clients", "53300"),
    ("is starting up", "57P03"),
    ("is shutting down", "57P03"),
    ("could not translate host name", "DNS"),
    ("resolve host", "DNS"),
    ("Name or service not known", "DNS"),
    ("Connection refused", "REFUSED"),
    ("timeout expired", "TIMEOUT"),
    ("SSL", "TLS"),
    ("certificate", "TLS"),
)
_UNREACHABLE: dict[str, tuple[str, str]] = {
    "3D000": ("its server has no such database, or no such role", "mend its url in sources.yml"),
    "53300": ("its server takes no further connections", "try again later, or raise max_connections"),
    "57P03": ("its server is starting up or shutting down", "try again in a minute"),
    "57P01": ("its server ended the connection", "try again in a minute"),
    "DNS": ("the name of its host is not known", "mend its url in sources.yml, or check DNS"),
    "REFUSED": ("nothing listens at its host and port", "start the server, or mend its url in sources.yml"),
    "TIMEOUT": ("its server did not answer in time", "check the network, or raise connect_timeout_s"),
    "TLS": ("no encrypted connection could be made", "set sslmode and sslrootcert as its server asks"),
    "": ("its server broke the connection", "check that the server runs, then try again"),
}


def connect_failed(config: PostgresConfig, error: BaseException) -> SourceError:
    """Translate an error of connecting. libpq tells no SQLSTATE there, only a text, which is matched and dropped."""
    text = str(error)
    state = getattr(error, "sqlstate", None)
    if state not in _REJECTED and state not in _UNREACHABLE:
        state = next((code for phrase, code in _CONNECT_PHRASES if phrase in text), "")
    if state in _REJECTED:
        return CredentialsRejected(
            f"source {config.source}: its server does not let this account in",
            hint="check user and password of its url, and the server's pg_hba.conf",
        )
    fact, hint = _UNREACHABLE[state or ""]
    return SourceUnreachable(f"source {config.source}: {fact}", hint=hint)


def crawl_failed(config: PostgresConfig, error: BaseException, *, was_cut: bool = False) -> SourceError:
    """Translate an error of a catalogue query. *was_cut*: our own deadline ended the connection."""
    state = getattr(error, "sqlstate", None) or ""
    if was_cut or state == _TIMED_OUT:
        return SourceUnreachable(
            f"source {config.source}: its server did not answer in time",
            hint="try again when it is less busy, or raise statement_timeout_s",
        )
    if state == "42501":
        return CredentialsRejected(
            f"source {config.source}: this account may not read the system catalogue", hint="grant it pg_catalog"
        )
    if state == LOCKED:
        return SourceUnreachable(
            f"source {config.source}: somebody has locked its system catalogue",
            hint="crawl again when that has ended",
        )
    if state in CHANGED:
        return SourceUnreachable(f"source {config.source}: it changed while it was crawled", hint="crawl again")
    fact, hint = _UNREACHABLE.get(state, _UNREACHABLE[""])
    return SourceUnreachable(f"source {config.source}: {fact}", hint=hint)


def views_locked(config: PostgresConfig, views: Sequence[Address]) -> SourceError:
    """Say which views could not be looked into."""
    shown = ", ".join(map(str, views[:_NAMED])) + (", ..." if len(views) > _NAMED else "")
    return SourceError(
        f"source {config.source}: somebody alters what {len(views)} of its views read: {shown}",
        hint="crawl again when that has ended",
    )


_GONE = ("{} is not what was registered any more", "crawl its source again")
_UNREAD: dict[str, tuple[str, str]] = {
    "42501": ("{}: this account may not read it", "GRANT SELECT on it in the source"),
    **dict.fromkeys(("42P01", "42703", "42704", "3F000", "42883"), _GONE),
    LOCKED: ("{} is locked: somebody alters it", "ask again when that has ended"),
    "55000": ("{} holds nothing yet", "REFRESH MATERIALIZED VIEW in the source"),
    "": ("{}: its server broke while it was read", "ask again; if it stays so, check the source"),
}


def scan_failed(what: str, error: BaseException) -> ScanFailed:
    """Translate an error of reading rows; the driver's text may quote values, so it is not passed on."""
    state = getattr(error, "sqlstate", None) or ""
    if state == _TIMED_OUT or "statement timeout" in str(error):
        return timed_out(what)
    if NESTED in str(error):
        return ScanFailed(
            f"{what}: a value is an array of arrays, which its type does not tell", hint="read other columns of it"
        )
    fact, hint = _UNREAD.get(state, _UNREAD[""])
    return ScanFailed(fact.format(what), hint=hint)


NESTED = "hms-nested-array"
"""Stands in the text of a cast that fails on purpose: see `types.guarded_array`."""
