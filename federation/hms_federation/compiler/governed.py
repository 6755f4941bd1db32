"""One dataset in a query, under its policy: row filters see raw values, then come the masks, then the query.

Whatever the query says stands outside of the subquery that is made here. Columns that the policy denies are not
in it and have no name anywhere: the query cannot tell them from columns that never were.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from sqlglot import exp

from hms_federation.compiler.expressions import Expressions
from hms_federation.compiler.parse import parse_expression
from hms_federation.compiler.pushdown import Pushdown
from hms_federation.compiler.scope import Field, Key, Origin, Scope
from hms_federation.compiler.semantics.casts import cast
from hms_federation.compiler.semantics.types import BOOLEAN, INSTANT, TIMESTAMP, Typed, duckdb
from hms_federation.compiler.uses import Uses
from hms_federation.compiler.versions import pin_of
from hms_federation.plan import Governed, PlannedScan
from hms_registry.domain.columns import Column
from hms_registry.domain.datasets import Dataset, DatasetRef
from hms_registry.domain.decisions import Decision, Mask
from hms_registry.domain.names import always_quoted, assign_lower
from hms_registry.domain.predicates import Conjunct
from hms_registry.errors import PolicyInvalid, SettingsInvalid, SqlInvalid, SqlRefused
from hms_registry.services.trino_types import TrinoType, parse, to_arrow

if TYPE_CHECKING:
    import pyarrow as pa

# A row that a filter hides must not be seen by the query in any way, and an error is a way: DuckDB would evaluate
# the query's predicate first where it thinks that cheaper. It does not move a predicate below a LIMIT.
_BARRIER = "LIMIT 9223372036854775807"


def _in_engine(kind: TrinoType) -> TrinoType:
    """Return the type in which the engine computes: nanoseconds are cut to microseconds, and it says so."""
    is_finer = kind.name in (TIMESTAMP, INSTANT, "time") and kind.params[0] > 6
    return TrinoType(kind.name, (6,)) if is_finer else kind


class MaskSql(Protocol):
    """Writes a mask as an expression in Trino's dialect, of the column's own type."""

    def __call__(self, mask: Mask, *, column_sql: str, trino_type: str) -> str: ...


@dataclass(frozen=True, slots=True)
class _Masked:
    """A mask, compiled: DuckDB's text, Trino's text, and the raw columns it reads."""

    sql: str
    trino: str
    reads: frozenset[str]


class GovernedScan:
    """One reference to a dataset.

    Attributes:
        predicate: what may be pushed.
        limit: rows that are enough.
    """

    def __init__(
        self,
        *,
        number: int,
        dataset: Dataset,
        decision: Decision,
        alias: str,
        mask_sql: MaskSql,
        version: int | None = None,
    ) -> None:
        self.number = number
        self.dataset = dataset
        self.decision = decision
        self.alias = alias
        self.relation = f"__scan_{number}"
        self.predicate: list[Conjunct] = []
        self.limit: int | None = None
        self._pin = pin_of(dataset, version) if version is not None else None
        self._as_of = f" FOR VERSION AS OF {version}" if version is not None else ""
        flat = [column for column in dataset.columns if len(column.path.segments) == 1]
        lower = assign_lower(column.name for column in flat)
        self._columns = {lower[column.name]: column for column in flat}
        self._registered = {name: self._type(column) for name, column in self._columns.items()}
        self._types = {name: _in_engine(kind) for name, kind in self._registered.items()}
        self._filters: list[tuple[str, frozenset[str]]] = []
        self._masks: dict[str, _Masked] = {}
        self._apply(mask_sql)

    def _type(self, column: Column) -> TrinoType:
        try:
            return parse(column.trino_type)
        except SettingsInvalid:
            raise SqlRefused(
                f"a column of {self.dataset.trino_name} has a type that is not supported",
                hint="state another type for it in its manifest",
            ) from None

    def _apply(self, mask_sql: MaskSql) -> None:
        try:
            for text in self.decision.row_filters:
                self._filter(text)
            for name, column in self._columns.items():
                mask = self.decision.mask(column.name)
                if mask not in (Mask.NONE, Mask.DENY):
                    written = mask_sql(mask, column_sql=always_quoted(name), trino_type=str(self._types[name]))
                    self._mask(name, written)
        except SqlInvalid as error:
            # The text of a filter may tell what it hides: it goes to the log with the cause, not to the asker.
            raise PolicyInvalid(
                f"the policy for {self.dataset.trino_name} cannot be applied, so the query is denied",
                hint="tell whoever publishes the policy: `hms-dta policy test` names the file and line",
            ) from error

    def _raw(self) -> list[Field]:
        """Return all columns as they are in the source, denied ones too.

        A policy names a column in any case: where twins differ in nothing but case, the plain name is ambiguous
        and only the SQL name of each will do.
        """
        fields = []
        for name, column in self._columns.items():
            value = Typed(self._read(name), self._types[name])
            origin = self._origin(name, column)
            for known in dict.fromkeys((name, column.name.lower())):
                fields.append(Field(name=known, shown=known, value=value, key=("raw", name), origin=origin))
        return fields

    def _compile(self, text: str) -> tuple[exp.Expr, Typed, frozenset[str], list[Field]]:
        uses = Uses()
        fields = self._raw()
        compiler = Expressions(Scope(fields=fields), uses=uses)
        compiler.clause = "in a policy"
        tree = parse_expression(text)
        value = compiler.of(tree)
        return tree, value, frozenset(str(key[1]) for key in uses.reached()), fields

    def _filter(self, text: str) -> None:
        tree, value, reads, fields = self._compile(text)
        if value.type != BOOLEAN:
            raise SqlRefused("a row filter is a condition")
        self._filters.append((value.sql, reads))
        pushdown = Pushdown(fields, Expressions(Scope(fields=[]), uses=Uses()).of)
        self.predicate += [conjunct for _, conjunct in pushdown.of(tree)]

    def _mask(self, name: str, text: str) -> None:
        tree, value, reads, _ = self._compile(text)
        kind = self._types[name]
        fitted = value if value.type == kind else cast(tree, value, kind, is_try=False)
        self._masks[name] = _Masked(fitted.sql, text, reads)

    def fields(self, qualifier: tuple[str, ...]) -> list[Field]:
        """Return the columns that the query sees."""
        visible = []
        for name, column in self._columns.items():
            if self.decision.mask(column.name) == Mask.DENY:
                continue
            origin = self._origin(name, column) if name not in self._masks else None
            value = Typed(f"{always_quoted(self.alias)}.{always_quoted(name)}", self._types[name])
            visible.append(
                Field(
                    name=name,
                    shown=name,
                    value=value,
                    key=("column", self.number, name),
                    qualifier=qualifier,
                    origin=origin,
                )
            )
        return visible

    def filter_columns(self) -> set[str]:
        """Return what the row filters read, by byte-exact name."""
        return self.exact_names(set().union(*(reads for _, reads in self._filters)))

    def exact_names(self, names: Iterable[str]) -> set[str]:
        """Return the byte-exact names of columns that the engine knows by these."""
        return {self._columns[name].name for name in names}

    def _used(self, reached: set[Key]) -> list[str]:
        return [name for name in self._columns if ("column", self.number, name) in reached]

    def sql(self, reached: set[Key]) -> str:
        """Write it for FROM, given what the query uses."""
        used = self._used(reached)
        relation, alias = always_quoted(self.relation), always_quoted(self.alias)
        shown = [(name, self._shown(name)) for name in used]
        if not self._filters and all(text == f'"s".{always_quoted(name)}' for name, text in shown):
            return f"{relation} AS {alias}"
        items = ", ".join(f"{text} AS {always_quoted(name)}" for name, text in shown) or '1 AS "one"'
        where = " AND ".join(text for text, _ in self._filters)
        tail = f" WHERE {where} {_BARRIER}" if where else ""
        return f'(SELECT {items} FROM {relation} AS "s"{tail}) AS {alias}'  # noqa: S608  # compiled parts, quoted names

    def _shown(self, name: str) -> str:
        if name in self._masks:
            return self._masks[name].sql
        return self._read(name)

    def _read(self, name: str) -> str:
        """Write a raw column, in the type that the engine computes in."""
        raw, kind = f'"s".{always_quoted(name)}', self._types[name]
        return raw if kind == self._registered[name] else f"CAST({raw} AS {duckdb(kind)})"

    def _origin(self, name: str, column: Column) -> Origin | None:
        """Return where a predicate on a raw column may be pushed: not where the source compares more exactly."""
        is_exact = self._types[name] == self._registered[name]
        return Origin(scan=self.number, column=column) if is_exact else None

    def planned(self, reached: set[Key]) -> PlannedScan:
        """Return what the source is asked."""
        import pyarrow as pa

        needed = set().union(*(reads for _, reads in self._filters))
        for name in self._used(reached):
            needed |= self._masks[name].reads if name in self._masks else {name}
        names = [name for name in self._columns if name in needed]
        exact = [self._columns[name].name for name in names]
        schema: pa.Schema = pa.schema(
            [pa.field(column, to_arrow(self._registered[name])) for name, column in zip(names, exact, strict=True)]
        )
        dataset = self.dataset
        return PlannedScan(
            relation=self.relation,
            dataset_id=dataset.id,
            name=dataset.trino_name,
            ref=DatasetRef(address=dataset.address, kind=dataset.kind, stamp=dataset.stamp, locator=dataset.locator),
            columns=tuple(exact),
            names=tuple(names),
            schema=schema,
            predicate=tuple(dict.fromkeys(self.predicate)),
            limit=self.limit,
            pin=self._pin,
        )

    def governed(self) -> Governed:
        """Return what the policy did, by byte-exact column names."""
        masks = [(column.name, self.decision.mask(column.name)) for column in self._columns.values()]
        return Governed(
            name=self.dataset.trino_name,
            dataset_id=self.dataset.id,
            row_filters=tuple(self.decision.row_filters),
            masks=tuple((name, str(mask)) for name, mask in masks if mask != Mask.NONE),
        )

    def trino(self, reached: set[Key]) -> str | None:
        """Write it in Trino's dialect; None where the policy changes nothing."""
        if not self._filters and not self.governed().masks:
            return None
        items = []
        for name in self._used(reached):
            quoted = always_quoted(name)
            mask = self._masks.get(name)
            items.append(f"CAST({mask.trino} AS {self._types[name]}) AS {quoted}" if mask is not None else quoted)
        where = " AND ".join(f"({text})" for text in self.decision.row_filters)
        listed = ", ".join(items) or "1 AS one"
        return f"SELECT {listed} FROM {self.dataset.trino_name}{self._as_of}" + (f" WHERE {where}" if where else "")  # noqa: S608  # compiled parts, quoted names
