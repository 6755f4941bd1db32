"""`make up`: the README's commands over four real stores, two people and two answers, and nothing left running."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from trino.dbapi import connect

from serving import eventually, is_alive, serving

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
RECIPES = dict(re.findall(r"^(up|down):.*\n\t@(.*)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M))
TYPED = README.split("<!-- start stack -->\n```sh\n")[1].split("```\n<!-- end stack -->")[0].splitlines()
SERVERS = {"postgres", "redis", "s3", "mongo", "metastore", "hiveserver2", "trino"}

ANALYST, EPIDEMIOLOGIST = "ana@bts.dot.example", "eli@cdc.hhs.example"
ROLES = {ANALYST: "shipping-analyst", EPIDEMIOLOGIST: "epidemiologist"}

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Place:
    """A stack's folder, and how to type into a shell beside it."""

    folder: Path

    def run(self, command: str) -> subprocess.CompletedProcess[str]:
        """Type a command; `make` itself may install, so what stands in the Makefile is typed instead."""
        return subprocess.run(
            ["sh", "-euc", self.ours(command)],
            cwd=ROOT, env=self.environ(), capture_output=True, encoding="utf-8", check=False, timeout=240,
        )  # fmt: skip

    def ours(self, command: str) -> str:
        """The README's words, with this folder for its own."""
        made = re.fullmatch(r"make (up|down)\b.*", command)
        words = RECIPES[made[1]] if made else command
        program = shlex.quote(sys.executable)
        return words.replace("$(BIN)/python", program).replace("$(STACK)", ".stack").replace(".stack", str(self.folder))

    def environ(self) -> dict[str, str]:
        """What a test may hand on: nothing that names a home or a secret."""
        kept = (
            "HOME",
            "LANG",
            "PATH",
            "TMPDIR",
            "HMS_DTA_TEST_CACHE",
            "HMS_DTA_TEST_JDK17",
            "HMS_DTA_TEST_JDK",
            "JAVA_HOME",
            "HMS_DTA_POSTGRES_BIN",
        )
        return {name: os.environ[name] for name in kept if name in os.environ} | {"PYTHONUTF8": "1"}

    def pids(self) -> dict[str, int]:
        """What the pid files say."""
        return {path.stem: int(path.read_text().split()[0]) for path in self.folder.glob("pids/*.pid")}

    def running(self) -> list[str]:
        """The command lines of this machine that name the folder."""
        found = []
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                words = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except (FileNotFoundError, ProcessLookupError):
                continue
            found += [words] if str(self.folder) in words else []
        return found


@pytest.fixture(scope="session")
def folders() -> Iterator[Path]:
    """Where stacks lie: PostgreSQL's account must get there, and the path must be short enough for a socket."""
    with tempfile.TemporaryDirectory(prefix="hms-dta-stack-") as made:
        Path(made).chmod(0o711)
        yield Path(made)


@dataclass(frozen=True)
class Story:
    """What came of the README's commands, typed once in their order, and of a few more between them.

    Attributes:
        said: by command.
        again: what a second `make up` said.
        pids, pids_again: what ran after the first and the second.
        left: what still ran at the end.
        files: what the folder held when everything ran, but for the three files that are for secrets.
    from_trino: what Trino answered to the same statement, by person.
    """

    said: dict[str, subprocess.CompletedProcess[str]]
    again: subprocess.CompletedProcess[str]
    pids: dict[str, int]
    pids_again: dict[str, int]
    left: list[str]
    secrets: list[str]
    files: dict[str, bytes]
    from_trino: dict[str, list[list[str]]]


@pytest.fixture(scope="module")
def story(folders: Path) -> Iterator[Story]:
    """Type it all. Before `make down`, one of the servers is killed."""
    place = Place(folders / "story")
    up, enter, *between, down = TYPED
    try:
        said = {name_of(up): place.run(up)}
        pids, again, pids_again = place.pids(), place.run(up), place.pids()
        said |= {name_of(command): place.run(f"{enter}\n{command}") for command in between}
        with serving(place.folder / "home", env=entered(place)):
            synced = place.run(f"{enter}\nhms-dta trino sync")
            assert synced.returncode == 0, synced.stdout + synced.stderr
            from_trino = {user: asked_of_trino(place, user=user) for user in (ANALYST, EPIDEMIOLOGIST)}
        os.kill(pids["redis"], signal.SIGKILL)
        eventually(lambda: not is_alive(pids["redis"]), seconds=10)
        said[name_of(down)] = place.run(down)
        secrets = json.loads((place.folder / "chosen.json").read_text())["secrets"]
        told = [
            path
            for path in place.folder.rglob("*")
            if path.is_file() and path.suffix in {".log", ".yml", ".pid", ".properties"}
        ]
        files = {str(path.relative_to(place.folder)): path.read_bytes() for path in told}
        left = place.running()
        yield Story(said, again, pids, pids_again, left, list(secrets.values()), files, from_trino)
    finally:
        place.run("make down")


def entered(place: Place) -> dict[str, str]:
    """The variables that the shell's file sets."""
    words = shlex.split((place.folder / "env").read_text(encoding="utf-8"))
    return {name: value for name, _, value in (word.partition("=") for word in words) if value and name != "PATH"}


def asked_of_trino(place: Place, *, user: str) -> list[list[str]]:
    """Ask a Trino, by Python's client, what the README asks the registry; cells as they are printed there."""
    port = json.loads((place.folder / "chosen.json").read_text())["ports"]["trino"]
    connection = connect(host="127.0.0.1", port=port, user=user)  # type: ignore[no-untyped-call]
    with closing(connection):
        cursor = connection.cursor()
        cursor.execute((ROOT / "examples" / "four_stores.sql").read_text(encoding="utf-8"))
        return [["NULL" if cell is None else str(cell) for cell in row] for row in cursor.fetchall()]


