"""One asker's questions at one moment, decided: by the names of the catalogue and the policy in force, and fail closed.

A list is decided by the classes of what is in it, not dataset by dataset: ten thousand names of a hundred classes are a
hundred decisions, which the policy remembers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final

from hms_federation.trino.opa import system
from hms_federation.trino.opa.asked import (
    Asked,
    catalog_of,
    columns_of,
    mapping,
    schema_of,
    table_of,
    text,
    user_of,
)
from hms_federation.trino.opa.operations import BATCHED, OF_SERVICE, OPERATIONS, Needs
from hms_federation.trino.opa.seeing import Seen, seen_by, stricter
from hms_federation.trino.people import Asker, Kind, asker_of, own_schema
from hms_registry.domain.decisions import Mask
from hms_registry.domain.names import TrinoName

if TYPE_CHECKING:
    from hms_federation.trino.names import Names
    from hms_policies import PolicyDecisions
    from hms_registry.domain.datasets import Dataset
    from hms_registry.domain.principals import Principal
    from hms_registry.services.trino_settings import TrinoSettings

Resource = Mapping[str, object]
_TABLE, _KEY = itemgetter("table"), itemgetter("catalogName", "schemaName", "tableName")
_HARMLESS: Final = frozenset("format partitioned_by bucketed_by bucket_count sorted_by".split())
"""Properties that a table of somebody's own may have: none says where its files lie."""


