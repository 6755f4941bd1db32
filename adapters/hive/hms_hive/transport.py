"""Connections to thrift servers: every one has a deadline, also where the network drips a byte a second or hangs."""

from __future__ import annotations

import socket
import ssl
import time
import weakref

from thrift.protocol.TBinaryProtocol import TBinaryProtocolAccelerated
from thrift.transport.TSocket import TSocket
from thrift.transport.TTransport import TBufferedTransport, TTransportBase, TTransportException

from hms_hive.config import HiveConfig, Server

_BUFFER = 1 << 18
_MOST_TEXT = 64 << 20
_MOST_ITEMS = 10_000_000


class TimedSocket(TSocket):  # type: ignore[misc] # thrift ships no types
    """A socket that gives up at a moment, whatever still comes."""

    def __init__(self, server: Server, *, connect_s: float) -> None:
        super().__init__(server.host, server.port)
        self._server = server
        self._connect_s = connect_s
        self.ends_at = time.monotonic() + connect_s

    def open(self) -> None:
        """Connect, encrypted where that is asked for."""
        left = min(self._connect_s, self.ends_at - time.monotonic())
        handle = socket.create_connection((self._server.host, self._server.port), timeout=max(left, 0.001))
        handle.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._server.is_tls:
            context = ssl.create_default_context(cafile=self._server.ca_file or None)
            handle = context.wrap_socket(handle, server_hostname=self._server.host)
        self.handle = handle
        # An adapter that nobody closed must not leave sockets behind.
        weakref.finalize(self, handle.close)

    def read(self, sz: int) -> bytes:
        """Read what there is, within what is left of the time."""
        if self.handle is None:
            raise TTransportException(TTransportException.NOT_OPEN)
        self.handle.settimeout(self._left())
        found: bytes = self.handle.recv(sz)
        if not found:
            raise TTransportException(TTransportException.END_OF_FILE)
        return found

    def write(self, buff: bytes) -> None:
        """Write it all, within what is left of the time."""
        if self.handle is None:
            raise TTransportException(TTransportException.NOT_OPEN)
        self.handle.settimeout(self._left())
        self.handle.sendall(buff)

    def _left(self) -> float:
        left = self.ends_at - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left


def protocol_of(transport: TTransportBase) -> TBinaryProtocolAccelerated:
    """Return the protocol over a transport; what claims to be larger than any sound answer is not waited for."""
    return TBinaryProtocolAccelerated(
        transport, string_length_limit=_MOST_TEXT, container_length_limit=_MOST_ITEMS, fallback=True
    )


def buffered(timed: TimedSocket) -> TTransportBase:
    """Return a plain transport over a socket."""
    return TBufferedTransport(timed, _BUFFER)


def plain_sasl(timed: TimedSocket, config: HiveConfig) -> TTransportBase:
    """Return a transport that says who we are, as HiveServer2 wants it unless it is set to NOSASL."""
    from pyhive.sasl_compat import PureSASLClient
    from thrift_sasl import TSaslClientTransport

    def start() -> object:
        # An empty password is refused by the library, also where the server asks for none.
        return PureSASLClient(timed.host, username=config.user, password=config.password or "x", service=None)

    return TSaslClientTransport(start, "PLAIN", timed)
