"""A server that speaks MongoDB's wire protocol and holds the very bytes that a test gives it.

For what nx-27017 cannot keep (Decimal128, views, validators, collection names) and what no sound server sends:
text that is no UTF-8, a cursor without an end, refused logins, more documents than were asked for.
"""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from typing import Any
from uuid import UUID

import bson
from bson import Binary, Int64
from bson.raw_bson import RawBSONDocument

Command = dict[str, Any]


@dataclass(slots=True, kw_only=True)
class OddCollection:
    """A collection or view; its documents as BSON, in the order of their `_id`."""

    documents: list[bytes] = field(default_factory=list)
    options: Command = field(default_factory=dict)
    kind: str = "collection"
    uuid: int = 1
    indexes: list[Command] = field(default_factory=list)
    count: int | None = None

    def put(self, *documents: Mapping[str, Any]) -> None:
        """Add documents."""
        self.documents += [bson.encode(dict(each)) for each in documents]


@dataclass(slots=True, kw_only=True)
class OddMongo:
    """What the server holds and does.

    Attributes:
        answers: by command, or `command collection`: what is answered instead.
        loops: of this command the cursor never ends: the same batch comes again and again.
        floods: every answer to a find holds all documents, however few were asked for.
        breaks_at: the connection breaks instead of the answer to the command of that number, and from then on.
        hangs_at: likewise, but nothing is answered and nothing is closed.
        meanwhile: what somebody else does before each command is answered, by its number.
        asked: commands, as they came.
    """

    databases: dict[str, dict[str, OddCollection]] = field(default_factory=dict)
    answers: dict[str, Command] = field(default_factory=dict)
    loops: str = ""
    floods: bool = False
    breaks_at: int | None = None
    hangs_at: int | None = None
    meanwhile: Callable[[int], object] | None = None
    asked: list[Command] = field(default_factory=list)
    port: int = 0
    is_over: threading.Event = field(default_factory=threading.Event)
    _cursors: dict[int, tuple[str, list[bytes], bool]] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    @property
    def url(self) -> str:
        return f"mongodb://127.0.0.1:{self.port}/"

    def collection(self, database: str, name: str, **told: Any) -> OddCollection:
        """Make a collection."""
        made = OddCollection(uuid=next(self._numbers), **told)
        self.databases.setdefault(database, {})[name] = made
        return made

    def names(self) -> list[str]:
        """Return what was asked, by the names of commands, without the driver's own."""
        return [name for each in self.asked if (name := next(iter(each))).lower() not in ("hello", "ismaster", "ping")]

    def answer(self, command: Command) -> Command:
        """Answer one command.

        Raises:
            EOFError: the connection breaks here.
        """
        self.asked.append(command)
        if self.breaks_at is not None and len(self.names()) > self.breaks_at:
            raise EOFError
        if self.hangs_at is not None and len(self.names()) > self.hangs_at:
            self.is_over.wait()
            raise EOFError
        if self.meanwhile is not None:
            self.meanwhile(len(self.names()) - 1)
        name, about = next(iter(command.items()))
        known = self.answers.get(f"{name} {about}", self.answers.get(name))
        if known is not None:
            return known
        database = self.databases.get(command.get("$db", ""), {})
        held = database.get(about) if isinstance(about, str) else None
        match name.lower():
            case "hello" | "ismaster":
                return {"ok": 1, "isWritablePrimary": True, "ismaster": True, "maxWireVersion": 21,
                        "minWireVersion": 0, "maxBsonObjectSize": 16 << 20, "maxMessageSizeBytes": 48_000_000,
                        "maxWriteBatchSize": 1000, "readOnly": False}  # fmt: skip
            case "listdatabases":
                return {"ok": 1, "databases": [{"name": each} for each in self.databases]}
            case "listcollections":
                wanted = command.get("filter", {}).get("name")
                listed = [_told(key, each) for key, each in database.items() if wanted in (None, key)]
                told = [bson.encode(each) for each in listed]
                return self._cursor("$cmd.listCollections", told, command["cursor"], loops=self.loops == name)
            case "collstats" if held is not None:
                size = sum(map(len, held.documents))
                return {"ok": 1, "count": len(held.documents) if held.count is None else held.count, "size": size}
            case "listindexes" if held is None:
                return {"ok": 0, "code": 26, "codeName": "NamespaceNotFound", "errmsg": "ns does not exist"}
            case "listindexes" if held is not None:
                key = {"v": 2, "key": {"_id": 1}, "name": "_id_"}
                return self._cursor(about, [bson.encode(each) for each in (key, *held.indexes)], {})
            case "find":
                return self._found(held or OddCollection(), command)
            case "getmore":
                return self._more(command)
        return {"ok": 1}

    def _found(self, held: OddCollection, command: Command) -> Command:
        documents = list(held.documents)
        least = command.get("filter", {}).get("_id", {}).get("$gte")
        if least is not None:
            documents = [each for each in documents if bson.decode(each)["_id"] >= least]
        if command.get("sort", {}).get("_id") == -1:
            documents.reverse()
        if self.floods:
            return self._cursor(command["find"], documents, {"batchSize": 1 << 30})
        return self._cursor(
            command["find"], documents[: command.get("limit") or None], command, loops=self.loops == "find"
        )

    def _cursor(self, name: str, documents: Sequence[bytes], asked: Command, *, loops: bool = False) -> Command:
        most = asked.get("batchSize", 101)
        first, rest = list(documents[:most]), list(documents[most:])
        number = next(self._numbers) if (rest and not asked.get("singleBatch")) or loops else 0
        if number:
            self._cursors[number] = (name, first if loops else rest, loops)
        return {"ok": 1, "cursor": {"id": Int64(number), "ns": f"db.{name}", "firstBatch": _raw(first)}}

    def _more(self, command: Command) -> Command:
        number = command["getMore"]
        name, documents, loops = self._cursors.get(number, ("", [], False))
        most = command.get("batchSize", len(documents))
        if not loops:
            self._cursors[number] = (name, documents[most:], False)
        left = number if loops or documents[most:] else 0
        return {
            "ok": 1,
            "cursor": {"id": Int64(left), "ns": f"db.{name}", "nextBatch": _raw(documents[:most])},
        }


