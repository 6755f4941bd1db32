"""The catalogue queries: set-based, a handful for any number of tables.

A *relation* is what holds or shows rows: tables, views, materialized views, foreign tables. A partitioned table
and everything below it are one dataset, the *root*; its partitions are counted.

System functions that look something up by themselves (`pg_get_viewdef`) see what is committed now, not the
snapshot, and may say XX000 or 42P01 about what was dropped since: `session.ChangedMeanwhile`.
"""

from __future__ import annotations

from typing import Final, LiteralString

IDENTITY: Final[LiteralString] = """
SELECT current_setting('server_version_num')::int, d.oid::int8, pg_is_in_recovery(),
       has_function_privilege('pg_catalog.pg_control_system()', 'execute')
       AND has_function_privilege('pg_catalog.pg_control_checkpoint()', 'execute')
FROM pg_database d WHERE d.datname = current_database()
"""

CLUSTER: Final[LiteralString] = """
SELECT s.system_identifier::text, c.timeline_id::text FROM pg_control_system() s, pg_control_checkpoint() c
"""

SNAPSHOT: Final[LiteralString] = "SELECT pg_current_snapshot()::text"

READER_SETTING: Final = "hms.reader"
"""A setting of our sessions: who reads rows, as far as that is not who crawls. What may be read is judged for it."""

READER: Final[LiteralString] = f"""
(SELECT oid FROM pg_roles WHERE rolname = coalesce(nullif(current_setting('{READER_SETTING}'), ''), current_user))"""  # noqa: S608 # of constants

_RELATIONS: Final[LiteralString] = f"""
schemas AS MATERIALIZED (
    SELECT n.oid, n.nspname, has_schema_privilege({READER}, n.oid, 'usage') AS is_open
    FROM pg_namespace n WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
), relations AS MATERIALIZED (
    SELECT c.oid, n.nspname, n.is_open, c.relname, c.relkind, c.relowner, c.relispartition, c.relrowsecurity
    FROM pg_class c JOIN schemas n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND c.relpersistence <> 't'
), tree (root, member) AS (
    SELECT r.oid, r.oid FROM relations r WHERE r.relkind = 'p' AND NOT r.relispartition
    UNION ALL
    SELECT t.root, i.inhrelid
    FROM tree t JOIN pg_inherits i ON i.inhparent = t.member JOIN relations r ON r.oid = i.inhrelid
    WHERE r.relispartition
)"""  # noqa: S608 # of constants

# A view is what its own rule says, and the rules of the views that it reads, however far down.
_BELOW: Final[LiteralString] = """
    UNION
    SELECT e.view, v.oid
    FROM reached e
    JOIN pg_rewrite w ON w.ev_class = e.rel
    JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid AND d.refclassid = 'pg_class'::regclass
    JOIN pg_class v ON v.oid = d.refobjid AND v.relkind IN ('v', 'm')
"""

# Nine of ten rows that a stamp is made of are columns, and those of one table mostly have one xmin: it is hashed once
# for all of them, under the set of their numbers. To hash it for each took a third of the listing's time.
_ATTRIBUTES: Final[LiteralString] = """
attributes (rel, h, has_user_type) AS MATERIALIZED (
    SELECT a.attrelid, hashtextextended(a.xmin::text, bit_xor(hashint2extended(a.attnum, 2))),
           bool_or(a.atttypid >= 16384)
    FROM pg_attribute a WHERE a.attnum > 0 GROUP BY a.attrelid, a.xmin
)"""