@dataclass(kw_only=True)
class Judge:
    """Decides for one asker at one moment.

    Attributes:
        dataset: reads a dataset with its columns.
        found: by side of the asker, which classes may be found, as far as that is known; kept over questions.
        unregistered: how many tables were asked for that nobody registered.
    """

    asker: Asker
    names: Names
    decisions: PolicyDecisions
    settings: TrinoSettings
    dataset: Callable[[TrinoName], Dataset | None]
    found: Mapping[Principal, dict[int, bool]] = field(default_factory=dict)
    unregistered: int = 0

    def allows(self, asked: Asked) -> bool:
        """Say whether an operation may be done."""
        return self._one(asked.operation, asked.resource, asked.target)

    def among(self, asked: Asked) -> list[int]:
        """Return the places of the resources that may be seen; for columns, their places in the one table."""
        if asked.operation not in BATCHED:
            return []
        if asked.operation == "FilterColumns":
            return self._columns(asked)
        if asked.operation == "FilterTables" and self.asker.kind is Kind.PERSON:
            return self._tables(asked.resources)
        return [at for at, each in enumerate(asked.resources) if self._one(asked.operation, mapping(each), {})]

    def seen(self, name: TrinoName) -> Seen:
        """Return a table as the asker sees it."""
        if system.is_of_system(name):
            return self._seen_of_system(name)
        if name == self.settings.key_table:
            return self._seen_keys(name)
        is_registered = self.names.class_of(name.catalog, name.schema, name.table) is not None
        dataset = self.dataset(name) if is_registered else None
        if dataset is None:
            return self._seen_unregistered(name)
        kind = self.asker.kind
        if kind is Kind.PERSON:
            each = [self.decisions.decide(side, dataset.labels) for side in self.asker.sides]
            return seen_by(dataset, stricter(each))
        is_known = kind is not Kind.NOBODY
        is_read = kind is Kind.EVALUATOR
        return Seen(name=name, is_registered=True, may_find=is_known, may_read=is_read, is_free=is_known)

    def _seen_of_system(self, name: TrinoName) -> Seen:
        """Return a table that Trino itself makes. The registry's own user may read all of them: nodes, for instance."""
        if self.asker.kind is Kind.SERVICE:
            return Seen(name=name, may_find=True, may_read=True, is_free=True)
        may_find = system.may_find(name) and self._may_find_catalog(name.catalog)
        return Seen(name=name, may_find=may_find, may_read=may_find, is_free=True)

    def _seen_keys(self, name: TrinoName) -> Seen:
        """Return the table of keys, which only masks read, whatever a policy says of it."""
        is_read = self.asker.kind is Kind.EVALUATOR
        return Seen(name=name, may_find=is_read or self.asker.kind is Kind.SERVICE, may_read=is_read, is_free=True)

    def _seen_unregistered(self, name: TrinoName) -> Seen:
        """Return a table that nobody registered: for the registry's own user, which makes tables behind its views; and
        for who made it, in a schema of their own."""
        is_open = self.asker.kind is Kind.SERVICE or self._is_own(name.catalog, name.schema)
        self.unregistered += not is_open
        return Seen(name=name, may_find=is_open, may_read=is_open, is_free=is_open)

    def _one(self, operation: str, resource: Resource, target: Resource) -> bool:
        needs = OPERATIONS.get(operation)
        if needs is None or self.asker.kind is Kind.NOBODY:
            return False
        if self.asker.kind is Kind.SERVICE and operation in OF_SERVICE:
            return self._is_of_data(resource)
        return _RULES[needs](self, resource, target)

    def _may_ask_as(self, resource: Resource) -> bool:
        user = user_of(resource)
        is_named = self.asker.kind is Kind.SERVICE or self.asker.user in self.settings.impersonators
        if not is_named:
            return False
        other = asker_of(user, frozenset(), decisions=self.decisions, settings=self.settings)
        return other.kind is Kind.PERSON

    def _may_find_catalog(self, catalog: str) -> bool:
        if catalog == system.CATALOG:
            return True
        if self.asker.kind is not Kind.PERSON:
            return bool(catalog)
        return catalog == self.settings.scratch or self._may_find_any(self.names.classes_in(catalog))

    def _may_find_schema(self, catalog: str, schema: str) -> bool:
        if self.asker.kind is Kind.SERVICE:
            return bool(catalog and schema)
        if catalog == system.CATALOG:
            return system.may_find_schema(schema)
        if schema == system.INFORMATION:
            return self._may_find_catalog(catalog)
        if self.asker.kind is not Kind.PERSON:
            return False
        return self._is_own(catalog, schema) or self._may_find_any(self.names.classes_in(catalog, schema))

    def _may_find_table(self, name: TrinoName) -> bool:
        if system.is_of_system(name) or self.asker.kind is not Kind.PERSON:
            return self.seen(name).may_find
        class_id = self.names.class_of(name.catalog, name.schema, name.table)
        if class_id is None:
            return self._seen_unregistered(name).may_find
        return self._may_find(class_id)

    def _may_find_columns(self, resource: Resource) -> bool:
        columns, name = columns_of(resource) or [], table_of(resource)
        seen = self.seen(name)
        return bool(columns) and all(self._is_shown(seen, column) for column in columns)

    def _is_shown(self, seen: Seen, column: object) -> bool:
        if seen.mask(column) is Mask.DENY:
            return False
        return not system.is_of_system(seen.name) or self._reads_of_system(seen.name, [column])

    def _columns(self, asked: Asked) -> list[int]:
        """Filter the columns of the one table that is asked about: places in its list, and not in that of resources."""
        if len(asked.resources) != 1 or self.asker.kind is Kind.NOBODY:
            return []
        resource = mapping(asked.resources[0])
        seen = self.seen(table_of(resource))
        return [at for at, column in enumerate(columns_of(resource) or []) if self._is_shown(seen, column)]

    def _tables(self, resources: Sequence[Any]) -> list[int]:
        """Filter tables for a person: what `_may_find_table` says of each, without a line of ours run for each."""
        ids: list[int | None]
        try:
            ids = [*map(self.names.tables.get, map(_KEY, map(_TABLE, resources)))]
        except (KeyError, TypeError):  # something else is among them
            ids = [None] * len(resources)
        if self.names.has_eclipsed:
            ids = [None] * len(resources)
        found = {each for each in {*ids} if each is not None and self._may_find(each)}
        if None in ids:
            return [
                at
                for at, each in enumerate(ids)
                if each in found or (each is None and self._may_find_table(table_of(mapping(resources[at]))))
            ]
        return [at for at, each in enumerate(ids) if each in found]

    def _may_find_any(self, classes: Iterable[int]) -> bool:
        return any(map(self._may_find, classes))

    def _may_find(self, class_id: int) -> bool:
        return all(self._side_finds(side, class_id) for side in self.asker.sides)

    def _side_finds(self, side: Principal, class_id: int) -> bool:
        known = self.found[side]
        if class_id not in known:
            verdict = self.decisions.verdict(side, self.names.labels[class_id])
            if not verdict.is_certain:
                return False
            known[class_id] = verdict.may_find
        return known[class_id]

    def _reads(self, resource: Resource) -> bool:
        columns, name = columns_of(resource), table_of(resource)
        if columns is None:
            return False
        seen = self.seen(name)
        return seen.may_read_columns(columns) and (
            not system.is_of_system(name) or self._reads_of_system(name, columns)
        )

    def _reads_of_system(self, name: TrinoName, columns: list[object]) -> bool:
        return self.asker.kind is Kind.SERVICE or all(system.may_read(name, text(each)) for each in columns)

    def _reads_plainly(self, resource: Resource) -> bool:
        """A view is read under the rights of who made it: it may hold nothing that they see through a mask or filter,
        or are denied, and nothing that they see of others' names."""
        columns, name = columns_of(resource), table_of(resource)
        if columns is None:
            return False
        seen = self.seen(name)
        return seen.is_plain(columns) and (self.asker.kind is Kind.SERVICE or not system.is_of_system(name))

    def _reads_whole(self, resource: Resource) -> bool:
        seen = self.seen(table_of(resource))
        return seen.is_registered and not seen.is_free and seen.is_plain(seen.masks)

    def _is_own(self, catalog: str, schema: str) -> bool:
        is_person = self.asker.kind is Kind.PERSON and self.settings.scratch is not None
        return is_person and catalog == self.settings.scratch and schema == own_schema(self.asker.user)

    def _lies_in_own(self, resource: Resource) -> bool:
        if "schema" in resource:
            return self._is_own(*schema_of(resource))
        name = table_of(resource)
        return bool(name.table) and self._is_own(name.catalog, name.schema)

    def _is_of_data(self, resource: Resource) -> bool:
        schema = schema_of(resource)[1] or table_of(resource).schema
        return catalog_of(resource) not in ("", system.CATALOG) and schema not in ("", system.INFORMATION)


