"""From a query to where each of its columns comes from: names are resolved as the store would, or not at all.

A column that could be from two places, or from a table that is not registered, is *unknown*: a wrong edge would
tell a steward that something is safe, or hide that it is not. Values of a column are traced through every
expression of the select list; columns used in WHERE, JOIN, GROUP BY, HAVING and ORDER BY become `filters`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from sqlglot import exp

from hms_registry.domain.datasets import Dataset
from hms_registry.services.lineage.relations import NOTHING, Lookup, NameRules, Output, Relation, Scope, unknown
from hms_registry.services.lineage.select_scope import SelectScope


class TooMuch(Exception):
    """The view takes more steps than it may."""


@dataclass(slots=True)
class _Cte:
    """A named subquery, resolved once."""

    node: exp.CTE
    names: Names
    outer: Scope | None
    result: Relation | None = None
    partial: Relation | None = None
    is_open: bool = False
    is_recursive: bool = False


@dataclass(slots=True)
class Names:
    """The CTEs that a query sees: of one WITH the first *count* (None = all), and those around it."""

    around: Names | None = None
    ctes: dict[str, tuple[int, _Cte]] = field(default_factory=dict)
    count: int | None = None

    def find(self, key: str) -> _Cte | None:
        """Return the nearest CTE of that name."""
        level: Names | None = self
        while level is not None:
            at, cte = level.ctes.get(key, (0, None))
            if cte is not None and (level.count is None or at < level.count):
                return cte
            level = level.around
        return None


@dataclass(slots=True, kw_only=True)
class Resolver:
    """Resolves one view.

    Attributes:
        source: the source the view is in; a table of another catalog is unknown.
        search_path: schemas in which a bare name is looked up, in order.
        steps: how many are left. A step is a query, a column that one yields, a column that is named, or a column
            that its value is made of. They are counted and not timed: a view has the same edges on every machine,
            and in a process that is busy collecting garbage.
    """

    rules: NameRules
    source: str
    search_path: tuple[str, ...]
    lookup: Lookup
    steps: int
    _tables: dict[tuple[tuple[str, ...], ...], Dataset | None] = field(default_factory=dict)

    def spend(self, steps: int) -> None:
        """Raises: TooMuch."""
        self.steps -= steps
        if self.steps < 0:
            raise TooMuch

    def query(self, node: exp.Expr, *, names: Names, outer: Scope | None) -> Relation:
        """Resolve a query.

        Raises:
            TooMuch
            RecursionError: it is nested deeper than Python's stack.
        """
        self.spend(1)
        relation = self._query(node, names=names, outer=outer)
        self.spend(len(relation.columns))
        return relation

    def _query(self, node: exp.Expr, *, names: Names, outer: Scope | None) -> Relation:
        match node:
            case exp.Select():
                select = SelectScope(self, names=self._with(node, names, outer), outer=outer)
                return select.resolve(node)
            case exp.SetOperation():
                return self._set_operation(node, names=self._with(node, names, outer), outer=outer)
            case exp.Subquery() if not node.args.get("pivots") and not node.args.get("joins"):
                return self.query(node.this, names=self._with(node, names, outer), outer=outer)
            case exp.Values():
                return _values(node)
        return unknown(f"{node.key} is not read")

    def _with(self, node: exp.Expr, names: Names, outer: Scope | None) -> Names:
        clause = node.args.get("with_")
        if clause is None:
            return names
        sees_all = clause.args.get("recursive") or self.rules.sees_later_ctes
        inside = Names(names)
        for at, cte in enumerate(clause.expressions):
            sees = inside if sees_all else Names(names, inside.ctes, at)
            inside.ctes.setdefault(self.alias(cte), (at, _Cte(cte, sees, outer)))
        for _at, named in inside.ctes.values():
            self.cte(named)  # in order: a chain of ten thousand needs no deep stack
        return inside

    def cte(self, cte: _Cte) -> Relation:
        """Resolve a CTE; a recursive one until its columns come from nowhere new."""
        if cte.result is not None:
            return cte.result
        if cte.is_open:
            cte.is_recursive = True
            return cte.partial or unknown("a recursive CTE is not read")
        cte.is_open = True
        body = cte.node.this
        result = self._cte_body(cte, body)
        if cte.is_recursive and isinstance(body, exp.SetOperation):
            cte.partial = self._cte_body(cte, _branches(body)[0])
            while (result := self._cte_body(cte, body)) != cte.partial:
                cte.partial = result
        cte.is_open, cte.result = False, result
        return result

    def _cte_body(self, cte: _Cte, body: exp.Expr) -> Relation:
        return self.renamed(self.query(body, names=cte.names, outer=cte.outer), cte.node)

    def _set_operation(self, node: exp.SetOperation, *, names: Names, outer: Scope | None) -> Relation:
        first, rest = _branches(node)
        result = self.query(first, names=names, outer=outer)
        for operation, branch in rest:
            result = _combined(operation, result, self.query(branch, names=names, outer=outer))
        return result

    def table(self, node: exp.Table) -> Relation:
        """Resolve a reference to a table that is no CTE."""
        parts = tuple(self.rules.key(part) for part in node.parts)
        written = tuple(part.name for part in node.parts)
        if (parts, written) not in self._tables:
            self._tables[parts, written] = self._find(written, parts)
        dataset = self._tables[parts, written]
        if dataset is None:
            return unknown("a table is not registered")
        keys = dict.fromkeys(column.name for column in dataset.columns)
        columns = (Output(self.rules.stored(name), frozenset({(dataset.id, name)})) for name in keys)
        return Relation(columns=tuple(columns), datasets=frozenset({dataset.id}))

    def _find(self, written: tuple[str, ...], keys: tuple[str, ...]) -> Dataset | None:
        if len(keys) > 3 or (len(keys) == 3 and keys[0] != self.rules.stored(self.source)):
            return None
        is_default = len(keys) == 1 or (self.rules.dialect == "sqlite" and keys[-2] == "main")
        schemas = [(schema, schema) for schema in self.search_path] if is_default else [(written[-2], keys[-2])]
        for schema, schema_key in schemas:
            for candidate in dict.fromkeys([(schema, written[-1]), (schema, keys[-1]), (schema_key, keys[-1])]):
                dataset = self.lookup(*candidate)
                if dataset is not None and self._is_named(dataset, candidate[0], keys[-1]):
                    return dataset
        return None

    def _is_named(self, dataset: Dataset, schema: str, table_key: str) -> bool:
        address = dataset.address
        return (
            dataset.state.is_there
            and self.rules.stored(address.schema) == self.rules.stored(schema)
            and self.rules.stored(address.table) == table_key
        )

    def alias(self, node: exp.Expr) -> str:
        """Return the key of a node's alias; empty if it has none."""
        alias = node.args.get("alias")
        name = alias.this if isinstance(alias, exp.TableAlias) else alias
        return self.rules.key(name) if isinstance(name, exp.Expr) else ""

    def renamed(self, relation: Relation, node: exp.Expr) -> Relation:
        """Apply the column names of `AS t (a, b)`."""
        alias = node.args.get("alias")
        names = (alias.args.get("columns") or []) if isinstance(alias, exp.TableAlias) else []
        if not names:
            return relation
        keys = [self.rules.key(name) for name in names]
        if not relation.is_complete or len(keys) > len(relation.columns):
            if relation.others is None:
                return replace(relation, columns=(), unknowns=relation.unknowns | {"unknown columns are renamed"})
            return replace(relation, columns=tuple(Output(key, relation.others) for key in keys), is_complete=True)
        renamed = [Output(key, column.sources) for key, column in zip(keys, relation.columns, strict=False)]
        return replace(relation, columns=(*renamed, *relation.columns[len(keys) :]))