# The types are looked for only if there is one.
_USER_TYPES: Final[LiteralString] = """
used (rel, typ) AS (
    SELECT DISTINCT a.attrelid, a.atttypid FROM pg_attribute a
    WHERE a.atttypid >= 16384 AND a.attnum > 0 AND NOT a.attisdropped
      AND (SELECT bool_or(has_user_type) FROM attributes)
), needs (typ, part) AS (
    SELECT DISTINCT typ, typ FROM used
    UNION
    SELECT n.typ, next.part
    FROM needs n JOIN pg_type t ON t.oid = n.part CROSS JOIN LATERAL (
        SELECT t.typbasetype WHERE t.typbasetype >= 16384
        UNION ALL SELECT t.typelem WHERE t.typelem >= 16384
        UNION ALL SELECT g.rngsubtype FROM pg_range g WHERE g.rngtypid = t.oid AND g.rngsubtype >= 16384
        UNION ALL SELECT a.atttypid FROM pg_attribute a
            WHERE t.typtype = 'c' AND a.attrelid = t.typrelid AND a.attnum > 0 AND a.atttypid >= 16384
    ) AS next (part)
), type_parts (typ, h) AS (
    SELECT n.typ, hashtextextended(s.nspname || t.xmin::text, t.oid::int8)
    FROM needs n JOIN pg_type t ON t.oid = n.part JOIN pg_namespace s ON s.oid = t.typnamespace
    UNION ALL
    SELECT n.typ, hashtextextended(e.xmin::text, e.oid::int8) FROM needs n JOIN pg_enum e ON e.enumtypid = n.part
    UNION ALL
    SELECT n.typ, hashtextextended(a.xmin::text, (a.attrelid::int8 << 16) + a.attnum)
    FROM needs n JOIN pg_type t ON t.oid = n.part AND t.typtype = 'c'
    JOIN pg_attribute a ON a.attrelid = t.typrelid AND a.attnum > 0
)"""

# One 64-bit hash a part, folded by XOR: no order to keep, no text to build. The seed tells parts of one catalogue
# apart, so two of them never cancel each other. pg_class is taken by what is read of it and not by its xmin, which
# TRUNCATE, VACUUM FULL and a foreign key that points here change as well.
_PARTS: Final[LiteralString] = f"""
reached (view, rel) AS (
    SELECT r.oid, r.oid FROM relations r WHERE r.relkind IN ('v', 'm')
{_BELOW}), parts (rel, h) AS (
    SELECT r.oid, hashtextextended(
        concat_ws(' ', r.relkind, r.relrowsecurity, r.is_open, has_table_privilege({READER}, r.oid, 'select'),
                  has_any_column_privilege({READER}, r.oid, 'select'), pg_get_userbyid(r.relowner)), 1)
    FROM relations r
    UNION ALL
    SELECT a.rel, a.h FROM attributes a
    UNION ALL
    SELECT d.adrelid, hashtextextended(d.xmin::text, (3::int8 << 32) + d.adnum) FROM pg_attrdef d
    UNION ALL
    SELECT coalesce(t.root, k.conrelid), hashtextextended(k.xmin::text, (4::int8 << 32) + k.oid::int8)
    FROM pg_constraint k LEFT JOIN tree t ON t.member = k.conrelid
    WHERE k.conrelid <> 0 AND (k.contype <> 'f' OR k.conparentid = 0)
    UNION ALL
    SELECT coalesce(m.root, k.conrelid), hashtextextended(concat_ws(' ', n.nspname, c.relname, a.attname, t.root),
        (5::int8 << 48) + (a.attnum::int8 << 32) + k.oid::int8)
    FROM pg_constraint k
    JOIN pg_class c ON c.oid = k.confrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = ANY (k.confkey)
    LEFT JOIN tree t ON t.member = k.confrelid
    LEFT JOIN tree m ON m.member = k.conrelid
    WHERE k.contype = 'f' AND k.conparentid = 0
    UNION ALL
    SELECT x.indrelid, hashtextextended(x.xmin::text, (6::int8 << 32) + x.indexrelid::int8) FROM pg_index x
    UNION ALL
    SELECT e.view, hashtextextended(w.xmin::text, (7::int8 << 32) + w.oid::int8)
    FROM reached e JOIN pg_rewrite w ON w.ev_class = e.rel
    UNION ALL
    SELECT d.objoid, hashtextextended(d.xmin::text, (8::int8 << 32) + d.objsubid)
    FROM pg_description d WHERE d.classoid = 'pg_class'::regclass
    UNION ALL
    SELECT coalesce(t.root, i.inhrelid), hashtextextended(i.xmin::text, (9::int8 << 32) + i.inhrelid::int8)
    FROM pg_inherits i LEFT JOIN tree t ON t.member = i.inhrelid
    UNION ALL
    SELECT f.ftrelid, hashtextextended(f.xmin::text || s.srvname, 10)
    FROM pg_foreign_table f JOIN pg_foreign_server s ON s.oid = f.ftserver
    UNION ALL
    SELECT u.rel, bit_xor(p.h) # hashtextextended('type', u.typ::int8)
    FROM used u JOIN type_parts p ON p.typ = u.typ GROUP BY u.rel, u.typ
), stamps AS (
    SELECT rel, bit_xor(h) AS h FROM parts GROUP BY rel
)"""  # noqa: S608 # of constants

