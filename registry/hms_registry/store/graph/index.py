"""The snapshots that this process has: for each transaction the one of its epoch, made of the nearest before it.

A transaction asks what epoch it sees, and under what mark. A snapshot of that one answers it; from one of an earlier
epoch it is a few rows away, which the transaction reads for itself, so that it always reads its own process's writes
and everybody else's. The mark of the earlier one must be what the catalogue has for it: a catalogue that was put back
from a backup and went on has the same numbers and other edges.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Final

from sqlalchemy import select

from hms_registry.store import tables
from hms_registry.store.graph import graph_file
from hms_registry.store.graph.graph_file import Kept
from hms_registry.store.graph.loading import load, since
from hms_registry.store.graph.snapshot import Snapshot
from hms_registry.store.session import Session

_HELD: Final = 4
"""Snapshots in memory: transactions that began before the last write still see the one before it."""
_MOST: Final = 20_000
"""Rows beside the arrays, unless a twentieth of them is more: then all become arrays again."""

_epoch, _epochs = tables.epoch, tables.epochs
_HEAD = select(_epoch.c.value, _epochs.c.mark).outerjoin(_epochs, _epochs.c.value == _epoch.c.value)


class GraphIndex:
    """The snapshots of one catalogue in one process. Thread-safe."""

    def __init__(self, path: Path | None) -> None:
        """Say where the arrays are kept between processes; None = nowhere."""
        self._path = path
        self._lock = threading.Lock()
        self._held: list[Snapshot] = []

    def snapshot(self, session: Session) -> Snapshot | None:
        """Return the snapshot that a transaction sees; None if it began before any that can still be had."""
        head = session.read(_HEAD).one()
        mark = head.mark or ""
        for held in self._held:
            if (held.epoch, held.mark) == (head.value, mark):
                return held
        with self._lock:
            return self._made(session, head.value, mark)

    def _made(self, session: Session, epoch: int, mark: str) -> Snapshot | None:
        for held in self._held:  # another thread may have made it meanwhile
            if (held.epoch, held.mark) == (epoch, mark):
                return held
        if self._held and epoch < min(each.epoch for each in self._held):
            return None
        before = max((each for each in self._held if each.epoch < epoch), key=lambda each: each.epoch, default=None)
        if before is None or not _is_of(session, before):
            self._held = []
            before = self._read(session, epoch)
        made = None if before is None else _forward(session, before, epoch, mark)
        if made is None:
            made = Snapshot(load(session), epoch, mark)
            self._keep(made)
        elif made.written.size > max(_MOST, len(made.arrays.down.far) // 20):
            made = made.compacted()
            self._keep(made)
        # replaced as a whole: who looks for one takes no lock
        self._held = sorted([*self._held, made], key=lambda each: each.epoch)[-_HELD:]
        return made

    def _read(self, session: Session, epoch: int) -> Snapshot | None:
        kept = None if self._path is None else graph_file.read(self._path)
        if kept is None or kept.epoch > epoch:
            return None
        found = Snapshot(kept.arrays, kept.epoch, kept.mark)
        return found if _is_of(session, found) else None

    def _keep(self, made: Snapshot) -> None:
        if self._path is not None and made.mark and len(made.arrays.down.far):
            graph_file.write(self._path, Kept(arrays=made.arrays, epoch=made.epoch, mark=made.mark))


def _is_of(session: Session, found: Snapshot) -> bool:
    """Say whether the catalogue's own history has this snapshot."""
    mark = session.read(select(_epochs.c.mark).where(_epochs.c.value == found.epoch)).scalar()
    return (bool(mark) and mark == found.mark) or (not found.mark and mark is None and found.epoch == 0)


def _forward(session: Session, before: Snapshot, epoch: int, mark: str) -> Snapshot | None:
    if (before.epoch, before.mark) == (epoch, mark):
        return before
    written = since(session, before.epoch, until=epoch, most=max(_MOST, len(before.arrays.down.far) // 5))
    if written is None:
        return None
    return before.later(epoch=epoch, mark=mark, added=written.added, ended=written.ended, datasets=written.datasets)
