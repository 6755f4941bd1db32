"""Forks an opening of a catalogue for each line of stdin, `STEP URL`, and kills it -9 before the STEP-th change that it
makes to the database, from 0; the last of them is the commit. Prints `killed` or `ended`.

Imports are paid once; the child has one thread, so forking it is safe, and it kills nobody but itself.
"""

import itertools
import os
import signal
import sys

import psycopg  # noqa: F401 - what a child would import
from sqlalchemy import Connection, Engine, event

import hms_registry.store.postgresql
import hms_registry.store.upgrade  # noqa: F401 - as above
from hms_registry.store import open_catalogue

CHANGES = ("ALTER", "CREATE", "DELETE", "DROP", "INSERT", "UPDATE")


def die_before(step: int) -> None:
    left = itertools.count(step, -1)

    def count() -> None:
        if next(left) == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def run(_connection: Connection, _cursor: object, statement: str, *_: object) -> None:
        if statement.lstrip().upper().startswith(CHANGES):
            count()

    event.listen(Engine, "before_cursor_execute", run)
    event.listen(Engine, "commit", lambda _connection: count())


for line in sys.stdin:
    step, url = line.rstrip("\n").split(" ", 1)
    child = os.fork()
    if child == 0:
        die_before(int(step))
        open_catalogue(url).close()
        os._exit(0)
    _, status = os.waitpid(child, 0)
    how = {0: "ended", signal.SIGKILL: "killed"}.get(status, f"broke: {status}")
    sys.stdout.write(f"{how}\n")
    sys.stdout.flush()
