"""A small registry that a Trino is governed by, and the questions that Trino 476 asks of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial

import httpx
from anyio.from_thread import start_blocking_portal

from hms_policies.bundles import make_bundle
from hms_registry.bootstrap import Registry
from hms_registry.domain.columns import Column, ColumnPath, PrivacyTier
from hms_registry.domain.datasets import DatasetRef, DescribedDataset
from hms_registry.domain.manifests import Manifest, ManifestColumn
from hms_registry.domain.names import Address, TrinoName, split_name
from hms_registry.domain.sources import Source
from hms_registry.http.opa import BASE, make_trino_app
from hms_registry.services.trino_settings import TrinoSettings

SETTINGS = TrinoSettings(
    url="http://127.0.0.1:8080",
    scratch="scratch",
    impersonators=frozenset({"superset"}),
    key_table=TrinoName("hms_keys", "hms", "keys"),
)
SERVICE, EVALUATOR = SETTINGS.user, SETTINGS.evaluator

ROLES = """
roles:
  analyst: {description: Looks at shipping, clearance: PII-SAFE}
  steward: {description: Looks after data, clearance: RESTRICTED}
people:
  ana: {roles: [analyst]}
  sam: {roles: [steward]}
  superset: {roles: []}
  pia: {roles: [analyst], purpose: outbreak}
groups:
  shipping: [analyst]
"""

POLICY = """
allow(p: Principal, _, d: Dataset) if
    "analyst" in p.roles and d.source in ["lake", "cdc"] and d.privacy_tier <= p.clearance;
