"""The spare: a child that is forked before there is a query, and has done what every child would do first.

Making a sandbox, and touching for the first time what it shares with the zygote, takes as long as a small query does.
A spare does that while nobody waits. It answers one query, like every child, or none.
"""

from __future__ import annotations

import io
import os
import socket
from pathlib import Path
from typing import NoReturn

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.dataset as ds

from hms_federation.engine.child import answer_one, called
from hms_federation.engine.limits import OVER_HTTP
from hms_federation.engine.sandbox import Sandbox

_QUERY = """
SELECT a.s, sum(b.x) AS n FROM w AS a JOIN w AS b USING (x) WHERE a.s LIKE 'a%' OR b.x IN (1, 2) GROUP BY 1 ORDER BY 1
"""


def stand_by(zygote: socket.socket, *, spill_to: Path) -> NoReturn:
    """Warm up, wait for a query's socket, and answer it; end when the zygote closes this or is gone."""
    called("hms-dta-spare")
    sandbox = Sandbox(OVER_HTTP, spill_to=spill_to)
    _warm(sandbox)
    with zygote:
        _, fds, _, _ = socket.recv_fds(zygote, 1, 1)
    if not fds:
        os._exit(0)
    answer_one(socket.socket(fileno=fds[0]), spill_to=spill_to, kept=sandbox)


def _warm(sandbox: Sandbox) -> None:
    """Take the steps that most queries take: a file read, a filter, a join, a group, an order."""
    try:
        read = pa.csv.open_csv(io.BytesIO(b"x,s\n1,a\n2,b\n3,\n")).read_all()
        kept = ds.dataset(read).scanner(filter=pc.field("x").isin([1, 2, 3])).to_table()
        with sandbox.connect() as connection:
            connection.register("w", kept)
            connection.sql(_QUERY).to_arrow_reader(1000).read_all()
    except (duckdb.Error, pa.ArrowException, OSError, MemoryError):
        return  # a query that needs it will say what is wrong
