"""One client of a server: made when it is first needed, and every question it asks has an end."""

from __future__ import annotations

import time
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeAlias

import pymongo
from bson.codec_options import CodecOptions, DatetimeConversion
from pymongo import MongoClient
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.monitoring import CommandListener

from hms_mongo.config import MongoConfig
from hms_mongo.failures import DRIVER, crawl_failed

Document: TypeAlias = dict[str, object]

CODEC: CodecOptions[Document] = CodecOptions(
    document_class=dict,
    # A moment may be one that Python's datetime does not hold.
    datetime_conversion=DatetimeConversion.DATETIME_MS,
    # One text that is no UTF-8 must not cost all the others; it is refused where it becomes a value.
    unicode_decode_error_handler="surrogateescape",
)


class Client:
    """A lazy client. Thread-safe, as the driver's is."""

    def __init__(self, config: MongoConfig, *, listeners: Sequence[CommandListener] = ()) -> None:
        self.config = config
        self._listeners = listeners
        self._opened: MongoClient[Document] | None = None
        self._is_reached = False
        self._closing: weakref.finalize[[], Client] | None = None

    def database(self, name: str) -> Database[Document]:
        """Return a database of the server; nothing is asked yet."""
        return self._client().get_database(name, codec_options=CODEC)

    def collection(self, database: str, name: str) -> Collection[Document]:
        """Return a collection of the server; nothing is asked yet."""
        return self.database(database).get_collection(name)

    @contextmanager
    def asking(self, *, until: float | None = None, seconds: float | None = None) -> Iterator[None]:
        """Bound what is asked inside, and translate what the driver raises.

        Args:
            until: in terms of `time.monotonic()`: the end of the whole call.
            seconds: of this question; `operation_timeout_s` without.

        Raises:
            SourceUnreachable, CredentialsRejected
        """
        allowed = self.config.operation_timeout_s if seconds is None else seconds
        if until is not None:
            allowed = min(allowed, until - time.monotonic())
        try:
            self._reach(min(allowed, self.config.connect_timeout_s))
            with pymongo.timeout(max(allowed, 0.001)):
                yield
        except DRIVER as error:
            self._is_reached = False
            raise crawl_failed(self.config, error) from error

    def _reach(self, seconds: float) -> None:
        """Look for the server no longer than a connection may take: a deadline overrides the driver's own wait."""
        if not self._is_reached:
            with pymongo.timeout(max(seconds, 0.001)):
                self._client().get_database("admin").command("ping")
            self._is_reached = True

    def close(self) -> None:
        """Hang up. Idempotent."""
        if self._closing is not None:
            self._closing()
            self._closing = self._opened = None
            self._is_reached = False

    def _client(self) -> MongoClient[Document]:
        if self._opened is None:
            self._opened = self._open()
            # An adapter that nobody closed must not leave threads and sockets behind.
            self._closing = weakref.finalize(self, self._opened.close)
        return self._opened

    def _open(self) -> MongoClient[Document]:
        config = self.config
        options: dict[str, Any] = {name: _value(text) for name, text in config.driver.items()}
        if not config.is_srv and len(config.hosts) == 1 and "replicaSet" not in options:
            # Else the driver would dial whatever host the server names.
            options.setdefault("directConnection", True)
        if config.user:
            options |= {"username": config.user, "authSource": options.get("authSource", config.database or "admin")}
            options |= {"password": config.password} if config.password else {}
        wait_ms = int(config.connect_timeout_s * 1000)
        hosts = [config.location] if config.is_srv else list(config.hosts)
        return MongoClient(
            hosts,
            connect=False,
            appname="hms-dta",
            serverSelectionTimeoutMS=wait_ms,
            connectTimeoutMS=wait_ms,
            socketTimeoutMS=int(config.operation_timeout_s * 1000),
            # A broken connection is told at once: the driver would try again until the time is up.
            retryReads=False,
            retryWrites=False,
            maxPoolSize=8,
            event_listeners=list(self._listeners),
            **options,
        )


def _value(text: str) -> object:
    return {"true": True, "false": False}.get(text, text)