# A row for each schema, of lists: what reads very many tables of few schemas makes no object of each.
LISTING: Final[LiteralString] = f"""
WITH RECURSIVE {_RELATIONS}, {_ATTRIBUTES}, {_USER_TYPES}, {_PARTS}
SELECT l.nspname, array_agg(l.relname) FILTER (WHERE l.relname IS NOT NULL), string_agg(l.relkind, ''),
       array_agg(l.stamp) FILTER (WHERE l.relname IS NOT NULL)
FROM (
    SELECT n.nspname, r.relname::text, r.relkind::text, concat(r.oid, '.', lpad(to_hex(s.h), 16, '0')) AS stamp
    FROM schemas n
    LEFT JOIN relations r ON r.nspname = n.nspname AND NOT r.relispartition
    LEFT JOIN stamps s ON s.rel = r.oid
    ORDER BY n.nspname COLLATE "C", r.relname COLLATE "C"
) AS l
GROUP BY l.nspname
ORDER BY l.nspname COLLATE "C"
"""  # noqa: S608 # of constants

RELATIONS: Final[LiteralString] = f"""
SELECT c.oid::int8, n.nspname, c.relname, c.relkind::text, pg_get_userbyid(c.relowner),
       coalesce(d.description, ''), c.reltuples::float8, c.relpages::int8 * current_setting('block_size')::int8,
       coalesce(has_schema_privilege({READER}, n.oid, 'usage')
                AND has_any_column_privilege({READER}, c.oid, 'select'), false),
       coalesce(has_table_privilege({READER}, c.oid, 'select'), false), c.relrowsecurity, coalesce(s.srvname, '')
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_description d ON d.objoid = c.oid AND d.classoid = 'pg_class'::regclass AND d.objsubid = 0
LEFT JOIN pg_foreign_table f ON f.ftrelid = c.oid
LEFT JOIN pg_foreign_server s ON s.oid = f.ftserver
WHERE c.oid = ANY (%s::oid[]) AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
"""  # noqa: S608 # of constants

COLUMNS: Final[LiteralString] = """
SELECT a.rel::int8, array_agg(a.num), array_agg(a.name), array_agg(a.typ), array_agg(a.mod), array_agg(a.is_never_null)
FROM (
    SELECT attrelid, attnum, attname::text, atttypid::int8, atttypmod, attnotnull
    FROM pg_attribute
    WHERE attrelid = ANY (%s::oid[]) AND attnum > 0 AND NOT attisdropped
    ORDER BY attrelid, attnum
) AS a (rel, num, name, typ, mod, is_never_null)
GROUP BY a.rel
"""

# Apart from the columns: few have one, and joined, the planner reads all of pg_description for each batch.
COMMENTS: Final[LiteralString] = """
SELECT d.objoid::int8, d.objsubid, d.description
FROM pg_description d
WHERE d.objoid = ANY (%s::oid[]) AND d.classoid = 'pg_class'::regclass AND d.objsubid > 0
"""

