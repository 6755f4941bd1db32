"""What `make up` puts into the stack: the demo's data in each store, and a registry's home over all of them.

It is done by the scripts that docker-compose.yml runs, with the variables that it gives them.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from services.postgres import programs
from services.running import tail
from stack import ROOT
from stack.chosen import BUCKET, Chosen, servers

_KNOWN = "SELECT datname FROM pg_database"


class LoadFailed(Exception):
    """A script failed; the text is what it said."""


@contextmanager
def loading(folder: Path) -> Iterator[Callable[[], None]]:
    """Begin to load what is not loaded yet; the block may wait for its end. Hive may start meanwhile, and comes last.

    Raises:
        LoadFailed: also by what the block is given.
    """
    chosen, home, log = Chosen.of(folder), folder / "home", folder / "loading.log"
    _make_databases(chosen)
    script = [sys.executable, str(ROOT / "examples" / "real_stores.py"), str(home), "--no-crawl"]
    with log.open("wb") as told:
        environ = {**os.environ, **chosen.reading(), **_writing(chosen, folder)}
        process = subprocess.Popen(script, env=environ, stdin=subprocess.DEVNULL, stdout=told, stderr=told)

    def wait() -> None:
        if process.wait() != 0:
            raise LoadFailed(f"the demo's data could not be loaded:\n{tail(log)}")
        _write(folder / "env", {"HMS_DTA_HOME": str(home), **chosen.reading()}, paths=[Path(sys.executable).parent])
        _write(folder / "admin.env", _administering(chosen), paths=[programs()])

    try:
        yield wait
    finally:
        process.terminate()
        process.wait()


def _make_databases(chosen: Chosen) -> None:
    """Make what the postgres image makes at its first start."""
    server = {
        "PATH": f"{programs()}:{os.environ['PATH']}",
        "PGHOST": "127.0.0.1",
        "PGPORT": str(chosen.ports["postgres"]),
        "PGPASSWORD": chosen.secrets["postgres"],
        "POSTGRES_USER": "postgres",
        "POSTGRES_DB": "lake",
    }
    psql = ["psql", "--no-psqlrc", "--tuples-only", "--username=postgres", "--dbname=postgres"]
    known = _run([*psql, f"--command={_KNOWN}"], server).split()
    if "lake" not in known:
        _run([*psql, "--command=CREATE DATABASE lake"], server)
    if "catalogue" not in known:
        reading = {"CATALOGUE_PASSWORD": chosen.secrets["catalogue"]}
        _run([str(ROOT / "deploy" / "init-catalogue.sh")], {**server, **reading})


def _writing(chosen: Chosen, folder: Path) -> dict[str, str]:
    """Return what the script asks beyond that."""
    port = chosen.ports["postgres"]
    governed = {
        "DEMO_TRINO": chosen.url("trino"),
        "DEMO_TRINO_ASKS": str(chosen.ports["registry_for_trino"]),
        "DEMO_TRINO_TABLES": str(folder / "trino" / "tables"),
    }
    stores = {
        "DEMO_CATALOGUE": f"postgresql://hms_catalogue:${{CATALOGUE_PASSWORD}}@127.0.0.1:{port}/catalogue",
        "DEMO_CACHE": chosen.url("redis"),
        "DEMO_POSTGRES": f"host=127.0.0.1 port={port} dbname=lake user=postgres",
        "PGPASSWORD": chosen.secrets["postgres"],
        "DEMO_S3": chosen.url("s3"),
        "DEMO_BUCKET": BUCKET,
        "DEMO_S3_KEY": "admin",
        "DEMO_S3_SECRET": chosen.secrets["s3"],
        "DEMO_HIVE": chosen.url("hiveserver2").replace("//", "//hms_dta@"),
        "DEMO_METASTORE": chosen.url("metastore"),
        "DEMO_MONGO": chosen.url("mongo"),
    }
    return stores | (governed if "trino" in servers() else {})


def _administering(chosen: Chosen) -> dict[str, str]:
    """Return what psql and the AWS command line take from the environment."""
    return {
        "PGHOST": "127.0.0.1",
        "PGPORT": str(chosen.ports["postgres"]),
        "PGUSER": "postgres",
        "PGPASSWORD": chosen.secrets["postgres"],
        "AWS_ENDPOINT_URL": chosen.url("s3"),
        "AWS_ACCESS_KEY_ID": "admin",
        "AWS_SECRET_ACCESS_KEY": chosen.secrets["s3"],
        "AWS_DEFAULT_REGION": "us-east-1",
    }


def _write(path: Path, variables: Mapping[str, str], *, paths: list[Path]) -> None:
    """Write a file for the shell, for its owner alone."""
    lines = [f"export {name}={shlex.quote(value)}" for name, value in variables.items()]
    lines.append(f'export PATH={":".join(shlex.quote(str(each)) for each in paths)}:"$PATH"')
    path.touch(mode=0o600)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _run(words: list[str], environ: Mapping[str, str]) -> str:
    done = subprocess.run(
        words, env={**os.environ, **environ}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if done.returncode != 0:
        raise LoadFailed(done.stdout.rstrip())
    return done.stdout
