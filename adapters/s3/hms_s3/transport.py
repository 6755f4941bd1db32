"""How requests are sent: to the host they are for, following no redirect, and over when their time is up.

botocore's own sender bounds each single read; a store that drips a byte a second would hold it for hours.
"""

from __future__ import annotations

import io
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Condition, Thread, local
from urllib.parse import urlsplit

import urllib3
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.exceptions import (
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    ReadTimeoutError,
    SSLError,
)
from botocore.httpsession import get_cert_path
from botocore.utils import get_environ_proxies
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError as Urllib3ConnectTimeout
from urllib3.exceptions import HTTPError, NewConnectionError
from urllib3.exceptions import ReadTimeoutError as Urllib3ReadTimeout
from urllib3.exceptions import SSLError as Urllib3SSLError

_now_sending = local()


class _Watched(HTTPConnection):
    """Tells the watch of its thread which socket it uses."""

    def connect(self) -> None:
        super().connect()
        _note(self.sock)

    def putrequest(self, method: str, url: str, skip_host: bool = False, skip_accept_encoding: bool = False) -> None:
        _note(self.sock)
        super().putrequest(method, url, skip_host, skip_accept_encoding)


class _WatchedTls(HTTPSConnection):
    def connect(self) -> None:
        super().connect()
        _note(self.sock)

    def putrequest(self, method: str, url: str, skip_host: bool = False, skip_accept_encoding: bool = False) -> None:
        _note(self.sock)
        super().putrequest(method, url, skip_host, skip_accept_encoding)


def _note(sock: socket.socket | None) -> None:
    watched: _Request | None = getattr(_now_sending, "request", None)
    if watched is not None and sock is not None:
        watched.sock = sock


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Watched


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _WatchedTls


class _Request:
    """One request under way."""

    __slots__ = ("ends_at", "is_over", "sock")

    def __init__(self, seconds: float) -> None:
        self.ends_at = time.monotonic() + seconds
        self.sock: socket.socket | None = None
        self.is_over = False


class Watch:
    """Shuts the sockets of requests whose time is up; one thread, there only while something is under way."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._under_way: set[_Request] = set()
        self._changed = Condition()
        self._thread: Thread | None = None

    @contextmanager
    def over(self) -> Iterator[_Request]:
        """Watch what this thread sends."""
        request = _Request(self._seconds)
        with self._changed:
            self._under_way.add(request)
            if self._thread is None:
                self._thread = Thread(target=self._run, name="hms-s3-watch", daemon=True)
                self._thread.start()
        _now_sending.request = request
        try:
            yield request
        finally:
            _now_sending.request = None
            with self._changed:
                self._under_way.discard(request)

    def _run(self) -> None:
        with self._changed:
            idle_since = time.monotonic()
            while True:
                self._changed.wait(min(0.5, self._seconds / 4))
                now = time.monotonic()
                for request in self._under_way:
                    if now > request.ends_at and request.sock is not None:
                        request.is_over = True
                        with suppress(OSError):
                            request.sock.shutdown(socket.SHUT_RDWR)
                if self._under_way:
                    idle_since = now
                elif now - idle_since > 5:
                    self._thread = None
                    return


class Transport:
    """Sends what botocore has signed; registered as its `before-send` handler."""

    def __init__(self, *, connect_s: float, read_s: float, request_s: float, connections: int) -> None:
        self._timeout = urllib3.Timeout(connect=connect_s, read=read_s)
        self._connections = connections
        self._watch = Watch(request_s)
        self._managers: dict[str, urllib3.PoolManager] = {}
        self._proxies: dict[str, str] = {}

    def send(self, request: AWSPreparedRequest, **_: object) -> AWSResponse:
        """Send and read whole.

        Raises:
            EndpointConnectionError, ConnectTimeoutError, ReadTimeoutError, ConnectionClosedError, SSLError: as
                botocore's own sender, so that its rules of trying again apply.
        """
        with self._watch.over() as watched:
            try:
                answer = self._send(request)
            except Urllib3SSLError as exc:
                raise SSLError(endpoint_url=request.url, error=exc) from exc
            except (NewConnectionError, socket.gaierror) as exc:
                raise EndpointConnectionError(endpoint_url=request.url, error=exc) from exc
            except Urllib3ConnectTimeout as exc:
                raise ConnectTimeoutError(endpoint_url=request.url, error=exc) from exc
            except Urllib3ReadTimeout as exc:
                raise ReadTimeoutError(endpoint_url=request.url, error=exc) from exc
            except (HTTPError, OSError) as exc:
                if watched.is_over:
                    raise ReadTimeoutError(endpoint_url=request.url, error=exc) from exc
                raise ConnectionClosedError(endpoint_url=request.url, error=exc, request=request) from exc
            if watched.is_over:
                raise ReadTimeoutError(endpoint_url=request.url, error="its time is up")
            if not {"content-length", "transfer-encoding"} & {str(name).lower() for name in answer.headers}:
                # Cut within the headers; http.client takes the rest for an empty answer, and a bucket for empty.
                raise ConnectionClosedError(endpoint_url=request.url, error="cut short", request=request)
            return answer

    def _send(self, request: AWSPreparedRequest) -> AWSResponse:
        # botocore signs some headers as bytes, whatever its types say.
        headers = {name: _text(value) for name, value in request.headers.items()}
        answer = self._manager(request.url).urlopen(
            request.method,
            request.url,
            body=request.body or None,
            headers=headers,
            redirect=False,
            retries=False,
            timeout=self._timeout,
            preload_content=True,
            decode_content=False,
        )
        return AWSResponse(request.url, answer.status, answer.headers, _Body(answer.data))  # type: ignore[arg-type] # any mapping

    def _manager(self, url: str) -> urllib3.PoolManager:
        parts = urlsplit(url)
        if parts.netloc not in self._proxies:  # looking through the environment costs as much as signing
            proxies: dict[str, str] = get_environ_proxies(url)
            self._proxies[parts.netloc] = proxies.get(parts.scheme, "")
        proxy = self._proxies[parts.netloc]
        if proxy not in self._managers:
            manager = urllib3.ProxyManager(proxy) if proxy else urllib3.PoolManager()
            manager.connection_pool_kw |= {
                "maxsize": self._connections,
                "cert_reqs": "CERT_REQUIRED",
                "ca_certs": os.environ.get("AWS_CA_BUNDLE") or get_cert_path(True),
            }
            manager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}
            self._managers[proxy] = manager
        return self._managers[proxy]

    def close(self) -> None:
        """Let go of every connection."""
        for manager in self._managers.values():
            manager.clear()


def _text(value: object) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


class _Body(io.BytesIO):
    """A body that was read whole, as botocore wants to read it."""

    def stream(self, amt: int = 65536) -> Iterator[bytes]:
        """Yield it in pieces."""
        while piece := self.read(amt):
            yield piece
