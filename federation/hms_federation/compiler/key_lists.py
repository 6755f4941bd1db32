"""Key lists: which scan may be asked only for rows that have one of another scan's keys, instead of for all its rows.

What is looked for are equalities that every row of an answer fulfils. `big.k = small.k` in a WHERE or in the ON of an
inner join is one: a row of `big` whose `k` no row of `small` has is in no answer. So is that of a left join, from
left to right; and that of IN and EXISTS with a subquery. With a RIGHT or FULL JOIN in the FROM nothing is looked for.

A list is a hint, like every predicate that is pushed: the join itself stays in the query. What leaves a store with a
list, and when that is allowed, is docs/decisions/0007.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlglot import exp

from hms_federation.compiler.expressions import Expressions
from hms_federation.compiler.scope import Field, Scope, identifiers
from hms_federation.compiler.semantics.conditions import conjuncts
from hms_federation.compiler.semantics.types import INTEGERS, TIMESTAMP, duckdb
from hms_federation.compiler.telling import may_be_told
from hms_federation.compiler.uses import Uses
from hms_federation.plan import MOST_KEYS, KeyList
from hms_registry.domain.names import always_quoted
from hms_registry.domain.predicates import Operator
from hms_registry.errors import SqlInvalid, SqlRefused
from hms_registry.services.trino_types import TrinoType

if TYPE_CHECKING:
    from hms_federation.compiler.governed import GovernedScan

_SMALL_ROWS = 200_000
_LARGE_ROWS = 10_000
_UNKNOWN_ROWS = 1_000_000
_ROW_BYTES = 50
_POINTS = frozenset({Operator.EQ, Operator.IN, Operator.IS_NULL})
_EXACT_NUMBERS = frozenset({*INTEGERS, "decimal"})
_SAME_EVERYWHERE = frozenset({"varchar", "date", "uuid", TIMESTAMP})

Node = tuple[int, str]
"""A column of a scan: the scan's number, and the column's byte-exact name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """The FROM and WHERE of one SELECT.

    Attributes:
        fields: all columns of its FROM.
        nullable: numbers of the scans that a left join fills up with NULLs.
        conditions: WHERE, and the ON of inner joins.
        equal: pairs of columns, the first of which may give the keys of the second.
        matches: of left joins: condition, columns on the left, columns of the one dataset on the right.
        is_plain: nothing stands between these rows and those of the SELECT: no GROUP BY, no aggregate, no LIMIT.
        output: the only column that it gives, if that is a column of its FROM.
    """

    fields: list[Field]
    nullable: frozenset[int]
    conditions: list[exp.Expr]
    equal: list[tuple[Field, Field]]
    matches: list[tuple[exp.Expr, list[Field], list[Field]]]
    is_plain: bool
    output: Field | None


@dataclass(frozen=True, slots=True)
class _Term:
    """A condition on one scan alone: DuckDB's text, the columns (lower-case) that it reads, and whether it *binds*:
    each of its rows in an answer fulfils it. Of what a left join fills up it may look for what was filled in."""

    sql: str
    reads: frozenset[str]
    binds: bool


