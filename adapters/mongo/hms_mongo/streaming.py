"""One stream of documents: a thread pulls batches off the driver, so that waiting for them always has an end."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Generator
from contextlib import suppress
from typing import cast

import bson
import pymongo

from hms_mongo.client import CODEC, Client, Document
from hms_mongo.failures import DRIVER, cancelled, scan_failed, timed_out
from hms_registry.errors import HmsError

_AHEAD = 1
_TICK_S = 0.05


class Stream:
    """Runs one `find` and yields its documents, a server's batch at a time (16 MB at most)."""

    def __init__(
        self,
        client: Client,
        *,
        namespace: tuple[str, str],
        what: str,
        query: Document,
        projection: Document | None,
        limit: int,
        batch_rows: int,
        cancel: threading.Event | None,
        deadline_s: float,
    ) -> None:
        self._client = client
        self._namespace = namespace
        self._what = what
        self._query = query
        self._projection = projection
        self._limit = limit
        self._batch_rows = batch_rows
        self._cancel = cancel
        self._ends_at = time.monotonic() + deadline_s
        self._batches: queue.Queue[list[Document] | HmsError | None] = queue.Queue(maxsize=_AHEAD)
        self._stop = threading.Event()

    def start(self) -> None:
        """Begin to read.

        Raises:
            ScanFailed: it was cancelled before.
        """
        if self._cancel is not None and self._cancel.is_set():
            raise cancelled(self._what)
        threading.Thread(target=self._pump, name="hms-dta-mongo", daemon=True).start()

    def __iter__(self) -> Generator[list[Document], None, None]:
        while True:
            if self._cancel is not None and self._cancel.is_set():
                raise cancelled(self._what)
            if time.monotonic() > self._ends_at:
                raise timed_out(self._what)
            try:
                item = self._batches.get(timeout=_TICK_S)
            except queue.Empty:
                if self._stop.is_set():
                    raise cancelled(self._what) from None
                continue
            if item is None:
                return
            if isinstance(item, HmsError):
                raise item
            yield item

    def close(self) -> None:
        """Let go. Idempotent; the thread ends with the command that it waits for, which has a deadline."""
        self._stop.set()

    def _pump(self) -> None:
        """Read to the end: the only one who touches the cursor."""
        try:
            with pymongo.timeout(max(self._ends_at - time.monotonic(), 0.001)):
                collection = self._client.collection(*self._namespace)
                cursor = collection.find_raw_batches(
                    self._query, self._projection, limit=self._limit, batch_size=self._batch_rows
                )
                with cursor:
                    for batch in cursor:
                        raw = cast(bytes, batch)
                        if raw and not self._put(bson.decode_all(raw, CODEC)):
                            return
            self._put(None)
        except DRIVER as error:
            # After close() the driver may be gone under us, and nobody listens.
            with suppress(AttributeError):
                self._put(scan_failed(self._what, error))

    def _put(self, item: list[Document] | HmsError | None) -> bool:
        while not self._stop.is_set():
            try:
                self._batches.put(item, timeout=_TICK_S)
            except queue.Full:
                continue
            return True
        return False
