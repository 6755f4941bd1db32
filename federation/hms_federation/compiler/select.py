"""SELECT: its clauses in the order in which they mean something, not in that in which they are written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlglot import exp

from hms_federation.compiler.expressions import Expressions
from hms_federation.compiler.key_lists import Joined, column
from hms_federation.compiler.pushdown import Pushdown
from hms_federation.compiler.refusals import invalid, only, refused, shown
from hms_federation.compiler.rows import Output, Rows
from hms_federation.compiler.scope import Field, Scope, identifiers
from hms_federation.compiler.semantics.aggregates import check_order, sorted_by
from hms_federation.compiler.semantics.types import UNKNOWN, Typed
from hms_federation.compiler.sources import Source, Sources
from hms_federation.compiler.tail import limit_of, limits, ordinal
from hms_federation.compiler.uses import Uses

if TYPE_CHECKING:
    from hms_federation.compiler.statement import Named, Statement

_CLAUSES = (
    "with_", "expressions", "from_", "joins", "where", "group", "having", "order", "limit", "offset", "distinct",
    "windows",
)  # fmt: skip
_MAX_COLUMNS = 5_000


def select(statement: Statement, node: exp.Select, *, parent: Scope | None, named: Mapping[str, Named]) -> Rows:
    """Compile one SELECT."""
    only(node, *_CLAUSES)
    if not node.expressions:
        raise invalid(node, "a SELECT needs columns", hint="SELECT * FROM ...")
    return _Select(statement, node, parent, named).rows()


@dataclass(slots=True)
class _Item:
    """One column of the answer: a node, or a column that `*` stands for."""

    name: str
    node: exp.Expr | None = None
    field: Field | None = None


class _Select:
    def __init__(
        self, statement: Statement, node: exp.Select, parent: Scope | None, named: Mapping[str, Named]
    ) -> None:
        self.statement = statement
        self.node = node
        self.sources = Sources(statement=statement, named=named, parent=parent)
        self.number = statement.uses.fresh()
        source = node.args.get("from_")
        if source is not None:
            only(source, "this")
        self.source = (
            self.sources.of(source.this, node.args.get("joins") or []) if source is not None else Source("", [])
        )
        self.compiler = self.sources.compiler(self.source.fields, "in SELECT")
        self.compiler.windows = {window.name.lower(): window for window in node.args.get("windows") or []}
        self.free: list[dict[str, exp.Expr]] = []
        self.has_window = any(each.find(exp.Window) for each in node.expressions)

    def rows(self) -> Rows:
        """Compile the clauses: WHERE, GROUP BY, HAVING, the columns, ORDER BY, LIMIT."""
        where = self._where()
        items = self._items()
        group = self._group(items)
        values = [self._value(at, item) for at, item in enumerate(items)]
        having = self._having()
        outputs = tuple(Output(name=item.name, type=value.type) for item, value in zip(items, values, strict=True))
        rows = Rows(sql="", number=self.number, outputs=outputs)
        order = self._order(rows, values)
        self._check_grouping(rows, has_group=bool(group))
        self._push(items, has_tail=bool(where or group or having or order))
        listed = ", ".join(
            self.statement.item(self.number, at, value.sql, value.type) for at, value in enumerate(values)
        )
        distinct = "DISTINCT " if self._is_distinct() else ""
        source = f" FROM {self.source.sql}" if self.source.sql else ""
        sql = f"SELECT {distinct}{listed}{source}{where}{group}{having}{order}{limits(self.node)}"
        return Rows(sql=sql, number=self.number, outputs=outputs)

    def _is_distinct(self) -> bool:
        distinct = self.node.args.get("distinct")
        if distinct is not None:
            only(distinct)
        return distinct is not None

    def _where(self) -> str:
        where = self.node.args.get("where")
        if where is None:
            return ""
        self.compiler.clause = "in WHERE"
        sql = self.compiler.boolean(where.this).sql
        self.compiler.scope.free.clear()
        return f" WHERE {sql}"

    def _items(self) -> list[_Item]:
        items: list[_Item] = []
        for node in self.node.expressions:
            if isinstance(node, exp.Star) or (isinstance(node, exp.Column) and isinstance(node.this, exp.Star)):
                items += self._star(node)
            elif isinstance(node, exp.Alias):
                only(node, "this", "alias")
                items.append(_Item(node.alias, node.this))
            else:
                parts = identifiers(node)
                items.append(_Item(parts[-1].name if parts else "", node))
            if len(items) > _MAX_COLUMNS:
                raise refused(node, f"a SELECT has more than {_MAX_COLUMNS} columns", hint="name those that you need")
        self.statement.widen(node=self.node, columns=len(items))
        return items

    def _star(self, node: exp.Expr) -> list[_Item]:
        only(node.this if isinstance(node, exp.Column) else node)
        parts = [node.args.get(part) for part in ("catalog", "db", "table")] if isinstance(node, exp.Column) else []
        qualifier = [part.name.lower() for part in parts if part is not None]
        found = [each for each in self.source.fields if each.answers_to(qualifier)]
        if not found:
            if qualifier:
                raise invalid(node, f"{shown('.'.join(qualifier))!r} is not there", hint="write the alias of a table")
            raise invalid(node, "* needs a FROM", hint="SELECT * FROM source.schema.table")
        return [_Item(each.shown, field=each) for each in found]

    def _value(self, at: int, item: _Item) -> Typed:
        self.compiler.clause, self.compiler.may_aggregate, self.compiler.may_window = "in SELECT", True, True
        with self.statement.uses.of(("output", self.number, at)):
            if item.field is None:
                assert item.node is not None
                value = self.compiler.of(item.node)
            else:
                value = item.field.value
                if item.field.key is not None:
                    self.statement.uses.add(item.field.key)
                if value.sql not in self.compiler.groups:
                    self.compiler.scope.free[value.sql] = exp.to_identifier(item.name)
        self._free()
        return value

    def _free(self) -> None:
        self.free.append(dict(self.compiler.scope.free))
        self.compiler.scope.free.clear()

    def _group(self, items: list[_Item]) -> str:
        group = self.node.args.get("group")
        if group is None:
            return ""
        only(group, "expressions")
        self.compiler.clause = "in GROUP BY"
        texts: list[str] = []
        written = [self._grouping_term(term, items, texts) for term in group.expressions]
        self.compiler.groups = frozenset(texts)
        self.compiler.scope.free.clear()
        return f" GROUP BY {', '.join(written)}" if written else " GROUP BY ()"

    def _grouping_term(self, term: exp.Expr, items: list[_Item], texts: list[str]) -> str:
        for kind, word in ((exp.GroupingSets, "GROUPING SETS"), (exp.Rollup, "ROLLUP"), (exp.Cube, "CUBE")):
            if isinstance(term, kind):
                only(term, "expressions")
                return f"{word} ({', '.join(self._grouping_set(each, texts) for each in term.expressions)})"
        if isinstance(term, exp.Tuple):
            return ", ".join(self._grouping_term(each, items, texts) for each in term.expressions)
        term = term.unnest()
        if isinstance(term, exp.Literal) and not term.args.get("is_string"):
            at = ordinal(term, [Output(name=item.name, type=UNKNOWN) for item in items])
            assert at is not None
            item = items[at]
            if item.field is not None:
                if item.field.key is not None:
                    self.statement.uses.add(item.field.key)
                texts.append(item.field.value.sql)
                return texts[-1]
            assert item.node is not None
            term = item.node
        if term.find(exp.Query) is not None:
            raise refused(term, "a subquery cannot stand in GROUP BY", hint="compute it in a subquery first")
        texts.append(self.compiler.of(term).sql)
        return texts[-1]

    def _grouping_set(self, node: exp.Expr, texts: list[str]) -> str:
        columns = node.expressions if isinstance(node, exp.Tuple) else [node.unnest()]
        if not all(isinstance(column, exp.Column) for column in columns):
            raise refused(node, "only columns can stand in GROUPING SETS, ROLLUP and CUBE")
        made = [self.compiler.of(column).sql for column in columns]
        texts += made
        return f"({', '.join(made)})"

    def _having(self) -> str:
        having = self.node.args.get("having")
        if having is None:
            return ""
        self.compiler.clause, self.compiler.may_window = "in HAVING", False
        sql = self.compiler.boolean(having.this).sql
        self.compiler.has_aggregates = True
        self._free()
        return f" HAVING {sql}"

    def _order(self, rows: Rows, values: list[Typed]) -> str:
        order = self.node.args.get("order")
        if order is None:
            return ""
        only(order, "expressions")
        self.compiler.clause, self.compiler.may_window = "in ORDER BY", True
        self.compiler.aliases = self._aliases(rows, values)
        terms = []
        for term in order.expressions:
            only(term, "this", "desc", "nulls_first")
            at = ordinal(term.this, rows.outputs) if not self._is_same(term.this, rows, values) else None
            value = values[at] if at is not None else self.compiler.of(term.this)
            if at is None and value.sql in [each.sql for each in values]:
                at = [each.sql for each in values].index(value.sql)
            if at is None and self._is_distinct():
                raise invalid(term, "with SELECT DISTINCT, ORDER BY names columns of the answer")
            check_order(term, value.type)
            if at is not None:
                self.statement.uses.add(rows.key(at))
            place = str(at + 1) if at is not None else ""
            terms.append(sorted_by(term, value.sql, value.type, place=place))
        self._free()
        return f" ORDER BY {', '.join(terms)}"

    def _is_same(self, node: exp.Expr, rows: Rows, values: list[Typed]) -> bool:
        """Return whether a name means several outputs that are one value: `SELECT *, x ... ORDER BY x`."""
        if not isinstance(node, exp.Column) or node.args.get("table"):
            return False
        texts = [
            value.sql
            for output, value in zip(rows.outputs, values, strict=True)
            if output.name.lower() == node.name.lower()
        ]
        return len(texts) > 1 and len(set(texts)) == 1

    def _aliases(self, rows: Rows, values: list[Typed]) -> dict[str, Typed]:
        aliases: dict[str, Typed] = {}
        for output, value in zip(rows.outputs, values, strict=True):
            if output.name:
                aliases[output.name.lower()] = value
        return aliases

    def _check_grouping(self, rows: Rows, *, has_group: bool) -> None:
        if not has_group and not self.compiler.has_aggregates:
            if self._is_distinct():
                for at in range(len(rows.outputs)):
                    self.statement.uses.add(rows.key(at))
            return
        for free in self.free:
            for node in free.values():
                raise invalid(
                    node,
                    f"{shown(node.name)!r} must be in GROUP BY or in an aggregate",
                    hint="add it to GROUP BY, or write any_value(...)",
                )
        if not has_group or self._is_distinct():
            # Without an aggregate in it, an ungrouped SELECT would give a row for each row.
            for at in range(len(rows.outputs)):
                self.statement.uses.add(rows.key(at))

    def _push(self, items: list[_Item], *, has_tail: bool) -> None:
        """Hand the sources what they may be asked for."""
        numbers = {scan.number: scan for scan in self.sources.scans}
        pushdown = Pushdown(self.source.fields, Expressions(Scope(fields=[]), uses=Uses()).of)
        where = self.node.args.get("where")
        conditions = [*self.sources.conditions, *([where.this] if where is not None else [])]
        if self.sources.is_one_way:
            for condition in conditions:
                for number, conjunct in pushdown.of(condition):
                    if number in numbers and number not in self.sources.nullable:
                        numbers[number].predicate.append(conjunct)
            self._join(items, conditions)
        self._push_limit(has_tail=has_tail)

    def _join(self, items: list[_Item], conditions: list[exp.Expr]) -> None:
        has_more = any(self.node.args.get(clause) for clause in ("group", "having", "limit", "offset"))
        one = items[0] if len(items) == 1 else _Item("")
        joined = Joined(
            fields=self.source.fields,
            nullable=frozenset(self.sources.nullable),
            conditions=conditions,
            equal=self.sources.equal,
            matches=self.sources.matches,
            is_plain=not (has_more or self.has_window or self.compiler.has_aggregates),
            output=column(one.node, self.source.fields) if one.node is not None else one.field,
        )
        self.statement.key_lists.learn(self.node, joined)

    def _push_limit(self, *, has_tail: bool) -> None:
        source = self.node.args.get("from_")
        is_plain = source is not None and isinstance(source.this, exp.Table) and not self.node.args.get("joins")
        limit, offset = limit_of(self.node)
        if limit is None or has_tail or not is_plain or len(self.sources.scans) != 1 or self._is_distinct():
            return
        scan = self.sources.scans[0]
        is_table = self.source.sql == self.statement.later(scan)
        if is_table and not self.has_window and not self.compiler.has_aggregates and not scan.decision.row_filters:
            scan.limit = limit + offset
