"""Run by a Python that has DuckDB and its extensions for PostgreSQL and S3, and nothing of ours: the whole join there.

Reads one line of JSON: where both stores are, the query over `trips` and `loads`, how often. Prints the milliseconds
of each run, after one that does not count, and the rows.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import duckdb
import duckdb_extension_httpfs
import duckdb_extension_postgres_scanner


def main() -> None:
    """Load, attach, ask."""
    asked = json.loads(sys.stdin.readline())
    store = duckdb.connect()
    for module in (duckdb_extension_httpfs, duckdb_extension_postgres_scanner):
        (extension,) = Path(module.__file__).parent.rglob("*.duckdb_extension")
        store.load_extension(str(extension))
    store.execute(asked["secret"])
    store.execute(f"ATTACH '{asked['postgres']}' AS harbour (TYPE postgres, READ_ONLY)")
    store.execute("CREATE VIEW trips AS FROM harbour.public.trips")
    store.execute(f"CREATE VIEW loads AS FROM read_parquet('{asked['object']}')")
    took = []
    for _ in range(asked["runs"] + 1):
        start = time.perf_counter()
        rows = store.sql(asked["sql"]).fetchall()
        took.append((time.perf_counter() - start) * 1000)
    json.dump({"ms": took[1:], "rows": rows}, sys.stdout, default=str)


if __name__ == "__main__":
    main()
