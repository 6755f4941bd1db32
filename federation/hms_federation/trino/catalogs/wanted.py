"""What catalog a source should be in Trino, or why it cannot be one; secrets stay references, or there is none."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Final
from urllib.parse import quote, unquote

from hms_federation.trino.catalogs.text import digest, name, names_file, properties_file, references, without_references
from hms_registry.domain.datasets import Dataset
from hms_registry.domain.names import Address, TrinoName, assign_lower
from hms_registry.domain.sources import Source
from hms_registry.errors import SettingsInvalid
from hms_registry.ports.adapter import Adapter
from hms_registry.ports.catalogue import Catalogue
from hms_registry.ports.trino import FederatesInTrino, NotFederated, TrinoCatalog, Twins
from hms_registry.services.secret_references import holds_secret, referred_to
from hms_registry.services.trino_settings import TrinoSettings

_OWN: Final = "hms-dta"
_URL_SAFE: Final = "!$&'()*+,;=:~-._"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A catalog as it should be.

    Attributes:
        names: of the file that tells twins apart; empty = it needs none.
        keeps_tables: the registry makes its tables.
        twins: names that Trino would read any one of.
    """

    catalog: str
    connector: str
    properties: Mapping[str, str]
    names: str = ""
    keeps_tables: bool = False
    twins: tuple[TrinoName, ...] = ()
    digest: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "digest", digest(properties_file(self.connector, self.properties)))


def wanted_catalog(
    source: Source,
    *,
    adapter_of: Callable[[str], Adapter],
    catalogue: Catalogue,
    settings: TrinoSettings,
    environ: Mapping[str, str],
) -> Wanted | NotFederated:
    """Say what catalog a source should be.

    Args:
        adapter_of: makes an adapter whose secrets are references, see `AdapterFactory.for_trino`.
        environ: what those references resolve to here, to see whether Trino would read them as we do.

    Raises:
        SettingsInvalid: its settings, or what Trino would be told of a secret, are wrong; or they lack a folder.
        AdapterNotFound, NotInstalled, CatalogueError
    """
    adapter = adapter_of(source.name)
    try:
        stated = adapter.trino_catalog() if isinstance(adapter, FederatesInTrino) else _unknown(source.kind)
    finally:
        adapter.close()
    if isinstance(stated, NotFederated):
        return stated
    _check_secrets(source, stated, environ)
    return _with_places(source, stated, catalogue=catalogue, settings=settings)


def _unknown(kind: str) -> NotFederated:
    return NotFederated(reason=f"the adapter {kind} knows no connector of Trino", hint="see docs/adapters.md")


def _with_places(
    source: Source, stated: TrinoCatalog, *, catalogue: Catalogue, settings: TrinoSettings
) -> Wanted | NotFederated:
    """Name the files and folders that the catalog needs, as Trino sees them."""
    properties, names, twins = dict(stated.properties), "", tuple[TrinoName, ...]()
    if stated.folder_property:
        if settings.tables is None:
            raise SettingsInvalid(
                f"source {source.name}: Trino needs a folder of its own for the tables that the registry makes",
                hint="settings.yml: trino: {tables: /var/trino/hms-dta}, a folder of the coordinator that it may write",
            )
        properties[stated.folder_property] = str(settings.tables)
    if stated.twins is not Twins.IMPOSSIBLE:
        named = list(_named(catalogue, source.name))
        if stated.twins is Twins.MAPPED and settings.etc_there is not None:
            names = names_file(named)
            properties[stated.names_property] = str(names_path(settings.etc_there, source.name))
        else:
            twins = _twins(named)
        if twins and stated.twins is Twins.UNREADABLE:
            return NotFederated(
                reason=f"Trino takes {twins[0]} and {twins[1]} for one another, whose names differ only in their case",
                hint="rename one of them in its store, or let a database of its own be the source",
            )
    return Wanted(
        catalog=source.name,
        connector=stated.connector,
        properties=properties,
        names=names,
        keeps_tables=bool(stated.folder_property),
        twins=twins,
    )


