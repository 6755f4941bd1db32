"""What a command loads: nothing heavy before it is needed, since a person waits for every module."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from command import hms

HEAVY = ("sqlalchemy", "alembic", "pyarrow", "duckdb", "sqlglot", "oso", "polar", "pydantic", "fastapi", "yaml")
_TELL = "import atexit, sys; atexit.register(lambda: print('LOADED', *sorted(sys.modules), file=sys.stderr));"
_RUN = f"{_TELL} from hms_registry.cli import main; main()"


def loaded(*words: str, code: str = _RUN) -> set[str]:
    """Run a command in a process of its own; return the modules that were loaded when it ended."""
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stderr
    line = next(line for line in done.stderr.splitlines() if line.startswith("LOADED "))
    return set(line.split()[1:])


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A registry's home over one CSV file, whose steward is the policy's own."""
    home = tmp_path_factory.mktemp("home")
    (home / "lake").mkdir()
    (home / "lake" / "tide.csv").write_text("day,level\n2024-01-01,3\n", encoding="utf-8")
    (home / "sources.yml").write_text(
        "sources:\n  lake:\n    url: file:lake\n    privacy_tier: PUBLIC\n", encoding="utf-8"
    )
    for words in (["init"], ["crawl"], ["policy", "publish"]):
        assert hms(home, *words).code == 0
    return home


def test_importing_the_command_line_loads_nothing_heavy() -> None:
    """Typer and the words of the registry; rich waits for the first table."""
    found = loaded(code=f"{_TELL} import hms_registry.cli")

    assert found & {*HEAVY, "rich.console", "asyncio"} == set()


def test_help_loads_nothing_heavy() -> None:
    """Nor does it draw boxes, for which rich would load its markup, its syntaxes and its tracebacks."""
    found = loaded("--help")

    assert found & {*HEAVY, "rich.console", "rich.markdown", "asyncio"} == set()


def test_a_query_loads_neither_migrations_nor_a_server(home: Path) -> None:
    """The catalogue is of this release's schema, and nobody is served."""
    found = loaded("--home", str(home), "query", "SELECT level FROM lake.public.tide", "--as", "role:analyst")

    assert {"duckdb", "pyarrow", "sqlalchemy"} <= found
    assert found & {"alembic", "sqlalchemy.orm", "fastapi", "uvicorn", "hms_crawler", "matplotlib"} == set()


def test_an_unchanged_crawl_loads_no_engine(home: Path) -> None:
    """It asks for a stamp and compares it."""
    found = loaded("--home", str(home), "crawl", "--json")

    assert found & {"alembic", "duckdb", "oso", "fastapi"} == set()
