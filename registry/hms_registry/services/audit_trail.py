"""Lines of the audit that need not be on disk before the answer: gathered, and written many at a time.

A line written by itself waits for the disk, and for whoever writes into the catalogue: a crawl would slow down every
reader. What is gathered is written within a twentieth of a second, and when the process stops; a process that is killed
(kill -9, power) loses that much. Queries over data do not come here: theirs are durable before the first row.

It fails closed: where nothing can be written, a bounded number of lines is kept and tried again, and whoever would
leave one more gets no answer.
"""

from __future__ import annotations

import logging
import threading
from typing import Final

from hms_registry.errors import CatalogueError, CatalogueUnavailable
from hms_registry.ports.catalogue import Catalogue
from hms_registry.ports.records import AuditEntry

logger = logging.getLogger(__name__)

DELAY_S: Final = 0.05
MOST: Final = 10_000


class AuditTrail:
    """Gathers lines for a catalogue. Thread-safe; its thread begins with the first line."""

    def __init__(self, catalogue: Catalogue, *, delay_s: float = DELAY_S, most: int = MOST) -> None:
        self._catalogue = catalogue
        self._delay_s = delay_s
        self._most = most
        self._lines: list[AuditEntry] = []
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._has_lines = threading.Event()
        self._is_over = threading.Event()
        self._thread: threading.Thread | None = None

    def add(self, entry: AuditEntry) -> None:
        """Take a line.

        Raises:
            CatalogueUnavailable: too many wait to be written.
        """
        with self._lock:
            if len(self._lines) >= self._most:
                raise CatalogueUnavailable(
                    "the audit cannot be written, so nothing is answered", hint="the server's log tells why"
                )
            self._lines.append(entry)
            if self._thread is None and not self._is_over.is_set():
                self._thread = threading.Thread(target=self._run, name="hms-dta-audit", daemon=True)
                self._thread.start()
        if not self._has_lines.is_set():
            self._has_lines.set()

    def flush(self) -> None:
        """Write what was taken so far.

        Raises:
            CatalogueError: it cannot be written now; it is kept, to be tried again.
        """
        with self._writing:
            with self._lock:
                lines, self._lines = self._lines, []
                self._has_lines.clear()
            if not lines:
                return
            try:
                with self._catalogue.unit(writes=True) as uow:
                    uow.audit.record(*lines)
                    uow.commit()
            except BaseException:
                with self._lock:
                    self._lines[:0] = lines
                    self._has_lines.set()
                raise

    def close(self) -> None:
        """Write what is left, and end. Idempotent."""
        self._is_over.set()
        self._has_lines.set()
        if self._thread is not None:
            self._thread.join()
        try:
            self.flush()
        except CatalogueError as error:
            logger.error("%d lines of the audit are lost: %s", len(self._lines), error.message)

    def _run(self) -> None:
        while not self._is_over.is_set():
            self._has_lines.wait()
            self._is_over.wait(self._delay_s)
            try:
                self.flush()
            except CatalogueError as error:
                logger.warning("the audit is not written yet, %d lines wait: %s", len(self._lines), error.message)
                self._is_over.wait(1.0)
