"""From a person's SQL to a plan: parsed, resolved, authorized, typed, rewritten. Nothing is read and nothing is run."""

from __future__ import annotations

import re

from sqlglot import exp

from hms_federation.compiler.governed import GovernedScan, MaskSql
from hms_federation.compiler.parse import parse_query, to_trino
from hms_federation.compiler.refusals import refused
from hms_federation.compiler.rows import Rows
from hms_federation.compiler.scope import Key
from hms_federation.compiler.statement import Decide, Resolve, Statement
from hms_federation.plan import OutputColumn, Plan
from hms_registry.errors import SqlRefused

# A store may have control characters in a name, and a query may not: this text is only read by people.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def plan(sql: str, *, resolve: Resolve, decide: Decide, mask_sql: MaskSql, explains: bool = False) -> Plan:
    """Plan one query in Trino's dialect.

    Args:
        resolve: finds a dataset by its SQL name, or raises `DatasetNotFound`.
        decide: says what the asker may do with it.
        mask_sql: writes a mask as a Trino expression, see `hms_policies.mask_expression`.
        explains: also write down what the policy makes of the query.

    Raises:
        SqlInvalid: it does not parse, or Trino would refuse it too; names line and column.
        SqlRefused: it is outside what is promised here.
        DatasetNotFound, AccessDenied, PolicyInvalid: see `Statement.scan`.
    """
    try:
        return _plan(sql, Statement(resolve=resolve, decide=decide, mask_sql=mask_sql), explains=explains)
    except RecursionError:
        raise SqlRefused("the query is nested too deeply", hint="split it into WITH parts") from None


def _plan(sql: str, statement: Statement, *, explains: bool) -> Plan:
    tree = parse_query(sql)
    rows = statement.query(tree, parent=None, named={})
    columns = _columns(tree, rows)
    for at in range(len(columns)):
        statement.uses.add(rows.key(at))
    reached = statement.uses.reached()
    text, scans = statement.render(rows.sql, reached)
    governed = {scan.dataset.trino_name: scan.governed() for scan in statement.scans}
    return Plan(
        sql=text,
        governed_sql=_governed_sql(tree, statement, reached) if explains else "",
        scans=tuple(scan.planned(reached) for scan in scans),
        columns=columns,
        governed=tuple(governed.values()),
        key_lists=statement.key_lists.planned(scans, sql=lambda scan: scan.sql(reached)),
    )


def _columns(tree: exp.Expr, rows: Rows) -> tuple[OutputColumn, ...]:
    columns = []
    for at, output in enumerate(rows.outputs):
        if output.type.name.startswith("interval"):
            raise refused(tree, "an interval cannot be answered", hint="use date_diff, or add it to a date")
        columns.append(OutputColumn(name=output.name or f"_col{at}", trino_type=str(output.type)))
    return tuple(columns)


def _governed_sql(tree: exp.Expr, statement: Statement, reached: set[Key]) -> str:
    for node in list(tree.find_all(exp.Column)):
        # Where a subquery takes the place of a table, its full name does not stand before columns any more.
        if node.args.get("db") is not None and isinstance(node.this, exp.Identifier):
            node.set("db", None)
            node.set("catalog", None)
    for table, scan in statement.tables:
        _govern(table, scan, reached)
    return to_trino(tree)


def _govern(table: exp.Table, scan: GovernedScan, reached: set[Key]) -> None:
    text = scan.trino(reached)
    if text is None:
        return
    alias = table.args.get("alias") or exp.TableAlias(this=exp.to_identifier(table.name, quoted=True))
    joins = table.args.get("joins")
    table.replace(exp.Subquery(this=parse_query(_UNPRINTABLE.sub("\ufffd", text)), alias=alias, joins=joins))
