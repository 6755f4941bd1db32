"""What the coordinator itself tells without a login: its release, its clock, and whether it asks for one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Final

import requests

from hms_federation.trino.doctor.configuration import is_loopback
from hms_federation.trino.proof.proving import SKEW
from hms_registry.domain.findings import Finding, Grade
from hms_registry.errors import TrinoUnreachable
from hms_registry.services.trino_settings import TrinoSettings

_TIMEOUT_S: Final = 5.0
_BATCH_MASKS: Final = 453
_LEAKING: Final = range(439, 480)
"""CVE-2026-34214: the JSON of a query shows credentials of its catalogs."""
_NOBODY: Final = "hms-dta-doctor"
_SECOND: Final = 1.0
"""The clock of an HTTP answer tells whole seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a coordinator told.

    Attributes:
        skew_s: how far its clock is ahead of ours, in seconds; None if it tells no time.
        is_open: it lets in who presents nothing.
    """

    version: str
    is_starting: bool
    skew_s: float | None
    is_open: bool


def ask_coordinator(settings: TrinoSettings, *, clock: Callable[[], datetime]) -> Told:
    """Ask it, presenting nothing.

    Raises:
        TrinoUnreachable: it does not answer as a Trino does.
    """
    with requests.Session() as session:
        session.trust_env = False  # REQUESTS_CA_BUNDLE would take the place of `ca`
        session.verify = str(settings.ca) if settings.ca is not None else True
        try:
            info = session.get(f"{settings.url}/v1/info", timeout=_TIMEOUT_S)
            told = info.json()
            found = session.get(f"{settings.url}/v1/query", headers={"X-Trino-User": _NOBODY}, timeout=_TIMEOUT_S)
            version = str(told["nodeVersion"]["version"])
        except (requests.RequestException, ValueError, KeyError, TypeError):
            raise _unreachable(settings.url, settings.ca) from None
    return Told(
        version=version,
        is_starting=bool(told.get("starting")),
        skew_s=_skew(info.headers.get("Date", ""), now=clock()),
        is_open=found.status_code not in (401, 403),
    )


def examine_coordinator(told: Told, *, url: str) -> Iterator[Finding]:
    """Judge what it told."""
    yield Finding(check="coordinator", fact=f"Trino {told.version} answers at {url}")
    if told.is_starting:
        yield Finding(check="coordinator", fact="it is starting", grade=Grade.WARNING, change="ask again in a minute")
    yield from _release(told.version)
    yield from _clock(told.skew_s)
    if told.is_open:
        yield Finding(
            check="authentication",
            fact="Trino lets in whoever says a name: everybody can be anybody"
            + (" on this machine" if is_loopback(url) else ""),
            grade=Grade.WARNING if is_loopback(url) else Grade.WRONG,
            change="http-server.authentication.type=PASSWORD",
            where="config.properties",
        )


def _release(version: str) -> Iterator[Finding]:
    digits = version.split("-", maxsplit=1)[0].split(".", maxsplit=1)[0]
    if not digits.isdecimal():
        return
    release = int(digits)
    if release < _BATCH_MASKS:
        yield Finding(
            check="version",
            fact=f"Trino {release} does not know batched masks, so no column is masked by them",
            grade=Grade.WRONG,
            change=f"a release from {_BATCH_MASKS} on",
        )
    if release in _LEAKING:
        yield Finding(
            check="version",
            fact=f"Trino {release} has CVE-2026-34214: the JSON of a query shows secrets that catalogs spell out",
            grade=Grade.WARNING,
            change=f"a release from {_LEAKING.stop} on; until then every secret as ${{ENV:...}}",
        )


def _clock(skew_s: float | None) -> Iterator[Finding]:
    if skew_s is not None and abs(skew_s) > SKEW.total_seconds() + _SECOND:
        way = "ahead of" if skew_s > 0 else "behind"
        yield Finding(
            check="clock",
            fact=f"Trino's clock is {abs(skew_s):.0f} s {way} this machine's: a proof may take the wrong policy",
            grade=Grade.WARNING,
            change="keep both by NTP",
        )


def _skew(date: str, *, now: datetime) -> float | None:
    try:
        told = parsedate_to_datetime(date)
    except (TypeError, ValueError):
        return None
    return (told.astimezone(UTC) - now).total_seconds()


def _unreachable(url: str, ca: Path | None) -> TrinoUnreachable:
    vouched = f", and that {ca} vouches for it" if ca else ""
    return TrinoUnreachable(f"no Trino answers at {url}", hint=f"see that its coordinator runs{vouched}")
