"""A query that Trino is to run: refused for the same names and for the same people, and then sent on as it is.

What the embedded engine promises is compiled, so that every mistake is told in the same words on both engines, and a
hidden column is one that is not there. What it refuses may be right in Trino: of that, only the datasets that it reads
are resolved and decided. Trino then enforces the policy itself, whatever was made out here.
"""

from __future__ import annotations

from sqlglot import exp
from sqlglot.tokenizer_core import TokenType

from hms_federation.compiler.governed import MaskSql
from hms_federation.compiler.parse import parse_query, words_of
from hms_federation.compiler.refusals import refused, shown
from hms_federation.compiler.rewrite import plan
from hms_federation.compiler.statement import Decide, Resolve, Statement
from hms_federation.plan import Governed, Plan
from hms_registry.domain.names import TrinoName
from hms_registry.errors import DatasetNotFound, SqlRefused


def plan_on_trino(sql: str, *, resolve: Resolve, decide: Decide, mask_sql: MaskSql, explains: bool = False) -> Plan:
    """Plan one query that Trino is to run: its text, and what the policy does to each dataset in it.

    Raises:
        SqlInvalid: it does not parse, or Trino would refuse it too.
        SqlRefused: it is no single SELECT, too large to be looked through, or only the embedded engine answers it.
        DatasetNotFound, AccessDenied, PolicyInvalid: as `plan`.
    """
    tree = parse_query(sql)
    for table in tree.find_all(exp.Table):
        if table.args.get("version") is not None:
            raise refused(table, "Trino does not know the versions of a dataset", hint="ask without --engine trino")
    try:
        governed = plan(sql, resolve=resolve, decide=decide, mask_sql=mask_sql, explains=explains).governed
    except SqlRefused:
        governed = _governed(tree, Statement(resolve=resolve, decide=decide, mask_sql=mask_sql))
    return Plan(sql=_bare(sql), governed_sql="", scans=(), columns=(), governed=governed)


def _governed(tree: exp.Expr, statement: Statement) -> tuple[Governed, ...]:
    """Return what the policy does to each dataset that a query names, wherever in it.

    No catalog is set where Trino runs it, so that a name of one or two parts is a query of WITH, or nothing.
    """
    named = {cte.alias.lower() for cte in tree.find_all(exp.CTE)}
    for table in tree.find_all(exp.Table):
        parts = [table.args.get(part) for part in ("catalog", "db", "this")]
        given = [part for part in parts if part is not None]
        if not given or not all(isinstance(part, exp.Identifier) for part in given):
            raise refused(table, "functions that give tables are not answered", hint="read from source.schema.table")
        lower = tuple(part.name.lower() for part in given)
        if len(lower) == 1 and lower[0] in named:
            continue
        if len(lower) != 3 or not all(lower):
            raise DatasetNotFound(f"dataset {shown('.'.join(lower))} was not found", hint="write source.schema.table")
        statement.scan(table, TrinoName(*lower), version=None)
    return tuple({scan.dataset.trino_name: scan.governed() for scan in statement.scans}.values())


def _bare(sql: str) -> str:
    """Return the text without its comments and last semicolon, word for word in the same place.

    Whoever reads comments otherwise than the parser here, as old releases may, meets none.
    """
    kept, end = "", 0
    for token in words_of(sql):
        if token.token_type != TokenType.SEMICOLON:
            kept += _blank(sql[end : token.start]) + sql[token.start : token.end + 1]
            end = token.end + 1
    return kept


def _blank(gap: str) -> str:
    return "".join(char if char in "\r\n" else " " for char in gap)
