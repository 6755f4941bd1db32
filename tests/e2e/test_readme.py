"""What the README says can be done, and what its pages link to."""

import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from command import HMS_DTA, hms
from hms_registry.bootstrap import Registry

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = sorted(
    [
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/**/*.md"),
        *ROOT.glob("policies/*.md"),
        *ROOT.glob("adapters/*/README.md"),
        *ROOT.glob("examples/**/*.md"),
    ]
)
# What a person should see of each command, and what not: (the command's first words, shown, hidden).
SEEN: tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...] = (
    ("hms-dta init", ("made sources.yml", "policies/base.polar", "next:"), ()),
    ("hms-dta policy publish", ("published",), ()),
    ("hms-dta crawl", ("lake: complete: 1 listed = 1 new",), ()),
    ("hms-dta search harbour", ("lake.harbour.calls", "1 found"), ()),
    ("hms-dta show lake.harbour.calls", ("DOT:BTS", "PUBLIC", "tonnes", "bigint"), ()),
    ("hms-dta query 'SELECT berth", ("A", "1200", "900", "(2 rows)"), ("Alma",)),
    ("hms-dta ingest", ("registered where it lies", "dataset lake.harbour.calls, id ", "lineage: "), ()),
    ("hms-dta query 'SELECT * FROM lake.harbour.calls' --as role:steward", ("Alma", "Berta", "1200"), ()),
    ("hms-dta query 'SELECT * FROM lake.harbour.calls' --as role:analyst", ("NULL", "1200"), ("Alma", "Berta")),
    ("hms-dta policy explain", ("sees column ship as null", "base.polar:"), ()),
    ("hms-dta policy test", ("12 of 12 cases hold",), ()),
)


def five_minutes() -> str:
    """The shell block that a reader copies."""
    marked = README.split("<!-- start five-minutes -->")[1].split("<!-- end five-minutes -->")[0]
    return marked.strip().removeprefix("```sh\n").removesuffix("```")


def commands(script: str) -> Iterator[str]:
    """The block's commands one by one: a line each, a here-document whole."""
    lines = iter(script.splitlines())
    for line in lines:
        if not line or line.startswith("#"):
            continue
        whole = [line]
        if here := re.search(r"<<'(\w+)'$", line):
            while whole[-1] != here[1]:
                whole.append(next(lines))
        yield "\n".join(whole)


@pytest.mark.slow
def test_the_five_minutes_work_line_by_line(tmp_path: Path) -> None:
    """Each command of the README ends well and shows what it should."""
    script = five_minutes().replace("/tmp/my-registry", shlex.quote(str(tmp_path / "my registry")))
    assert script.startswith("make install\nexport PATH=")
    expected = iter(SEEN)
    environ = {"LOGNAME": "ana", "PATH": f"{HMS_DTA.parent}:/usr/bin:/bin", "PYTHONUTF8": "1", "HOME": str(tmp_path)}
    folder = tmp_path

    for command in list(commands(script))[2:]:
        done = run(command, folder=folder, environ=environ)
        assert (done.returncode, done.stderr) == (0, ""), command
        if command.startswith("hms-dta"):
            words, shown, hidden = next(expected)
            assert shlex.join(shlex.split(command)).startswith(words)
            assert [text for text in shown if text not in done.stdout] == [], done.stdout
            assert [text for text in hidden if text in done.stdout] == [], done.stdout
        elif " && cd " in command:
            folder = tmp_path / "my registry"
    assert next(expected, None) is None


def run(command: str, *, folder: Path, environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Type one command into a shell."""
    return subprocess.run(
        ["sh", "-eu", "-c", command], cwd=folder, env=environ, capture_output=True, encoding="utf-8", check=False
    )


@pytest.mark.parametrize(
    "login",
    ["123", "no", "null", "analyst", "steward", "STEWARD", "DOT\\ana", "josé", "-", "😀", 'a: b\'s "#1" \\ {x}'],
)
def test_whoever_is_logged_in_becomes_the_steward(tmp_path: Path, login: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A login name is a text, whatever YAML or a role of the same name would make of it."""
    monkeypatch.setenv("LOGNAME", login)
    hms(tmp_path, "init")

    assert hms(tmp_path, "policy", "publish").code == 0
    with Registry.open(tmp_path) as registry:
        assert registry.principal(login).roles == {"steward"}
        assert registry.principal("role:analyst").roles == {"analyst"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    """A file that a page points to exists, and a heading that it points to, too."""
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", outside_code(page.read_text(encoding="utf-8"))):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, heading = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        if not file.exists() or (heading and heading not in headings(file)):
            broken.append(target)

    assert broken == []


def outside_code(text: str) -> str:
    """The text without its code blocks and code spans."""
    return re.sub(r"`[^`\n]*`", "", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL))


def headings(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    found = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in found}


def test_every_promise_names_a_test_that_exists() -> None:
    """The README's table of promises points at tests only."""
    rows = re.findall(r"^\|.*", README.split("## What we promise")[1].split("##")[0], flags=re.MULTILINE)
    targets = re.findall(r"\]\(([^)]+)\)", "".join(rows))

    assert len(targets) >= 8
    assert [target for target in targets if not target.startswith("tests/")] == []


def test_every_fault_names_a_test_that_exists() -> None:
    """docs/faults.md cites tests by file and name, each of them there."""
    missing, cited = [], 0
    for row in (ROOT / "docs" / "faults.md").read_text(encoding="utf-8").splitlines():
        file = ""
        for target, name in re.findall(r"\]\(([^)]+)\)|`(test_\w+)`", row):
            if target:
                file = ((ROOT / "docs" / target).resolve()).read_text(encoding="utf-8")
            else:
                cited += 1
                missing += [] if f"\ndef {name}(" in file else [name]

    assert (missing, cited > 40) == ([], True)
