"""A receiver of webhooks: a real HTTP server that keeps what it was sent and answers as it is told to."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SECRET = "whsec_" + "c2VjcmV0" * 8


@dataclass
class Receiver:
    """What came in, in order.

    Attributes:
        answers: the status of each request; the last one holds for all that follow.
        headers: that it answers with.
        on_request: called with the number of the request, from 0, before it is answered.
    """

    url: str = ""
    answers: list[int] = field(default_factory=lambda: [204])
    headers: dict[str, str] = field(default_factory=dict)
    on_request: Callable[[int], None] = lambda _number: None
    requests: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    @property
    def ids(self) -> list[str]:
        """The id of each message, repeated as it was sent."""
        return [headers["webhook-id"] for headers, _ in self.requests]

    @property
    def told(self) -> list[dict[str, object]]:
        """What each message tells, once, in the order in which it came first."""
        return [
            json.loads(body)["data"]
            for body in {headers["webhook-id"]: body for headers, body in self.requests}.values()
        ]


@contextmanager
def receiving() -> Iterator[Receiver]:
    """Run one on a free port of loopback."""
    receiver, lock = Receiver(), threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            with lock:
                number = len(receiver.requests)
                receiver.requests.append(({name.lower(): text for name, text in self.headers.items()}, body))
            receiver.on_request(number)
            self.send_response(receiver.answers[min(number, len(receiver.answers) - 1)])
            for name, text in receiver.headers.items():
                self.send_header(name, text)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    receiver.url = f"http://127.0.0.1:{server.server_port}/hook"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
