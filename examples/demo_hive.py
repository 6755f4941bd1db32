"""CDC's counts by state as a table of Hive, made by HiveServer2 over the files that demo_s3.py wrote."""

from __future__ import annotations

import socket
import time
from urllib.parse import urlsplit

from demo_s3 import BY_STATE, SURVEILLANCE, YEAR
from pyhive import hive

DATABASE, TABLE = "ilinet", "weekly_by_state"
YEARS = (2018, 2019, 2020)
PATIENCE_S = 180
_COLUMNS = """
    state STRING COMMENT 'as it reports to ILINet', week_end DATE COMMENT 'Saturday that ends the MMWR week',
    mmwr_week BIGINT, unweighted_ili_pct DOUBLE, ili_total BIGINT COMMENT 'visits for influenza-like illness',
    num_providers BIGINT, total_patients BIGINT
"""


def load_hive(url: str, *, bucket: str) -> None:
    """Make the database, the table and its partitions, where they are not there; wait for a server that just starts."""
    place = f"s3a://{bucket}/{SURVEILLANCE}/{BY_STATE}"
    table = f"{DATABASE}.{TABLE}"
    told = "COMMENT 'CDC ILINet by reporting state, weekly, 2018 to 2020'"
    partitions = " ".join(f"PARTITION ({YEAR}={year}) LOCATION '{place}/{YEAR}={year}'" for year in YEARS)
    statements = (
        f"CREATE DATABASE IF NOT EXISTS {DATABASE} COMMENT 'Influenza-like illness, as ILINet counts it'",
        f"CREATE EXTERNAL TABLE IF NOT EXISTS {table} ({_COLUMNS}) {told} PARTITIONED BY ({YEAR} INT) "
        f"STORED AS PARQUET LOCATION '{place}'",
        f"ALTER TABLE {table} ADD IF NOT EXISTS {partitions}",
    )
    where = urlsplit(url)
    wait_for(where.hostname or "", where.port or 10_000)
    with hive.connect(where.hostname, where.port, username=where.username, auth="NONE") as server:
        cursor = server.cursor()
        for statement in statements:
            cursor.execute(statement)
        cursor.close()


def wait_for(host: str, port: int) -> None:
    """Wait until somebody listens there; the last attempt fails as it may."""
    for _attempt in range(PATIENCE_S):
        try:
            with socket.create_connection((host, port), timeout=5):
                return
        except OSError:
            time.sleep(1)
    socket.create_connection((host, port), timeout=5).close()
