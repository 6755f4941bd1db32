"""The statement: what all parts of one query share, and the ways that queries are made of queries."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from sqlglot import exp

from hms_federation.compiler.governed import GovernedScan, MaskSql
from hms_federation.compiler.key_lists import KeyLists
from hms_federation.compiler.refusals import invalid, only, refused
from hms_federation.compiler.rows import Output, Rows
from hms_federation.compiler.scope import Key, Scope
from hms_federation.compiler.semantics.aggregates import check_order, sorted_by
from hms_federation.compiler.semantics.types import common, duckdb
from hms_federation.compiler.tail import limits, ordinal
from hms_federation.compiler.uses import Uses
from hms_registry.domain.datasets import Dataset
from hms_registry.domain.decisions import Decision
from hms_registry.domain.names import TrinoName
from hms_registry.errors import AccessDenied, DatasetNotFound
from hms_registry.services.trino_types import TrinoType

Resolve = Callable[[TrinoName], Dataset]
Decide = Callable[[Dataset], Decision]

_MAX_SQL = 2_000_000
# What is known only when the whole statement is: which columns are used. A hostile owner may name a column as they
# like, so a mark holds both quotes: in a name one of them is doubled, in a text the other, and neither can be a mark.
_LATER = re.compile("\x01'\"(\\d+):(\\d+)\x01|\x03'\"(\\d+)\x03")
# Each query of WITH may double the columns of the one before it, and each reference to a dataset compiles its policy.
_MAX_COLUMNS = 50_000
_MAX_SCANS = 200
_SETS: Mapping[type[exp.Expr], str] = {exp.Union: "UNION", exp.Intersect: "INTERSECT", exp.Except: "EXCEPT"}


@dataclass(slots=True, kw_only=True)
class Named:
    """A query of WITH. *relation* is its name in DuckDB's text: never the one it was given."""

    relation: str
    rows: Rows
    renamed: tuple[str, ...]
    is_used: bool = False


