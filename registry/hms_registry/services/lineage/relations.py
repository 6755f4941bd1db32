"""What a query's FROM brings into scope, and how each dialect compares names."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TypeAlias

from sqlglot import exp

from hms_registry.domain.datasets import Dataset, DatasetId
from hms_registry.domain.names import Address

Source: TypeAlias = tuple[DatasetId, str | None]
"""A dataset and its column, byte-exact; None = the dataset as a whole."""

Sources: TypeAlias = frozenset[Source]
Lookup: TypeAlias = Callable[[str, str], Dataset | None]
NOTHING: Sources = frozenset()

_LOWER = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz")


def fold(name: str) -> str:
    """Lower ASCII letters only, as SQLite and PostgreSQL compare names."""
    return name.translate(_LOWER)


@dataclass(frozen=True, slots=True)
class NameRules:
    """How a dialect compares names: PostgreSQL folds what is not quoted, the others ignore case altogether."""

    dialect: str

    def of(self, name: str, *, is_quoted: bool) -> str:
        """Return the key by which a written name is compared."""
        return name if self.dialect == "postgres" and is_quoted else fold(name)

    def stored(self, name: str) -> str:
        """Return the key of a name as its store spells it."""
        return name if self.dialect == "postgres" else fold(name)

    def key(self, identifier: exp.Expr) -> str:
        """Return the key of an identifier in a query."""
        return self.of(identifier.name, is_quoted=bool(identifier.args.get("quoted")))

    @property
    def has_structs(self) -> bool:
        """True if `a.b` may be field b of column a."""
        return self.dialect in ("trino", "hive")

    @property
    def sees_later_ctes(self) -> bool:
        """True if each CTE sees itself and all others, also without RECURSIVE: https://sqlite.org/lang_with.html"""
        return self.dialect == "sqlite"


def lookup_by_address(
    addresses: Iterable[Address], *, dialect: str, find: Callable[[Address], Dataset | None]
) -> Lookup:
    """Return a lookup over the addresses of one source that compares names as *dialect* does.

    Two addresses that are one name to the dialect are none: a wrong edge is worse than an unknown one.

    Args:
        find: gets the dataset of an address, when it is asked for.
    """
    rules = NameRules(dialect)
    known: dict[tuple[str, str], Address | None] = {}
    for address in addresses:
        key = (rules.stored(address.schema), rules.stored(address.table))
        known[key] = None if key in known else address

    def lookup(schema: str, table: str) -> Dataset | None:
        address = known.get((rules.stored(schema), rules.stored(table)))
        return find(address) if address is not None else None

    return lookup


def lookup_among(datasets: Iterable[Dataset], *, dialect: str) -> Lookup:
    """Return `lookup_by_address` over datasets that are at hand."""
    by_address = {dataset.address: dataset for dataset in datasets}
    return lookup_by_address(by_address, dialect=dialect, find=by_address.get)


@dataclass(frozen=True, slots=True)
class Output:
    """One column of a relation: its key (None = it has no name) and where its values come from."""

    key: str | None
    sources: Sources = NOTHING


@dataclass(frozen=True, slots=True, kw_only=True)
class Relation:
    """The result of a query or table.

    Attributes:
        alias: key by which columns are qualified; empty = none.
        columns: those that are known, in order.
        is_complete: *columns* are all there are.
        others: where any further column comes from, for table functions; None = not known.
        filters: columns that decided which rows there are.
        datasets: all datasets that were read.
        unknowns: why something in it could not be resolved.
    """

    alias: str = ""
    columns: tuple[Output, ...] = ()
    is_complete: bool = True
    others: Sources | None = None
    filters: Sources = NOTHING
    datasets: frozenset[DatasetId] = frozenset()
    unknowns: frozenset[str] = frozenset()

    @property
    def all_sources(self) -> Sources:
        """Where any of its columns come from."""
        return frozenset().union(*(column.sources for column in self.columns), self.others or NOTHING)


def unknown(why: str, *, alias: str = "", datasets: frozenset[DatasetId] = frozenset()) -> Relation:
    """Return a relation of which nothing is known but perhaps what it reads."""
    return Relation(alias=alias, is_complete=False, datasets=datasets, unknowns=frozenset({why}))


@dataclass(slots=True)
class Scope:
    """What one SELECT sees while it is resolved, and what is gathered on the way.

    Attributes:
        star: what `*` stands for.
        merged: columns that JOIN ... USING made one of two.
        aliases: names of the select list, visible to GROUP BY, HAVING and ORDER BY.
        outer: the query around a correlated one.
    """

    outer: Scope | None = None
    relations: list[Relation] = field(default_factory=list)
    star: list[Output] = field(default_factory=list)
    merged: dict[str, Sources] = field(default_factory=dict)
    aliases: dict[str, Sources] = field(default_factory=dict)
    filters: set[Source] = field(default_factory=set)
    datasets: set[DatasetId] = field(default_factory=set)
    unknowns: set[str] = field(default_factory=set)

    @property
    def is_complete(self) -> bool:
        """True if every column of every relation is known."""
        return all(relation.is_complete for relation in self.relations)

    def read(self, relation: Relation) -> None:
        """Note what *relation* read, filtered by and did not know."""
        self.filters |= relation.filters
        self.datasets |= relation.datasets
        self.unknowns |= relation.unknowns

    def find(self, alias: str) -> Relation | None:
        """Return the relation of that alias, from the innermost query that has one; None if two have it."""
        level: Scope | None = self
        while level is not None:
            found = [relation for relation in level.relations if relation.alias == alias]
            if found:
                return found[0] if len(found) == 1 else None
            level = level.outer
        return None
