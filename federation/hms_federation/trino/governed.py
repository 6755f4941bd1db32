"""One governed Trino, put together: who answers what it asks, makes its catalogs, asks it in a caller's name, looks
whether all is well there, and proves what it applied."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property, partial
from typing import TYPE_CHECKING

from hms_registry.domain.principals import ClaimedIdentity, Principal
from hms_registry.errors import SettingsInvalid
from hms_registry.services.trino_settings import TrinoSettings

if TYPE_CHECKING:
    from hms_federation.trino.asking.engine import TrinoEngine
    from hms_federation.trino.catalogs import TrinoCatalogs
    from hms_federation.trino.opa.access import Access
    from hms_federation.trino.proof.proving import Prover
    from hms_federation.trino.proof.recording import QueryEvents
    from hms_policies.in_force import PolicyInForce
    from hms_registry.domain.findings import Finding
    from hms_registry.domain.sources import Source
    from hms_registry.ports.catalogue import Catalogue
    from hms_registry.services.adapters import AdapterFactory


@dataclass(kw_only=True)
class GovernedTrino:
    """What there is to do with one Trino. Each part is loaded when it is asked for.

    Attributes:
        stated: what `settings.yml` says of it; None = nothing.
        environ: what `${ENV}` references resolve to.
    """

    stated: TrinoSettings | None
    catalogue: Catalogue
    in_force: PolicyInForce
    sources: Mapping[str, Source]
    adapters: AdapterFactory
    environ: Mapping[str, str]
    clock: Callable[[], datetime]

    @property
    def settings(self) -> TrinoSettings:
        """Its settings.

        Raises:
            SettingsInvalid: there are none.
        """
        if self.stated is None:
            hint = "e.g. trino: {url: 'https://trino.example:8443', etc: /etc/trino}, see docs/trino.md"
            raise SettingsInvalid("settings.yml names no Trino", hint=hint)
        return self.stated

    @cached_property
    def access(self) -> Access:
        """What answers its questions.

        Raises:
            SettingsInvalid: the settings name no Trino.
        """
        from hms_federation.trino.opa.access import Access

        return Access(catalogue=self.catalogue, decisions=self.in_force.at, settings=self.settings)

    @property
    def catalogs(self) -> TrinoCatalogs:
        """What its catalogs are made from.

        Raises:
            SettingsInvalid: the settings name no Trino.
        """
        from hms_federation.trino.catalogs import TrinoCatalogs

        return TrinoCatalogs(
            settings=self.settings,
            sources=self.sources,
            adapters=self.adapters,
            catalogue=self.catalogue,
            environ=self.environ,
        )

    def engine(self) -> TrinoEngine:
        """Return what asks it in a caller's name.

        Raises:
            SettingsInvalid: the settings name no Trino.
        """
        from hms_federation.compiler.on_trino import plan_on_trino
        from hms_federation.trino.asking.engine import TrinoEngine
        from hms_policies import mask_expression, resolve_claimed

        def as_there(subject: str) -> Principal:
            claimed = ClaimedIdentity(subject=subject)
            return resolve_claimed(self.in_force.decisions().bundle, claimed, auth_method="trino")

        planner = partial(plan_on_trino, mask_sql=mask_expression)
        return TrinoEngine(self.settings, planner=planner, as_there=as_there)

    @cached_property
    def prover(self) -> Prover:
        """Proves that a query was governed as it was decided."""
        from hms_federation.trino.proof.policies import PolicyDecider
        from hms_federation.trino.proof.proving import Prover

        # Who governs no Trino any more may still ask what was applied in the one that was.
        settings = self.stated or TrinoSettings(url="")
        decider = PolicyDecider(settings=settings, in_force=lambda: self.in_force.in_memory)
        return Prover(decider=decider, settings=settings)

    @cached_property
    def events(self) -> QueryEvents:
        """Takes what it tells of its queries, and keeps the proof of each."""
        from hms_federation.trino.proof.recording import QueryEvents

        return QueryEvents(catalogue=self.catalogue, prover=self.prover, clock=self.clock)

    def examine(self) -> list[Finding]:
        """Look at it: what is wrong with it, and which line to change.

        Raises:
            SettingsInvalid: the settings name no Trino.
            NotInstalled: its client is missing.
        """
        from hms_federation.trino.doctor.opened import examine

        return examine(self.catalogs, decisions=self.in_force.decisions, clock=self.clock)

    def sweep(self, *, since: datetime) -> int:
        """Raise an alarm of each query that began since then and whose end it did not tell; return how many.

        Raises:
            SettingsInvalid, NotInstalled, TrinoUnreachable, CredentialsRejected, QueryFailed, CatalogueError
        """
        from hms_federation.trino.doctor.opened import sweep

        return sweep(self.catalogs, events=self.events, since=since, now=self.clock())
