"""The command `hms-dta`. Importing it costs Typer and rich, nothing else: everything heavy waits for its command.

Exit codes: 0 done; 1 other errors; 2 wrong settings or usage; 3 denied; 4 not found; 5 a source failed;
6 a crawl is under way; 7 policy; 8 query; 9 catalogue; 10 done, and it tells of something to act on
(a crawl with failures, a source that is not ready, what a doctor finds, a query that was not governed as decided, a
webhook that failed, a failed policy test, a policy diff in which somebody gains).
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Annotated, Final

import typer

from hms_registry.cli import (
    auditing,
    catalogue,
    checking,
    crawling,
    curating,
    doctor,
    feeding,
    indexing,
    lineage,
    policy,
    querying,
    runs,
    seeding,
    serving,
    tokens,
    trino,
)
from hms_registry.cli.state import Home
from hms_registry.errors import HmsError

GARBAGE: Final = (400_000, 10, 10)
"""When the process of a command looks for garbage. Nearly all that it makes are modules, and rows without cycles: to
look among them again and again would be a tenth of a person's wait, and of a crawl."""

app = typer.Typer(
    name="hms-dta",
    help="A federated data registry: one catalogue and one policy over the stores you have.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help: boxes would cost more than everything else that --help does
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
)


@app.callback()
def start(
    context: typer.Context,
    home: Annotated[
        Path, typer.Option(envvar="HMS_DTA_HOME", help="The folder with sources.yml, policies/ and .hms-dta/.")
    ] = Path(),
) -> None:
    """Remember the home folder for the command that follows."""
    context.obj = Home(home)


for module in (
    crawling,
    checking,
    doctor,
    catalogue,
    curating,
    lineage,
    runs,
    feeding,
    querying,
    auditing,
    policy,
    serving,
    tokens,
    seeding,
    indexing,
    trino,
):
    module.add_to(app)


@cache
def _command() -> Callable[..., object]:
    """Read the options of every command off its signature: once, though a process may run many."""
    return typer.main.get_command(app)


def main() -> None:
    """Run the command; an error is one sentence, a hint, and an exit code."""
    from hms_registry.cli.output import print_error

    gc.set_threshold(*GARBAGE)
    try:
        _command()(args=[_text(word) for word in sys.argv[1:]])
    except HmsError as error:
        print_error(error, as_json="--json" in sys.argv)
        sys.exit(error.exit_code)
    except SystemExit as ended:
        # The reader left (`| head`): that is no error. Typer and rich each make an exit code of 1 of it.
        if isinstance(ended.__context__, BrokenPipeError):
            _hush()
            sys.exit(0)
        raise
    except KeyboardInterrupt:
        sys.exit(130)


def _text(word: str) -> str:
    """Keep SQL that opens with a comment from being taken for an option: none has white space after its dashes."""
    return f" {word}" if word[:2] == "--" and word[2:3].isspace() else word


def _hush() -> None:
    """Send what is left to print nowhere: Python flushes once more when it ends, and would say that it cannot."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
