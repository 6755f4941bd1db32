"""A Trino of the tests' own: one coordinator on loopback, governed or not, whose catalogs may come and go.

It comes from Maven Central and runs on Java 24 or newer. Half a minute's work goes into a start: a session has one that
is governed, and whoever needs its settings otherwise starts another, or writes them and restarts.
"""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from services import trino_login, trino_program
from services.postgres import PASSWORD
from services.running import Running, free_port, start_process
from services.seaweedfs import SECRET
from services.trino_settings import Properties, http_events, opa, openlineage

if TYPE_CHECKING:
    from trino.dbapi import Connection

ADMIN = "admin"
"""Whom the tests make catalogs as, where nothing says who may."""

PASSWORDS = {name: f"{name}-logs-in/+=&%" for name in ("ana", "eli", "cy", "hms-dta")}
"""Who may log in over HTTPS."""

LINEAGE_TOKEN = "hmsdta_lineage-token-of-the-tests"
"""What the governed one presents with its OpenLineage events."""

SECRETS = {"LAKE_PASSWORD": PASSWORD, "CDC_KEY": "admin", "CDC_SECRET": SECRET}
"""What catalogs of the tests may refer to as `${ENV:...}`: of the tests' PostgreSQL and S3."""

Row = tuple[object, ...]


@dataclass(slots=True, kw_only=True)
class Trino:
    """A started coordinator.

    Attributes:
        folder: its own; `etc` below it holds its settings, `etc/catalog` its catalogs.
        environ: what `${ENV:...}` in its settings may refer to.
        https_port: where it takes nobody without a password of `PASSWORDS`; `etc/ca.pem` vouches for it.
        registry_port: where it asks who may do what and tells of its queries; a registry listens there, or nobody.
        lineage_port: where it tells of what was written, by OpenLineage and with `LINEAGE_TOKEN`.
    """

    folder: Path
    port: int
    environ: Mapping[str, str]
    running: Running
    https_port: int | None = None
    registry_port: int | None = None
    lineage_port: int | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def etc(self) -> Path:
        return self.folder / "etc"

    @property
    def version(self) -> str:
        return trino_program.RELEASE

    def stop(self) -> None:
        """End it. Idempotent."""
        self.running.stop()

    def restart(self, *, environ: Mapping[str, str] | None = None) -> None:
        """End it and start it again with what its folder says now: a catalog's file is read only then."""
        self.stop()
        if environ is not None:
            self.environ = {**self.environ, **environ}
        self.running = _run(self.folder, port=self.port, environ=self.environ)

    def write(self, name: str, properties: Properties) -> None:
        """Write a file below `etc`; it counts from the next start on."""
        write(self.etc / name, properties)

    @contextmanager
    def connection(self, user: str = ADMIN) -> Iterator[Connection]:
        """Open a connection of a person, whose word is taken for who they are."""
        from trino.dbapi import connect

        made: Connection = connect(  # type: ignore[no-untyped-call]  # the client annotates no arguments
            host="127.0.0.1", port=self.port, user=user, http_scheme="http"
        )
        with closing(made):
            yield made

    def ask(self, sql: str, *, user: str = ADMIN) -> list[Row]:
        """Return the rows of one statement, asked by the Python client."""
        with self.connection(user) as connection:
            cursor = connection.cursor()
            cursor.execute(sql)
            return [tuple(row) for row in cursor.fetchall()]

    def create_catalog(self, name: str, properties: Properties, *, user: str = ADMIN) -> None:
        """Make a catalog while it runs; its connector is a property, as in a file."""
        options = ", ".join(
            f'"{key}" = {_quoted(value)}' for key, value in properties.items() if key != "connector.name"
        )
        using = f" WITH ({options})" if options else ""
        self.ask(f'CREATE CATALOG "{name}" USING {properties["connector.name"]}{using}', user=user)

    def drop_catalog(self, name: str, *, user: str = ADMIN) -> None:
        """Remove a catalog, if it is there."""
        self.ask(f'DROP CATALOG IF EXISTS "{name}"', user=user)


