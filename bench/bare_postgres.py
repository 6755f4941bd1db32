"""The least that any program asks PostgreSQL's catalogue: the limits that crawls are measured against.

Each asks over a new psycopg connection, binary, for the whole database at once, and makes nothing of the rows.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Final, LiteralString

import psycopg

from bench.servers import READER
from services.postgres import Database

Rows = list[tuple[object, ...]]
Known = tuple[str, str, tuple[str, ...], tuple[tuple[str, str, bool, str], ...]]

_OURS: Final[LiteralString] = """
n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
AND NOT c.relispartition
"""
_RELATIONS: Final[LiteralString] = f"""
SELECT c.oid::int8, n.nspname, c.relname, c.relkind::text, pg_get_userbyid(c.relowner), d.description,
       c.reltuples::float8, c.relpages
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_description d ON d.objoid = c.oid AND d.classoid = 'pg_class'::regclass AND d.objsubid = 0
WHERE {_OURS}
"""
_COLUMNS: Final[LiteralString] = f"""
SELECT a.attrelid::int8, a.attnum, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, d.description
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_description d ON d.objoid = a.attrelid AND d.classoid = 'pg_class'::regclass AND d.objsubid = a.attnum
WHERE a.attnum > 0 AND NOT a.attisdropped AND {_OURS}
"""
_KEYS: Final[LiteralString] = """
SELECT conrelid::int8, contype::text, conkey, confrelid::int8, confkey FROM pg_constraint WHERE contype IN ('p', 'f')
"""
_STAMPS: Final[LiteralString] = f"""
SELECT n.nspname, c.relname, bit_xor(p.h)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN (
    SELECT oid, hashtextextended(xmin::text, 0) FROM pg_class
    UNION ALL SELECT attrelid, hashtextextended(xmin::text, attnum) FROM pg_attribute
    UNION ALL SELECT adrelid, hashtextextended(xmin::text, oid::int8) FROM pg_attrdef
    UNION ALL SELECT conrelid, hashtextextended(xmin::text, oid::int8) FROM pg_constraint
    UNION ALL SELECT indrelid, hashtextextended(xmin::text, indexrelid::int8) FROM pg_index
    UNION ALL SELECT ev_class, hashtextextended(xmin::text, oid::int8) FROM pg_rewrite
    UNION ALL SELECT objoid, hashtextextended(xmin::text, objsubid) FROM pg_description
              WHERE classoid = 'pg_class'::regclass
    UNION ALL SELECT inhrelid, hashtextextended(xmin::text, inhparent::int8) FROM pg_inherits
    UNION ALL SELECT ftrelid, hashtextextended(xmin::text, ftserver::int8) FROM pg_foreign_table
    UNION ALL SELECT a.attrelid, hashtextextended(t.xmin::text || coalesce(e.xmin::text, ''), t.oid::int8)
              FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid LEFT JOIN pg_enum e ON e.enumtypid = t.oid
              WHERE t.oid >= 16384
) AS p (rel, h) ON p.rel = c.oid
WHERE {_OURS}
GROUP BY n.nspname, c.relname
"""


def catalogue(database: Database) -> tuple[Rows, Rows, Rows]:
    """Ask for relations, columns and keys: three queries."""
    with _session(database) as session:
        relations, columns, keys = (_rows(session, query) for query in (_RELATIONS, _COLUMNS, _KEYS))
        return relations, columns, keys


def stamps(database: Database) -> Rows:
    """Ask for one hash a relation over the `xmin` of the eleven catalogues that describe it: one query."""
    with _session(database) as session:
        return _rows(session, _STAMPS)


def moment(database: Database) -> Rows:
    """Ask whether anything at all was committed: one snapshot."""
    with _session(database) as session:
        return _rows(session, "SELECT pg_current_snapshot()::text")


def known(relations: Rows, columns: Rows, keys: Rows) -> dict[tuple[str, str], Known]:
    """Tell what the rows say of each relation: owner, comment, primary key, columns with exact types."""
    named: dict[object, dict[object, tuple[str, str, bool, str]]] = defaultdict(dict)
    for oid, number, name, spelled, is_never_null, comment in sorted(columns, key=lambda row: row[:2]):
        named[oid][number] = (str(name), str(spelled), not is_never_null, str(comment or ""))
    primary: dict[object, tuple[str, ...]] = {}
    for oid, kind, numbers, _, _ in keys:
        if kind == "p" and isinstance(numbers, list) and oid in named:
            primary[oid] = tuple(named[oid][number][0] for number in numbers)
    return {
        (str(schema), str(table)): (
            str(owner),
            str(comment or ""),
            primary.get(oid, ()),
            tuple(named[oid].values()),
        )
        for oid, schema, table, _, owner, comment, _, _ in relations
    }


def _session(database: Database) -> psycopg.Connection:
    options = "-c jit=off -c random_page_cost=1.1 -c search_path= -c default_transaction_read_only=on"
    return psycopg.connect(database.url_of(READER), autocommit=True, options=options)


def _rows(session: psycopg.Connection, query: LiteralString) -> Rows:
    return session.cursor(binary=True).execute(query).fetchall()
