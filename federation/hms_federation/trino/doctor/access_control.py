"""Whether Trino asks this registry everything that it can ask: an unset URI means no filter or no mask, silently."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from hms_federation.trino.doctor.etc import Etc, SettingsFile
from hms_registry.domain.findings import Finding, Grade

CHECK: Final = "access-control"
_FILE: Final = "access-control.properties"
_POLICIES: Final = "/v1/data/trino/"
_URIS: Final = (
    ("opa.policy.uri", "allow", "who may do what is not asked"),
    ("opa.policy.batched-uri", "batch", "lists are asked table by table, which takes as many requests"),
    ("opa.policy.row-filters-uri", "rowFilters", "nobody's rows are filtered"),
    ("opa.policy.batch-column-masking-uri", "batchColumnMasks", "nobody's columns are masked"),
)
_SINGLE_MASKS: Final = ("opa.policy.column-masking-uri", "columnMask")
_LIMITS: Final = (
    ("opa.http-client.max-requests-queued-per-destination", 20_000, "a listing of 2,000 tables fails"),
    ("opa.http-client.max-connections-per-server", 50, "columns of many tables are asked in a queue"),
)
_TIMEOUT: Final = "opa.http-client.request-timeout"


def examine_access(etc: Etc, *, listener: str) -> Iterator[Finding]:
    """Look at the access control.

    Args:
        listener: URL of this registry's listener for Trino.
    """
    asking = [each for each in etc.access if each.get("access-control.name") == "opa"]
    if not asking:
        yield Finding(
            check=CHECK,
            fact="Trino asks nobody who may do what: everybody may read everything",
            grade=Grade.WRONG,
            change="\n".join(("access-control.name=opa", *(_line(name, to, listener) for name, to, _ in _URIS))),
            where=_FILE,
        )
        return
    for file in asking:
        yield from _uris(file, listener)
        yield from _limits(file)


def _uris(file: SettingsFile, listener: str) -> Iterator[Finding]:
    for name, to, follows in _URIS:
        stated, wanted = file.get(name), f"{listener}{_POLICIES}{to}"
        if stated == wanted or (to == "batchColumnMasks" and not stated and _has_single_masks(file, listener)):
            continue
        is_slow = name == "opa.policy.batched-uri" and not stated
        fact = f"{name} is not set: {follows}" if not stated else f"{name} does not lead to this registry"
        yield Finding(
            check=CHECK,
            fact=fact,
            grade=Grade.WARNING if is_slow else Grade.WRONG,
            change=f"{name}={wanted}",
            where=file.name,
        )
    if _has_single_masks(file, listener) and not file.get("opa.policy.batch-column-masking-uri"):
        yield Finding(
            check=CHECK,
            fact="masks are asked column by column: a table of 200 columns takes 200 requests",
            grade=Grade.WARNING,
            change=f"opa.policy.batch-column-masking-uri={listener}{_POLICIES}batchColumnMasks",
            where=file.name,
        )
    if file.get("opa.allow-permission-management-operations").lower() == "true":
        yield Finding(
            check=CHECK,
            fact="GRANT, REVOKE and roles are allowed to everybody, and the registry is not asked",
            grade=Grade.WRONG,
            change="opa.allow-permission-management-operations=false",
            where=file.name,
        )


def _has_single_masks(file: SettingsFile, listener: str) -> bool:
    name, to = _SINGLE_MASKS
    return file.get(name) == f"{listener}{_POLICIES}{to}"


def _limits(file: SettingsFile) -> Iterator[Finding]:
    for name, wanted, follows in _LIMITS:
        stated = file.get(name)
        if not (stated.isdecimal() and int(stated) >= wanted):
            yield Finding(
                check=CHECK,
                fact=f"{name} is {stated or 'not set'}: {follows}",
                grade=Grade.WARNING,
                change=f"{name}={wanted}",
                where=file.name,
            )
    if not file.get(_TIMEOUT):
        yield Finding(
            check=CHECK,
            fact=f"{_TIMEOUT} is not set: a query waits for a registry that hangs as long as that does",
            grade=Grade.WARNING,
            change=f"{_TIMEOUT}=3s",
            where=file.name,
        )


def _line(name: str, to: str, listener: str) -> str:
    return f"{name}={listener}{_POLICIES}{to}"
