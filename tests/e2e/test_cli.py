"""The command as programs and people meet it: JSON, exit codes, clean streams, hints, and names from strangers."""

import json
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from command import HMS_DTA, Done, hms, hms_process

STEWARD, ANALYST = "role:steward", "role:analyst"
CALLS = "lake.harbour.calls"
MANIFEST = "name: Calls\nsource: lake/harbour/calls.csv\nschema:\n  - tonnes: {type: bigint, unit: t}\n"
_SOURCES = (
    "sources:\n  lake: {url: 'file:lake', agency: DOT, privacy_tier: PUBLIC}\n"
    "  clinic: {url: 'sqlite:///clinic.db', owner: 'the clinic'}\n"
)


def make_home(home: Path) -> Path:
    """A folder of files and a private database, under the starter policy."""
    (home / "lake" / "harbour").mkdir(parents=True)
    (home / "lake" / "harbour" / "calls.csv").write_text("ship,tonnes\nAlma,1200\nBerta,900\n")
    with closing(sqlite3.connect(home / "clinic.db")) as store:
        store.execute("CREATE TABLE patients (id INTEGER PRIMARY KEY, name TEXT)")
        store.execute("CREATE VIEW names AS SELECT name FROM patients")
        store.commit()
    (home / "sources.yml").write_text(_SOURCES)
    (home / "calls.manifest.yml").write_text(MANIFEST)
    for words in (["init"], ["policy", "publish"], ["crawl"]):
        assert hms(home, *words).code == 0
    return home


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The home of the tests that change nothing; the keyboard's owner is nobody the policy knows."""
    made = make_home(tmp_path_factory.mktemp("cli"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOGNAME", "a-stranger")
        yield made


JSON_KEYS = [
    (["init"], {"home", "made", "epoch"}),
    (["crawl"], {"crawls"}),
    (["ingest", "calls.manifest.yml"], {"address", "dataset_id", "version", "outcome", "location"}),
    (["search", "calls", "--as", ANALYST], {"total", "datasets"}),
    (["show", CALLS, "--as", ANALYST], {"id", "address", "sql_name", "kind", "title", "description", "agency", "owner",
     "tags", "privacy_tier", "may_read", "license", "storage_tier", "state", "stale", "last_crawled_at", "version",
     "primary_key", "columns", "row_filters", "reason", "location", "format", "row_count", "row_count_is_estimate",
     "size_bytes", "modified_at", "findings"}),
    (["lineage", "clinic.public.names", "--as", STEWARD], {"root", "direction", "nodes", "edges"}),
    (["query", f"SELECT * FROM {CALLS}", "--as", ANALYST, "--explain"], {"governed_sql", "scans", "policy"}),
    (["policy", "test"], {"passed", "failed"}),
    (["policy", "explain", ANALYST, CALLS], {"who", "may_find", "may_read", "row_filters", "masks", "sentences",
     "rules"}),
    (["policy", "publish"], {"epoch", "digest", "changed"}),
    (["policy", "diff", "published", "policies"], {"gains", "losses"}),
    (["token", "create", "--as", ANALYST], {"token", "as", "expires"}),
]  # fmt: skip


@pytest.mark.parametrize(("words", "keys"), JSON_KEYS, ids=[" ".join(words[:2]) for words, _ in JSON_KEYS])
def test_json_parses_and_holds_its_keys(home: Path, words: list[str], keys: set[str]) -> None:
    """One JSON document on stdout, nothing on stderr."""
    files = [str(home / word) if word in ("calls.manifest.yml", "policies") else word for word in words]

    done = hms(home, *files, "--json")

    assert (done.code, done.err) == (0, "")
    told = json.loads(done.out)
    assert keys <= set(told), set(told)


def test_a_query_in_json_is_a_list_of_rows(home: Path) -> None:
    """One object a row, names as asked."""
    done = hms(home, "query", f"SELECT ship, tonnes FROM {CALLS} ORDER BY tonnes", "--as", ANALYST, "--json")

    assert done.json == [{"ship": "Berta", "tonnes": 900}, {"ship": "Alma", "tonnes": 1200}]


ENDINGS = [
    (["search", "x"], 3, "authentication-failed"),
    (["search", "x", "--as", "nobody"], 3, "authentication-failed"),
    (["query", "SELECT * FROM clinic.public.patients", "--as", STEWARD], 3, "access-denied"),
    (["show", "lake.harbour.call", "--as", ANALYST], 4, "dataset-not-found"),
    (["show", f"{CALLS}@v9", "--as", ANALYST], 4, "version-not-found"),
    (["crawl", "nosuch"], 4, "source-not-found"),
    (["policy", "explain", ANALYST, CALLS, "colour"], 4, "column-not-found"),
    (["ingest", "outside.manifest.yml"], 5, "location-outside-source"),
    (["ingest", "link.manifest.yml"], 5, "location-outside-source"),
    (["policy", "publish", "broken"], 7, "policy-invalid"),
    (["policy", "diff", "published", "nowhere"], 7, "policy-invalid"),
    (["query", f"SELECT colour FROM {CALLS}", "--as", ANALYST], 8, "sql-invalid"),
    (["query", "SELECT", "--as", ANALYST], 8, "sql-invalid"),
    (["query", "DROP TABLE x", "--as", ANALYST], 8, "sql-refused"),
    (["query", f"SELECT CAST(ship AS bigint) AS n FROM {CALLS}", "--as", ANALYST], 8, "query-failed"),
    (["query", "@nowhere.sql", "--as", ANALYST], 2, "settings-invalid"),
    (["ingest", "nowhere.yml"], 2, "settings-invalid"),
    (["show", "a..b", "--as", ANALYST], 2, "settings-invalid"),
    (["show", f"{CALLS}@seven", "--as", ANALYST], 2, "settings-invalid"),
    (["show", f"{CALLS}@v١", "--as", ANALYST], 2, "settings-invalid"),
    (["token", "create", "--as", ANALYST, "--for", "soon"], 2, "settings-invalid"),
    (["token", "create", "--as", ANALYST, "--for", "9999d"], 2, "settings-invalid"),
]


@pytest.mark.parametrize(("words", "code", "name"), ENDINGS, ids=[" ".join(words) for words, _, _ in ENDINGS])
def test_an_error_is_a_sentence_a_hint_and_an_exit_code(home: Path, words: list[str], code: int, name: str) -> None:
    """On stderr, whether as text or as JSON; stdout stays clean."""
    (home / "outside.manifest.yml").write_text("name: x\nsource: /etc/passwd\n")
    (home / "link.manifest.yml").write_text("name: x\nsource: lake/../clinic.db/../../etc/hosts\n")
    (home / "broken").mkdir(exist_ok=True)
    (home / "broken" / "a.polar").write_text("allow(\n")
    files = [str(home / word) if word.endswith(".yml") or word == "broken" else word for word in words]

    as_text, as_json = hms(home, *files), hms(home, *files, "--json")

    assert (as_text.code, as_text.out) == (code, "")
    assert as_text.err.startswith("error: ") and "\n  hint: " in as_text.err
    assert (as_json.code, as_json.out) == (code, "")
    error = json.loads(as_json.err)["error"]
    assert error["code"] == name
    assert error["message"] and error["hint"]


def test_no_policy_is_7(tmp_path: Path) -> None:
    """Until a policy is published, everything is denied, and says so."""
    assert hms(tmp_path, "init").code == 0

    done = hms(tmp_path, "search", "x")

    assert (done.code, done.err) == (
        7, "error: no policy is published, so everything is denied\n  hint: hms-dta policy publish\n")  # fmt: skip


def test_a_folder_that_is_no_home_says_so(tmp_path: Path) -> None:
    """Wrong settings are 2."""
    done = hms(tmp_path, "crawl")

    assert (done.code, done.out) == (2, "")
    assert "is not a registry's home: it has no sources.yml" in done.err and "run hms-dta init" in done.err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sources: [", ".yml:2:"),
        ("sources:\n  lake: {url: 'file:lake'}\n  lake: {url: 'file:sea'}\n", ":3"),
        ("sources:\n  LAKE: {url: 'file:lake'}\n", "cannot name a source"),
        ("sources:\n  lake: {}\n", "url"),
        ("sources:\n\t- x\n", ":2"),
        ("\xff", "sources.yml"),
    ],
)
def test_bad_yaml_names_file_and_line(tmp_path: Path, text: str, said: str) -> None:
    """And the next step."""
    (tmp_path / "sources.yml").write_bytes(text.encode("latin-1"))

    done = hms(tmp_path, "crawl")

    assert (done.code, done.out) == (2, "")
    assert "sources.yml" in done.err and said in done.err and "hint: " in done.err


def test_a_policy_in_which_somebody_gains_or_a_test_fails_is_10(home: Path, tmp_path: Path) -> None:
    """Done, and there is something to act on."""
    wider = tmp_path / "wider"
    wider.mkdir()
    (wider / "roles.yml").write_text((home / "policies" / "roles.yml").read_text())
    (wider / "a.polar").write_text("allow(_: Principal, _, _: Dataset);\n")
    (wider / "tests").mkdir()
    (wider / "tests" / "t.yml").write_text(
        "cases:\n  - {who: role:analyst, action: read, dataset: clinic.public.patients, expect: deny}\n"
    )

    diff, tested = hms(home, "policy", "diff", "published", str(wider)), hms(home, "policy", "test", str(wider))

    assert (diff.code, diff.err, tested.code, tested.err) == (10, "", 10, "")
    assert "patients" in diff.out and "0 of 1 cases hold" in tested.out
    assert hms(home, "policy", "publish", str(wider)).code == 7


def test_wrong_usage_is_2(home: Path) -> None:
    """Unknown commands and options, told on stderr."""
    for words in (["fly"], ["show"], ["search", "x", "--limit", "0"], ["query", "SELECT 1", "--format", "xml"]):
        done = hms(home, *words)
        assert (done.code, done.out) == (2, ""), words


@pytest.mark.slow
def test_a_reader_who_leaves_is_no_error(home: Path) -> None:
    """`| head` ends quietly, also in the middle of an answer."""
    numbers = "UNNEST(sequence(1, 800))"
    sql = f"SELECT a.n FROM {numbers} AS a (n) CROSS JOIN {numbers} AS b (n)"
    for words in ("-f csv", ""):
        piped = f"{HMS_DTA} --home {home} query '{sql}' {words} --as {ANALYST} | head -n 1"
        done = subprocess.run(["sh", "-c", piped], capture_output=True, encoding="utf-8", check=False, timeout=60)
        assert (done.returncode, done.stderr) == (0, ""), words
        assert done.stdout


def test_the_home_may_come_from_the_environment(home: Path, tmp_path: Path) -> None:
    """HMS_DTA_HOME names the folder; --home wins."""
    done = hms_process("search", "calls", "--as", ANALYST, "--json", cwd=tmp_path, env={"HMS_DTA_HOME": str(home)})

    assert json.loads(done.out)["total"] == 1


def described(done: Done) -> str:
    """What a command said, in both streams."""
    return f"{done.code}: {done.out}{done.err}"


def test_what_sources_yml_leaves_out_is_not_ingested(tmp_path: Path) -> None:
    """The next crawl would take it away again, so it is said at once."""
    home = make_home(tmp_path)
    (home / "sources.yml").write_text(_SOURCES.replace("agency: DOT", "exclude: ['*.calls']"))

    done = hms(home, "ingest", str(home / "calls.manifest.yml"))

    assert (done.code, "left out by the patterns" in done.err) == (2, True), described(done)


def test_a_manifest_is_ingested_once(tmp_path: Path) -> None:
    """The second time writes nothing, and says so."""
    home = make_home(tmp_path)

    first, second = (hms(home, "ingest", str(home / "calls.manifest.yml"), "--json") for _ in range(2))

    assert json.loads(first.out)["outcome"] == "changed"
    assert json.loads(second.out) == {**json.loads(first.out), "outcome": "unchanged"}
    shown = hms(home, "show", f"{CALLS}@v1", "--as", ANALYST)
    assert "schema version 1, since" in shown.out and "tonnes" in shown.out, described(shown)


def test_sql_that_opens_with_a_comment_is_sql(tmp_path: Path) -> None:
    """Two dashes and a space begin no option, though a query that was pasted may begin so."""
    hms(tmp_path, "init")
    hms(tmp_path, "policy", "publish")

    done = hms(tmp_path, "query", "-- how many\nSELECT 1 AS one", "--as", "role:steward", "--format", "csv")

    assert (done.code, done.out.split(), done.err) == (0, ["one", "1"], "")


@pytest.mark.parametrize("words", [[], ["policy"], ["token"]])
def test_help_lists_each_command_with_a_whole_sentence(tmp_path: Path, words: list[str]) -> None:
    """On a terminal of 80 columns, none is cut off."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", "80")
        patch.setenv("TERMINAL_WIDTH", "80")
        listed = hms(tmp_path, *words, "--help").out.split("Commands:\n")[1].splitlines()

    assert listed and [line for line in listed if not line.endswith(".")] == []
    assert [line for line in listed if line.endswith("...")] == []
