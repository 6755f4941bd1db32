"""The queries of profiles: what ANALYZE wrote down, as far as both the account that crawls and the reader may know it.

Nothing here reads a table. Lists of values are cut in the server: a column may have ten thousand of each.
"""

from __future__ import annotations

from typing import Final, LiteralString

from hms_postgres.queries import READER

# What was analysed anew has another time or count, and VACUUM counts rows as well. The rights are those of the
# account that crawls: those of the reader are in the stamp of the table.
ANALYZED: Final[LiteralString] = """
SELECT c.oid::int8,
       concat_ws(' ', extract(epoch FROM greatest(pg_stat_get_last_analyze_time(c.oid),
                                                  pg_stat_get_last_autoanalyze_time(c.oid))),
                 pg_stat_get_analyze_count(c.oid) + pg_stat_get_autoanalyze_count(c.oid), c.reltuples,
                 has_any_column_privilege(c.oid, 'select'))
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'm', 'f') AND c.relpersistence <> 't'
  AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
"""

PROFILED: Final[LiteralString] = """
SELECT c.oid::int8, c.reltuples::float8,
       c.relkind <> 'p' AND EXISTS (SELECT FROM pg_inherits i WHERE i.inhparent = c.oid),
       has_any_column_privilege(c.oid, 'select'), c.relrowsecurity,
       greatest(pg_stat_get_last_analyze_time(c.oid), pg_stat_get_last_autoanalyze_time(c.oid))
FROM pg_class c
WHERE c.oid = ANY (%s::oid[])
"""

# Table by table: joined, the planner judges the rights on every column of the database for each batch.
# Of numbers and dates so many as to know the least and the greatest; of what may be long, those that are told.
# A table that others inherit from has two sets of statistics: what a query sees comes last, and is kept.
STATISTICS: Final[LiteralString] = f"""
WITH wanted AS MATERIALIZED (
    SELECT c.oid, n.nspname, c.relname
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.oid = ANY (%s::oid[]) AND NOT c.relrowsecurity AND has_schema_privilege({READER}, n.oid, 'usage')
), valued (rel, name) AS MATERIALIZED (
    SELECT * FROM unnest(%s::oid[], %s::text[])
)
SELECT w.oid::int8, s.attname::text, s.null_frac::float8, s.n_distinct::float8,
       CASE WHEN v.rel IS NOT NULL THEN
           (s.most_common_vals::text::text[])[1:CASE WHEN t.typcategory IN ('N', 'D') THEN 100 ELSE 10 END] END,
       CASE WHEN v.rel IS NOT NULL THEN s.most_common_freqs[1:10]::float8[] END,
       CASE WHEN v.rel IS NOT NULL AND t.typcategory IN ('N', 'D') THEN
           (SELECT ARRAY[h.bounds[1], h.bounds[cardinality(h.bounds)]]
            FROM (SELECT s.histogram_bounds::text::text[]) AS h (bounds) WHERE h.bounds IS NOT NULL) END,
       s.histogram_bounds IS NULL AND coalesce(cardinality(s.most_common_freqs) <= 100, true)
FROM wanted w
CROSS JOIN LATERAL (
    SELECT * FROM pg_stats x WHERE x.schemaname = w.nspname AND x.tablename = w.relname OFFSET 0
) AS s
JOIN pg_attribute a ON a.attrelid = w.oid AND a.attname = s.attname AND NOT a.attisdropped
JOIN pg_type t ON t.oid = a.atttypid
LEFT JOIN valued v ON v.rel = w.oid AND v.name = s.attname
WHERE has_column_privilege({READER}, w.oid, a.attnum, 'select')
ORDER BY s.inherited
"""  # noqa: S608 # of constants
