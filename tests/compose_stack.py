"""What docker-compose.yml starts, started without Docker: its commands, its environments, on the tests' own servers."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import yaml

from command import HMS_DTA
from services import redis, seaweedfs
from services.postgres import Database
from services.running import ends_with_us, free_port, start_process
from serving import eventually

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
COMPOSE = yaml.safe_load(TEXT)
SERVICES = COMPOSE["services"]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
WHERE = {"PATH": f"{HMS_DTA.parent}:/usr/bin:/bin", "PYTHONUTF8": "1"}
ODD = "it's odd/@:%+ 7f3a"
"""A password as somebody may choose it."""

VARIABLE = re.compile(r"\$(?:\$|\{(\w+):-([\w-]+)\})")


def filled(text: str, environ: Mapping[str, str]) -> str:
    """Fill in `${NAME:-default}` as Compose does; `$$` is a dollar."""
    return VARIABLE.sub(lambda found: environ.get(found[1], found[2]) if found[1] else "$", text)


def environment(service: str, environ: Mapping[str, str]) -> dict[str, str]:
    return {name: filled(str(value), environ) for name, value in SERVICES[service].get("environment", {}).items()}


@dataclass(frozen=True)
class Stack:
    """What the compose file starts, without its containers.

    Attributes:
        s3_port: where the S3 server of its own command listens.
        mongo_port: where the tests' MongoDB does.
        environ: what somebody's `.env` says.
    """

    database: Database
    home: Path
    s3_port: int
    mongo_port: int
    environ: Mapping[str, str]

    def ours(self, text: str) -> str:
        """The compose file's words, with this machine's places for those of its network."""
        lake = f"host=127.0.0.1 port={self.database.port} dbname={self.database.name}"
        for word, here in (
            ("/examples/", f"{ROOT}/examples/"),
            ("/srv/registry", str(self.home)),
            ("@postgres:5432/", f"@127.0.0.1:{self.database.port}/"),
            ("host=postgres port=5432 dbname=lake", lake),
            ("http://s3:8333", f"http://127.0.0.1:{self.s3_port}"),
            ("127.0.0.1:8333", f"127.0.0.1:{self.s3_port}"),
            ("mongodb://mongo:27017", f"mongodb://127.0.0.1:{self.mongo_port}"),
        ):
            text = text.replace(word, here)
        return text

    def run(self, words: Sequence[str], environ: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
        """Run a command of a service, with its environment and no other."""
        return subprocess.run(
            [self.ours(word) for word in words],
            env={**WHERE, **{name: self.ours(value) for name, value in environ.items()}},
            cwd=self.home,
            capture_output=True,
            encoding="utf-8",
            check=False,
            timeout=120,
        )

    def reading(self) -> dict[str, str]:
        """The registry's environment."""
        return environment("registry", self.environ)


@contextmanager
def s3_server(folder: Path, environ: Mapping[str, str]) -> Iterator[int]:
    """Run the S3 service's command over its config, at ports and in a folder of ours."""
    identities, data = folder / "identities.json", folder / "data"
    data.mkdir()
    identities.write_text(filled(COMPOSE["configs"]["s3-identities"]["content"], environ))
    assert SERVICES["s3"]["configs"] == [{"source": "s3-identities", "target": "/etc/seaweedfs/identities.json"}]
    port, master, volume, filer, admin = seaweedfs._ports(5)
    words = [word.replace("/etc/seaweedfs/identities.json", str(identities)) for word in SERVICES["s3"]["command"]]
    moved = {
        "-dir=/data": f"-dir={data}",
        "-s3.port=8333": f"-s3.port={port}",
        "-ip.bind=0.0.0.0": "-ip.bind=127.0.0.1",
    }
    words = [moved.pop(word, word) for word in words]
    assert moved == {}
    ours = {"master.port": master, "volume.port": volume, "filer.port": filer, "admin.port": admin,
            "s3.localSocket": folder / "s3.sock", "filer.localSocket": folder / "filer.sock"}  # fmt: skip
    running = start_process(
        [*ends_with_us(), seaweedfs._program(), *words, *(f"-{name}={to}" for name, to in ours.items())],
        url=f"http://127.0.0.1:{port}",
        log=folder / "s3.log",
        cwd=folder,
        is_ready=lambda: health("s3", port) == 0,
    )
    try:
        yield port
    finally:
        running.stop()


def health(service: str, port: int) -> int:
    """Run the health check of a service against a port of ours; return its exit code."""
    words = [
        re.sub(r"(127\.0\.0\.1[:/])\d+", rf"\g<1>{port}", word) for word in SERVICES[service]["healthcheck"]["test"][1:]
    ]
    environ = {**WHERE, "PATH": f"{redis.programs()}:{WHERE['PATH']}", "PGPORT": str(port)}
    return subprocess.run(words, env=environ, capture_output=True, check=False).returncode


def first_start(stack: Stack) -> None:
    """Run what the postgres image runs once: it gives scripts its own variables, and they reach the server."""
    mounted = "./deploy/init-catalogue.sh:/docker-entrypoint-initdb.d/catalogue.sh:ro"
    assert mounted in SERVICES["postgres"]["volumes"]
    environ = environment("postgres", stack.environ) | {"POSTGRES_DB": stack.database.name}
    reached = {"PGHOST": "127.0.0.1", "PGPORT": str(stack.database.port), "PGPASSWORD": environ["POSTGRES_PASSWORD"]}
    done = stack.run([str(ROOT / "deploy" / "init-catalogue.sh")], environ | reached)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@contextmanager
def registry(stack: Stack) -> Iterator[httpx.Client]:
    """Run the image's own command in its own environment, at a port of ours."""
    port = free_port()
    words = json.loads(re.findall(r"^CMD (\[.*\])$", DOCKERFILE, re.M)[0])
    environ = {**WHERE, "HMS_DTA_HOME": str(stack.home), **stack.reading()}
    assert "HMS_DTA_HOME=/srv/registry" in DOCKERFILE and "command" not in SERVICES["registry"]
    log = stack.home / "serve.log"
    with log.open("wb") as told:
        process = subprocess.Popen([*words, "--port", str(port)], env=environ, stdout=told, stderr=told, cwd=stack.home)
    try:
        eventually(lambda: health("registry", port) == 0 or process.poll() is not None, seconds=40, told=log.read_text)
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60, trust_env=False) as client:
            yield client
    finally:
        process.terminate()
        process.wait(timeout=20)
