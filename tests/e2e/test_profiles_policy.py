"""Profiles under policy, tried by somebody who may not see a column: its values are told nowhere, whenever the label
or the rule came."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from command import hms

NURSE, ANALYST, CLERK, BROWSER = "role:nurse", "role:analyst", "role:clerk", "role:browser"
CAPTAIN, SECRET, PRIVATE, OPEN = "canary-captain", "canary-secret", "canary-private", "open-ship"
_POLICY = """
# Everybody may look at what is there
allow(_principal: Principal, "find", _dataset: Dataset);

# All but those who only look around may read
allow(principal: Principal, "read", _dataset: Dataset) if not ("browser" in principal.roles);

# Who somebody is, is for nurses
mask(principal: Principal, column: Column, "partial") if "person" in column.tags and not ("nurse" in principal.roles);

# What is secret is for nurses
deny(principal: Principal, "read", column: Column) if "secret" in column.tags and not ("nurse" in principal.roles);

# Clerks see small ships
row_filter(principal: Principal, _dataset: Dataset, "tonnes < 3") if "clerk" in principal.roles;
"""
_ROLES = "roles: {nurse: {clearance: RESTRICTED}, analyst: {}, clerk: {}, browser: {}}\n"
_STATED = """
source: lake/locks/passages.parquet
name: Passages
schema:
- captain: {tags: [person]}
- secret: {tags: [secret]}
- private: {privacy_tier: RESTRICTED}
"""
NAME = "lake.locks.passages"


def write(home: Path, *columns: str) -> None:
    """Write the passages, with these columns in this order."""
    cells = {"ship": OPEN, "captain": CAPTAIN, "secret": SECRET, "private": PRIVATE}
    table = pa.table({name: [f"{cells[name]}-{n}" if name in cells else n for n in range(5)] for name in columns})
    (home / "lake" / "locks").mkdir(parents=True, exist_ok=True)
    pq.write_table(table, home / "lake" / "locks" / "passages.parquet")


def run(home: Path, *words: str) -> str:
    done = hms(home, *words)
    assert done.code == 0, (words, done.out, done.err)
    return done.out


def profiled(home: Path, who: str) -> list[str] | None:
    """Return the columns whose profile somebody is told; None if there is none for them."""
    told = hms(home, "show", NAME, "--json", "--as", who).json
    assert isinstance(told, dict)
    return [each["path"] for each in told["profile"]["columns"]] if "profile" in told else None


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home that crawled and profiled one file, before anything in it was labelled."""
    write(tmp_path, "ship", "captain", "secret", "private", "tonnes")
    (tmp_path / "sources.yml").write_text('sources:\n  lake: {url: "file:lake", privacy_tier: PUBLIC, profile: true}\n')
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "rules.polar").write_text(_POLICY)
    (tmp_path / "policies" / "roles.yml").write_text(_ROLES)
    (tmp_path / "stated.yml").write_text(_STATED)
    run(tmp_path, "policy", "publish")
    run(tmp_path, "crawl")
    return tmp_path


def test_labels_that_arrive_later_hide_a_profile_at_once(home: Path) -> None:
    """Without another crawl: a mask and a denial hide their columns, a row filter and a right to look only hide all."""
    before = {who: profiled(home, who) for who in (NURSE, ANALYST, CLERK, BROWSER)}

    run(home, "ingest", str(home / "stated.yml"))

    everything = ["ship", "captain", "secret", "private", "tonnes"]
    assert before == {NURSE: everything, ANALYST: everything, CLERK: None, BROWSER: None}
    assert profiled(home, NURSE) == everything
    assert profiled(home, ANALYST) == ["ship", "private", "tonnes"]
    assert (profiled(home, CLERK), profiled(home, BROWSER)) == (None, None)
    assert PRIVATE not in run(home, "show", NAME, "--json", "--as", NURSE)


def test_nothing_tells_a_value_to_whom_its_column_is_hidden(home: Path) -> None:
    """Whatever somebody asks from whom they are hidden, no answer holds one; a nurse is told."""
    run(home, "ingest", str(home / "stated.yml"))
    run(home, "crawl")
    asked = [
        ["show", NAME], ["show", NAME, "--json"], ["show", f"{NAME}@v1"], ["history", NAME, "--json"],
        ["search", "canary"], ["search", "passages", "--json"], ["lineage", NAME, "--json"], ["events", "--json"],
    ]  # fmt: skip

    told = [hms(home, *words, "--as", ANALYST) for words in asked]
    told += [hms(home, "show", NAME, "--json", "--as", who) for who in (CLERK, BROWSER)]
    told.append(hms(home, "crawl", "--failures", "--json"))

    assert [done.code for done in told] == [0] * len(told)
    assert [done.out for done in told if "canary-" in done.out + done.err] == []
    assert CAPTAIN in run(home, "show", NAME, "--as", NURSE)
    assert OPEN in run(home, "show", NAME, "--as", ANALYST)
    assert OPEN not in run(home, "show", NAME, "--as", CLERK)


def test_values_lie_in_the_profile_alone_and_restricted_ones_nowhere(home: Path) -> None:
    """No other table of the catalogue holds a value, and no row of any one of a RESTRICTED column."""
    run(home, "ingest", str(home / "stated.yml"))
    run(home, "crawl")
    with closing(sqlite3.connect(home / ".hms-dta" / "catalogue.db")) as session:
        names = [name for (name,) in session.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        texts = {name: repr(session.execute(f'SELECT * FROM "{name}"').fetchall()) for name in names}

    assert [name for name, text in texts.items() if "canary-" in text or OPEN in text] == ["profiles"]
    assert PRIVATE not in texts["profiles"]


def test_a_rule_that_is_published_later_hides_a_profile_at_once(home: Path) -> None:
    """A profile asks the policy in force, as a query does."""
    rules = home / "policies" / "rules.polar"
    rules.write_text(_POLICY + '\n# Names are for nurses\nmask(principal: Principal, column: Column, "null") if\n'
                     '    column.name = "ship" and not ("nurse" in principal.roles);\n')  # fmt: skip

    run(home, "policy", "publish")

    assert profiled(home, ANALYST) == ["captain", "secret", "private", "tonnes"]
    assert profiled(home, NURSE) == ["ship", "captain", "secret", "private", "tonnes"]


def test_columns_that_swapped_their_names_do_not_tell_each_others_values(home: Path) -> None:
    """A profile is of the schema that it is shown with: what is called ship now is told as ship, as a query tells it,
    and what is called captain is hidden."""
    run(home, "ingest", str(home / "stated.yml"))
    run(home, "crawl")
    path = home / "lake" / "locks" / "passages.parquet"
    table = pq.read_table(path).rename_columns(["captain", "ship", "secret", "private", "tonnes"])
    pq.write_table(table, path)

    run(home, "crawl")

    told = hms(home, "show", NAME, "--json", "--as", ANALYST).json
    assert isinstance(told, dict)
    ends = {each["path"]: each["minimum"] for each in told["profile"]["columns"]}
    assert (told["version"], ends) == (2, {"ship": f"{CAPTAIN}-0", "private": None, "tonnes": "0"})


def test_who_takes_profile_out_has_none_kept(home: Path) -> None:
    """With the next crawl every profile of the source is gone."""
    sources = home / "sources.yml"
    sources.write_text(sources.read_text().replace(", profile: true", ""))

    run(home, "crawl")

    with closing(sqlite3.connect(home / ".hms-dta" / "catalogue.db")) as session:
        assert session.execute("SELECT count(*) FROM profiles").fetchone() == (0,)
    assert profiled(home, NURSE) is None
