"""An identity provider: a real HTTP server with real keys, that is rotated, slowed and killed as a test wants."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from joserfc import jws
from joserfc.jwk import ECKey, OKPKey, RSAKey

AUDIENCE = "hms-dta"
Key = RSAKey | ECKey | OKPKey


@cache
def rsa_key(name: str) -> RSAKey:
    """A key that every test of that name shares: making one takes longer than most tests."""
    return RSAKey.generate_key(2048, {"kid": name})


@dataclass
class Issuer:
    """What it publishes and how it answers; a test changes either.

    Attributes:
        keys: what it signs with, by the name that it publishes them under.
        answer: called with the path; the status, headers and body of the answer. None = as a provider answers.
        asked: the paths that were asked for.
    """

    url: str = ""
    keys: dict[str, Key] = field(default_factory=lambda: {"one": rsa_key("one")})
    published: dict[str, object] = field(default_factory=dict)
    answer: Callable[[str], tuple[int, dict[str, str], bytes]] | None = None
    asked: list[str] = field(default_factory=list)

    @property
    def jwks(self) -> dict[str, object]:
        """The set of keys, each with its name; what *published* says of one goes before."""
        public = [{**key.as_dict(private=False), "kid": kid, "use": "sig"} for kid, key in self.keys.items()]
        return {"keys": public, **self.published}

    def document(self, path: str) -> tuple[int, dict[str, str], bytes]:
        """What a provider answers."""
        documents = {
            "/certs": self.jwks,
            "/.well-known/openid-configuration": {"issuer": self.url, "jwks_uri": f"{self.url}/certs"},
        }
        found = documents.get(path)
        return (404, {}, b"") if found is None else (200, {}, json.dumps(found).encode())

    def claims(self, **other: object) -> dict[str, object]:
        """What a good token says, with *other* in place of it; None leaves a claim out."""
        now = int(time.time())
        said = {"iss": self.url, "aud": AUDIENCE, "sub": "ana@bts.dot.example", "iat": now, "exp": now + 3600}
        return {name: value for name, value in (said | other).items() if value is not None}

    def token(self, *, kid: str = "one", header: Mapping[str, object] | None = None, **other: object) -> str:
        """A token that it signed."""
        return signed({"alg": "RS256", "kid": kid, **(header or {})}, self.claims(**other), self.keys[kid])


def part(value: object) -> str:
    """One part of a token: JSON, or text as it is."""
    raw = (
        value if isinstance(value, bytes) else value.encode() if isinstance(value, str) else json.dumps(value).encode()
    )
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def signed(header: Mapping[str, object] | str, claims: Mapping[str, object] | str, key: Key) -> str:
    """A token of any header and any claims, also of such as no library writes, with a signature that is right."""
    algorithm = "RS256" if isinstance(header, str) else str(header["alg"])
    body = f"{part(header)}.{part(claims)}"
    signature = jws.JWSRegistry.algorithms[algorithm].sign(body.encode(), key)
    return f"{body}.{part(signature)}"


@contextmanager
def issuing() -> Iterator[Issuer]:
    """Run one on a free port of loopback; a test that wants it dead calls what is yielded as `stop`."""
    issuer = Issuer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            issuer.asked.append(self.path)
            status, headers, body = (issuer.answer or issuer.document)(self.path)
            try:
                self.send_response(status)
                for name, text in headers.items():
                    self.send_header(name, text)
                self.end_headers()
                self.wfile.write(body)
            except OSError:
                """Whoever asked has left."""

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    issuer.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield issuer
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