def _is_built_in(resource: Resource) -> bool:
    function = mapping(resource.get("function"))
    catalog, schema = text(function.get("catalogName")), text(function.get("schemaName"))
    return bool(text(function.get("functionName"))) and (catalog, schema) in system.BUILT_IN


def _is_safe_procedure(resource: Resource) -> bool:
    function = mapping(resource.get("function"))
    is_of_data = text(function.get("catalogName")) not in ("", system.CATALOG)
    return is_of_data and text(function.get("functionName")) in system.PROCEDURES


def _has_no_place(resource: Resource) -> bool:
    """Say whether a new table or schema states nothing but its form: a location would open any file of the store."""
    for kind in ("table", "schema"):
        properties = mapping(mapping(resource.get(kind)).get("properties"))
        if any(value not in (None, False, 0, "", []) and name not in _HARMLESS for name, value in properties.items()):
            return False
    return True


_RULES: Final[Mapping[Needs, Callable[[Judge, Resource, Resource], bool]]] = {
    Needs.KNOWN: lambda judge, _, __: judge.asker.kind is not Kind.EVALUATOR,
    Needs.OWN_QUERY: lambda judge, resource, _: user_of(resource) == judge.asker.user,
    Needs.LISTED_QUERY: lambda judge, resource, _: (
        judge.asker.kind is Kind.SERVICE or user_of(resource) == judge.asker.user
    ),
    Needs.IMPERSONATOR: lambda judge, resource, _: judge._may_ask_as(resource),
    Needs.SERVICE: lambda judge, resource, _: (
        judge.asker.kind is Kind.SERVICE and catalog_of(resource) != system.CATALOG
    ),
    Needs.FIND_CATALOG: lambda judge, resource, _: judge._may_find_catalog(catalog_of(resource)),
    Needs.FIND_SCHEMA: lambda judge, resource, _: judge._may_find_schema(*schema_of(resource)),
    Needs.FIND_TABLE: lambda judge, resource, _: judge._may_find_table(table_of(resource)),
    Needs.FIND_COLUMN: lambda judge, resource, _: judge._may_find_columns(resource),
    Needs.READ: lambda judge, resource, _: judge._reads(resource),
    Needs.READ_PLAIN: lambda judge, resource, _: judge._reads_plainly(resource),
    Needs.READ_WHOLE: lambda judge, resource, _: judge._reads_whole(resource),
    Needs.FUNCTION: lambda _, resource, __: _is_built_in(resource),
    Needs.PROCEDURE: lambda judge, resource, _: judge.asker.kind is Kind.SERVICE and _is_safe_procedure(resource),
    Needs.OWN_TABLE: lambda judge, resource, _: judge._lies_in_own(resource) and _has_no_place(resource),
    Needs.OWN_SCHEMA: lambda judge, resource, _: judge._lies_in_own(resource),
    Needs.OWN_RENAME: lambda judge, resource, target: judge._lies_in_own(resource) and judge._lies_in_own(target),
    Needs.NOBODY: lambda *_: False,
    Needs.MASKS: lambda *_: False,
}
