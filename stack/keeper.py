"""The process that stays: it starts the servers, is their parent as long as they run, and ends them when it ends.

`up` holds its standard input. A line there means that the stack is whole and may stay; its end without one, that `up`
was interrupted: whatever was started by then is stopped, however `up` came to its end.
"""

from __future__ import annotations

import fcntl
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType

from services import hive, mongo, postgres, redis, seaweedfs, trino
from services.running import Running, ServiceFailed, ServiceMissing, is_listening
from services.trino_settings import http_events, opa
from stack.chosen import BUCKET, Chosen, servers
from stack.processes import Known, forget, remember

STAY = "stay"
_IDENTITIES = {"admin": seaweedfs.ADMIN, "cdc-reader": (f"Read:{BUCKET}", f"List:{BUCKET}")}


def keep(folder: Path) -> int:
    """Start everything, tell `up` by a line each on standard output, and stay until SIGTERM."""
    signal.signal(signal.SIGTERM, _leave)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for `up`
    pids = folder / "pids"
    with _alone(folder) as is_alone, ExitStack() as exits:
        if not is_alone:
            _tell("failed", "another `make up` is at work here: wait for it, or stop it with `make down`")
            return 1
        exits.callback(forget, pids)
        remember(pids, Known.seen("keeper", os.getpid(), log=folder / "keeper.log"))
        threading.Thread(target=_watch, daemon=True).start()
        known = []
        try:
            for name, running in _started(folder, exits):
                known.append(Known.seen(name, running.pid, log=running.log))
                remember(pids, known[-1])
                _tell("started", name)
        except (ServiceFailed, ServiceMissing) as error:
            _tell("failed", str(error))
            return 1
        _stay(known)
    return 0


def _started(folder: Path, exits: ExitStack) -> Iterator[tuple[str, Running]]:
    """Start the servers in the order in which they need each other; *exits* will stop them."""
    chosen = Chosen.of(folder)
    ports, secrets = chosen.ports, chosen.secrets

    def room(name: str) -> Path:
        if is_listening(ports[name]):
            said = f"somebody listens on port {ports[name]}, which is for {name}"
            raise ServiceFailed(f"{said}: end that, or choose another one in {folder / 'chosen.json'}")
        place = folder / name
        place.mkdir(exist_ok=True)
        return place

    def kept(name: str, running: Running) -> tuple[str, Running]:
        exits.callback(running.stop)
        return name, running

    place = room("postgres")
    yield kept("postgres", postgres.start(place, port=ports["postgres"], password=secrets["postgres"]).running)
    yield kept("redis", redis.start(room("redis"), port=ports["redis"]))
    place = room("s3")
    s3 = seaweedfs.start(place, port=ports["s3"], identities=_IDENTITIES, secret=secrets["s3"])
    yield kept("s3", s3.running)
    documents = mongo.start(room("mongo"), port=ports["mongo"])
    documents.client.close()
    assert documents.running is not None
    yield kept("mongo", documents.running)
    metastore = hive.start_metastore(room("metastore"), s3, port=ports["metastore"])
    yield kept("metastore", metastore.running)
    yield kept("hiveserver2", hive.start_server(room("hiveserver2"), metastore, port=ports["hiveserver2"]).running)
    if "trino" in servers():
        yield kept("trino", _trino(room("trino"), chosen))


def _trino(folder: Path, chosen: Chosen) -> Running:
    """Start a Trino that asks the registry, as long as somebody serves that, and is empty before the first sync."""
    asks = f"http://127.0.0.1:{chosen.ports['registry_for_trino']}"
    (folder / "tables").mkdir(exist_ok=True)
    return trino.start(
        folder,
        port=chosen.ports["trino"],
        access_control=opa(asks, request_timeout="3s"),
        events=[http_events(f"{asks}/v1/events")],
        environ=chosen.reading(),
    ).running


def _stay(known: Sequence[Known]) -> None:
    """Wait for SIGTERM, and note which servers do not."""
    gone: set[str] = set()
    while True:
        time.sleep(1)
        for each in known:
            if each.name not in gone and not each.is_running():
                gone.add(each.name)
                print(f"{time.strftime('%H:%M:%S')} {each.name} has died; see {each.log}", file=sys.stderr, flush=True)


def _watch() -> None:
    """End this process if `up` ends before it has said that all may stay."""
    if sys.stdin.readline().strip() != STAY:
        os.kill(os.getpid(), signal.SIGTERM)


def _leave(_number: int, _frame: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # what is begun now is the stopping
    sys.exit(0)


def _tell(what: str, more: str) -> None:
    """Say a line to `up`, which has no need of it any more once it has ended."""
    line = f"{what} {more}".replace("\n", "\0")
    print(line, flush=True)


@contextmanager
def _alone(folder: Path) -> Iterator[bool]:
    """Hold the folder's lock, if nobody does."""
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