allow(p: Principal, _, d: Dataset) if "steward" in p.roles and d.source in ["lake", "cdc", "hidden"];
allow(p: Principal, "find", d: Dataset) if "analyst" in p.roles and "listed" in d.tags;
row_filter(p: Principal, d: Dataset, "outcome <> 'test'") if "line-list" in d.tags and not "steward" in p.roles;
mask(p: Principal, c: Column, "partial") if "identifier" in c.tags and not "steward" in p.roles;
mask(p: Principal, c: Column, "null") if "name" in c.tags and not "steward" in p.roles;
deny(p: Principal, "read", c: Column) if "denied" in c.tags and not "steward" in p.roles;
"""

Labelled = Mapping[str, tuple[str, str]]
"""Columns: name -> Trino type and tag, which may be empty."""

Described = Mapping[str, tuple[PrivacyTier, frozenset[str], Labelled]]
"""Datasets: address -> tier, tags and columns."""

DATASETS: Described = {
    "lake.locks.passages": (
        PrivacyTier.PUBLIC,
        frozenset(),
        {"day": ("date", ""), "vessel_id": ("varchar", "identifier"), "tonnage": ("double", "")},
    ),
    "lake.locks.plain": (PrivacyTier.PUBLIC, frozenset(), {"n": ("bigint", ""), "MixCol": ("varchar", "")}),
    'lake.locks."passages$partitions"': (PrivacyTier.PUBLIC, frozenset(), {"n": ("bigint", "")}),
    "lake.locks.twins": (
        PrivacyTier.PUBLIC,
        frozenset(),
        {"A": ("varchar", ""), "a": ("varchar", ""), "n": ("bigint", "")},
    ),
    "cdc.public.line_list": (
        PrivacyTier.PII_SAFE,
        frozenset({"line-list"}),
        {
            "outcome": ("varchar", ""),
            "patient": ("row(name varchar, ssn varchar)", "name"),
            "ssn": ("varchar(11)", "denied"),
        },
    ),
    "cdc.public.secret": (PrivacyTier.RESTRICTED, frozenset(), {"n": ("bigint", "")}),
    "cdc.public.listed": (PrivacyTier.RESTRICTED, frozenset({"listed"}), {"n": ("bigint", "")}),
    'cdc."Odd Schema"."T%""x"': (PrivacyTier.PUBLIC, frozenset(), {"n": ("bigint", "")}),
    "hidden.vault.gold": (PrivacyTier.RESTRICTED, frozenset(), {"n": ("bigint", "")}),
}


def registry_of(
    *, policy: str = POLICY, roles: str = ROLES, settings: TrinoSettings = SETTINGS, described: Described = DATASETS
) -> Registry:
    """A registry in memory, its policy in force."""
    registry = Registry.in_memory()
    registry.trino_settings = settings
    with registry.catalogue.unit(writes=True) as uow:
        for name in sorted({Address.parse(each).source for each in described}):
            uow.sources.put(Source(name=name, kind="files", url="file:."))
        uow.commit()
    register(registry, described)
    publish(registry, policy, roles=roles)
    return registry


def publish(registry: Registry, policy: str, *, roles: str = ROLES) -> None:
    """Put a policy in force."""
    with registry.catalogue.unit(writes=True) as uow:
        uow.bundles.publish(make_bundle({"rules.polar": policy, "roles.yml": roles}, author="sam"))
        uow.commit()


def register(registry: Registry, described: Described) -> None:
    """Register datasets, labelled."""
    with registry.catalogue.unit(writes=True) as uow:
        for name, (tier, tags, columns) in described.items():
            address = Address.parse(name)
            uow.registrations.register([_dataset(address, columns)])
            stated = tuple(
                ManifestColumn(name=name, tags=frozenset({tag} - {""})) for name, (_, tag) in columns.items()
            )
            manifest = Manifest(name="", source="x", privacy_tier=tier, tags=tags, columns=stated)
            uow.registrations.annotate(address, manifest)
        uow.commit()


def _dataset(address: Address, columns: Labelled) -> DescribedDataset:
    return DescribedDataset(
        ref=DatasetRef(address=address),
        columns=tuple(Column(path=ColumnPath.of(name), trino_type=kind) for name, (kind, _tag) in columns.items()),
    )


def asks(operation: str, *, user: str, groups: Sequence[str] = (), **action: object) -> dict[str, object]:
    """A question as Trino 476 writes it."""
    context = {"identity": {"user": user, "groups": list(groups)}, "softwareStack": {"trinoVersion": "476"}}
    return {"input": {"context": context, "action": {"operation": operation, **action}}}


def table(name: str, *columns: str, listed: bool = True) -> dict[str, object]:
    """A table as a resource, its columns named where there are any, or where an empty list is asked for."""
    catalog, schema, named = split_name(name)
    found: dict[str, object] = {"catalogName": catalog, "schemaName": schema, "tableName": named}
    return {"table": {**found, "columns": list(columns)} if columns or not listed else found}


def column(name: str, of: str, kind: str) -> dict[str, object]:
    """A column as a resource."""
    catalog, schema, named = split_name(of)
    found = {"catalogName": catalog, "schemaName": schema, "tableName": named, "columnName": name, "columnType": kind}
    return {"column": found}


class Trino:
    """Asks the app in this process, as Trino does."""

    def __init__(self, registry: Registry, post: Callable[..., httpx.Response]) -> None:
        self.registry = registry
        self.post = post

    def ask(self, door: str, question: object) -> object:
        """What is answered, and well."""
        answer = self.post(f"{BASE}{door}", json=question)
        assert answer.status_code == 200, answer.text
        assert len(answer.json()["decision_id"]) == 32
        return answer.json()["result"]

    def allows(self, operation: str, *, user: str, **action: object) -> object:
        """Whether an operation is allowed."""
        return self.ask("allow", asks(operation, user=user, **action))

    def reads(self, name: str, *columns: str, user: str) -> object:
        """Whether somebody may select columns of a table."""
        return self.allows("SelectFromColumns", user=user, resource=table(name, *columns, listed=False))

    def among(self, operation: str, resources: Sequence[object], *, user: str) -> object:
        """Which resources somebody may see."""
        return self.ask("batch", asks(operation, user=user, filterResources=list(resources)))

    def filters(self, name: str, *, user: str) -> object:
        """The row filters of a table."""
        return self.ask("rowFilters", asks("GetRowFilters", user=user, resource=table(name)))

    def masks(self, name: str, columns: Mapping[str, str], *, user: str) -> dict[str, object]:
        """The masks of columns (name -> type in Trino), by name."""
        named = list(columns)
        asked = [column(each, name, columns[each]) for each in named]
        told = self.ask("batchColumnMasks", asks("GetColumnMask", user=user, filterResources=asked))
        return {named[each["index"]]: each["viewExpression"] for each in told}


@contextmanager
def trino_asking(registry: Registry) -> Iterator[Trino]:
    """Serve the app that Trino asks, in this process."""
    app = make_trino_app(registry)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    client = httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1")
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(client):
        yield Trino(registry, lambda path, **sent: portal.call(partial(client.post, path, **sent)))
