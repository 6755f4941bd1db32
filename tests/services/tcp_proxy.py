"""A small TCP proxy on loopback that misbehaves on demand: cuts, hangs, drips. For faults between us and a server."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field


@dataclass(slots=True, kw_only=True)
class Fault:
    """What goes wrong with what the server sends, per connection.

    Attributes:
        cut_after: bytes after which the connection breaks; None = never.
        hang_after: bytes after which nothing comes any more, and nothing is closed.
        bytes_a_second: how slowly it comes; None = at once.
    """

    cut_after: int | None = None
    hang_after: int | None = None
    bytes_a_second: int | None = None


@dataclass(slots=True)
class Proxy:
    """A running proxy.

    Attributes:
        fault: of connections made from now on.
        passed: bytes from the server that went through, all connections together.
    """

    target: int
    fault: Fault = field(default_factory=Fault)
    passed: int = 0
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
        for each in self._sockets:
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
                sink.sendall(data)
                sent += len(data)
                self.passed += len(data) if is_answer else 0
                if fault.bytes_a_second:
                    self._is_over.wait(1.0)
        if sent == fault.hang_after:
            self._is_over.wait()
        for each in (source, sink):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


@contextmanager
def tcp_proxy(target: int) -> Iterator[Proxy]:
    """Yield a proxy to a port of loopback."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
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
