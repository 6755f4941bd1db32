"""A PostgreSQL server of the tests' own: loopback only, data in a temporary folder, and a new database in no time."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import sql

from services.installing import apt_install
from services.running import Running, ServiceFailed, ServiceMissing, free_port, start_process

PASSWORD = "s3cret canary/@:%"
"""Of every role here. Odd on purpose, and no test may find it in any message."""

_ACCOUNT = "postgres"
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "off",  # what statistics say must not depend on when it ran
    "max_connections": "60",
    "shared_buffers": "64MB",
    "max_locks_per_transaction": "512",
    "timezone": "UTC",
    "log_min_messages": "warning",
}


@dataclass(slots=True, kw_only=True)
class Database:
    """One database of the server.

    Attributes:
        url: as `sources.yml` would say it, of the superuser.
    """

    name: str
    port: int

    @property
    def url(self) -> str:
        return self.url_of("postgres")

    def url_of(self, user: str, *, port: int | None = None) -> str:
        """Return the URL for another role, or through another port (a proxy's)."""
        return f"postgresql://{quote(user)}:{quote(PASSWORD, safe='')}@127.0.0.1:{port or self.port}/{self.name}"

    def connect(self, user: str = "postgres") -> psycopg.Connection:
        """Open a session that commits each statement."""
        return psycopg.connect(self.url_of(user), autocommit=True)

    def execute(self, *statements: str) -> None:
        """Run statements, each committed."""
        with self.connect() as session:
            for statement in statements:
                session.execute(statement.encode())

    def reset(self) -> None:
        """Empty it: ten times as fast as a new database. Extensions and large objects stay."""
        schemas = "SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'"
        with self.connect() as session:
            for (name,) in session.execute(schemas).fetchall():
                session.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(name)))
            session.execute("CREATE SCHEMA public")

    def rows(self, query: str) -> list[tuple[object, ...]]:
        """Return what a query answers."""
        with self.connect() as session:
            return session.execute(query.encode()).fetchall()


@dataclass(slots=True, kw_only=True)
class PostgresServer:
    """The running server; makes databases."""

    running: Running
    port: int
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))
    _templates: dict[str, str] = field(default_factory=dict)
    _kept: dict[str, Database] = field(default_factory=dict)

    @contextmanager
    def database(self, *, template: str = "template1") -> Iterator[Database]:
        """Give a new database, a copy of *template*; it is dropped at the end, whoever is still in it."""
        name = f"t{next(self._numbers)}"
        self._admin(sql.SQL("CREATE DATABASE {} TEMPLATE {}"), name, template)
        try:
            yield Database(name=name, port=self.port)
        finally:
            self._admin(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)"), name)

    def emptied(self, key: str) -> Database:
        """Return a database that is kept from test to test, emptied."""
        if key not in self._kept:
            self._admin(sql.SQL("CREATE DATABASE {}"), f"kept_{key}")
            self._kept[key] = Database(name=f"kept_{key}", port=self.port)
        self._kept[key].reset()
        return self._kept[key]

    def template(self, key: str, build: Callable[[Database], None]) -> str:
        """Return the name of a database that *build* filled, once for all tests, to copy from."""
        if key not in self._templates:
            name = f"template_{key}"
            self._admin(sql.SQL("CREATE DATABASE {}"), name)
            build(Database(name=name, port=self.port))
            self._templates[key] = name
        return self._templates[key]

    def role(self, name: str) -> None:
        """Make a role that may log in and nothing else; roles are the whole server's and stay."""
        with Database(name="postgres", port=self.port).connect() as session:
            known = session.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (name,)).fetchone()
            if known is None:
                statement = sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}")
                session.execute(statement.format(sql.Identifier(name), sql.Literal(PASSWORD)))

    def _admin(self, statement: sql.SQL, *names: str) -> None:
        with Database(name="postgres", port=self.port).connect() as session:
            session.execute(statement.format(*map(sql.Identifier, names)))