@dataclass(slots=True)
class KeyLists:
    """What the joins of one statement tell."""

    _joined: dict[int, Joined] = field(default_factory=dict)
    _fields: dict[Node, Field] = field(default_factory=dict)
    _edges: defaultdict[Node, set[Node]] = field(default_factory=lambda: defaultdict(set))
    _terms: defaultdict[int, list[_Term]] = field(default_factory=lambda: defaultdict(list))

    def learn(self, node: exp.Select, joined: Joined) -> None:
        """Take note of a SELECT whose FROM has no RIGHT or FULL JOIN."""
        self._joined[id(node)] = joined

    def planned(self, scans: Sequence[GovernedScan], *, sql: Callable[[GovernedScan], str]) -> tuple[KeyList, ...]:
        """Return the lists that are worth their while, each scan a target before it is a feeder.

        Args:
            scans: those that the statement reads in the end.
            sql: writes a scan for FROM.
        """
        if len(scans) < 2:
            return ()
        for joined in self._joined.values():
            self._read(joined)
        known = {scan.number: scan for scan in scans}
        made_of: defaultdict[int, set[Node]] = defaultdict(set)
        rows = {scan.number: _rows(scan, has_terms=bool(self._terms[scan.number])) for scan in scans}
        lists: list[KeyList] = []
        while rows:
            # The smallest first: it may make another one small.
            number = min(rows, key=lambda each: (rows[each], each))
            count = rows.pop(number)
            if count > _SMALL_ROWS:
                break
            for one, other in self._pairs(number, rows):
                if rows[other[0]] < max(_LARGE_ROWS, 2 * count):
                    continue
                told, asked = {*made_of[number], *self._chosen_by(known[number]), one}, known[other[0]]
                may = all(may_be_told(known[held].dataset, name, asked.dataset) for held, name in told)
                if may and self._is_exact(one, other):
                    lists.append(self._list(known[number], one, asked, other, sql))
                    made_of[other[0]] |= told
            for target in made_of.keys() & rows.keys():
                rows[target] = min(rows[target], 10 * count)
        return tuple(lists)

    def _pairs(self, number: int, waiting: Mapping[int, object]) -> Iterator[tuple[Node, Node]]:
        """Yield each column of a scan with each column of another that must be equal to it, directly or by others."""
        for start in sorted(each for each in self._fields if each[0] == number):
            seen, found = {start}, [start]
            for node in found:
                found += sorted(self._edges[node] - seen)
                seen |= self._edges[node]
            yield from ((start, node) for node in found if node[0] != number and node[0] in waiting)

    def _chosen_by(self, scan: GovernedScan) -> set[Node]:
        """Return the columns that choose which rows of a scan there are: by the policy, and by the query."""
        names = scan.exact_names(set().union(*(term.reads for term in self._terms[scan.number])))
        return {(scan.number, name) for name in names | scan.filter_columns()}

    def _is_exact(self, one: Node, other: Node) -> bool:
        return _is_exact(self._fields[one].value.type, self._fields[other].value.type)

    def _list(
        self, feeder: GovernedScan, one: Node, target: GovernedScan, other: Node, sql: Callable[[GovernedScan], str]
    ) -> KeyList:
        key, column = self._fields[one], self._fields[other]
        assert key.origin is not None
        assert column.origin is not None
        where = " AND ".join(term.sql for term in self._terms[feeder.number])
        item = f"TRY_CAST({key.value.sql} AS {duckdb(column.value.type)})"
        # Under the target's own names, so that what the query asks of this column of it leaves keys out.
        name = {column.origin.column.name}
        asked = [term for term in self._terms[target.number] if term.binds and target.exact_names(term.reads) == name]
        alias, known = always_quoted(target.alias), always_quoted(min(asked[0].reads) if asked else "k")
        those = " AND ".join([f"{alias}.{known} IS NOT NULL", *(term.sql for term in asked)])
        inner = f"SELECT {item} AS {known} FROM {sql(feeder)}" + (f" WHERE {where}" if where else "")  # noqa: S608  # compiled parts
        return KeyList(
            feeder=feeder.relation,
            target=target.relation,
            key=key.origin.column.path,
            column=column.origin.column.path,
            sql=f'SELECT DISTINCT {known} AS "k" FROM ({inner}) AS {alias} WHERE {those} LIMIT {MOST_KEYS + 1}',  # noqa: S608  # likewise
        )

    def _read(self, joined: Joined) -> None:
        for one, other in joined.equal:
            self._edge(one, other)
        for on, left, right in joined.matches:
            for term in conjuncts(on):
                if isinstance(term, exp.EQ):
                    for one, other in _sides(term, left, right):
                        self._edge(one, other)
        for condition in joined.conditions:
            for term in conjuncts(condition):
                self._term(term, joined)

    def _term(self, term: exp.Expr, joined: Joined) -> None:
        pair = next(_sides(term, joined.fields, joined.fields), None) if isinstance(term, exp.EQ) else None
        if pair is not None and _scan_of(pair[0]) != _scan_of(pair[1]):
            self._edge_unless_filled(pair[0], pair[1], joined.nullable)
            self._edge_unless_filled(pair[1], pair[0], joined.nullable)
        elif isinstance(term, exp.In) and term.args.get("query") is not None:
            inner, outer = self._plain(term.args["query"]), column(term.this, joined.fields)
            if inner is not None and inner.output is not None and outer is not None:
                self._edge_unless_filled(outer, inner.output, inner.nullable)
                self._edge_unless_filled(inner.output, outer, joined.nullable)
        elif isinstance(term, exp.Exists):
            self._exists(term, joined)
        elif term.find(exp.Query) is None:
            self._own(term, joined)

    def _exists(self, term: exp.Exists, joined: Joined) -> None:
        inner = self._plain(term.this)
        if inner is None:
            return
        for condition in inner.conditions:
            for each in conjuncts(condition):
                if isinstance(each, exp.EQ):
                    for one, other in _sides(each, inner.fields, joined.fields, hiding=inner.fields):
                        self._edge_unless_filled(one, other, joined.nullable)
                        self._edge_unless_filled(other, one, inner.nullable)

    def _plain(self, query: exp.Expr) -> Joined | None:
        query = query.this if isinstance(query, exp.Subquery) else query
        found = self._joined.get(id(query))
        return found if found is not None and found.is_plain else None

    def _own(self, term: exp.Expr, joined: Joined) -> None:
        """Take note of a condition if it is on one scan alone, and the same whenever it is evaluated."""
        compiler = Expressions(Scope(fields=joined.fields), uses=Uses())
        compiler.clause = "in WHERE"
        try:
            sql = compiler.boolean(term).sql
        except (SqlInvalid, SqlRefused):
            return  # it names a column of a query around this one
        used = set(compiler.scope.free)
        keys = {each.key for each in joined.fields if each.value.sql in used}
        scans = {key[1] for key in keys if key is not None and key[0] == "column"}
        if (
            len(scans) == 1
            and None not in keys
            and all(key[0] == "column" for key in keys if key)
            and "now()" not in sql
        ):
            number = scans.pop()
            assert isinstance(number, int)
            reads = frozenset(str(key[2]) for key in keys if key)
            self._terms[number].append(_Term(sql, reads, binds=number not in joined.nullable))

    def _edge_unless_filled(self, one: Field, other: Field, nullable: frozenset[int]) -> None:
        if other.origin is not None and other.origin.scan not in nullable:
            self._edge(one, other)

    def _edge(self, one: Field, other: Field) -> None:
        if one.origin is None or other.origin is None or one.origin.scan == other.origin.scan:
            return
        nodes = [(each.origin.scan, each.origin.column.name) for each in (one, other) if each.origin is not None]
        self._fields |= dict(zip(nodes, (one, other), strict=True))
        self._edges[nodes[0]].add(nodes[1])