def names_path(etc: PurePosixPath, catalog: str) -> PurePosixPath:
    """Return where the file lies that tells the twins of a catalog apart."""
    return etc / _OWN / f"{catalog}.names.json"


def _named(catalogue: Catalogue, source: str) -> Iterator[tuple[Address, TrinoName]]:
    with catalogue.unit() as uow:
        for dataset in uow.datasets.iter(source=source):
            yield dataset.address, dataset.trino_name


def _twins(named: list[tuple[Address, TrinoName]]) -> tuple[TrinoName, ...]:
    """Return those that Trino, which is not told which is which, would take for each other."""
    alike: dict[tuple[str, str], list[TrinoName]] = {}
    for address, known in named:
        alike.setdefault((address.schema.lower(), address.table.lower()), []).append(known)
    schemas: dict[str, set[str]] = {}
    for address, _known in named:
        schemas.setdefault(address.schema.lower(), set()).add(address.schema)
    return tuple(
        sorted(
            known
            for (schema, _), twins in alike.items()
            if len(twins) > 1 or len(schemas[schema]) > 1
            for known in twins
        )
    )


def _check_secrets(source: Source, stated: TrinoCatalog, environ: Mapping[str, str]) -> None:
    """Look for what must not be told to Trino, or would be read otherwise there.

    Raises:
        SettingsInvalid
    """
    for key, value in stated.properties.items():
        plain = without_references(value)
        if "${" in _stripped(plain) or holds_secret(plain, name=key.replace("-", "_")):
            raise SettingsInvalid(
                f"source {source.name}: its {key} in Trino would hold a secret in plain text, or a reference not ours",
                hint="put each secret into the environment, and refer to it as ${NAME} in sources.yml",
            )
    in_url = set().union(*map(references, stated.url_secrets))
    for variable in sorted(in_url):
        if variable in environ and quote(unquote(environ[variable]), safe=_URL_SAFE) != environ[variable]:
            raise SettingsInvalid(
                f"source {source.name}: the variable {variable} holds what a URL may not, and Trino reads it in one",
                hint="percent-encode it there; this registry reads it so as well",
            )
    used = set().union(*map(references, stated.properties.values())) - in_url
    for variable in sorted(used & referred_to(source.url)):
        if unquote(environ.get(variable, "")) != environ.get(variable, ""):
            raise SettingsInvalid(
                f"source {source.name}: the variable {variable} is percent-encoded, and Trino takes it as it is",
                hint="write the password itself, and hand it over as options: {password: ${NAME}}",
            )


def _stripped(plain: str) -> str:
    for variable in referred_to(plain):
        plain = plain.replace(f"${{{variable}}}", "")
    return plain


def twin_columns(dataset: Dataset, *, has_views: bool = False) -> NotFederated | None:
    """Say why Trino cannot read a dataset whose catalog it has: columns that differ only in their case.

    Args:
        has_views: somebody can make a view in the store, which the hint then spells.
    """
    seen: dict[str, str] = {}
    for column in dataset.columns:
        other = seen.setdefault(column.name.lower(), column.name)
        if other != column.name:
            return NotFederated(
                reason=f"its columns {other!r} and {column.name!r} are one name to Trino, which knows no case",
                hint=f"in its store: {_view(dataset)}" if has_views else "rename one of them in its store",
            )
    return None


def _view(dataset: Dataset) -> str:
    """Write the view that a store's owner makes, so that Trino can tell all columns apart."""
    address = dataset.address
    lower = assign_lower(column.name for column in dataset.columns)
    names = [column.name for column in dataset.columns]
    columns = ", ".join(f"{name(each)} AS {name(lower[each])}" if each != lower[each] else name(each) for each in names)
    view = name(address.schema, f"{address.table}_in_trino")
    return " ".join(["CREATE VIEW", view, "AS SELECT", columns, "FROM", name(address.schema, address.table)])
