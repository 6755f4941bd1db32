"""Starts: how long a person waits for a fresh process."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from bench.figures import Figure, require_equal
from bench.joins import WHO
from bench.stores import DEMO_SQL, Workshop
from bench.timing import hms_dta, interleaved, output_of

RUNS = 7
_LIBRARIES = "import duckdb, oso, pyarrow, sqlalchemy, sqlglot"


def first_answer(workshop: Workshop) -> Iterator[Figure]:
    """From the command line to the demo's answer, beside a process that only imports the libraries."""
    query = hms_dta("--home", str(workshop.demo), "query", f"@{DEMO_SQL}", "--as", WHO, "--format", "json")
    answers = []
    pair = interleaved(
        lambda: answers.append(output_of(query)),
        lambda: _run([sys.executable, "-c", _LIBRARIES]),
        runs=RUNS,
        what="first answer",
    )
    require_equal(len(set(answers)), 1, "different answers to one question")
    yield Figure(
        name="first-answer",
        what="first answer in a fresh process, beside importing the libraries",
        ours=pair.ours_ms,
        limit=pair.limit_ms,
        allowance=1500,
        note=f"{pair.cpu_ms:,.0f} ms of processor",
    )


def help_text(_workshop: Workshop) -> Iterator[Figure]:
    """`hms-dta --help`, against importing typer and rich."""
    pair = interleaved(
        lambda: _run(hms_dta("--help")),
        lambda: _run([sys.executable, "-c", "import typer, rich"]),
        runs=2 * RUNS + 1,
        what="help",
    )
    yield Figure(
        name="help",
        what="hms-dta --help, against importing typer and rich",
        ours=pair.ours_ms,
        limit=pair.limit_ms,
        factor=2.0,
        note=f"{pair.cpu_ms:,.0f} ms of processor",
    )


def _run(command: list[str]) -> None:
    output_of(command)