def start(
    folder: Path,
    *,
    port: int | None = None,
    access_control: Properties | None = None,
    events: Sequence[Properties] = (),
    catalogs: Mapping[str, Properties] | None = None,
    config: Properties | None = None,
    environ: Mapping[str, str] | None = None,
    https_port: int | None = None,
    registry_port: int | None = None,
    lineage_port: int | None = None,
) -> Trino:
    """Start a coordinator with its settings and data under *folder*; at *port*, or a free one.

    Args:
        access_control: who may do what; without it, everybody may do all.
        events: listeners, e.g. `trino_settings.http_events`.
        catalogs: there from the beginning.
        config: more for config.properties, or other values than ours.
        environ: what settings refer to as `${ENV:...}`.
        https_port: people of `PASSWORDS` log in there.
        registry_port, lineage_port: kept for who asks where it looks for its registry.

    Raises:
        ServiceMissing: it is not here and cannot be fetched, or no Java is; the text says what is needed.
        ServiceFailed: it did not start.
    """
    port = port or free_port()
    etc = folder / "etc"
    (etc / "catalog").mkdir(parents=True, exist_ok=True)
    (folder / "data").mkdir(exist_ok=True)
    listeners = {etc / f"event-listener-{number}.properties": each for number, each in enumerate(events, 1)}
    files = {etc / f"catalog/{name}.properties": each for name, each in (catalogs or {}).items()} | listeners
    if access_control is not None:
        files[etc / "access-control.properties"] = access_control
    named = {"event-listener.config-files": ",".join(map(str, listeners))} if listeners else {}
    if https_port is not None:
        named |= trino_login.https(etc, port=https_port)
        files[etc / "password-authenticator.properties"] = trino_login.password_file(etc / "passwords", PASSWORDS)
    files[etc / "config.properties"] = {**_config(port), **named, **(config or {})}
    files[etc / "log.properties"] = {"io.trino": "WARN", "io.airlift": "WARN", "Bootstrap": "WARN"}
    for path, properties in files.items():
        write(path, properties)
    environ = dict(environ or {})
    running = _run(folder, port=port, environ=environ)
    return Trino(
        folder=folder,
        port=port,
        environ=environ,
        running=running,
        https_port=https_port,
        registry_port=registry_port,
        lineage_port=lineage_port,
    )


def start_governed(folder: Path) -> Trino:
    """Start one that asks a registry at `registry_port` for access and tells it of its queries.

    Until one listens there, it refuses everybody everything.

    Raises:
        ServiceMissing, ServiceFailed
    """
    port, registry, lineage = free_port(), free_port(), free_port()
    listener = f"http://127.0.0.1:{registry}"
    return start(
        folder,
        port=port,
        access_control=opa(listener),
        events=[
            http_events(f"{listener}/v1/events"),
            openlineage(
                f"http://127.0.0.1:{lineage}",
                endpoint="/api/v1/lineage",
                token=LINEAGE_TOKEN,
                trino=f"http://127.0.0.1:{port}",
            ),
        ],
        environ=SECRETS,
        https_port=free_port(),
        registry_port=registry,
        lineage_port=lineage,
    )


def write(path: Path, properties: Properties) -> None:
    """Write a file of settings."""
    lines = (f"{key}={value}\n" for key, value in properties.items())
    path.write_text("".join(lines), encoding="utf-8")


def _config(port: int) -> dict[str, str]:
    return {
        "coordinator": "true",
        "node-scheduler.include-coordinator": "true",
        "http-server.http.port": str(port),
        "discovery.uri": f"http://127.0.0.1:{port}",
        "node.internal-address": "127.0.0.1",
        "node.bind-ip": "127.0.0.1",
        "catalog.management": "dynamic",
        "catalog.store": "file",
        "hide-inaccessible-columns": "true",  # otherwise SELECT * names what is hidden, and fails
        "query.max-memory-per-node": "300MB",
        "memory.heap-headroom-per-node": "200MB",
        "task.concurrency": "2",
        "web-ui.enabled": "false",
        "http-server.log.enabled": "false",
    }


def _run(folder: Path, *, port: int, environ: Mapping[str, str]) -> Running:
    home = trino_program.installed()
    settings = {
        "config": folder / "etc" / "config.properties",
        "log.levels-file": folder / "etc" / "log.properties",
        "node.environment": "test",
        "node.id": "tests",
        "node.data-dir": folder / "data",
        "plugin.dir": home / "plugin",
    }
    words = [f"-D{key}={value}" for key, value in settings.items()]
    url = f"http://127.0.0.1:{port}"
    return start_process(
        [*trino_program.java(folder, megabytes=900), *words, "-cp", f"{home / 'lib'}/*", "io.trino.server.TrinoServer"],
        url=url,
        log=folder / "trino.log",
        cwd=folder,  # its catalogs' folder is etc/catalog below it
        env={**os.environ, **environ},
        timeout_s=300,
        patience_s=10 if trino_program.kept_classes().exists() else 120,
        is_ready=lambda: _is_ready(url),
    )


def _is_ready(url: str) -> bool:
    """Say whether it has read its catalogs and takes queries."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(f"{url}/v1/info", timeout=2) as answer:
            return json.load(answer)["starting"] is False
    except (OSError, ValueError):
        return False


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
