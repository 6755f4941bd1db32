"""A server that speaks S3 and does what no sound one does: for the faults that SeaweedFS cannot be brought to."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, quote, unquote, urlsplit
from xml.sax.saxutils import escape

SECRET = "canary-secret-9c1"


@dataclass(slots=True, kw_only=True)
class OddS3:
    """What the server does.

    Attributes:
        pages: keys of each page of its listing, sent in this order; every key holds *body*.
        loops: the token of the last page leads to this page again.
        answer: (status, headers, body) to everything, instead.
        objects_answer: the same to whoever asks for an object.
        busy_for: so many requests for objects are told to slow down first.
        drip_s: seconds between two bytes of every answer.
        asked: requests, as `METHOD path`.
    """

    pages: Sequence[Sequence[str]] = ((),)
    loops: int | None = None
    has_new_tokens: bool = False
    answer: tuple[int, Mapping[str, str], bytes] | None = None
    objects_answer: tuple[int, Mapping[str, str], bytes] | None = None
    busy_for: int = 0
    drip_s: float = 0.0
    body: bytes = b"a,b\n1,2\n"
    asked: list[str] = field(default_factory=list)
    port: int = 0

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def options(self) -> dict[str, str]:
        """Return what `sources.yml` would say beside the URL."""
        return {"endpoint": self.endpoint, "access_key": "someone", "secret_key": SECRET}

    def page(self, token: str) -> bytes:
        """Return a page of the listing."""
        at = int(token.partition("-")[0] or 0)
        following = at + 1 if at + 1 < len(self.pages) else self.loops
        suffix = f"-{time.monotonic_ns()}" if self.has_new_tokens else ""
        more = "" if following is None else f"<NextContinuationToken>{following}{suffix}</NextContinuationToken>"
        contents = "".join(
            f"<Contents><Key>{escape(quote(key))}</Key><LastModified>2024-01-01T00:00:00.000Z</LastModified>"
            f"<ETag>&quot;x&quot;</ETag><Size>{len(self.body)}</Size><StorageClass>STANDARD</StorageClass></Contents>"
            for key in self.pages[at]
        )
        return (
            f'<?xml version="1.0"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>bbb</Name>'
            f"<EncodingType>url</EncodingType><IsTruncated>{'true' if more else 'false'}</IsTruncated>"
            f"{more}{contents}</ListBucketResult>"
        ).encode()


@contextmanager
def serving(store: OddS3) -> Iterator[OddS3]:
    """Serve on loopback until the end."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:  # the name http.server asks for
            store.asked.append(f"{self.command} {self.path}")
            if store.answer is not None:
                self._say(*store.answer)
                return
            asked = urlsplit(self.path)
            query = parse_qs(asked.query)
            if "list-type" in query:
                at = query.get("continuation-token", ["0"])[0]
                known = int(at.partition("-")[0] or 0) < len(store.pages)
                self._say(200, {}, store.page(at)) if known else self._say(500, {}, b"")
            elif store.busy_for:
                store.busy_for -= 1
                self._say(503, {}, b"<Error><Code>SlowDown</Code></Error>")
            elif store.objects_answer is not None:
                self._say(*store.objects_answer)
            elif unquote(asked.path).partition("/bbb/")[2] in {key for page in store.pages for key in page}:
                total = len(store.body)
                headers = {"ETag": '"x"', "Content-Range": f"bytes 0-{total - 1}/{total}"}
                self._say(206, {**headers, "Last-Modified": "Mon, 01 Jan 2024 00:00:00 GMT"}, store.body)
            else:
                self._say(404, {}, b"<Error><Code>NoSuchKey</Code></Error>")

        do_HEAD = do_GET  # likewise

        def _say(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
            head = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", *(f"{n}: {v}" for n, v in headers.items())]
            whole = "\r\n".join([*head, "", ""]).encode() + (b"" if self.command == "HEAD" else body)
            try:
                if not store.drip_s:
                    self.wfile.write(whole)
                for at in range(len(whole) if store.drip_s else 0):
                    self.wfile.write(whole[at : at + 1])
                    time.sleep(store.drip_s)
            except OSError:
                self.close_connection = True

        def log_message(self, format: str, *args: object) -> None:  # the name http.server asks for
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    store.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield store
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
