"""The seam where thrift's and Hive's errors become ours: facts and next steps, none of the server's words.

A message of Hive may quote a literal, a row or a path: it is classified, and dropped.
"""

from __future__ import annotations

import ssl
from socket import gaierror

from thrift.Thrift import TException

from hms_formats.stopping import timed_out
from hms_hive.config import HiveConfig
from hms_registry.errors import CredentialsRejected, ScanFailed, SourceError, SourceUnreachable

DRIVER = (TException, OSError, EOFError, ValueError, TypeError, AttributeError, MemoryError, OverflowError)
"""What a call may raise: thrift's own, the socket's, and what comes of bytes that are no thrift."""

_DENIED = ("AccessControlException", "HiveAccessControlException", "Permission denied", "not have privilege")


class Refused(Exception):
    """The server answered with an error of its own; never leaves this package.

    Attributes:
        text: what it said, to be classified and dropped.
    """

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text

    @property
    def is_denial(self) -> bool:
        """The account may not."""
        return any(word in self.text for word in _DENIED)

    @property
    def is_absence(self) -> bool:
        """There is no such table or database."""
        return "sqlState='42S02'" in self.text or "Table not found" in self.text


def unreachable(config: HiveConfig, error: BaseException, *, server: str) -> SourceError:
    """Translate an error of connecting or of a call.

    Args:
        server: `metastore` or `HiveServer2`.
    """
    if isinstance(error, Refused):
        if error.is_denial:
            return CredentialsRejected(
                f"source {config.source}: its {server} does not let this account look into it",
                hint="grant it SELECT or SHOW on the databases, or name one in the source's url",
            )
        return SourceUnreachable(
            f"source {config.source}: its {server} failed at a call", hint="look into the server's own log"
        )
    fact, hint = _told(error)
    return SourceUnreachable(f"source {config.source}: {fact.format(server)}", hint=hint)


def _told(error: BaseException) -> tuple[str, str]:
    cause = error
    while cause.__cause__ is not None and not isinstance(cause, OSError):
        cause = cause.__cause__
    if isinstance(cause, gaierror):
        return "the name of its {}'s host is not known", "mend its url or the option metastore, or check DNS"
    if isinstance(cause, TimeoutError):
        return "its {} did not answer in time", "check the network, or raise connect_timeout_s and call_timeout_s"
    if isinstance(cause, ssl.SSLError):
        return "no encrypted connection to its {} could be made", "check tls, metastore_tls and tls_ca_file"
    if isinstance(cause, ConnectionRefusedError):
        return "nothing listens at its {}'s host and port", "start it, or mend its url or the option metastore"
    if isinstance(cause, FileNotFoundError | PermissionError):
        return "the certificate file for its {} cannot be read", "mend tls_ca_file"
    return "its {} broke the connection", "check that it runs, that the port is its, and tls and auth as it asks"


def login_failed(config: HiveConfig) -> CredentialsRejected:
    """HiveServer2 refused the user."""
    return CredentialsRejected(
        f"source {config.source}: its HiveServer2 does not let this account in", hint="check user, password and auth"
    )


def no_database(config: HiveConfig) -> SourceUnreachable:
    """The one database that is wanted is not there: nothing may be taken for dropped."""
    return SourceUnreachable(
        f"source {config.source}: there is no database {config.database!r}",
        hint="mend its url, or ask for a grant on it",
    )


def gone(what: str) -> ScanFailed:
    """It is not there any more."""
    return ScanFailed(f"{what} is not there any more", hint=f"crawl {what.partition('.')[0]} again")


def altered(what: str, *, is_told_by_listing: bool) -> ScanFailed:
    """Labels hold for what it was."""
    hint = f"crawl {what.partition('.')[0]} again"
    if not is_told_by_listing:
        hint += "; if it stays so, once with the option describe_all"
    return ScanFailed(f"{what} was altered since it was registered", hint=hint)


def no_way(what: str, why: str) -> ScanFailed:
    """There is no HiveServer2 to read it through."""
    return ScanFailed(
        f"{what} cannot be read without HiveServer2: {why}", hint="give the source a hive:// URL beside its metastore"
    )


def scan_failed(what: str, error: BaseException) -> SourceError:
    """Translate an error of reading rows through HiveServer2."""
    if isinstance(error, Refused) and error.is_denial:
        return ScanFailed(f"{what}: this account may not read it", hint="grant it SELECT there")
    if isinstance(error, Refused):
        return ScanFailed(f"{what}: HiveServer2 failed at reading it", hint="look into the server's own log")
    cause = error.__cause__ or error
    if isinstance(cause, TimeoutError) or isinstance(error, TimeoutError):
        return timed_out(what)
    return ScanFailed(
        f"{what}: HiveServer2 broke while it was read", hint="ask again; if it stays so, check the source"
    )
