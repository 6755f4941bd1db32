"""One SELECT: what its FROM brings in, what its columns come from, and what filters its rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from sqlglot import exp

from hms_registry.services.lineage.relations import NOTHING, Output, Relation, Scope, Sources, unknown

if TYPE_CHECKING:
    from hms_registry.services.lineage.column_origins import Names, Resolver

# What is left of a SELECT are its conditions: WHERE, GROUP BY, HAVING, windows, ORDER BY, DISTINCT ON, LIMIT.
_NOT_CONDITIONS = frozenset({"with_", "expressions", "from_", "joins", "laterals", "kind", "hint", "locks", "into"})
_NOT_READ = ("pivots", "match", "connect", "exclude", "into", "for_")


class SelectScope:
    """Resolves one SELECT."""

    def __init__(self, resolver: Resolver, *, names: Names, outer: Scope | None) -> None:
        self._resolver = resolver
        self._rules = resolver.rules
        self._names = names
        self._scope = Scope(outer=outer)

    def resolve(self, node: exp.Select) -> Relation:
        """Return what the SELECT yields."""
        scope = self._scope
        if any(node.args.get(part) for part in _NOT_READ):
            scope.unknowns.add("a clause of the query is not read")
        if source := node.args.get("from_"):
            self._add(source.this)
        for join in [*(node.args.get("joins") or []), *(node.args.get("laterals") or [])]:
            self._join(join)
        columns: list[Output] = []
        is_complete = True
        for projection in node.expressions:
            outputs, known = self._project(projection)
            columns += outputs
            is_complete = is_complete and known
        scope.aliases = {output.key: output.sources for output in columns if output.key is not None}
        for name, condition in node.args.items():
            if name not in _NOT_CONDITIONS:
                self._filter(condition)
        return Relation(
            columns=tuple(columns),
            is_complete=is_complete,
            filters=frozenset(scope.filters),
            datasets=frozenset(scope.datasets),
            unknowns=frozenset(scope.unknowns),
        )

    # FROM -------------------------------------------------------------------------------------------------

    def _add(self, node: exp.Expr) -> None:
        """Bring a table, subquery or function into scope, and what is joined to it inside parentheses."""
        is_nest = isinstance(node, exp.Subquery) and isinstance(node.this, exp.Table) and not self._alias(node)
        if is_nest:
            self._add(node.this)
        else:
            relation = self._relation(node)
            self._scope.relations.append(relation)
            self._scope.star += relation.columns
            self._scope.read(relation)
        for join in node.args.get("joins") or []:
            self._join(join)

    def _join(self, join: exp.Expr) -> None:
        if isinstance(join, exp.Lateral):
            self._add(join)
            return
        scope = self._scope
        left, before = list(scope.star), len(scope.relations)
        is_left_complete = scope.is_complete
        self._add(join.this)
        right = [output for relation in scope.relations[before:] for output in relation.columns]
        self._filter(join.args.get("on"))
        self._filter(join.args.get("match_condition"))
        keys = [self._rules.key(name) for name in join.args.get("using") or []]
        if str(join.args.get("method") or "").upper() == "NATURAL":
            if not (is_left_complete and all(relation.is_complete for relation in scope.relations[before:])):
                scope.unknowns.add("a natural join with unknown columns")
            named = {output.key for output in right if output.key is not None}
            keys = list(dict.fromkeys(output.key for output in left if output.key in named and output.key is not None))
        self._merge(keys, left, right)

    def _merge(self, keys: list[str], left: list[Output], right: list[Output]) -> None:
        """Make one column of the two that USING names."""
        scope = self._scope
        for key in keys:
            halves = [[output for output in side if output.key == key] for side in (left, right)]
            if any(len(half) != 1 for half in halves):
                scope.unknowns.add("a column of USING is not known")
                continue
            sources = halves[0][0].sources | halves[1][0].sources
            scope.merged[key] = sources
            scope.filters |= sources
            left = [Output(key, sources) if output.key == key else output for output in left]
            right = [output for output in right if output.key != key]
        if keys:
            scope.star = [*left, *right]

    def _relation(self, node: exp.Expr) -> Relation:
        relation = self._unaliased(node)
        if node.args.get("pivots"):
            relation = unknown("a pivot is not read", datasets=relation.datasets)
        relation = self._resolver.renamed(relation, node)
        alias = self._alias(node) or (self._rules.key(node.this) if isinstance(node.this, exp.Identifier) else "")
        return replace(relation, alias=alias)

    def _unaliased(self, node: exp.Expr) -> Relation:
        match node:
            case exp.Table() if isinstance(node.this, exp.Identifier):
                cte = None if node.args.get("db") else self._names.find(self._rules.key(node.this))
                return self._resolver.cte(cte) if cte else self._resolver.table(node)
            case exp.Lateral() if isinstance(node.this, exp.Subquery):
                return self._resolver.query(node.this, names=self._names, outer=self._scope)
            case exp.Table() | exp.Lateral() if isinstance(node.this, exp.Func):
                return Relation(is_complete=False, others=self._values_of(node.this))
            case exp.Unnest():
                return self._unnested(node)
            case exp.Query() | exp.Values():
                return self._resolver.query(node, names=self._names, outer=self._scope.outer)
        return unknown(f"{node.key} in FROM is not read")

    def _unnested(self, node: exp.Unnest) -> Relation:
        sources = [self._values_of(argument) for argument in node.expressions]
        everything: Sources = frozenset().union(*sources)
        alias = node.args.get("alias")
        names = list(alias.args.get("columns") or []) if isinstance(alias, exp.TableAlias) else []
        if len(names) != len(sources):
            return Relation(is_complete=False, others=everything)
        columns = [Output(self._rules.key(name), from_) for name, from_ in zip(names, sources, strict=True)]
        offset = node.args.get("offset")
        ordinal = [Output(self._rules.key(offset))] if isinstance(offset, exp.Identifier) else []
        return Relation(columns=(*columns, *ordinal))

    def _alias(self, node: exp.Expr) -> str:
        return self._resolver.alias(node)

    # the select list --------------------------------------------------------------------------------------

    def _project(self, node: exp.Expr) -> tuple[list[Output], bool]:
        """Return the columns of one item of the select list, and whether these are all."""
        if isinstance(node, exp.Star) or (isinstance(node, exp.Column) and isinstance(node.this, exp.Star)):
            return self._star(node)
        if isinstance(node, exp.Aliases):
            sources = self._values_of(node.this)
            return [Output(self._rules.key(name), sources) for name in node.expressions], True
        if node.find(exp.Star) and not node.find(exp.Count, exp.Query):
            self._scope.unknowns.add("a * of a value is not read")
            return [], False
        return [Output(self._output_key(node), self._values_of(node))], True

    def _star(self, node: exp.Expr) -> tuple[list[Output], bool]:
        scope = self._scope
        if isinstance(node, exp.Star):
            if any(node.args.get(part) for part in ("except_", "replace", "rename", "ilike")):
                scope.unknowns.add("a * with exceptions is not read")
                return [], False
            return self._whole(list(scope.star), is_complete=scope.is_complete)
        relation = scope.find(self._rules.key(node.args["table"])) if node.args.get("table") else None
        if relation is None or node.args.get("db"):
            scope.unknowns.add("a * of an unknown table")
            return [], False
        return self._whole(list(relation.columns), is_complete=relation.is_complete)

    def _whole(self, columns: list[Output], *, is_complete: bool) -> tuple[list[Output], bool]:
        if not is_complete:
            self._scope.unknowns.add("a * of unknown columns")
        return columns, is_complete

    def _output_key(self, node: exp.Expr) -> str | None:
        alias = node.args.get("alias")
        if isinstance(node, exp.Alias | exp.Subquery) and alias is not None:
            return self._alias(node)
        return self._rules.key(node.this) if isinstance(node, exp.Column) else None

    # expressions ------------------------------------------------------------------------------------------

    def _filter(self, condition: object) -> None:
        for node in condition if isinstance(condition, list) else [condition]:
            if isinstance(node, exp.Expr):
                self._scope.filters |= self._values_of(node)

    def _values_of(self, node: exp.Expr) -> Sources:
        """Return what the value of an expression is made of."""
        seen: set[tuple[str, frozenset[str]]] = set()
        sources: Sources = NOTHING
        for leaf, bound in _leaves(node):
            if isinstance(leaf, exp.Column):
                self._resolver.spend(1)
                mark = (leaf.sql(), bound)
                if mark not in seen:
                    seen.add(mark)
                    found = self._column(leaf, bound)
                    self._resolver.spend(len(found))
                    sources |= found
            else:
                result = self._resolver.query(leaf, names=self._names, outer=self._scope)
                self._scope.read(result)
                self._resolver.spend(len(result.all_sources))
                sources |= result.all_sources
        return sources

    def _column(self, node: exp.Column, bound: frozenset[str]) -> Sources:
        if isinstance(node.this, exp.Star):
            return NOTHING  # count(t.*): no value of any column
        path = [self._rules.key(part) for part in node.parts]
        if path[0] in bound:
            return NOTHING
        sources = self._unqualified(path[0], node) if len(path) == 1 else self._qualified(path)
        if sources is None:
            self._scope.unknowns.add("a column could not be traced")
        return sources or NOTHING

    def _qualified(self, path: list[str]) -> Sources | None:
        """Resolve `t.c`, `schema.t.c`, and where the dialect has them `t.c.field` and `c.field`."""
        if self._rules.has_structs:
            relation = self._scope.find(path[0])
            if relation is not None:
                return _member(relation, path[1])
            return self._unqualified(path[0], None)
        relation = self._scope.find(path[-2])
        return None if relation is None else _member(relation, path[-1])

    def _unqualified(self, key: str, node: exp.Column | None) -> Sources | None:
        level: Scope | None = self._scope
        while level is not None:
            if key in level.merged:
                return level.merged[key]
            hits = [output for relation in level.relations for output in relation.columns if output.key == key]
            if hits:
                return hits[0].sources if len(hits) == 1 else None
            if level is self._scope and key in level.aliases:
                return level.aliases[key] if level.is_complete else None
            opened = [relation for relation in level.relations if not relation.is_complete]
            if opened:
                return opened[0].others if len(opened) == 1 else None
            level = level.outer
        return self._whole_row(key, node)

    def _whole_row(self, key: str, node: exp.Column | None) -> Sources | None:
        """Resolve `SELECT t FROM t` and `count(t)`, a whole row as a value, in PostgreSQL."""
        if self._rules.dialect != "postgres" or node is None or isinstance(node.parent, exp.Paren | exp.Dot):
            return None
        relation = self._scope.find(key)
        return relation.all_sources if relation is not None and relation.is_complete else None


def _member(relation: Relation, key: str) -> Sources | None:
    hits = [output for output in relation.columns if output.key == key]
    if hits:
        return hits[0].sources if len(hits) == 1 else None
    return None if relation.is_complete else relation.others


def _leaves(node: exp.Expr) -> Iterator[tuple[exp.Expr, frozenset[str]]]:
    """Yield the columns and subqueries of an expression, each with the lambda parameters around it."""
    stack: list[tuple[exp.Expr, frozenset[str]]] = [(node, frozenset())]
    while stack:
        current, bound = stack.pop()
        if isinstance(current, exp.Column | exp.Query):
            yield current, bound
            continue
        if isinstance(current, exp.Lambda):
            bound |= {name.name.lower() for name in current.expressions}
        stack += [(child, bound) for child in current.iter_expressions(reverse=True)]