def name_of(command: str) -> str:
    """A command of the README without its remark."""
    return command.partition(" #")[0].rstrip()


def test_each_command_of_the_readme_ends_well(story: Story) -> None:
    """`make up`, crawl, two questions, `make down`: each with 0, and the crawl accounts for all four stores."""
    assert {command: done.stderr for command, done in story.said.items() if done.returncode != 0 or done.stderr} == {}
    crawled = story.said["hms-dta crawl"].stdout.splitlines()
    assert [line.split(" = ")[0] for line in crawled] == [
        "lake: complete: 3 listed",
        "cdc: complete: 8 listed",
        "surveillance: complete: 1 listed",
        "clinic: complete: 1 listed",
    ]


def test_one_statement_over_four_stores_gives_two_people_two_answers(story: Story) -> None:
    """Both get the same numbers; the analyst no patient's name, the epidemiologist no vessel."""
    (analyst,) = [done.stdout for command, done in story.said.items() if "shipping-analyst" in command]
    (epidemiologist,) = [done.stdout for command, done in story.said.items() if "epidemiologist" in command]
    rows, others = cells(analyst), cells(epidemiologist)

    assert len(rows) == len(others) == 13
    for row, other in zip(rows, others, strict=True):
        assert [row[at] for at in (0, 1, 3, 4, 5)] == [other[at] for at in (0, 1, 3, 4, 5)]
        assert (row[2][:4], other[2]) == ("IMO0", "***")
        assert row[6] == "NULL" and other[6].endswith("(synthetic)")


def test_trino_answers_the_same_people_the_same(story: Story) -> None:
    """Each store is a catalog, and both get from a real Trino what the registry's own engine told them."""
    printed = {user: told.stdout for user in ROLES for command, told in story.said.items() if ROLES[user] in command}

    for user, table in printed.items():
        told = story.from_trino[user]
        assert len(told) == 13
        assert [row[:1] + row[2:] for row in told] == [row[:1] + row[2:] for row in cells(table)]
        assert [float(row[1]) for row in told] == pytest.approx([float(row[1]) for row in cells(table)])


def cells(table: str) -> list[list[str]]:
    """The cells of a printed table, its header left out."""
    return [
        [cell.strip() for cell in line.split("│")[1:-1]] for line in table.splitlines() if line.startswith("│ 2019")
    ]


def test_up_again_starts_nothing_and_says_what_runs(story: Story) -> None:
    """The same processes run, and their places are told as before."""
    assert story.pids_again == story.pids and set(story.pids) == {"keeper", *SERVERS}
    first, again = story.said["make up"].stdout, story.again.stdout
    assert story.again.returncode == 0 and again.startswith("it runs already, in ")
    told = first[first.index("PostgreSQL  ") :]
    assert again.endswith(told) and all(str(pid) in told for name, pid in story.pids.items() if name != "keeper")


def test_down_tells_who_had_died_and_leaves_nothing_running(story: Story) -> None:
    """What was killed is told with its log; each of the others is stopped, and told by its pid."""
    said = story.said["make down"].stdout

    assert said.startswith(f"redis (pid {story.pids['redis']}) had died; the end of ")
    stopped = set(re.findall(r"^stopped (\w+) \(pid (\d+)\)$", said, re.M))
    assert stopped == {(name, str(story.pids[name])) for name in SERVERS - {"redis"}}
    assert story.left == []


def test_no_secret_is_printed_or_logged(story: Story) -> None:
    """Not by `make up`, a server's log, the home's files or a pid file."""
    told = [done.stdout + done.stderr for done in [*story.said.values(), story.again]]
    everything = "\0".join(told).encode() + b"\0".join(story.files.values())

    assert len(set(story.secrets)) == 4 and len(story.files) > 10
    assert [name for name in story.secrets if name.encode() in everything] == []


@pytest.mark.parametrize(("after", "number"), [("S3", signal.SIGINT), ("PostgreSQL", signal.SIGKILL)])
def test_up_that_is_interrupted_leaves_nothing_running(folders: Path, after: str, number: signal.Signals) -> None:
    """Ctrl-C half way through, or the end of the terminal's process: all that was started is stopped."""
    place = Place(folders / number.name)
    process = subprocess.Popen(
        ["sh", "-euc", f"exec {place.ours('make up')}"],
        cwd=ROOT, env=place.environ(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        start_new_session=True,
    )  # fmt: skip
    assert process.stdout is not None
    said = iter(process.stdout.readline, "")
    assert any(line.startswith(f"started {after}") for line in said)

    os.killpg(process.pid, number)

    code = process.wait(timeout=60)
    process.stdout.close()
    assert code == (130 if number is signal.SIGINT else -signal.SIGKILL)
    eventually(lambda: place.running() == [], seconds=30, told=lambda: str(place.running()))
    assert place.pids() == {}


def test_down_ends_nobody_who_got_a_number_again(folders: Path) -> None:
    """A pid file whose process has ended, and whose number belongs to another by now: that one is left alone."""
    place = Place(folders / "recycled")
    (place.folder / "pids").mkdir(parents=True)
    with subprocess.Popen(["sleep", "60"]) as stranger:
        try:
            (place.folder / "pids" / "mongo.pid").write_text(f"{stranger.pid} 1 {place.folder / 'mongo.log'}\n")

            done = place.run("make down")

            assert (done.returncode, stranger.poll()) == (0, None)
            assert (
                done.stdout.startswith(f"mongo (pid {stranger.pid}) had died") and "nothing of it runs" in done.stdout
            )
        finally:
            stranger.kill()