UNREADABLE: Final[LiteralString] = f"""
SELECT a.attrelid::int8, a.attname
FROM pg_attribute a
WHERE a.attrelid = ANY (%s::oid[]) AND a.attnum > 0 AND NOT a.attisdropped
  AND NOT has_column_privilege({READER}, a.attrelid, a.attnum, 'select')
ORDER BY a.attrelid, a.attnum
"""  # noqa: S608 # of constants

SPELLED: Final[LiteralString] = """
SELECT t.typ::int8, t.mod, format_type(t.typ, t.mod) FROM unnest(%s::oid[], %s::int4[]) AS t (typ, mod)
"""

# Each table has two types of its own, and only oids are indexed: an array's element is found by its oid. OFFSET 0
# keeps the last look-up one by oid: the planner expects very many rows of a recursion, and would read all types.
TYPES: Final[LiteralString] = """
WITH RECURSIVE needs (typ) AS (
    SELECT DISTINCT typ FROM unnest(%s::oid[]) AS typ
    UNION
    SELECT next.typ
    FROM needs n JOIN pg_type t ON t.oid = n.typ LEFT JOIN pg_type e ON e.oid = t.typelem AND e.typarray = t.oid
    CROSS JOIN LATERAL (VALUES (nullif(t.typbasetype, 0)), (e.oid)) AS next (typ)
    WHERE next.typ IS NOT NULL
)
SELECT t.oid::int8, CASE WHEN s.nspname = 'pg_catalog' THEN t.typname::text ELSE '' END, t.typtype::text,
       t.typbasetype::int8, t.typtypmod, coalesce(e.oid, 0)::int8
FROM needs n
CROSS JOIN LATERAL (SELECT * FROM pg_type t WHERE t.oid = n.typ OFFSET 0) AS t
JOIN pg_namespace s ON s.oid = t.typnamespace
LEFT JOIN pg_type e ON e.oid = t.typelem AND e.typarray = t.oid
"""

# The columns of a primary key by number, as they are known by then; those of foreign keys by name, since a partition
# may number them otherwise than its root. The oids twice: an index finds the keys of a batch, a join those of
# partitions.
KEYS: Final[LiteralString] = """
WITH RECURSIVE tree (root, member) AS (
    SELECT c.oid, c.oid FROM pg_class c WHERE c.oid = ANY (%s::oid[]) AND c.relkind = 'p'
    UNION ALL
    SELECT t.root, i.inhrelid
    FROM tree t JOIN pg_inherits i ON i.inhparent = t.member JOIN pg_class c ON c.oid = i.inhrelid
    WHERE c.relispartition
), keys AS MATERIALIZED (
    SELECT k.conrelid AS root, k.conrelid, k.contype, k.conname, k.conkey, k.confrelid, k.confkey
    FROM pg_constraint k
    WHERE k.conrelid = ANY (%s::oid[]) AND (k.contype = 'p' OR (k.contype = 'f' AND k.conparentid = 0))
    UNION ALL
    SELECT t.root, k.conrelid, k.contype, k.conname, k.conkey, k.confrelid, k.confkey
    FROM tree t JOIN pg_constraint k ON k.conrelid = t.member
    WHERE t.member <> t.root AND k.contype = 'f' AND k.conparentid = 0
), roots (member, root) AS (
    SELECT k.confrelid, k.confrelid FROM keys k WHERE k.contype = 'f'
    UNION
    SELECT u.member, i.inhparent
    FROM roots u JOIN pg_inherits i ON i.inhrelid = u.root JOIN pg_class c ON c.oid = u.root
    WHERE c.relispartition
)
SELECT k.root::int8, CASE WHEN k.contype = 'p' THEN k.conkey END,
       CASE WHEN k.contype = 'f' THEN (
           SELECT array_agg(a.attname::text ORDER BY p.at) FROM unnest(k.conkey) WITH ORDINALITY AS p (num, at)
           JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = p.num) END,
       n.nspname, c.relname,
       CASE WHEN k.contype = 'f' THEN (
           SELECT array_agg(a.attname::text ORDER BY p.at) FROM unnest(k.confkey) WITH ORDINALITY AS p (num, at)
           JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = p.num) END
FROM keys k
LEFT JOIN roots u ON u.member = k.confrelid
    AND NOT EXISTS (SELECT FROM pg_class x WHERE x.oid = u.root AND x.relispartition)
LEFT JOIN pg_class c ON c.oid = u.root
LEFT JOIN pg_namespace n ON n.oid = c.relnamespace
ORDER BY k.root, k.contype, k.conname COLLATE "C"
"""