def _told(name: str, held: OddCollection) -> Command:
    info = {"readOnly": False} if held.kind == "view" else {"uuid": Binary(UUID(int=held.uuid).bytes, 4)}
    return {"name": name, "type": held.kind, "options": held.options, "info": info}


def _raw(documents: Sequence[bytes]) -> list[RawBSONDocument]:
    return [RawBSONDocument(each) for each in documents]


def _serve(odd: OddMongo, connection: socket.socket) -> None:
    with suppress(OSError, EOFError), connection:
        while True:
            length, request, _, code = struct.unpack("<iiii", _exactly(connection, 16))
            body = _exactly(connection, length - 16)
            if code == 2004:  # OP_QUERY: the driver's first hello
                start = body.index(b"\0", 4) + 9
                reply = struct.pack("<iqii", 8, 0, 0, 1) + bson.encode(odd.answer(bson.decode(body[start:])))
                answered = 1
            else:
                size = struct.unpack_from("<i", body, 5)[0]
                reply = struct.pack("<iB", 0, 0) + bson.encode(odd.answer(bson.decode(body[5 : 5 + size])))
                answered = 2013
            connection.sendall(struct.pack("<iiii", len(reply) + 16, 0, request, answered) + reply)


def _exactly(connection: socket.socket, size: int) -> bytes:
    found = bytearray()
    while len(found) < size:
        data = connection.recv(min(size - len(found), 1 << 20))
        if not data:
            raise EOFError
        found += data
    return bytes(found)


@contextmanager
def odd_mongo() -> Iterator[OddMongo]:
    """Run one on a free port of loopback."""
    odd = OddMongo()
    held: list[socket.socket] = []

    def accept(listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                held.append(connection)
                threading.Thread(target=_serve, args=[odd, connection], daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        odd.port = listener.getsockname()[1]
        thread = threading.Thread(target=accept, args=[listener], daemon=True)
        thread.start()
        try:
            yield odd
        finally:
            odd.is_over.set()
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            thread.join(5.0)
            for each in held:
                each.close()
