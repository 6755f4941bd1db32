"""The one place that picks concrete classes: a home folder becomes a registry."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from threading import Event, Lock
from typing import TYPE_CHECKING, Literal, Self

from hms_registry.errors import PolicyNotPublished, SettingsInvalid

if TYPE_CHECKING:
    from hms_federation.service import SqlService
    from hms_federation.trino.asking.engine import TrinoEngine
    from hms_federation.trino.catalogs import TrinoCatalogs
    from hms_federation.trino.opa.access import Access
    from hms_federation.trino.proof.proving import Prover
    from hms_federation.trino.proof.recording import QueryEvents
    from hms_policies import PolicyDecisions
    from hms_registry.caches import Caches
    from hms_registry.domain.findings import Finding
    from hms_registry.domain.principals import Principal
    from hms_registry.domain.sources import Source
    from hms_registry.oidc.tokens import OidcTokens
    from hms_registry.ports.bundles import Classes
    from hms_registry.ports.catalogue import Catalogue, Moment
    from hms_registry.ports.records import AuditEntry
    from hms_registry.services.adapters import AdapterFactory
    from hms_registry.services.audit_trail import AuditTrail
    from hms_registry.services.editing import Editor
    from hms_registry.services.graphql_settings import GraphqlSettings
    from hms_registry.services.openlineage.naming import Naming
    from hms_registry.services.openlineage.settings import OpenLineageSettings
    from hms_registry.services.tokens import CatalogueTokens
    from hms_registry.services.trino_settings import TrinoSettings
    from hms_registry.services.webhooks import Delivered, Webhook


def now() -> datetime:
    """The clock of the registry."""
    return datetime.now(UTC)


@dataclass
class Registry:
    """A home folder: `sources.yml`, `policies/`, and the catalogue, under `.hms-dta/` or on a server.

    Nothing is opened until it is asked for.

    Attributes:
        home: the folder; None for a registry in memory.
        described: the sources, where they do not come from `sources.yml`.
        environ: what `${ENV}` references resolve to.
    """

    home: Path | None
    described: tuple[Source, ...] | None = None
    environ: Mapping[str, str] = field(default_factory=lambda: dict(os.environ), repr=False)
    _decisions: PolicyDecisions | None = None
    _interned: tuple[int, Classes] | None = None
    _loading: Lock = field(default_factory=Lock, repr=False)
    _interning: Lock = field(default_factory=Lock, repr=False)

    @classmethod
    def open(cls, home: Path) -> Self:
        """Open the registry of a folder that `init` made.

        Raises:
            SettingsInvalid: there is none.
        """
        if not (home / "sources.yml").is_file():
            raise SettingsInvalid(f"{home} is not a registry's home: it has no sources.yml", hint="run hms-dta init")
        return cls(home.absolute())

    @classmethod
    def in_memory(cls, *sources: Source) -> Self:
        """A registry that leaves nothing behind."""
        return cls(None, described=sources)

    @cached_property
    def catalogue(self) -> Catalogue:
        """The catalogue, where `settings.yml` says, brought to this release's schema."""
        from hms_registry.services.settings_file import catalogue_url
        from hms_registry.store import open_catalogue

        if self.home is None:
            return open_catalogue("sqlite://")
        return open_catalogue(
            catalogue_url(self.home, self.environ), graph_file=self.home / ".hms-dta" / "lineage.index"
        )

    @property
    def policies(self) -> Path:
        """The folder whose policy files governance reviews."""
        return (self.home or Path()) / "policies"

    @cached_property
    def sources(self) -> dict[str, Source]:
        """The sources as described, by name."""
        from hms_registry.services.sources_file import read_sources

        found = self.described if self.home is None else read_sources(self.home / "sources.yml")
        return {source.name: source for source in found or ()}

    @cached_property
    def adapters(self) -> AdapterFactory:
        """Opens the adapter of a source."""
        from hms_registry.services.adapters import AdapterFactory

        return AdapterFactory(sources=self.sources, environ=self.environ, folder=str(self.home or Path.cwd()))

    def decisions(self) -> PolicyDecisions:
        """The decisions of the bundle in force; asks the catalogue each time whether it still is.

        Raises:
            PolicyNotPublished: there is none, so everything is denied.
        """
        from hms_policies import PolicyDecisions

        if self.is_deciding(self.catalogue.moment()) and self._decisions is not None:
            return self._decisions
        with self._loading:  # one loads, and what was loaded never gives way to something older
            with self.catalogue.unit() as uow:
                epoch = uow.bundles.epoch()
                if self._decisions is not None and self._decisions.epoch == epoch:
                    return self._decisions
                bundle = uow.bundles.current()
            if bundle is None:
                raise PolicyNotPublished(
                    "no policy is published, so everything is denied", hint="hms-dta policy publish"
                )
            self._decisions = PolicyDecisions(bundle, classes=self._classes)
            return self._decisions

    @property
    def decisions_in_memory(self) -> PolicyDecisions | None:
        """The decisions of the bundle that was last in force when somebody asked."""
        return self._decisions

    def is_deciding(self, moment: Moment) -> bool:
        """Say whether these are the decisions of a moment."""
        return self._decisions is not None and self._decisions.epoch == moment.policy_epoch

    def _classes(self) -> Classes:
        """The interned labels, read again only when the catalogue's epoch has moved, and by one thread for all: whoever
        asks has a unit open, and a catalogue on PostgreSQL has only so many connections."""
        epoch, known = self.catalogue.moment().epoch, self._interned
        if known is not None and known[0] == epoch:
            return known[1]
        with self._interning:
            known = self._interned
            if known is None or known[0] != epoch:
                with self.catalogue.unit() as uow:
                    known = self._interned = (uow.epoch(), uow.bundles.classes())
            return known[1]

    def _decisions_of(self, moment: Moment) -> PolicyDecisions:
        return self._decisions if self._decisions is not None and self.is_deciding(moment) else self.decisions()

    @cached_property
    def trino_access(self) -> Access:
        """What Trino asks.

        Raises:
            SettingsInvalid: the settings name no Trino.
        """
        from hms_federation.trino.opa.access import Access

        settings = self.trino_settings
        if settings is None:
            raise SettingsInvalid("settings.yml names no Trino", hint="e.g. trino: {url: 'https://trino.example:8443'}")
        return Access(catalogue=self.catalogue, decisions=self._decisions_of, settings=settings)

    def principal(self, who: str, *, auth_method: str = "local", purpose: str = "") -> Principal:
        """Who somebody is under the policy in force.

        Args:
            auth_method: by `trino`, a role's name names nobody.
            purpose: what they ask for, where that is said; else what roles.yml states of them.

        Raises:
            AuthenticationFailed: the policy knows no such person or role.
            PolicyNotPublished
        """
        from hms_policies import resolve_claimed, resolve_principal
        from hms_registry.domain.principals import ClaimedIdentity

        if auth_method == "trino":
            claimed = ClaimedIdentity(subject=who, purpose=purpose)
            return resolve_claimed(self.decisions().bundle, claimed, auth_method=auth_method)
        return resolve_principal(self.decisions().bundle, who, auth_method=auth_method, purpose=purpose)

    @cached_property
    def graphql_settings(self) -> GraphqlSettings:
        """How GraphQL is asked, as `settings.yml` says."""
        from hms_registry.services.graphql_settings import GraphqlSettings, read_graphql_settings

        return read_graphql_settings(self.home) if self.home else GraphqlSettings()

    @cached_property
    def trino_settings(self) -> TrinoSettings | None:
        """The Trino that this registry governs; None if `settings.yml` names none."""
        from hms_registry.services.trino_settings import read_trino_settings

        return read_trino_settings(self.home, self.environ) if self.home else None

    def editor(self, principal: Principal) -> Editor:
        """What somebody's edits of what is said of datasets are made with."""
        from hms_registry.services.editing import Editor

        return Editor(principal=principal, catalogue=self.catalogue, decisions=self.decisions, clock=now)

    @cached_property
    def tokens(self) -> CatalogueTokens:
        """The registry's own bearer tokens, which callers over HTTP present."""
        from hms_registry.identity import own_tokens

        return own_tokens(self.home, catalogue=self.catalogue, decisions=self.decisions, clock=now)

    @cached_property
    def identity_provider(self) -> OidcTokens | None:
        """The identity provider whose tokens callers over HTTP present; None if `settings.yml` names none."""
        from hms_registry.identity import provider_of

        return provider_of(self.home, catalogue=self.catalogue, decisions=self.decisions, clock=now)

    def recognize(self, credential: str, *, moment: Moment) -> Principal | None:
        """Who presents a bearer token, where that is known of *moment* without asking anything; else None."""
        found = self.tokens.recognize(credential, moment=moment)
        if found is None and self.identity_provider is not None:
            return self.identity_provider.recognize(credential, moment=moment)
        return found

    def authenticate(self, credential: str) -> Principal | None:
        """Who presents a bearer token, of the registry's own or of the identity provider; None if it is neither.

        Raises:
            AuthenticationFailed: it is one of them, and is not to be believed.
        """
        found = self.tokens.authenticate(credential)
        if found is None and self.identity_provider is not None:
            return self.identity_provider.authenticate(credential)
        return found

    @cached_property
    def sql(self) -> SqlService:
        """The SQL service over this registry."""
        from functools import partial

        from hms_federation.compiler.rewrite import plan
        from hms_federation.service import SqlService
        from hms_policies import mask_expression
        from hms_registry.services.adapters import modules_of

        return SqlService(
            catalogue=self.catalogue,
            decisions=self.decisions,
            adapters=self.adapters,
            clock=now,
            planner=partial(plan, mask_sql=mask_expression),
            preload=modules_of(source.kind for source in self.sources.values()),
            trino=self._trino_engine(),
        )

    def _trino_engine(self) -> TrinoEngine | None:
        from functools import partial

        from hms_federation.compiler.on_trino import plan_on_trino
        from hms_federation.trino.asking.engine import TrinoEngine
        from hms_policies import mask_expression, resolve_claimed
        from hms_registry.domain.principals import ClaimedIdentity

        def as_there(subject: str) -> Principal:
            claimed = ClaimedIdentity(subject=subject)
            return resolve_claimed(self.decisions().bundle, claimed, auth_method="trino")

        if self.trino_settings is None:
            return None
        return TrinoEngine(
            self.trino_settings,
            planner=partial(plan_on_trino, mask_sql=mask_expression),
            as_there=as_there,
        )

    @property
    def trino_catalogs(self) -> TrinoCatalogs:
        """What the catalogs of the governed Trino are made from.

        Raises:
            SettingsInvalid: the settings name no Trino.
        """
        from hms_federation.trino.catalogs import TrinoCatalogs

        if self.trino_settings is None:
            hint = "e.g. trino: {url: 'https://trino.example:8443', etc: /etc/trino}, see docs/trino.md"
            raise SettingsInvalid("settings.yml names no Trino", hint=hint)
        return TrinoCatalogs(
            settings=self.trino_settings,
            sources=self.sources,
            adapters=self.adapters,
            catalogue=self.catalogue,
            environ=self.environ,
        )

    @cached_property
    def prover(self) -> Prover:
        """Proves that a query in Trino was governed as it was decided."""
        from hms_federation.trino.proof.policies import PolicyDecider
        from hms_federation.trino.proof.proving import Prover
        from hms_registry.services.trino_settings import TrinoSettings

        # Who governs no Trino any more may still ask what was applied in the one that was.
        settings = self.trino_settings or TrinoSettings(url="")
        decider = PolicyDecider(settings=settings, in_force=lambda: self.decisions_in_memory)
        return Prover(decider=decider, settings=settings)

    def examine_trino(self) -> list[Finding]:
        """Look at the governed Trino: what is wrong with it, and which line to change.

        Raises:
            SettingsInvalid: the settings name no Trino.
            NotInstalled: its client is missing.
        """
        from hms_federation.trino.doctor.opened import examine

        return examine(self.trino_catalogs, decisions=self.decisions, clock=now)

    def sweep_trino(self, *, since: datetime) -> int:
        """Raise an alarm of each query that began since then and whose end Trino did not tell; return how many.

        Raises:
            SettingsInvalid, NotInstalled, TrinoUnreachable, CredentialsRejected, QueryFailed, CatalogueError
        """
        from hms_federation.trino.doctor.opened import sweep

        return sweep(self.trino_catalogs, events=self.query_events, since=since, now=now())

    @cached_property
    def query_events(self) -> QueryEvents:
        """Takes what Trino tells of its queries, and keeps the proof of each."""
        from hms_federation.trino.proof.recording import QueryEvents

        return QueryEvents(catalogue=self.catalogue, prover=self.prover, clock=now)

    @cached_property
    def caches(self) -> Caches:
        """Where answers are kept.

        Raises:
            SettingsInvalid, NotInstalled
        """
        from hms_registry.caches import open_caches
        from hms_registry.services.cache_settings import CacheSettings, cache_settings

        stated = cache_settings(self.home, self.environ) if self.home else CacheSettings()
        return open_caches(url=stated.url, most_bytes=stated.most_bytes)

    @cached_property
    def audit_trail(self) -> AuditTrail:
        """Writes the lines of the audit that may wait a moment."""
        from hms_registry.services.audit_trail import AuditTrail

        return AuditTrail(self.catalogue)

    @cached_property
    def webhooks(self) -> list[Webhook]:
        """The receivers of events, as `settings.yml` names them."""
        from hms_registry.services.webhooks import read_webhooks

        return read_webhooks(self.home) if self.home else []

    @cached_property
    def ingest_roles(self) -> frozenset[str]:
        """The roles that may register datasets over HTTP."""
        from hms_registry.services.settings_file import ingest_roles

        return ingest_roles(self.home) if self.home else frozenset()

    @cached_property
    def openlineage(self) -> OpenLineageSettings:
        """Who may send events of OpenLineage, and what else `settings.yml` says of them."""
        from hms_registry.services.openlineage.settings import OpenLineageSettings, openlineage_settings

        return openlineage_settings(self.home) if self.home else OpenLineageSettings()

    @cached_property
    def naming(self) -> Naming:
        """What the names that jobs give to datasets may mean here."""
        from hms_registry.services.openlineage.naming import Naming

        return Naming.of(
            self.sources.values(),
            folder=self.home or Path.cwd(),
            environ=self.environ,
            stated=self.openlineage.namespaces,
        )

    def deliver(self, webhook: Webhook, *, stop: Event) -> Delivered:
        """Tell one receiver what it was not told yet.

        Args:
            stop: set it, and what waits to be sent again gives up.

        Raises:
            NotInstalled, SettingsInvalid, AuthenticationFailed, PolicyNotPublished, CatalogueError
        """
        from hms_registry.posting import Poster
        from hms_registry.services.webhooks import deliver

        done = deliver(
            webhook,
            catalogue=self.catalogue,
            decisions=self.decisions,
            principal=lambda: self.principal(webhook.who, auth_method="webhook"),
            send=Poster(environ=self.environ, clock=now, stop=stop),
            clock=now,
        )
        if done.sent:
            who = self.principal(webhook.who, auth_method="webhook")
            self.record(principal=who, action="deliver", detail={"webhook": webhook.name, "sent": str(done.sent)})
        return done

    def record(
        self,
        *,
        principal: Principal,
        action: str,
        detail: Mapping[str, str],
        outcome: Literal["allowed", "denied"] = "allowed",
    ) -> None:
        """Write one line of the audit."""
        with self.catalogue.unit(writes=True) as uow:
            line = _line(principal=principal, action=action, detail=detail, outcome=outcome, epoch=uow.epoch())
            uow.audit.record(line)
            uow.commit()

    def note(self, *, principal: Principal, action: str, detail: Mapping[str, str], epoch: int) -> None:
        """Write one line of the audit, of something that was allowed, together with others in a moment.

        Raises:
            CatalogueUnavailable: too many lines wait to be written.
        """
        self.audit_trail.add(_line(principal=principal, action=action, detail=detail, outcome="allowed", epoch=epoch))

    def close(self) -> None:
        """Let go of everything that was opened. Idempotent."""
        for name in ("sql", "audit_trail", "caches", "catalogue"):
            opened = self.__dict__.pop(name, None)
            if opened is not None:
                opened.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _line(
    *,
    principal: Principal,
    action: str,
    detail: Mapping[str, str],
    outcome: Literal["allowed", "denied"],
    epoch: int,
) -> AuditEntry:
    """Say who did what, now."""
    from hms_registry.ports.records import AuditEntry

    return AuditEntry(
        at=now(),
        subject=principal.subject,
        auth_method=principal.auth_method,
        action=action,
        outcome=outcome,
        epoch=epoch,
        detail=detail,
    )
