"""Whether Trino's other settings leave the policy whole: hidden columns, events, secrets, who may log in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

from hms_federation.trino.doctor.etc import Etc, SettingsFile
from hms_registry.domain.findings import Finding, Grade
from hms_registry.services.secret_references import holds_secret

_EVENTS: Final = "/v1/events"
_INGEST: Final = "http-event-listener.connect-ingest-uri"
_RETRIES: Final = "http-event-listener.connect-retry-count"
_LISTENER: Final = "event-listener.properties"


def examine_configuration(etc: Etc, *, listener: str) -> Iterator[Finding]:
    """Look at everything but the access control.

    Args:
        listener: URL of this registry's listener for Trino.
    """
    yield from _hiding(etc.config)
    yield from _events(etc, listener)
    yield from _secrets(etc)


def _hiding(config: SettingsFile) -> Iterator[Finding]:
    if config.get("hide-inaccessible-columns").lower() != "true":
        yield Finding(
            check="hidden-columns",
            fact="SELECT * fails where a column is hidden, and the error names every hidden column",
            grade=Grade.WRONG,
            change="hide-inaccessible-columns=true",
            where=config.name,
        )


def _events(etc: Etc, listener: str) -> Iterator[Finding]:
    wanted = f"{listener}{_EVENTS}"
    told = [each for each in etc.listeners if each.get(_INGEST) == wanted]
    if not told:
        elsewhere = any(each.get("event-listener.name") == "http" for each in etc.listeners)
        yield Finding(
            check="events",
            fact=(
                "Trino tells its queries to somebody else: what it applied is not proven"
                if elsewhere
                else "Trino tells nobody of its queries: what it applied is not proven"
            ),
            grade=Grade.WRONG,
            change=f"event-listener.name=http\n{_INGEST}={wanted}\nhttp-event-listener.log-completed=true"
            f"\nhttp-event-listener.log-created=true\n{_RETRIES}=10",
            where=_LISTENER,
        )
    for file in told:
        for name, follows, grade in (
            ("log-completed", "what it applied is not proven", Grade.WRONG),
            ("log-created", "a query whose end is not told may stay unknown", Grade.WARNING),
        ):
            if file.get(f"http-event-listener.{name}").lower() != "true":
                yield Finding(
                    check="events",
                    fact=f"http-event-listener.{name} is not set: {follows}",
                    grade=grade,
                    change=f"http-event-listener.{name}=true",
                    where=file.name,
                )
        if file.get(_RETRIES) in ("", "0"):
            yield Finding(
                check="events",
                fact=f"{_RETRIES} is not set: an event that is not taken at once is lost, and its query not proven",
                grade=Grade.WARNING,
                change=f"{_RETRIES}=10",
                where=file.name,
            )


def _secrets(etc: Etc) -> Iterator[Finding]:
    """Trino shows the properties of a catalog to everybody who asks something of it, in the JSON of their query."""
    for catalog, file in etc.catalogs.items():
        for name, value in file.properties.items():
            if holds_secret(_as_ours(value), name=name.replace("-", "_")):
                variable = f"{catalog}_{name}".upper().replace("-", "_").replace(".", "_")
                yield Finding(
                    check="secrets",
                    fact=f"{name} of catalog {catalog} is spelled out: whoever queries the catalog can read it",
                    grade=Grade.WRONG,
                    change=f"{name}=${{ENV:{variable}}}",
                    where=file.name,
                )


def _as_ours(value: str) -> str:
    """Write Trino's references as ours are written."""
    return value.replace("${ENV:", "${")


def is_loopback(url: str) -> bool:
    """Say whether a URL leads to this machine only."""
    return urlsplit(url).hostname in {"127.0.0.1", "localhost", "::1"}