PARTITIONS: Final[LiteralString] = """
WITH RECURSIVE tree (root, member) AS (
    SELECT c.oid, c.oid FROM pg_class c WHERE c.oid = ANY (%s::oid[]) AND c.relkind = 'p'
    UNION ALL
    SELECT t.root, i.inhrelid
    FROM tree t JOIN pg_inherits i ON i.inhparent = t.member JOIN pg_class c ON c.oid = i.inhrelid
    WHERE c.relispartition
)
SELECT t.root::int8, pg_get_partkeydef(t.root), count(*) FILTER (WHERE c.relkind <> 'p'),
       sum(c.reltuples::float8) FILTER (WHERE c.relkind <> 'p' AND c.reltuples >= 0),
       -- A sum of bigints would be numeric. ANALYZE leaves -1 pages with a root.
       sum(c.relpages) FILTER (WHERE c.relkind <> 'p') * current_setting('block_size')::int8
FROM tree t JOIN pg_class c ON c.oid = t.member
GROUP BY t.root
"""

# pg_get_viewdef locks what the view names, as a SELECT would: it waits for whoever alters that, and those who wait
# for the same go before it. Such views are left out.
VIEWS: Final[LiteralString] = """
WITH altered AS MATERIALIZED (
    SELECT DISTINCT l.relation FROM pg_locks l
    WHERE l.locktype = 'relation' AND l.mode = 'AccessExclusiveLock' AND l.pid <> pg_backend_pid()
      AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
), held AS MATERIALIZED (
    SELECT DISTINCT w.ev_class
    FROM altered a
    JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = a.relation
    JOIN pg_rewrite w ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid
)
SELECT c.oid::int8, CASE WHEN h.ev_class IS NULL THEN pg_get_viewdef(c.oid, true) END, h.ev_class IS NOT NULL
FROM pg_class c LEFT JOIN held h ON h.ev_class = c.oid
WHERE c.oid = ANY (%s::oid[]) AND c.relkind IN ('v', 'm')
"""

FIND: Final[LiteralString] = """
SELECT c.oid::int8, c.relkind::text
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %s AND c.relname = %s AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition
"""

QUERIES: Final[LiteralString] = f"""
WITH RECURSIVE reached (view, rel) AS (
    SELECT c.oid, c.oid FROM pg_class c WHERE c.oid = ANY (%s::oid[]) AND c.relkind IN ('v', 'm')
{_BELOW})
SELECT r.view::int8, bit_xor(hashtextextended(w.xmin::text, w.oid::int8))
FROM reached r JOIN pg_rewrite w ON w.ev_class = r.rel AND w.ev_type = '1'
GROUP BY r.view
"""  # noqa: S608 # of constants

SCANNED: Final[LiteralString] = """
SELECT n.nspname::text, c.relname::text, a.attnum::int4, a.attname::text, a.atttypid::int8, a.atttypmod,
       coalesce(o.collisdeterministic, true)
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_collation o ON o.oid = a.attcollation
WHERE c.oid = ANY (%s::oid[])
ORDER BY a.attnum
"""
