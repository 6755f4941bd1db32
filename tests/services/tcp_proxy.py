"""A small TCP proxy on loopback that misbehaves on demand: cuts, hangs, drips. For faults between us and a server."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

READY = b"Z\x00\x00\x00\x05"
"""How PostgreSQL ends an answer."""
STATUS = b"HTTP/1.1 "
"""How an HTTP server begins one."""
REPLY = b"\x80\x01\x00\x02"
"""How a thrift server does: version 1 of the binary protocol, a reply."""
MESSAGE = b"\xdd\x07\x00\x00\x00\x00\x00\x00\x00"
"""How MongoDB does, but for its greeting: OP_MSG without flags, and a body."""


@dataclass(slots=True, kw_only=True)
class Fault:
    """What goes wrong with what the server sends, per connection.

    Attributes:
        cut_after: bytes after which the connection breaks; None = never.
        hang_after: bytes after which nothing comes any more, and nothing is closed.
        bytes_a_second: how slowly it comes; None = at once.
        dies_after: whole answers, on all connections together, after which every connection breaks and none is
            made any more; None = never.
    """

    cut_after: int | None = None
    hang_after: int | None = None
    bytes_a_second: int | None = None
    dies_after: int | None = None


@dataclass(slots=True)
class Proxy:
    """A running proxy.

    Attributes:
        fault: of connections made from now on.
        mark: what an answer of the server holds once: one of the constants above.
        passed: bytes from the server that went through, all connections together.
        answered: answers of connections whose fault counts them.
        is_dead: *dies_after* has come about; set it to False to have it live again.
    """

    target: int
    fault: Fault = field(default_factory=Fault)
    mark: bytes = b""
    passed: int = 0
    answered: int = 0
    is_dead: bool = False
    port: int = 0
    _sockets: list[socket.socket] = field(default_factory=list)
    _is_over: threading.Event = field(default_factory=threading.Event)

    def serve(self, listener: socket.socket) -> None:
        """Accept until the listener is closed."""
        while not self._is_over.is_set():
            try:
                client, _ = listener.accept()
            except OSError:
                return
            if self.is_dead:
                client.close()
                continue
            try:
                server = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                client.close()
                continue
            self._sockets += [client, server]
            for source, sink, fault in ((client, server, None), (server, client, self.fault)):
                threading.Thread(target=self._pass, args=(source, sink, fault), daemon=True).start()

    def close(self) -> None:
        """Close every connection."""
        self._is_over.set()
        self.hang_up()

    def revive(self, fault: Fault) -> None:
        """Break what is connected, and go on with another fault, counted from nothing."""
        self.hang_up()
        self.fault, self.answered, self.is_dead = fault, 0, False

    def hang_up(self) -> None:
        """Break every connection."""
        while self._sockets:
            each = self._sockets.pop()
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _pass(self, source: socket.socket, sink: socket.socket, fault: Fault | None) -> None:
        """Pass bytes on until one side ends; *fault* is None for what the client sends."""
        fault, is_answer = fault or Fault(), fault is not None
        limit = fault.cut_after if fault.cut_after is not None else fault.hang_after
        sent = 0
        with suppress(OSError):
            while limit is None or sent < limit:
                most = 65_536 if limit is None else limit - sent
                data = source.recv(min(most, fault.bytes_a_second or 65_536))
                if not data:
                    break
                if fault.dies_after is not None:
                    data = self._living(data, fault.dies_after)
                sink.sendall(data)
                if self.is_dead:
                    self.hang_up()
                    return
                sent += len(data)
                self.passed += len(data) if is_answer else 0
                if fault.bytes_a_second:
                    self._is_over.wait(1.0)
        if sent == fault.hang_after:
            self._is_over.wait()
        for each in (source, sink):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def _living(self, data: bytes, dies_after: int) -> bytes:
        """Return what may still pass: all that comes before the answer that is one too many."""
        at = -1
        while (at := data.find(self.mark, at + 1)) >= 0:
            if self.answered >= dies_after:
                self.is_dead = True
                return data[:at]
            self.answered += 1
        return data


@contextmanager
def tcp_proxy(target: int, *, port: int = 0) -> Iterator[Proxy]:
    """Yield a proxy to a port of loopback; it listens at *port*, or at a free one."""
    with socket.create_server(("127.0.0.1", port)) as listener:
        proxy = Proxy(target)
        proxy.port = listener.getsockname()[1]
        thread = threading.Thread(target=proxy.serve, args=[listener], daemon=True)
        thread.start()
        try:
            yield proxy
        finally:
            proxy.close()
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            thread.join(5.0)


@contextmanager
def silent_server() -> Iterator[int]:
    """Yield the port of a server that accepts and says nothing."""
    held: list[socket.socket] = []

    def accept(listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                held.append(listener.accept()[0])

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=accept, args=[listener], daemon=True)
        thread.start()
        try:
            port: int = listener.getsockname()[1]
            yield port
        finally:
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            thread.join(5.0)
            for each in held:
                each.close()
