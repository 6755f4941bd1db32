"""What PostgreSQL's errors mean to a person: facts and next steps, none of the server's words, which quote values.

https://www.postgresql.org/docs/current/errcodes-appendix.html
"""

from __future__ import annotations

from typing import Final

from hms_registry.errors import CatalogueCorrupt, CatalogueError, CatalogueUnavailable

_LOST = ("broke the connection", "check that the server runs, then try again: what was not committed is not there")
_RESTORE = "restore it from a backup, or move it away and crawl again"

_UNAVAILABLE: Final[dict[str, tuple[str, str]]] = {
    "08": _LOST,
    "57P01": _LOST,
    "57P02": _LOST,
    "57P05": _LOST,
    "57P03": ("is starting up or shutting down", "try again in a minute"),
    "25006": ("cannot be written: its server is read-only, or a standby", "name the server that may be written"),
    "25P03": ("ended a unit that did nothing for too long", "try again; what was not committed is not there"),
    "28": ("does not let this user in", "check user and password of its URL, and the server's pg_hba.conf"),
    "3D000": ("is not there: its server has no such database, or no such role", "create it, or mend its URL"),
    "3F000": ("has no schema to keep its tables in", "create the one that search_path names, or mend its URL"),
    "40": ("was written by something that does not wait its turn", "end that, then try again"),
    "42501": ("does not let this user do that", "make it the owner of the database, or of the catalogue's tables"),
    "53100": ("cannot grow: its disk is full", "free some space on its disk"),
    "53200": ("is out of memory", "give its server more memory"),
    "53300": ("takes no further connections", "try again later, or raise max_connections of its server"),
    "53": ("is out of some resource", "look into its server's log"),
    "54": ("holds no name that is this long", "rename it in its store, or exclude it in sources.yml"),
    "55P03": ("is being written by somebody else for too long", "wait until that is done, or end it"),
    "57014": ("did not answer in time", "try again when its server is less busy"),
    "58": ("cannot be read or written: the disk of its server fails", "look into its server's log"),
    "DNS": ("is not found: the name of its host is not known", "mend its URL, or check DNS"),
    "REFUSED": ("is not there: nothing listens at its host and port", "start its server, or mend its URL"),
    "TIMEOUT": ("did not answer in time", "check its server and the network, then try again"),
    "TLS": ("takes no encrypted connection of ours", "set sslmode and sslrootcert as its server asks"),
}
_CORRUPT: Final[dict[str, tuple[str, str]]] = {
    "XX": ("is damaged", _RESTORE),
    "42": ("is not as this release left it", _RESTORE),
    "23": ("is not as this release left it", _RESTORE),
}
# Before there is a session, libpq tells a text alone.
_PHRASES: Final = (
    ("password authentication failed", "28P01"),
    ("no password supplied", "28P01"),
    ("no pg_hba.conf entry", "28000"),
    ("authentication failed", "28000"),
    ("is not permitted to log in", "28000"),
    ("permission denied for database", "28000"),
    ('" does not exist', "3D000"),
    ("too many connections", "53300"),
    ("too many clients", "53300"),
    ("remaining connection slots", "53300"),
    ("is starting up", "57P03"),
    ("is shutting down", "57P03"),
    ("session is read-only", "25006"),
    ("not accepting connections", "57P03"),
    ("could not translate host name", "DNS"),
    ("resolve host", "DNS"),
    ("Name or service not known", "DNS"),
    ("No such file or directory", "REFUSED"),
    ("Connection refused", "REFUSED"),
    ("timeout", "TIMEOUT"),
    ("SSL", "TLS"),
    ("certificate", "TLS"),
)


def translate(catalogue: str, cause: BaseException) -> CatalogueError:
    """Return ours for a driver's error.

    Args:
        catalogue: what it is called.
    """
    state = getattr(cause, "sqlstate", None) or _state_of(str(cause))
    for key in (state, state[:2]):
        if key in _UNAVAILABLE:
            fact, hint = _UNAVAILABLE[key]
            return CatalogueUnavailable(f"{catalogue} {fact}", hint=hint)
        if key in _CORRUPT:
            fact, hint = _CORRUPT[key]
            return CatalogueCorrupt(f"{catalogue} {fact}", hint=hint)
    return CatalogueUnavailable(f"{catalogue} did not do what it was asked", hint="look into its server's log")


def _state_of(text: str) -> str:
    return next((state for phrase, state in _PHRASES if phrase in text), "08")