def _branches(node: exp.SetOperation) -> tuple[exp.Expr, list[tuple[exp.SetOperation, exp.Expr]]]:
    """Unroll `a UNION b UNION c`, which nests to the left, into a list."""
    rest: list[tuple[exp.SetOperation, exp.Expr]] = []
    current: exp.Expr = node
    while isinstance(current, exp.SetOperation) and (current is node or not current.args.get("with_")):
        rest.append((current, current.expression))
        current = current.this
    return current, rest[::-1]


def _combined(operation: exp.SetOperation, left: Relation, right: Relation) -> Relation:
    """Combine two branches by position; rows of EXCEPT and INTERSECT are the left one's, filtered by the right."""
    filters = left.filters | right.filters
    datasets, unknowns = left.datasets | right.datasets, left.unknowns | right.unknowns
    columns, is_complete = left.columns, left.is_complete
    if not isinstance(operation, exp.Union):
        filters |= right.all_sources
    elif operation.args.get("by_name") or not (left.is_complete and right.is_complete):
        columns, is_complete, unknowns = (), False, unknowns | {"branches of a union do not line up"}
        filters |= left.all_sources | right.all_sources
    elif len(left.columns) != len(right.columns):
        columns, is_complete, unknowns = (), False, unknowns | {"branches of a union differ in width"}
        filters |= left.all_sources | right.all_sources
    else:
        pairs = zip(left.columns, right.columns, strict=True)
        columns = tuple(Output(one.key, one.sources | other.sources) for one, other in pairs)
    return Relation(columns=columns, is_complete=is_complete, filters=filters, datasets=datasets, unknowns=unknowns)


def _values(node: exp.Values) -> Relation:
    rows = node.expressions
    width = len(rows[0].expressions) if rows and isinstance(rows[0], exp.Tuple) else 1
    if any(node.find_all(exp.Query)) or any(node.find_all(exp.Column)):
        return unknown("VALUES of other than constants are not read")
    return Relation(columns=tuple(Output(f"column{at + 1}", NOTHING) for at in range(width)))
