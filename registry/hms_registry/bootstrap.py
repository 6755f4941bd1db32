"""The one place that picks concrete classes: a home folder becomes a registry."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Literal, Self

from hms_registry.errors import SettingsInvalid

if TYPE_CHECKING:
    from hms_federation.service import SqlService
    from hms_federation.trino.governed import GovernedTrino
    from hms_policies import PolicyDecisions
    from hms_policies.in_force import PolicyInForce
    from hms_registry.caches import Caches
    from hms_registry.domain.principals import Principal
    from hms_registry.domain.sources import Source
    from hms_registry.oidc.tokens import OidcTokens
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

    @cached_property
    def in_force(self) -> PolicyInForce:
        """The policy in force."""
        from hms_policies.in_force import PolicyInForce

        return PolicyInForce(self.catalogue)

    def decisions(self) -> PolicyDecisions:
        """The decisions of the bundle in force; asks the catalogue each time whether it still is.

        Raises:
            PolicyNotPublished: there is none, so everything is denied.
        """
        return self.in_force.decisions()

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
            trino=None if self.trino_settings is None else self.trino.engine(),
        )

    @cached_property
    def trino(self) -> GovernedTrino:
        """The Trino that this registry governs, if it does."""
        from hms_federation.trino.governed import GovernedTrino

        return GovernedTrino(
            stated=self.trino_settings,
            catalogue=self.catalogue,
            in_force=self.in_force,
            sources=self.sources,
            adapters=self.adapters,
            environ=self.environ,
            clock=now,
        )

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