def start(folder: Path, *, port: int | None = None, password: str = PASSWORD) -> PostgresServer:
    """Start a server with its data under *folder*, or those left there; at *port*, or a free one.

    Args:
        password: of the superuser, where the data are new; what this module makes besides has `PASSWORD`.

    Raises:
        ServiceMissing: PostgreSQL is not installed and could not be; the text says how to.
        ServiceFailed: it did not start.
    """
    found = programs()
    data, log = folder / "data", folder / "postgres.log"
    prefix = _as_account(folder)
    if not data.exists():
        _initialise(found, data, folder, prefix, password)
    port = port or free_port()
    settings = [f"--{name}={value}" for name, value in {**_SETTINGS, **_preloads(found), "port": str(port)}.items()]
    log.touch(mode=0o666)
    running = start_process(
        [*prefix, str(found / "postgres"), "-D", str(data), *settings],
        url=f"postgresql://postgres@127.0.0.1:{port}/postgres",
        log=log,
        cwd=folder,
        is_ready=lambda: _is_ready(found, port),
        end_signal=signal.SIGINT,  # "fast": ends the sessions that tests left open
    )
    return PostgresServer(running=running, port=port)


def programs() -> Path:
    """Return the folder with initdb and postgres, of the newest release there is."""
    for _attempt in range(2):
        named = os.environ.get("HMS_DTA_POSTGRES_BIN")
        debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name.split(".")[0]))
        on_path = shutil.which("initdb")
        folders = [Path(named)] if named else [*reversed(debian), *([Path(on_path).parent] if on_path else [])]
        for folder in folders:
            if (folder / "initdb").exists() and (folder / "postgres").exists():
                return folder
        apt_install("postgresql")
    raise ServiceMissing("no initdb of PostgreSQL was found: install it, or name its folder in HMS_DTA_POSTGRES_BIN")


def _as_account(folder: Path) -> list[str]:
    """Return the words that run a command as an account that is not root: PostgreSQL refuses to be root."""
    if os.geteuid() != 0:
        return []
    try:
        account = pwd.getpwnam(_ACCOUNT)
    except KeyError:
        raise ServiceMissing(f"PostgreSQL refuses to run as root: add an account, useradd {_ACCOUNT}") from None
    os.chown(folder, account.pw_uid, account.pw_gid)
    for parent in folder.parents:
        if parent.stat().st_uid == os.geteuid() and not parent.stat().st_mode & 0o001:
            parent.chmod(parent.stat().st_mode | 0o011)  # pytest makes its folders for its own account alone
    # The kernel interrupts the server when the tests' process dies, however it dies.
    return ["setpriv", f"--reuid={_ACCOUNT}", f"--regid={account.pw_gid}", "--init-groups", "--pdeathsig=INT"]


def _initialise(programs: Path, data: Path, folder: Path, prefix: list[str], password: str) -> None:
    """Make the data, whole or not at all: who is interrupted may begin again."""
    made = folder / f"{data.name}.new"
    shutil.rmtree(made, ignore_errors=True)
    secret = folder / "password"
    secret.write_text(password)
    secret.chmod(0o644)
    options = ["--no-sync", "--encoding=UTF8", "--locale=C.UTF-8", "--username=postgres", f"--pwfile={secret}"]
    try:
        done = subprocess.run(
            [*prefix, str(programs / "initdb"), "-D", str(made), "--auth=scram-sha-256", *options],
            capture_output=True, text=True, cwd=folder, timeout=120, check=False,
        )  # fmt: skip
    finally:
        secret.unlink()
    if done.returncode != 0:
        raise ServiceFailed(f"initdb failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    made.rename(data)


def _preloads(programs: Path) -> dict[str, str]:
    """Return the setting that counts statements, where Debian's contrib modules are installed."""
    known = subprocess.run([programs / "pg_config", "--pkglibdir"], capture_output=True, text=True, check=False)
    library = Path(known.stdout.strip() or "/nonexistent") / "pg_stat_statements.so"
    return {"shared_preload_libraries": "pg_stat_statements"} if library.exists() else {}


def _is_ready(programs: Path, port: int) -> bool:
    asked = [str(programs / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(port)]
    return subprocess.run(asked, check=False, timeout=10).returncode == 0
