"""The demo that `make demo` runs: two agencies, one question, three answers.

    python examples/demo.py [FOLDER]

builds the data in FOLDER (`.demo`), then types what a person would type. Each command is shown before its output,
with a sentence of what to look at, and is checked: if one does not end as it should, the demo stops and says so.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from build_demo import build

HERE = Path(__file__).resolve().parent
DENIED, ABSENT, NEWS = 3, 4, 10  # exit codes of hms-dta: docs/cli.md
ANALYST, EPIDEMIOLOGIST, STEWARD = "shipping-analyst", "epidemiologist", "steward"
PATIENT, VESSEL = "(synthetic)", "IMO0"  # how a patient's name ends, how a vessel's id begins
BY_ZIP = "cdc.public.linelist_by_zip_synthetic"
COUNTS = "SELECT week_end, zip, patients FROM cdc.public.linelist_by_zip_synthetic"
CONTACTS = "cdc.public.patient_contacts_synthetic"


class Surprise(Exception):
    """A command ended otherwise than it should."""


@dataclass
class Demo:
    """Runs commands over one home folder, and counts them."""

    home: Path
    steps: int = 0
    environ: dict[str, str] = field(default_factory=lambda: {**os.environ, "COLUMNS": "150", "PYTHONUTF8": "1"})

    def say(self, text: str) -> None:
        """Say what comes next."""
        self.steps += 1
        print(f"\n\033[1m{self.steps}. {text}\033[0m" if sys.stdout.isatty() else f"\n{self.steps}. {text}", flush=True)

    def hms(
        self,
        *words: str,
        ends: int = 0,
        shows: Sequence[str] = (),
        hides: Sequence[str] = (),
        is_quiet: bool = False,
    ) -> str:
        """Run hms-dta as a person would; return what it printed.

        Args:
            ends: the exit code it must have.
            shows: what its output must hold.
            hides: what its output must not hold.
            is_quiet: print the last line of the output only.
        """
        beside = Path(sys.executable).with_name("hms-dta")
        command = (
            [str(beside)] if beside.exists() else [sys.executable, "-c", "from hms_registry.cli import main; main()"]
        )
        return self.run([*command, "--home", str(self.home), *words], ("hms-dta", "--home", str(self.home), *words),
                        ends=ends, shows=shows, hides=hides, is_quiet=is_quiet)  # fmt: skip

    def run(
        self,
        command: Sequence[str],
        shown: Sequence[str],
        *,
        ends: int = 0,
        shows: Sequence[str] = (),
        hides: Sequence[str] = (),
        is_quiet: bool = False,
    ) -> str:
        """Run a command, show it with its output, and check how it ended."""
        print(f"$ {shlex.join(shown)}", flush=True)
        done = subprocess.run(
            command, env=self.environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8", check=False
        )
        printed = done.stdout.rstrip()
        print(printed.splitlines()[-1] if is_quiet and done.returncode == ends and printed else printed, flush=True)
        if done.returncode != ends:
            raise Surprise(f"it ended with {done.returncode}, not {ends}")
        flat = " ".join(printed.split())
        for text in shows:
            if text not in flat:
                raise Surprise(f"its output does not hold {text!r}")
        for text in hides:
            if text in flat:
                raise Surprise(f"its output holds {text!r}")
        return printed


def fill(demo: Demo) -> None:
    """Build the stores, crawl them, and register what has a manifest."""
    demo.say("Two agencies have their stores: transport's files, and CDC's database. Real data, but for what says so.")
    build(demo.home)
    print((demo.home / "sources.yml").read_text(encoding="utf-8").rstrip())
    demo.say("A folder becomes a registry's home. What is there already stays.")
    demo.hms("init")
    demo.say("The crawl looks into both stores. Nothing but metadata is kept, and everything listed is accounted for.")
    demo.hms("crawl", shows=["lake", "cdc"])
    demo.say("Manifests beside files were read by the crawl; those of CDC's tables say where each of them lies.")
    for manifest in sorted((demo.home / "cdc").glob("*.manifest.yml")):
        demo.hms("ingest", str(manifest), is_quiet=True)
    demo.say("A second crawl finds nothing new, and writes nothing.")
    demo.hms("crawl", shows=["unchanged"])


def govern(demo: Demo) -> None:
    """Test the policy and put it in force."""
    demo.say("The policy is files that people review. It has tests of its own.")
    demo.hms("policy", "test", shows=["cases hold"])
    demo.say("Published, it is in force at every door. Until now everything was denied.")
    demo.hms("policy", "publish")


def look(demo: Demo) -> None:
    """Search, show and trace."""
    demo.say("An analyst looks for tonnage.")
    demo.hms("search", "tons", "--as", ANALYST, shows=["barge_weekly"], hides=[CONTACTS])
    demo.say("The column is called total_tons and holds thousands of them: look at unit and scale.")
    demo.hms("show", "lake.locks27.barge_weekly", "--as", ANALYST, shows=["1000 [ston_av]", "THOUSAND"])
    demo.say("Where a view's columns come from is read from its SQL.")
    demo.hms("lineage", "cdc.public.linelist_weekly_synthetic", "--as", STEWARD, shows=["linelist_synthetic"])
    demo.hms("lineage", "cdc.public.flu_season_summary", "--mermaid", "--as", ANALYST, shows=["flowchart"])


def ask(demo: Demo) -> None:
    """Ask the same question as three people."""
    sql = HERE / "demo.sql"
    demo.say("The question: weekly tonnage against flu, joined on the Saturday that ends the CDC's week.")
    print(sql.read_text(encoding="utf-8").rstrip())
    query = ("query", f"@{sql}", "--as")
    demo.say(f"As {ANALYST}: which vessel it was, and no patient. Names are gone, of birth dates the year is left.")
    analyst = demo.hms(*query, ANALYST, shows=[VESSEL, "-01-01"], hides=[PATIENT, "***"])
    demo.say(f"As {EPIDEMIOLOGIST}: who the patients are, and of no vessel which one it was.")
    epidemiologist = demo.hms(*query, EPIDEMIOLOGIST, shows=[PATIENT, "***"], hides=[VESSEL])
    demo.say(f"As {STEWARD}: both, and more patients: the clinic's own tests are filtered out for everyone else.")
    steward = demo.hms(*query, STEWARD, shows=[PATIENT, VESSEL], hides=["***"])
    if len({analyst, epidemiologist, steward}) != 3:
        raise Surprise("two people got the same answer")
    demo.say("What each store was asked for the analyst: filters and masks are part of the query, columns are few.")
    demo.hms(*query, ANALYST, "--explain", shows=["outcome"])


def refuse(demo: Demo) -> None:
    """Ask for what is denied, and for what is not even to be known of."""
    demo.say(
        "The analyst may know that there are counts by ZIP code, and may not read them. The answer says whom to ask."
    )
    demo.hms("query", COUNTS, "--as", ANALYST, ends=DENIED, shows=[BY_ZIP])
    demo.hms("policy", "explain", ANALYST, BY_ZIP, shows=["cdc.polar"])
    demo.say("That there are contacts of patients they may not even know: it answers as what does not exist.")
    demo.hms("show", CONTACTS, "--as", ANALYST, ends=ABSENT)
    demo.hms("show", "cdc.public.no_such_table", "--as", ANALYST, ends=ABSENT)
    demo.hms("show", CONTACTS, "--as", EPIDEMIOLOGIST, shows=["phone"])


def change(demo: Demo) -> None:
    """Propose another policy, and see who gains and who loses."""
    demo.say(
        "Somebody proposes another policy. Before it is merged: who gains, who loses? It ends with 10, as one gains."
    )
    old, new = demo.home / "policies", HERE / "policies-proposed"
    demo.hms("policy", "diff", str(old), str(new), ends=NEWS, shows=[ANALYST, EPIDEMIOLOGIST, "zip", "vessel_id"])


def draw(demo: Demo) -> None:
    """Draw tonnage against flu."""
    demo.say("The chart: three years. The Seaway's line is synthetic, so nothing can be concluded from it.")
    answer, picture = demo.home / "chart.csv", demo.home / "tonnage-and-flu.png"
    demo.hms("query", f"@{HERE / 'chart.sql'}", "--as", ANALYST, "--format", "csv", "--out", str(answer))
    chart = [str(HERE / "chart.py"), str(answer), str(picture)]
    demo.run([sys.executable, *chart], ("python", *chart))
    print(f"the chart is at {picture}")


def main() -> int:
    """Run the demo; 0 = every step ended as it should."""
    demo = Demo(Path(sys.argv[1] if len(sys.argv) > 1 else ".demo"))
    ours = demo.home / "made-by-the-demo"
    if demo.home.exists() and any(demo.home.iterdir()) and not ours.exists():
        print(f"{demo.home} is not the demo's: name a folder that is empty or not there", file=sys.stderr)
        return 2
    shutil.rmtree(demo.home, ignore_errors=True)
    demo.home.mkdir(parents=True)
    ours.touch()
    try:
        for part in (fill, govern, look, ask, refuse, change, draw):
            part(demo)
    except Surprise as surprise:
        print(f"\nstep {demo.steps} surprised: {surprise}", file=sys.stderr)
        return 1
    print(f"\n{demo.steps} steps, each ended as it should. The registry's home is {demo.home}: ask it more.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
