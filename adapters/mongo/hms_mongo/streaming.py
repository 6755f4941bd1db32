"""One stream of documents: a thread pulls batches off the driver, so that waiting for them always has an end."""

from __future__ import annotations

import threading
from collections.abc import Generator
from contextlib import suppress
from typing import cast

import bson
import pymongo

from hms_formats.ahead import Ahead
from hms_formats.stopping import Stop
from hms_mongo.client import CODEC, Client, Document
from hms_mongo.failures import DRIVER, scan_failed

_AHEAD = 1
_LEAST_S = 0.001


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
        stop: Stop,
    ) -> None:
        self._client = client
        self._namespace = namespace
        self._what = what
        self._query = query
        self._projection = projection
        self._limit = limit
        self._batch_rows = batch_rows
        self._stop = stop
        self._ahead: Ahead[list[Document]] = Ahead(what, stop=stop, most=_AHEAD)

    def start(self) -> None:
        """Begin to read.

        Raises:
            ScanFailed: it was cancelled before.
        """
        self._stop.check(self._what)
        threading.Thread(target=self._pump, name="hms-dta-mongo", daemon=True).start()

    def __iter__(self) -> Generator[list[Document], None, None]:
        return iter(self._ahead)

    def close(self) -> None:
        """Let go. Idempotent; the thread ends with the command that it waits for, which has a deadline."""
        self._ahead.close()

    def _pump(self) -> None:
        """Read to the end: the only one who touches the cursor."""
        try:
            with pymongo.timeout(max(self._stop.left_s, _LEAST_S)):
                collection = self._client.collection(*self._namespace)
                cursor = collection.find_raw_batches(
                    self._query, self._projection, limit=self._limit, batch_size=self._batch_rows
                )
                with cursor:
                    for batch in cursor:
                        raw = cast(bytes, batch)
                        if raw and not self._ahead.put(bson.decode_all(raw, CODEC)):
                            return
            self._ahead.end()
        except DRIVER as error:
            # After close() the driver may be gone under us, and nobody listens.
            with suppress(AttributeError):
                self._ahead.end(scan_failed(self._what, error))