@dataclass(slots=True, kw_only=True)
class Statement:
    """What all parts of one query share.

    Attributes:
        scans: every reference to a dataset, in the order in which it was met.
        tables: the node of each, for the governed text.
        columns: how many all its queries have together.
        key_lists: what its joins tell of scans that can narrow one another.
    """

    resolve: Resolve
    decide: Decide
    mask_sql: MaskSql
    uses: Uses = field(default_factory=Uses)
    scans: list[GovernedScan] = field(default_factory=list)
    tables: list[tuple[exp.Table, GovernedScan]] = field(default_factory=list)
    items: dict[tuple[int, int], tuple[str, TrinoType]] = field(default_factory=dict)
    known: dict[TrinoName, tuple[Dataset, Decision]] = field(default_factory=dict)
    columns: int = 0
    key_lists: KeyLists = field(default_factory=KeyLists)

    def widen(self, *, node: exp.Expr, columns: int) -> None:
        """Count the columns of one more query.

        Raises:
            SqlRefused: they are too many to plan in a process that others wait for.
        """
        self.columns += columns
        if self.columns > _MAX_COLUMNS:
            raise refused(node, f"the query computes more than {_MAX_COLUMNS} columns", hint="name those that you need")

    def scan(self, node: exp.Table, name: TrinoName, *, version: int | None) -> GovernedScan:
        """Open one reference to a dataset, under its policy.

        Raises:
            DatasetNotFound: it is not there, or the asker may not know that it is.
            AccessDenied: the asker may find it and not read it.
            PolicyInvalid: its filters or masks cannot be applied.
            VersionNotFound, VersionNotReadable: it is not there as of that version.
        """
        if name not in self.known:
            dataset = self.resolve(name)
            decision = self.decide(dataset)
            _check_may_read(name, dataset, decision)
            self.known[name] = dataset, decision
        if len(self.scans) >= _MAX_SCANS:
            raise refused(node, f"the query reads more than {_MAX_SCANS} datasets", hint="read them in several queries")
        dataset, decision = self.known[name]
        scan = GovernedScan(
            number=len(self.scans) + 1,
            dataset=dataset,
            decision=decision,
            alias=self.alias(),
            mask_sql=self.mask_sql,
            version=version,
        )
        self.scans.append(scan)
        self.tables.append((node, scan))
        return scan

    def alias(self) -> str:
        """Return a name for a source that no other source has: the names of the query never reach DuckDB."""
        return f"t{self.uses.fresh()}"

    def query(self, node: exp.Expr, *, parent: Scope | None, named: Mapping[str, Named]) -> Rows:
        """Compile a query."""
        from hms_federation.compiler.select import select

        if isinstance(node, exp.Subquery):
            only(node, "this", "with_")
            if node.args.get("with_") is None:
                return self.query(node.this, parent=parent, named=named)
        with self.uses.always():
            named, local = self._with(node, named)
            if isinstance(node, exp.Subquery):
                rows = self.query(node.this, parent=parent, named=named)
            elif isinstance(node, exp.Select):
                rows = select(self, node, parent=parent, named=named)
            elif type(node) in _SETS:
                rows = self._set(node, parent=parent, named=named)
            elif isinstance(node, exp.Values):
                rows = self.values(node, parent=parent, named=named)
            else:
                raise refused(node, "this is not a query")
        definitions = [f'"{each.relation}" AS ({each.rows.sql})' for each in local if each.is_used]
        if not definitions:
            return rows
        return Rows(sql=f"WITH {', '.join(definitions)} {rows.sql}", number=rows.number, outputs=rows.outputs)

    def _with(self, node: exp.Expr, named: Mapping[str, Named]) -> tuple[Mapping[str, Named], list[Named]]:
        clause = node.args.get("with_")
        if clause is None:
            return named, []
        if clause.args.get("recursive"):
            raise refused(clause, "WITH RECURSIVE is not supported", hint="run it on Trino")
        only(clause, "expressions")
        known, local, seen = dict(named), [], set()
        for each in clause.expressions:
            only(each, "this", "alias")
            alias = each.args["alias"]
            name = alias.name.lower()
            if name in seen:
                raise invalid(alias.this, f"WITH names {name} twice")
            seen.add(name)
            rows = self.query(each.this, parent=None, named=known)
            one = Named(relation=f"__cte_{self.uses.fresh()}", rows=rows, renamed=renamed(alias, len(rows.outputs)))
            known[name] = one
            local.append(one)
        return known, local

    def item(self, number: int, at: int, sql: str, kind: TrinoType) -> str:
        """Put an output of a query into its text: itself if it is used in the end, else NULL."""
        self.items[number, at] = sql, kind
        return f"\x01'\"{number}:{at}\x01"

    def later(self, scan: GovernedScan) -> str:
        """Put a scan into the text: what it selects is known in the end."""
        return f"\x03'\"{scan.number}\x03"

    def render(self, sql: str, reached: set[Key]) -> tuple[str, list[GovernedScan]]:
        """Fill in what was left open, and tell which scans are in the text."""
        met: dict[int, GovernedScan] = {}

        def fill(match: re.Match[str]) -> str:
            if match[3] is not None:
                scan = met.setdefault(int(match[3]), self.scans[int(match[3]) - 1])
                return scan.sql(reached)
            number, at = int(match[1]), int(match[2])
            text, kind = self.items[number, at]
            if ("output", number, at) not in reached:
                text = f"CAST(NULL AS {duckdb(kind)})"
            return f'{_LATER.sub(fill, text)} AS "c{at + 1}"'

        filled = _LATER.sub(fill, sql)
        if len(filled) > _MAX_SQL:
            raise refused(None, "the query is too complicated", hint="split it")
        return filled, [met[number] for number in sorted(met)]

    def _set(self, node: exp.Expr, *, parent: Scope | None, named: Mapping[str, Named]) -> Rows:
        only(node, "this", "expression", "distinct", "with_", "order", "limit", "offset")
        left = self.query(node.this, parent=parent, named=named)
        right = self.query(node.args["expression"], parent=parent, named=named)
        word = _SETS[type(node)]
        if len(left.outputs) != len(right.outputs):
            raise invalid(node, f"the sides of {word} have {len(left.outputs)} and {len(right.outputs)} columns")
        kinds = []
        for one, two in zip(left.outputs, right.outputs, strict=True):
            kind = common(one.type, two.type)
            if kind is None:
                raise invalid(node, f"{word} of {one.type} and {two.type} does not fit", hint="CAST one side")
            kinds.append(kind)
        number = self.uses.fresh()
        outputs = tuple(Output(name=one.name, type=kind) for one, kind in zip(left.outputs, kinds, strict=True))
        is_all = not node.args.get("distinct")
        sides = [f"({side.as_types(kinds)})" for side in (left, right)]
        rows = Rows(sql=f" {word}{' ALL' if is_all else ''} ".join(sides), number=number, outputs=outputs)
        for at in range(len(outputs)):
            with self.uses.of(rows.key(at)):
                self.uses.add(left.key(at))
                self.uses.add(right.key(at))
            if not is_all or word != "UNION":
                self.uses.add(rows.key(at))
        return self._tail(node, rows)

    def _tail(self, node: exp.Expr, rows: Rows) -> Rows:
        """Add ORDER BY, LIMIT and OFFSET to a query whose columns are all that can be named."""
        order, tail = node.args.get("order"), limits(node)
        if order is None and not tail:
            return rows
        terms = []
        for term in order.expressions if order is not None else ():
            only(term, "this", "desc", "nulls_first")
            at = ordinal(term.this, rows.outputs)
            if at is None:
                raise refused(term, "only a column or its number can be ordered by here", hint="wrap it in a SELECT")
            check_order(term, rows.outputs[at].type)
            self.uses.add(rows.key(at))
            terms.append(sorted_by(term, f'"c{at + 1}"', rows.outputs[at].type))
        by = f" ORDER BY {', '.join(terms)}" if terms else ""
        sql = f'SELECT * FROM ({rows.sql}) AS "q"{by}{tail}'  # noqa: S608  # compiled parts, quoted names
        return Rows(sql=sql, number=rows.number, outputs=rows.outputs)

    def values(self, node: exp.Values, *, parent: Scope | None, named: Mapping[str, Named]) -> Rows:
        """Compile VALUES."""
        from hms_federation.compiler.expressions import Expressions
        from hms_federation.compiler.semantics.conditions import alike

        only(node, "expressions", "alias", "order", "limit", "offset")
        compiler = Expressions(
            Scope(fields=[], parent=parent),
            uses=self.uses,
            subquery=lambda query, scope: self.query(query, parent=scope, named=named),
        )
        compiler.clause = "in VALUES"
        lines = [
            [compiler.of(cell) for cell in (line.expressions if isinstance(line, exp.Tuple) else [line])]
            for line in node.expressions
        ]
        width = len(lines[0])
        if any(len(line) != width for line in lines):
            raise invalid(node, "the rows of VALUES have different lengths")
        columns = [alike(node, [line[at] for line in lines], "a column of VALUES") for at in range(width)]
        listed = ", ".join(f"({', '.join(cells[at].sql for _, cells in columns)})" for at in range(len(lines)))
        names = ", ".join(f'"c{at + 1}"' for at in range(width))
        outputs = tuple(Output(name="", type=kind) for kind, _ in columns)
        rows = Rows(sql=f'SELECT * FROM (VALUES {listed}) AS "q"({names})', number=self.uses.fresh(), outputs=outputs)  # noqa: S608  # compiled parts, quoted names
        return self._tail(node, rows)


def _check_may_read(name: TrinoName, dataset: Dataset, decision: Decision) -> None:
    if not decision.may_find:
        raise DatasetNotFound(f"dataset {name} was not found", hint="search for it: hms-dta search WORD")
    if not decision.may_read:
        whom = " of ".join(part for part in (dataset.owner, dataset.agency) if part)
        raise AccessDenied(
            f"you may find {name} but not read it" + (f": {decision.reason}" if decision.reason else ""),
            hint=f"ask {whom} for access" if whom else "ask whoever publishes the policy for access",
        )


def renamed(alias: exp.Expr | None, width: int) -> tuple[str, ...]:
    """Return the column names that an alias gives, or none.

    Raises:
        SqlInvalid: there are more or fewer than columns.
    """
    columns = alias.args.get("columns") if alias is not None else None
    if not columns:
        return ()
    if len(columns) != width:
        raise invalid(columns[0], f"the alias names {len(columns)} columns, and there are {width}")
    return tuple(column.name for column in columns)
