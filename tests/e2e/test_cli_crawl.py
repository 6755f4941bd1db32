"""What a crawl meets in the world: damaged files, odd names, tables that change while nobody looks."""

import gzip
import json
import re
import shutil
import sqlite3
import unicodedata
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from command import Done, hms

STEWARD, ANALYST = "role:steward", "role:analyst"
ODD = ["a\u202egnp", "x\ny", "bell\x07", "csi\x9b31m", "<script>alert(1)</script>", "{{7*7}}", "${jndi:ldap:}", "a.b",
       'q"uote', "semi;--", "100%_*?[x]", "Calls", "CALLS", "caf\u00e9", "cafe\u0301", "🚢", "tab\there",
       "[bold]x[/bold]", "urn:li:x", "é" * 31, "back\\slash"]  # fmt: skip


def make_home(home: Path, sources: str) -> Path:
    """A home of these sources under the starter policy, not crawled yet."""
    (home / "sources.yml").write_text(f"sources:\n{sources}")
    for words in (["init"], ["policy", "publish"]):
        assert hms(home, *words).code == 0
    return home


def crawl(home: Path) -> Done:
    return hms(home, "crawl", "--json")


def counts(done: Done) -> dict[str, object]:
    """The balance of the only source."""
    (report,) = json.loads(done.out)["crawls"]
    assert report["listed"] == sum(report[name] for name in ("new", "changed", "unchanged", "filtered", "failed"))
    return dict(report)


def addresses(home: Path) -> set[str]:
    found = hms(home, "search", "public", "--as", STEWARD, "--limit", "100", "--json")
    return {each["address"] for each in json.loads(found.out)["datasets"]}


def test_damaged_files_cost_only_themselves(tmp_path: Path) -> None:
    """Each is named with its reason, the good ones are registered, and it ends with 10."""
    lake = tmp_path / "lake"
    lake.mkdir()
    parquet.write_table(pa.table({"a": [1, 2]}), lake / "good.parquet")
    good = (lake / "good.parquet").read_bytes()
    (lake / "plain.csv").write_text("a,b\n1,2\n")
    (lake / "corrupt.parquet").write_bytes(good[:20] + b"\xff" * (len(good) - 28) + good[-8:])
    (lake / "huge_footer.parquet").write_bytes(good[:-8] + (2**31 - 1).to_bytes(4, "little") + b"PAR1")
    (lake / "cut.csv.gz").write_bytes(gzip.compress(b"a,b\n" + b"1,2\n" * 1000)[:20])
    home = make_home(tmp_path, "  lake: {url: 'file:lake', privacy_tier: PUBLIC}\n")

    done = crawl(home)

    report = counts(done)
    assert (done.code, done.err) == (10, "")
    assert (report["state"], report["new"], report["failed"]) == ("partial", 2, 3)
    failed = {failure["subject"]: failure["reason"] for failure in report["failures"]}  # type: ignore[attr-defined]
    assert len(failed) == 3 and all(failed.values())
    assert addresses(home) == {"lake.public.good", "lake.public.plain"}
    as_text = hms(home, "crawl")
    assert as_text.code == 10
    assert all(f"lake: failed: {subject}" in as_text.out for subject in failed)


