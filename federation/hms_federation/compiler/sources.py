"""FROM: tables, joins, and what else gives rows. Only registered datasets and queries of the text itself are there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from sqlglot import exp

from hms_federation.compiler.expressions import Expressions
from hms_federation.compiler.refusals import invalid, nearest, only, refused, shown
from hms_federation.compiler.scope import Field, Scope
from hms_federation.compiler.semantics.comparisons import equal
from hms_federation.compiler.semantics.types import BIGINT, Typed, coerce, common, text
from hms_federation.compiler.statement import renamed
from hms_federation.compiler.versions import version_of
from hms_registry.domain.names import TrinoName
from hms_registry.errors import DatasetNotFound
from hms_registry.services.trino_types import TrinoType

if TYPE_CHECKING:
    from hms_federation.compiler.governed import GovernedScan
    from hms_federation.compiler.statement import Named, Statement

_KINDS = {"": "INNER", "INNER": "INNER", "CROSS": "CROSS", "OUTER": "OUTER"}


@dataclass(slots=True)
class Source:
    """What a part of FROM gives."""

    sql: str
    fields: list[Field]


@dataclass(slots=True, kw_only=True)
class Sources:
    """The FROM of one SELECT.

    Attributes:
        scans: the datasets it reads directly.
        conditions: of its inner joins.
        is_one_way: no RIGHT or FULL join: what WHERE says of a preserved side may be said to its source.
        nullable: numbers of the scans that an outer join fills up with NULLs.
        matches: of its left joins with a table: their condition, the columns on its left, those on its right.
        equal: pairs of columns that USING makes equal; of an inner join both ways, of a left join from left to right.
    """

    statement: Statement
    named: Mapping[str, Named]
    parent: Scope | None
    scans: list[GovernedScan] = field(default_factory=list)
    conditions: list[exp.Expr] = field(default_factory=list)
    is_one_way: bool = True
    nullable: set[int] = field(default_factory=set)
    matches: list[tuple[exp.Expr, list[Field], list[Field]]] = field(default_factory=list)
    equal: list[tuple[Field, Field]] = field(default_factory=list)

    def compiler(self, fields: list[Field], clause: str) -> Expressions:
        """Return what compiles expressions over some of the columns."""
        compiler = Expressions(
            Scope(fields=fields, parent=self.parent),
            uses=self.statement.uses,
            subquery=lambda query, scope: self.statement.query(query, parent=scope, named=self.named),
        )
        compiler.clause = clause
        return compiler

    def of(self, node: exp.Expr, joins: list[exp.Expr]) -> Source:
        """Compile a source and what is joined to it, from left to right."""
        source = self._one(node, [])
        after_comma = False
        for join in joins:
            is_comma = not any(join.args.get(part) for part in ("kind", "side", "method", "on", "using"))
            after_comma = after_comma or is_comma
            if after_comma and str(join.args.get("side") or "").upper() in ("RIGHT", "FULL"):
                raise refused(join, "a comma before a RIGHT or FULL JOIN is not supported", hint="write CROSS JOIN")
            source = self._join(source, join, is_comma=is_comma)
        return source

    def _one(self, node: exp.Expr, left: list[Field]) -> Source:
        if isinstance(node, exp.Table):
            return self._table(node)
        if isinstance(node, exp.Subquery):
            return self._subquery(node, left=None)
        if isinstance(node, exp.Lateral):
            only(node, "this", "alias")
            if not isinstance(node.this, exp.Subquery):
                raise refused(node, "LATERAL takes a subquery")
            return self._query(node.this, node.args.get("alias"), left)
        if isinstance(node, exp.Values):
            return self._query(node, node.args.get("alias"), None)
        if isinstance(node, exp.Unnest):
            return self._unnest(node, left)
        raise refused(node, "this cannot be read from", hint="read from source.schema.table")

    def _table(self, node: exp.Table) -> Source:
        joins = node.args.get("joins") or []
        only(node, "this", "db", "catalog", "alias", "joins", "version")
        parts = [node.args.get(part) for part in ("catalog", "db", "this")]
        named = [part for part in parts if part is not None]
        if not named or not all(isinstance(part, exp.Identifier) for part in named):
            raise refused(node, "functions that give tables are not supported", hint="read from source.schema.table")
        lower = tuple(part.name.lower() for part in named)
        alias = node.args.get("alias")
        if len(lower) == 1 and lower[0] in self.named:
            if node.args.get("version") is not None:
                raise refused(node, "a query of WITH has no versions", hint="name the version of a dataset in it")
            source = self._named(node, self.named[lower[0]], lower[0])
        else:
            source = self._dataset(node, lower, alias)
        return self.of_joined(source, joins)

    def of_joined(self, source: Source, joins: list[exp.Expr]) -> Source:
        """Join what stands in one pair of parentheses."""
        if not joins:
            return source
        for join in joins:
            source = self._join(source, join, is_comma=False)
        return Source(f"({source.sql})", source.fields)

    def _dataset(self, node: exp.Table, lower: tuple[str, ...], alias: exp.Expr | None) -> Source:
        if len(lower) != 3 or not all(lower):
            near = nearest(lower[-1], self.named) if len(lower) == 1 else ""
            raise DatasetNotFound(
                f"dataset {shown('.'.join(lower))} was not found", hint=near or "write source.schema.table"
            )
        scan = self.statement.scan(node, TrinoName(*lower), version=version_of(node))
        self.scans.append(scan)
        fields = scan.fields((alias.name.lower(),) if alias is not None else lower)
        return Source(self.statement.later(scan), _renamed(fields, renamed(alias, len(fields))))

    def _named(self, node: exp.Table, named: Named, name: str) -> Source:
        named.is_used = True
        alias = node.args.get("alias")
        inner = self.statement.alias()
        qualifier = ((alias.name if alias is not None else name).lower(),)
        fields = named.rows.fields(inner, qualifier, renamed(alias, len(named.rows.outputs)) or named.renamed)
        return Source(f'"{named.relation}" AS "{inner}"', fields)

    def _subquery(self, node: exp.Subquery, left: list[Field] | None) -> Source:
        if isinstance(node.this, exp.Table | exp.Subquery) and not isinstance(node.this, exp.Query):
            # Parentheses around a join: no query of its own.
            only(node, "this", "joins")
            inner = self._one(node.this, left or [])
            return self.of_joined(inner, node.args.get("joins") or [])
        only(node, "this", "alias", "with_", "joins")
        if node.args.get("alias") is None and isinstance(node.this, exp.Subquery) and node.this.args.get("alias"):
            return self.of_joined(self._one(node.this, left or []), node.args.get("joins") or [])
        query = node.this if node.args.get("with_") is None else exp.Subquery(this=node.this, with_=node.args["with_"])
        return self.of_joined(self._query(query, node.args.get("alias"), left), node.args.get("joins") or [])

    def _query(self, query: exp.Expr, alias: exp.Expr | None, left: list[Field] | None) -> Source:
        parent = Scope(fields=left, parent=self.parent) if left is not None else None
        if isinstance(query, exp.Values):
            rows = self.statement.values(query, parent=None, named=self.named)
        else:
            rows = self.statement.query(query, parent=parent, named=self.named)
        inner = self.statement.alias()
        qualifier = (alias.name.lower(),) if alias is not None and alias.name else ()
        fields = rows.fields(inner, qualifier, renamed(alias, len(rows.outputs)))
        return Source(f'{"LATERAL " if left is not None else ""}({rows.sql}) AS "{inner}"', fields)

    def _unnest(self, node: exp.Unnest, left: list[Field]) -> Source:
        only(node, "expressions", "alias", "offset")
        if len(node.expressions) != 1:
            raise refused(node, "UNNEST of several arrays is not supported", hint="UNNEST one at a time")
        value = self.compiler(left, "in UNNEST").of(node.expressions[0])
        offset, alias = node.args.get("offset"), node.args.get("alias")
        inner = self.statement.alias()
        item = f'"{inner}"."x"'
        if value.type.name == "map":
            made = _parts(item, ("key", "value"), value.type.items)
            array = f"map_entries({value.sql})"
        elif value.type.name == "array" and value.type.items[0].name != "row":
            made, array = [Typed(item, value.type.items[0])], value.sql
        elif value.type.name == "array":
            row = value.type.items[0]
            names = [name if name is not None else f"field{at}" for at, name in enumerate(row.fields)]
            made, array = _parts(item, names, row.items), value.sql
        else:
            raise invalid(node, f"UNNEST takes an array or a map, and this is {value.type}")
        if offset:
            made.append(Typed(f'"{inner}"."n"', BIGINT))
        given = [column.name for column in (alias.args.get("columns") or [])] if alias is not None else []
        given += [offset.name] if isinstance(offset, exp.Identifier) and given else []
        if given and len(given) != len(made):
            raise invalid(node, f"the alias names {len(given)} columns, and there are {len(made)}")
        names = given or [""] * len(made)
        qualifier = (alias.name.lower(),) if alias is not None and alias.name else ()
        fields = [
            Field(name=name.lower(), shown=name, value=each, qualifier=qualifier)
            for name, each in zip(names, made, strict=True)
        ]
        numbered = (" WITH ORDINALITY", '("x", "n")') if offset else ("", '("x")')
        return Source(f'UNNEST({array}){numbered[0]} AS "{inner}"{numbered[1]}', fields)

    def _join(self, left: Source, join: exp.Expr, *, is_comma: bool) -> Source:
        only(join, "this", "kind", "side", "on", "using")
        side, kind = str(join.args.get("side") or "").upper(), str(join.args.get("kind") or "").upper()
        if side not in ("", "LEFT", "RIGHT", "FULL") or kind not in _KINDS:
            raise refused(join, f"a {' '.join(filter(None, (side, kind)))} JOIN is not supported")
        before = len(self.scans)
        right = self._one(join.this, left.fields)
        if side == "LEFT":
            self.nullable |= {scan.number for scan in self.scans[before:]}
        elif side:
            self.is_one_way = False
        both = left.fields + right.fields
        on, using = join.args.get("on"), join.args.get("using")
        if is_comma or kind == "CROSS":
            if on is not None or using:
                raise invalid(join, "a CROSS JOIN has no condition")
            return Source(f"{left.sql} CROSS JOIN {right.sql}", both)
        word = f"{side or 'INNER'} JOIN"
        if using:
            return self._using(left, right, using, word)
        if on is None:
            raise invalid(join, "a JOIN needs a condition", hint="JOIN ... ON a.x = b.x, or CROSS JOIN")
        is_outer_unnest = isinstance(join.this, exp.Unnest | exp.Lateral) and side
        if is_outer_unnest and (side != "LEFT" or not (isinstance(on, exp.Boolean) and on.this)):
            raise refused(join, "UNNEST and LATERAL join with CROSS JOIN or LEFT JOIN ... ON TRUE")
        test = self.compiler(both, "in ON").boolean(on)
        if not side:
            self.conditions.append(on)
        elif side == "LEFT" and isinstance(join.this, exp.Table):
            self.matches.append((on, left.fields, right.fields))
        return Source(f"{left.sql} {word} {right.sql} ON {test.sql}", both)

    def _using(self, left: Source, right: Source, using: list[exp.Expr], word: str) -> Source:
        merged: list[Field] = []
        tests: list[str] = []
        gone: list[Field] = []
        for identifier in using:
            one, two = (_sole(source.fields, identifier) for source in (left, right))
            tests.append(equal(identifier, one.value, two.value).sql)
            kind = common(one.value.type, two.value.type)
            values = [coerce(each.value, kind) for each in (one, two)] if kind is not None else []
            whole = [each for each in values if each is not None]
            if kind is None or len(whole) != 2:
                raise invalid(identifier, "the columns of USING have different types", hint="JOIN ... ON with a CAST")
            for each in (one, two):
                if each.key is not None:
                    self.statement.uses.add(each.key)
            joined = {"RIGHT JOIN": whole[1].sql, "FULL JOIN": f"coalesce({whole[0].sql}, {whole[1].sql})"}
            value = Typed(joined.get(word, whole[0].sql), kind)
            is_left = word in ("INNER JOIN", "LEFT JOIN") and value == one.value
            known = one if is_left else Field(name="", shown="", value=value)
            merged.append(replace(known, name=one.name, shown=one.shown, qualifier=()))
            if is_left:
                self.equal += [(one, two), (two, one)] if word == "INNER JOIN" else [(one, two)]
            gone += [one, two]
        kept = [each for each in left.fields + right.fields if not any(each is other for other in gone)]
        return Source(f"{left.sql} {word} {right.sql} ON {' AND '.join(tests)}", merged + kept)


def _renamed(fields: list[Field], names: tuple[str, ...]) -> list[Field]:
    if not names:
        return fields
    return [replace(each, name=name.lower(), shown=name) for each, name in zip(fields, names, strict=True)]


def _parts(item: str, names: Sequence[str], kinds: Sequence[TrinoType]) -> list[Typed]:
    """Take a row apart: Trino's UNNEST makes a column of each of its fields."""
    return [Typed(f"struct_extract({item}, {text(name)})", kind) for name, kind in zip(names, kinds, strict=True)]


def _sole(fields: list[Field], identifier: exp.Expr) -> Field:
    found = [each for each in fields if each.name == identifier.name.lower()]
    if len(found) != 1:
        fact = "is ambiguous" if found else "is not there"
        near = nearest(identifier.name, {each.name for each in fields if each.name})
        raise invalid(identifier, f"column {shown(identifier.name)!r} of USING {fact}", hint=near if not found else "")
    return found[0]