def _scan_of(field: Field) -> int:
    assert field.origin is not None
    return field.origin.scan


def _sides(
    term: exp.EQ, ones: list[Field], others: list[Field], *, hiding: Sequence[Field] = ()
) -> Iterator[tuple[Field, Field]]:
    """Yield the columns on the two sides, one of each list; a name of one of *hiding* is none of *others*."""
    left, right = term.this, term.args["expression"]
    for first, second in ((left, right), (right, left)):
        one, other = column(first, ones), column(second, others, hiding=hiding)
        if one is not None and other is not None:
            yield one, other
            return


def column(node: exp.Expr, fields: Sequence[Field], *, hiding: Sequence[Field] = ()) -> Field | None:
    """Return the column, as it is in its source, that a node names."""
    node = node.unnest()
    parts = identifiers(node) if isinstance(node, exp.Column) else None
    if not parts:
        return None
    names = [part.name.lower() for part in parts]
    for length in range(1, len(names) + 1):
        *before, last = names[:length]
        if any(each.name == last and each.answers_to(before) for each in hiding):
            return None
    *qualifier, name = names
    found = [each for each in fields if each.name == name and each.answers_to(qualifier)]
    return found[0] if len(found) == 1 and found[0].origin is not None else None


def _is_exact(one: TrinoType, other: TrinoType) -> bool:
    """Say whether equal means the same for both types in every store. Floats and padded text are not among them."""
    names = {one.name, other.name}
    if names <= _EXACT_NUMBERS:
        return True
    is_fine = one.name != TIMESTAMP or max(*one.params, *other.params) <= 6
    return len(names) == 1 and names <= _SAME_EVERYWHERE and is_fine


def _rows(scan: GovernedScan, *, has_terms: bool) -> int:
    """Guess how many rows a scan gives."""
    seen = scan.dataset.observation
    if seen.row_count is not None:
        rows = seen.row_count
    else:
        rows = seen.size_bytes // _ROW_BYTES if seen.size_bytes is not None else _UNKNOWN_ROWS
    if any(conjunct.operator in _POINTS for conjunct in scan.predicate):
        return rows // 100
    return rows // 10 if has_terms or scan.predicate else rows
