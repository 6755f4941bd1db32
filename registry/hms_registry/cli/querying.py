"""The command that asks: query."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hms_registry.cli.output import inert, print_json, print_lines
from hms_registry.cli.state import AsJson, AsWho, home_of, principal
from hms_registry.errors import SettingsInvalid

if TYPE_CHECKING:
    from hms_federation.answer import Answer
    from hms_registry.bootstrap import Registry
    from hms_registry.domain.principals import Principal


class Format(StrEnum):
    """How an answer is written."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    PARQUET = "parquet"


class EngineName(StrEnum):
    """What answers."""

    EMBEDDED = "embedded"
    TRINO = "trino"


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(short_help="Ask one SELECT, under the policy in force.")(query)


def query(
    context: typer.Context,
    sql: Annotated[
        str, typer.Argument(help="One SELECT in Trino's dialect; @FILE reads it from a file, - from stdin.")
    ],
    who: AsWho = None,
    output_format: Annotated[Format, typer.Option("--format", "-f")] = Format.TABLE,
    engine: Annotated[
        EngineName, typer.Option("--engine", help="What answers: here, or the Trino of settings.yml, as you.")
    ] = EngineName.EMBEDDED,
    explain: Annotated[
        bool, typer.Option("--explain", help="Show what each source is asked, and ask nothing.")
    ] = False,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Write to a file instead of stdout.")] = None,
    as_json: AsJson = False,
) -> None:
    """Ask one SELECT over registered datasets, under the policy in force."""
    from hms_federation.writing.formats import write

    with home_of(context).registry() as registry:
        asker = principal(registry, who)
        text = _read(sql)
        if explain and engine == EngineName.TRINO:
            raise SettingsInvalid(
                "--explain tells what the embedded engine does",
                hint="leave out --engine trino, or send Trino an EXPLAIN",
            )
        if explain:
            explained = registry.sql.explain(text, principal=asker)
            if as_json:
                print_json(explained.as_dict())
            else:
                print_lines(explained.lines())
            return
        chosen = Format.JSON if as_json else output_format
        with _asked(registry, text, asker=asker, engine=engine) as answer:
            if out is not None:
                with out.open("wb") as file:
                    write(answer, format=chosen.value, out=file)
            else:
                write(answer, format=chosen.value, out=sys.stdout.buffer)


def _asked(registry: Registry, sql: str, *, asker: Principal, engine: EngineName) -> Answer:
    if engine == EngineName.EMBEDDED:
        return registry.sql.ask(sql, principal=asker)
    with _progress(is_shown=sys.stderr.isatty()) as progress:
        return registry.sql.ask_on_trino(sql, principal=asker, progress=progress)


@contextmanager
def _progress(*, is_shown: bool) -> Iterator[Callable[[Mapping[str, object]], None]]:
    """Show how far Trino is until its first rows are here; from then on, they show it."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not is_shown, transient=True) as bar:
        task = bar.add_task("waiting for Trino", total=None)

        def progress(told: Mapping[str, object]) -> None:
            done, total = told.get("completedSplits"), told.get("totalSplits")
            description = (
                f"Trino: {inert(str(told.get('state', ''))).lower()}, {told.get('processedRows', 0)} rows read"
            )
            if isinstance(done, int) and isinstance(total, int) and total:
                bar.update(task, description=description, completed=done, total=total)
            else:
                bar.update(task, description=description)

        yield progress


def _read(sql: str) -> str:
    if sql == "-":
        return sys.stdin.read()
    if sql.startswith("@"):
        try:
            return Path(sql[1:]).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            raise SettingsInvalid(
                f"{sql[1:]} cannot be read as UTF-8 text", hint="query @FILE reads SQL from FILE"
            ) from None
    return sql
