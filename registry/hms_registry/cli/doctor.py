"""The command that says what is wrong with the registry, or with the Trino that it governs: doctor."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from hms_registry.cli.output import print_json, print_lines
from hms_registry.cli.state import NEWS, AsJson, home_of

if TYPE_CHECKING:
    from hms_registry.bootstrap import Registry
    from hms_registry.domain.findings import Finding


class Patient(StrEnum):
    """Whom the doctor looks at."""

    REGISTRY = "registry"
    TRINO = "trino"


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(short_help="Say what is wrong, and which line to change.")(doctor)


def doctor(
    context: typer.Context,
    patient: Annotated[Patient, typer.Argument(help="registry, or the trino that it governs.")] = Patient.REGISTRY,
    as_json: AsJson = False,
) -> None:
    """Say what is wrong with the registry or the Trino that it governs, and what to change. Exits with 10 if something
    is."""
    with home_of(context).registry() as registry:
        found = registry.trino.examine() if patient is Patient.TRINO else _own(registry)
    if as_json:
        print_json({"findings": [each.as_dict() for each in found]})
    else:
        print_lines(line for each in found for line in _told(each))
    if not all(each.is_well for each in found):
        raise typer.Exit(NEWS)


def _own(registry: Registry) -> list[Finding]:
    from hms_registry.bootstrap import now
    from hms_registry.services.own_condition import examine_registry

    return examine_registry(
        lambda: registry.catalogue,
        described=list(registry.sources),
        others=[
            ("cache", lambda: registry.caches),
            ("webhooks", lambda: registry.webhooks),
            ("identity", lambda: (registry.tokens, registry.identity_provider)),
            ("trino", lambda: registry.trino_settings),
        ],
        now=now(),
    )


def _told(finding: Finding) -> Iterator[str]:
    """Tell a finding to a person."""
    yield f"{finding.grade}: {finding.check}: {finding.fact}"
    if finding.change:
        place = f" in {finding.where}" if finding.where else ""
        for at, line in enumerate(finding.change.splitlines()):
            yield f"  {f'change{place}: ' if at == 0 else '  '}{line}"
