"""The command that asks: query."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from hms_registry.cli.output import print_json, print_lines
from hms_registry.cli.state import AsJson, AsWho, home_of, principal


class Format(StrEnum):
    """How an answer is written."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    PARQUET = "parquet"


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
        if explain:
            explained = registry.sql.explain(text, principal=asker)
            if as_json:
                print_json(explained.as_dict())
            else:
                print_lines(explained.lines())
            return
        chosen = Format.JSON if as_json else output_format
        with registry.sql.ask(text, principal=asker) as answer:
            if out is not None:
                with out.open("wb") as file:
                    write(answer, format=chosen.value, out=file)
            else:
                write(answer, format=chosen.value, out=sys.stdout.buffer)


def _read(sql: str) -> str:
    if sql == "-":
        return sys.stdin.read()
    if sql.startswith("@"):
        from hms_registry.errors import SettingsInvalid

        try:
            return Path(sql[1:]).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            raise SettingsInvalid(
                f"{sql[1:]} cannot be read as UTF-8 text", hint="query @FILE reads SQL from FILE"
            ) from None
    return sql