def test_a_manifest_beside_data_is_applied_by_the_crawl(tmp_path: Path) -> None:
    """What it says overrides what was guessed, also when the data changes; a broken one is told."""
    lake = tmp_path / "lake"
    lake.mkdir()
    (lake / "calls.csv").write_text("ship,tonnes\nAlma,1\n")
    (lake / "calls.manifest.yml").write_text(
        "name: Calls at berth\nsource: calls.csv\nprivacy_tier: PUBLIC\nschema:\n  - tonnes: {type: double, unit: t}\n"
    )
    home = make_home(tmp_path, "  lake: {url: 'file:lake'}\n")

    first = crawl(home)
    shown = json.loads(hms(home, "show", "lake.public.calls", "--as", ANALYST, "--json").out)
    (lake / "calls.csv").write_text("ship,tonnes,flag\nAlma,1,x\n")
    second = crawl(home)
    again = json.loads(hms(home, "show", "lake.public.calls", "--as", ANALYST, "--json").out)
    (lake / "calls.manifest.yml").write_text("name: [\n")
    broken = crawl(home)

    assert (first.code, second.code, broken.code) == (0, 0, 10)
    assert (shown["title"], shown["columns"][1]["type"], shown["columns"][1]["unit"]) == (
        "Calls at berth",
        "double",
        "t",
    )
    assert (again["version"], again["columns"][1]["type"], len(again["columns"])) == (2, "double", 3)
    assert "calls.manifest.yml" in json.dumps(counts(broken)["failures"])


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A home over one database with three tables and a view, crawled."""
    with closing(sqlite3.connect(tmp_path / "shop.db")) as store:
        for name in ("a", "b", "c"):
            store.execute(f"CREATE TABLE {name} (id INTEGER, x TEXT)")
        store.execute("CREATE VIEW v AS SELECT x FROM a")
        store.commit()
    home = make_home(tmp_path, "  shop: {url: 'sqlite:///shop.db', privacy_tier: PUBLIC}\n")
    assert counts(crawl(home))["new"] == 4
    return home


def change(home: Path, *statements: str) -> dict[str, object]:
    """Change the store and crawl again."""
    with closing(sqlite3.connect(home / "shop.db")) as store:
        for statement in statements:
            store.execute(statement)
        store.commit()
    done = crawl(home)
    assert (done.code, done.err) == (0, "")
    return counts(done)


def test_a_dropped_table_is_gone(shop: Path) -> None:
    """At once, since a database lists itself whole; its name answers as gone, its rows are asked no more."""
    report = change(shop, "DROP TABLE b")

    assert (report["gone"], report["unchanged"]) == (1, 3)
    assert addresses(shop) == {"shop.public.a", "shop.public.c", "shop.public.v"}
    assert hms(shop, "query", "SELECT * FROM shop.public.b", "--as", ANALYST).code == 4


def test_a_renamed_table_is_one_gone_and_one_new(shop: Path) -> None:
    """SQLite cannot tell a rename from a drop and a create; nothing is lost."""
    report = change(shop, "ALTER TABLE b RENAME TO bb")

    assert (report["gone"], report["new"]) == (1, 1)
    assert "shop.public.bb" in addresses(shop)


def test_an_altered_table_has_a_new_version_and_keeps_the_old(shop: Path) -> None:
    """Both are shown; the rows of today are those of the new one."""
    report = change(shop, "ALTER TABLE b ADD COLUMN y REAL")

    old, new = (
        json.loads(hms(shop, "show", f"shop.public.b@{at}", "--as", ANALYST, "--json").out) for at in ("v1", "v2")
    )
    assert (report["changed"], report["unchanged"]) == (1, 3)
    assert [column["path"] for column in old["columns"]] == ["id", "x"]
    assert [column["path"] for column in new["columns"]] == ["id", "x", "y"]
    assert hms(shop, "query", "SELECT y FROM shop.public.b", "--as", ANALYST).code == 0


def test_a_table_dropped_after_the_crawl_is_a_source_that_failed(shop: Path) -> None:
    """The catalogue is behind: the query says which source, and what to do."""
    with closing(sqlite3.connect(shop / "shop.db")) as store:
        store.execute("DROP TABLE b")
        store.commit()

    done = hms(shop, "query", "SELECT * FROM shop.public.b", "--as", ANALYST)

    assert (done.code, done.out) == (5, "")
    assert done.err == "error: shop.public.b is not there any more\n  hint: crawl shop again\n"


def test_a_source_that_goes_away_is_stale_and_comes_back(shop: Path) -> None:
    """Its datasets stay; show says that it does not answer."""
    shutil.move(shop / "shop.db", shop / "away.db")
    away = crawl(shop)
    shown = hms(shop, "show", "shop.public.a", "--as", ANALYST)
    shutil.move(shop / "away.db", shop / "shop.db")
    back = crawl(shop)

    assert (away.code, counts(away)["state"], back.code) == (10, "failed", 0)
    assert "stale: its source does not answer" in shown.out
    assert "stale" not in hms(shop, "show", "shop.public.a", "--as", ANALYST).out


def is_inert(text: str) -> bool:
    """Whether a terminal shows it and obeys nothing in it."""
    return all(
        char == "\n" or (unicodedata.category(char)[0] != "C" and char not in "\u202e\u202d\u2066\u2067")
        for char in text
    )


def test_odd_names_are_kept_byte_exact_and_printed_inert(tmp_path: Path) -> None:
    """Each is its own dataset with its own column, in every listing, by text, JSON and Mermaid, and in SQL. What a
    name has been through in one store, it is not taken through again in the other."""
    with closing(sqlite3.connect(tmp_path / "odd.db")) as store:
        folded: set[str] = set()
        for name in ODD:
            # SQLite takes A and a for one name; the files below do not.
            if name.lower() not in folded:
                quoted = name.replace('"', '""')
                store.execute(f'CREATE TABLE "{quoted}" ("{quoted}" TEXT)')
            folded.add(name.lower())
        store.commit()
    lake = tmp_path / "lake"
    for name in ODD:
        if "/" not in name:
            (lake / "public").mkdir(parents=True, exist_ok=True)
            (lake / "public" / f"{name}.csv").write_text("a\n1\n")
    home = make_home(
        tmp_path,
        "  odd: {url: 'sqlite:///odd.db', privacy_tier: PUBLIC}\n  lake: {url: 'file:lake', privacy_tier: PUBLIC}\n",
    )

    crawled = hms(home, "crawl")
    listed = hms(home, "search", "public", "--as", ANALYST, "--limit", "100")
    as_json = hms(home, "search", "public", "--as", ANALYST, "--limit", "100", "--json")

    assert crawled.code == 0, crawled.out
    assert is_inert(crawled.out) and is_inert(listed.out) and is_inert(as_json.out)
    found = json.loads(as_json.out)["datasets"]
    names = {each["address"] for each in found if each["address"].startswith("odd.")}
    assert len(names) == len({name.lower() for name in ODD})
    assert {name for name in names if "\u202e" in name} == {'odd.public."a\u202egnp"'}
    assert len({each["sql_name"] for each in found}) == len(found)
    for each in found:
        doors = (["show", each["address"]], ["show", each["address"], "--json"], ["lineage", each["address"]],
                 ["lineage", each["address"], "--mermaid"])  # fmt: skip
        is_known = each["address"].replace("lake.", "odd.", 1) in names and each["address"].startswith("lake.")
        for words in () if is_known else doors:
            done = hms(home, *words, "--as", ANALYST)
            assert done.code == 0, (words, done.err)
            assert is_inert(done.out), words
            assert not re.search(r"<script>", done.out) or "--mermaid" not in words
        rows = hms(home, "query", f"SELECT * FROM {each['sql_name']}", "--as", ANALYST)
        assert is_inert(rows.out + rows.err)
        # But for tab and newline, SQL with a control character in it is refused: such a name is shown, not asked.
        is_asked = not re.search(r"[\x00-\x08\x0b-\x1f]", each["sql_name"])
        assert (rows.code == 0) == is_asked, (each["sql_name"], rows.err)
        assert is_asked or "cannot be in a query" in rows.err
        if not is_known:
            wrong = hms(home, "show", each["address"].replace("public", "pubic"), "--as", ANALYST)
            assert wrong.code == 4 and is_inert(wrong.err)
