"""The seam where the driver's errors become ours: facts and next steps, none of the driver's words.

A message of the driver may quote the URL, a document or a literal: it is classified, and dropped.
"""

from __future__ import annotations

from bson.errors import BSONError
from pymongo.errors import (
    ConfigurationError,
    ConnectionFailure,
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
)

from hms_formats.stopping import timed_out
from hms_mongo.config import MongoConfig
from hms_registry.errors import CredentialsRejected, ScanFailed, SourceError, SourceUnreachable

DRIVER = (PyMongoError, BSONError, OSError)
"""What the driver raises. Certificates that are not there are OSError."""

UNAUTHORIZED = 13
_REJECTED = frozenset({18, 8000, 334})  # AuthenticationFailed, AtlasError (as it refuses a login), MechanismUnavailable
_TIMED_OUT = frozenset({50, 262, 202})  # MaxTimeMSExpired, ExceededTimeLimit, NetworkInterfaceExceededTimeLimit
_ENDING = frozenset({91, 11600, 11602, 10107, 13435, 13436, 189})  # shutting down, stepping down, not primary
_GONE = frozenset({26, 73, 175, 43, 237})  # NamespaceNotFound, InvalidNamespace, QueryPlanKilled, CursorNotFound/Killed
_TLS = ("SSL", "certificate", "TLS")
_DNS = ("Name or service not known", "nodename nor servname", "No address associated", "name resolution", "DNS")

_BROKEN = ("its server broke the connection", "check that the server runs, then try again")
_LATE = ("its server did not answer in time", "check the network, or raise connect_timeout_s and operation_timeout_s")
_REFUSED = ("nothing listens at its host and port", "start the server, or mend its url in sources.yml")
_UNKNOWN_HOST = ("the name of its host is not known", "mend its url in sources.yml, or check DNS")
_NO_TLS = ("no encrypted connection could be made", "set tls and tlsCAFile as its server asks")
_GOING = ("its server is shutting down, or changes its primary", "try again in a minute")
_ODD = ("its server answered what no MongoDB server would", "check that its url names a MongoDB server")
_NO_OPTIONS = ("its TLS or login options cannot be used", "check the files and values of its options in sources.yml")


def code_of(error: BaseException) -> int:
    """Return the server's number of an error; 0 if it has none."""
    return (error.code or 0) if isinstance(error, OperationFailure) else 0


def is_late(error: BaseException) -> bool:
    """Say whether the time was up, here or on the server."""
    return (isinstance(error, PyMongoError) and error.timeout) or code_of(error) in _TIMED_OUT


def crawl_failed(config: MongoConfig, error: BaseException) -> SourceError:
    """Translate an error of connecting or of a crawl's command."""
    code = code_of(error)
    if code in _REJECTED:
        return CredentialsRejected(
            f"source {config.source}: its server does not let this account in",
            hint="check user, password and authSource of its url",
        )
    if code == UNAUTHORIZED:
        return CredentialsRejected(
            f"source {config.source}: this account may not look into it",
            hint="grant it the role read on the database, or name the database in its url",
        )
    fact, hint = _unreachable(error)
    return SourceUnreachable(f"source {config.source}: {fact}", hint=hint)


def odd_answer(config: MongoConfig) -> SourceUnreachable:
    """An answer that is no list of names where one was asked for: nothing of it is believed."""
    fact, hint = _ODD
    return SourceUnreachable(f"source {config.source}: {fact}", hint=hint)


def _unreachable(error: BaseException) -> tuple[str, str]:  # noqa: PLR0911 # a case each
    if code_of(error) in _ENDING:
        return _GOING
    if isinstance(error, ConfigurationError):
        # A host that DNS does not know is one for mongodb+srv.
        return _UNKNOWN_HOST if any(word in str(error) for word in _DNS) else _NO_OPTIONS
    if isinstance(error, BSONError) or (isinstance(error, OperationFailure) and not is_late(error)):
        return _ODD
    if isinstance(error, ServerSelectionTimeoutError):
        # Only this text tells why no server could be had.
        text = str(error)
        if any(word in text for word in _TLS):
            return _NO_TLS
        if any(word in text for word in _DNS):
            return _UNKNOWN_HOST
        return _REFUSED if "refused" in text else _LATE
    if is_late(error):
        return _LATE
    if isinstance(error, ConnectionFailure):
        return _BROKEN
    return _NO_OPTIONS if isinstance(error, OSError) else _BROKEN


def scan_failed(what: str, error: BaseException) -> ScanFailed:
    """Translate an error of reading documents."""
    code = code_of(error)
    source = what.partition(".")[0]
    if code == UNAUTHORIZED:
        return ScanFailed(f"{what}: this account may not read it", hint="grant it the role read on its database")
    if code in _REJECTED:
        return ScanFailed(f"{what}: its server does not let this account in", hint="check its url in sources.yml")
    if code in _GONE:
        return ScanFailed(f"{what} is not what was registered any more", hint=f"crawl {source} again")
    if is_late(error):
        return timed_out(what)
    if isinstance(error, BSONError):
        return ScanFailed(f"{what} holds a document that is no valid BSON", hint="run validate on it in its server")
    return ScanFailed(f"{what}: its server broke while it was read", hint="ask again; if it stays so, check the source")


def gone(what: str) -> ScanFailed:
    """It is not there any more."""
    return ScanFailed(f"{what} is not there any more", hint=f"crawl {what.partition('.')[0]} again")


def unfit(what: str, column: str, kind: str) -> ScanFailed:
    """A value that its registered type cannot hold. The value itself is not told."""
    return ScanFailed(
        f"{what}: a value of column {column} is no {kind}",
        hint="state the type varchar for it in a manifest, which holds every value, or crawl again",
    )
