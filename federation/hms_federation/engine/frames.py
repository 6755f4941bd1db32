"""Frames: what a query's child process and its parent say to each other over one socket.

Down goes one REQUEST, pickled: a parent is trusted by its child. Up come BATCH, BATCH, ... and then END or FAILURE.
Nothing that comes up is unpickled: a child has read foreign bytes with large C++ libraries.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from typing import TYPE_CHECKING

from hms_federation.engine import failures
from hms_registry import errors
from hms_registry.errors import HmsError

if TYPE_CHECKING:
    import socket

REQUEST, BATCH, END, FAILURE = b"R", b"B", b"E", b"F"

_HEADER = struct.Struct("!cQ")
_KINDS = {
    kind.__name__: kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, HmsError)
}
_FAILURE_BYTES = 1 << 20


class Broken(ConnectionError):
    """The other side is gone, or says what no frame is."""


def header(kind: bytes, size: int) -> bytes:
    """Return what goes before a payload of *size* bytes."""
    return _HEADER.pack(kind, size)


def send(to: socket.socket, kind: bytes, payload: bytes | memoryview = b"") -> None:
    """Send one frame; waits as long as the other side does not read.

    Raises:
        OSError: it is gone.
    """
    to.sendall(header(kind, len(payload)))
    to.sendall(payload)


def receive(read_into: Callable[[memoryview], None], allocate: Callable[[int], memoryview]) -> bytes:
    """Receive one frame and return its kind.

    Args:
        read_into: fills its argument to the end, or raises `Broken`.
        allocate: gives the memory for a payload of that many bytes, or raises.
    """
    head = bytearray(_HEADER.size)
    read_into(memoryview(head))
    kind, size = _HEADER.unpack(head)
    if kind not in (REQUEST, BATCH, END, FAILURE) or (kind in (END, FAILURE) and size > _FAILURE_BYTES):
        raise Broken
    if size:
        read_into(allocate(size))
    return bytes(kind)


def failure_to_bytes(error: HmsError) -> bytes:
    """Write an error down; one of an adapter's own kinds becomes the nearest of our tree."""
    kind = next(kind.__name__ for kind in type(error).__mro__ if kind.__name__ in _KINDS)
    return json.dumps({"kind": kind, "message": error.message[:10_000], "hint": error.hint[:10_000]}).encode()


def failure_from_bytes(payload: bytes) -> HmsError:
    """Read an error back; what is none of our tree is `QueryFailed`."""
    try:
        told = json.loads(payload)
        return _KINDS[told["kind"]](str(told["message"]), hint=str(told["hint"]))
    except (ValueError, TypeError, KeyError):
        return failures.broken()
