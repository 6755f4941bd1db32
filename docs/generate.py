"""Writes the parts of the pages that the code knows best: commands, exit codes, and the SQL that is answered.

python docs/generate.py            rewrite what stands between the marks
python docs/generate.py --check    exit with 1 if a page is not as the code is; `tests/unit/test_docs.py` asks it
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from inspect import getdoc
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typer.core import TyperArgument, TyperCommand, TyperOption

    from hms_registry.errors import HmsError

    Parameter = TyperArgument | TyperOption

HERE = Path(__file__).resolve().parent
_SECTION = re.compile(r"(<!-- generated: ([a-z ]+) -->\n).*?(<!-- end -->)", re.DOTALL)
_HEADING = 114
_EVERYWHERE = {"--as", "--json"}  # told once, above the commands

SYNTAX: Mapping[str, str] = {
    "Paren": "`(a)`",
    "Literal": "`1`, `1.5` (decimal), `1e0` (double), `'text'`",
    "Boolean": "`true`, `false`",
    "Null": "`NULL`",
    "HexString": "`X'00FF'`",
    "Column": "`x`, `t.x`, `cdc.public.t.x`",
    "Identifier": "",
    "Dot": "fields of a row: `x.field`",
    "Anonymous": "",
    "Subquery": "`(SELECT ...)` as a value",
    "Replace": "",
    "ArrayFilter": "",
    "Trunc": "",
    "GenerateSeries": "",
    "And": "`AND`",
    "Or": "`OR`",
    "Not": "`NOT`",
    "Is": "`IS [NOT] NULL`",
    "Case": "`CASE`",
    "EQ": "`=`",
    "NEQ": "`<>`",
    "LT": "`<`",
    "LTE": "`<=`",
    "GT": "`>`",
    "GTE": "`>=`",
    "NullSafeEQ": "`IS NOT DISTINCT FROM`",
    "NullSafeNEQ": "`IS DISTINCT FROM`",
    "Between": "`BETWEEN`",
    "In": "`IN (...)`, `IN (SELECT ...)`",
    "Exists": "`EXISTS (SELECT ...)`",
    "Like": "`LIKE`",
    "Escape": "`LIKE ... ESCAPE`",
    "Add": "`+`",
    "Sub": "`-`",
    "Mul": "`*`",
    "Div": "`/`",
    "Mod": "`%`",
    "Neg": "`-x`",
    "DPipe": "`||`",
    "Cast": "`CAST`, `DATE '2024-01-31'`, `TIMESTAMP '2024-01-31 12:00:00'`",
    "TryCast": "`TRY_CAST`",
    "Substring": "`substring(x FROM 2 FOR 3)`",
    "StrPosition": "`position(x IN y)`",
    "Trim": "`trim(LEADING x FROM y)`",
    "Extract": "`EXTRACT(year FROM x)`",
    "Interval": "`INTERVAL '3' DAY`",
    "CurrentDate": "`current_date`",
    "CurrentTimestamp": "`current_timestamp`",
    "Localtimestamp": "`localtimestamp`",
    "AtTimeZone": "",  # known, to say why it is refused
    "Array": "`ARRAY[1, 2]`",
    "Bracket": "`x[1]`, `m['key']`",
    "Filter": "`count(*) FILTER (WHERE ...)`",
    "WithinGroup": "`listagg(x, ',') WITHIN GROUP (ORDER BY y)`",
    "Window": "`... OVER (PARTITION BY ... ORDER BY ... ROWS ...)`",
}
"""How a person writes each node of an expression; empty where it is a function of the table below, or refused."""

_FAMILIES = {
    "conditions": "choosing",
    "numbers": "numbers",
    "arithmetic": "numbers",
    "strings": "text and bytes",
    "patterns": "regular expressions",
    "dates": "dates and times",
    "arrays": "arrays and maps",
    "documents": "JSON",
    "aggregates": "aggregates",
    "windows": "windows only",
}


def functions() -> Iterator[str]:
    """Yield the table of functions, by family."""
    from importlib import import_module

    by_family: dict[str, list[str]] = {}
    for module, family in _FAMILIES.items():
        found = import_module(f"hms_federation.compiler.semantics.{module}").FUNCTIONS
        by_family.setdefault(family, []).extend(found)
    yield "| family | functions |"
    yield "|---|---|"
    for family, names in by_family.items():
        yield f"| {family} | {' '.join(f'`{name}`' for name in sorted(names))} |"


def syntax() -> Iterator[str]:
    """Yield what an expression may be made of."""
    yield from wrap(", ".join(text for text in SYNTAX.values() if text) + ".", 118, break_on_hyphens=False)


def exit_codes() -> Iterator[str]:
    """Yield the table of exit codes, from the error tree."""
    from hms_registry import errors
    from hms_registry.cli.state import NEWS

    by_code: dict[int, list[type[errors.HmsError]]] = {}
    for error in vars(errors).values():
        if isinstance(error, type) and issubclass(error, errors.HmsError):
            by_code.setdefault(error.exit_code, []).append(error)
    yield "| code | when |"
    yield "|---|---|"
    yield "| 0 | done |"
    telling = ", ".join(_link(kind) for kind in by_code.pop(NEWS))
    for code, kinds in sorted(by_code.items()):
        links = ", ".join(map(_link, kinds))
        yield f"| {code} | {'wrong usage, ' if code == 2 else ''}{links} |"
    commands = "`check`, `doctor`, `crawl`, `deliver`, `audit query`, `policy test` and `policy diff`"
    yield f"| {NEWS} | done, and it tells of something to act on: see {commands}; {telling} |"
    yield "| 130 | interrupted with Ctrl-C |"


def _link(kind: type[HmsError]) -> str:
    return f"[{kind.__name__}](errors/{kind('').code}.md)"


def commands() -> Iterator[str]:
    """Yield each command with its arguments and options."""
    from typer.main import get_command

    from hms_registry.cli import app

    for path, command in walk(get_command(app), ("hms-dta",)):
        yield f"### `{_heading(path, command)}`"
        yield ""
        yield " ".join(str(command.help or getdoc(command.callback) or "").split())
        told = [param for param in command.params if _told(param)]
        if told:
            yield ""
        for param in told:
            name = ", ".join(f"`{option}`" for option in param.opts) if _is_option(param) else f"`{param.name.upper()}`"
            yield f"- {name}: {_told(param)}"
        yield ""


def _heading(path: tuple[str, ...], command: TyperCommand) -> str:
    """Write how a command is called, on one line."""
    whole = " ".join([*path, *filter(None, map(usage, command.params))])
    if len(whole) <= _HEADING:
        return whole
    kept = [param for param in command.params if not _is_option(param) or _EVERYWHERE.intersection(param.opts)]
    return " ".join([*path, *filter(None, map(usage, kept)), "[OPTIONS]"])


def walk(command: TyperCommand, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], TyperCommand]]:
    """Yield every command that does something, with the words that call it; a group yields its commands, and
    itself if it does something without one."""
    below = getattr(command, "commands", {})
    if not below or len(path) == 1 or getattr(command, "invoke_without_command", False):
        yield path, command
    for name, each in below.items():
        yield from walk(each, (*path, name))


def _is_option(param: Parameter) -> bool:
    return param.opts[0].startswith("-")


def usage(param: Parameter) -> str:
    """Write one argument or option as a usage line has it."""
    if not _is_option(param):
        many = "..." if param.nargs == -1 else ""
        return param.name.upper() + many if param.required else f"[{param.name.upper()}{many}]"
    if "completion" in param.opts[0]:
        return ""
    if param.is_flag:
        return f"[{param.opts[0]}]"
    choices = "|".join(each.value for each in type(param.default)) if isinstance(param.default, Enum) else ""
    value = param.metavar or choices or param.name.upper()
    return f"{param.opts[0]} {value}" if param.required else f"[{param.opts[0]} {value}]"


def _told(param: Parameter) -> str:
    if set(param.opts) <= _EVERYWHERE and param.help and not param.required:
        return ""
    default = param.default.value if isinstance(param.default, Enum) else param.default
    if default is None or default is False or param.required or default == Path():
        return param.help or ""
    sentence = (param.help or "").rstrip(".")
    return f"{sentence}; default `{default}`" if sentence else f"default `{default}`"


def operations() -> Iterator[str]:
    """Write what each operation of Trino needs."""
    from hms_federation.trino.opa.operations import OPERATIONS, Needs

    yield from ("| operations | allowed where |", "|---|---|")
    for needs in Needs:
        names = sorted(name for name, needed in OPERATIONS.items() if needed is needs)
        yield f"| {', '.join(f'`{name}`' for name in names)} | {needs} |"


SECTIONS: Mapping[str, Mapping[str, Callable[[], Iterator[str]]]] = {
    "cli.md": {"exit codes": exit_codes, "commands": commands},
    "sql.md": {"functions": functions, "syntax": syntax},
    "trino-policy.md": {"operations": operations},
}


def written(page: str) -> str:
    """Return a page with its generated sections as the code has them now."""
    text = (HERE / page).read_text(encoding="utf-8")

    def fill(match: re.Match[str]) -> str:
        return f"{match[1]}{chr(10).join(SECTIONS[page][match[2]]()).strip()}\n{match[3]}"

    filled, count = _SECTION.subn(fill, text)
    if count != len(SECTIONS[page]):
        raise SystemExit(f"{page} has {count} generated sections, not {len(SECTIONS[page])}")
    return filled


def main() -> int:
    """Rewrite the pages, or say which are not as the code is."""
    stale = [page for page in SECTIONS if written(page) != (HERE / page).read_text(encoding="utf-8")]
    if "--check" in sys.argv:
        sys.stderr.writelines(f"docs/{page} is not as the code is: python docs/generate.py\n" for page in stale)
        return bool(stale)
    for page in stale:
        (HERE / page).write_text(written(page), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
