"""Every door answers for what a person may not know of as it would if that had never been.

The tests ask the same things, as the same person, of two registries: in one there are a hidden dataset, a view of it
and a hidden column; in the other there never were. The answers are equal byte for byte.
"""

import json
import re
import shutil
from pathlib import Path

import pytest

from command import Done, hms
from hms_graphql import Question, answer
from hms_registry.bootstrap import Registry
from serving import serving
from twin_worlds import ANALYST, NURSE, STEWARD, comparable, make_world

DOCUMENTS = Path(__file__).resolve().parents[2] / "graphql" / "queries"
HIDDEN = "cdc.public.flu_weekly_contacts"
HIDDEN_VIEW = "cdc.public.contact_counts"
FIND_ONLY = "cdc.public.zip_counts"
SECRETS = re.compile("contact|zanzibar|case_key|key_of|quixotic|Ada", re.IGNORECASE)
Worlds = tuple[Path, Path]


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> Worlds:
    """The world with what is hidden, and the one where it never was."""
    folder = tmp_path_factory.mktemp("worlds")
    return make_world(folder / "world_a", with_hidden=True), make_world(folder / "world_b", with_hidden=False)


def same(worlds: Worlds, *words: str, who: str = ANALYST) -> Done:
    """Ask both worlds; assert that they answer alike, and return the answer."""
    told = [hms(home, *words, "--as", who) for home in worlds]
    first, second = ((each.code, comparable(each.out), comparable(each.err)) for each in told)
    assert first == second, words
    return told[0]


def not_named(answer: Done, *, asked: str = "") -> None:
    """Assert that an answer names nothing hidden but in words that were asked."""
    words = set(re.findall(r"\w+", asked.lower()))
    for text in (answer.out, answer.err):
        named = [word for word in re.findall(r"\w+", text.lower()) if SECRETS.search(word)]
        assert [word for word in named if word not in words] == []


SEARCHES = ["flu", "flu_weekly", "contact", "contacts", "zanzibar", "quixotic", "case", "case_key", "key_of", "key",
            "visits", "ward", "reach", "cdc", "public", "week", "count", HIDDEN, HIDDEN_VIEW, "Ada", "hidden",
            "secret", "notes", "Notes"]  # fmt: skip


@pytest.mark.parametrize("words", SEARCHES)
def test_search_finds_and_counts_what_may_be_found(worlds: Worlds, words: str) -> None:
    """Hits, their order, where they matched and the total are those of a catalogue without the hidden."""
    not_named(same(worlds, "search", words, "--json"))
    not_named(same(worlds, "search", words))
    not_named(same(worlds, "search", words, "--limit", "1", "--offset", "1", "--json"))


NAMES = [HIDDEN, HIDDEN_VIEW, HIDDEN.upper(), f"{HIDDEN}@v1", "cdc.public.flu_weekly_contact", "cdc.public.contacts",
         "flu_weekly_contacts", "lake.public.flu_weekly_contacts", "cdc.private.flu_weekly_contacts",
         'cdc.public."flu_weekly_contacts"', "cdc.public.flu_weekl", "cdc.public.flu_weekly", FIND_ONLY,
         "cdc.public.visits", "cdc.public.visits@v1", "cdc.public.visits@v2", "cdc.public.visits_by_ward",
         "cdc.public.flu_seasons", "lake.public.notes", "lake.public.Notes", "lake.public.NOTES"]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_show_and_lineage_answer_for_the_hidden_as_for_the_absent(worlds: Worlds, name: str) -> None:
    """Neither text, JSON nor Mermaid, up or down, nor the names that an error suggests, tell a difference."""
    for words in (["show"], ["show", "--json"]):
        not_named(same(worlds, words[0], name, *words[1:]), asked=name)
    bare = name.partition("@")[0]
    for more in (["--json"], ["--mermaid"], ["--down"], ["--down", "--json"]):
        not_named(same(worlds, "lineage", bare, *more), asked=name)


QUERIES = [
    f"SELECT * FROM {HIDDEN}",
    f"SELECT * FROM {HIDDEN_VIEW}",
    f"SELECT zanzibar FROM {HIDDEN} WHERE zanzibar = 'x'",
    f"SELECT f.week FROM cdc.public.flu_weekly f JOIN {HIDDEN} c ON c.week = f.week",
    f"SELECT nothing FROM {HIDDEN}, {FIND_ONLY}",
    f"SELECT nothing FROM {FIND_ONLY}, {HIDDEN}",
    f"SELECT (SELECT count(*) FROM {HIDDEN})",
    "SELECT * FROM cdc.public.flu_weekly_contact",
    "SELECT * FROM cdc.public.visits ORDER BY case_no",
    "SELECT v.* FROM cdc.public.visits v",
    "SELECT count(*) FROM cdc.public.visits",
    "SELECT case_key FROM cdc.public.visits",
    "SELECT cdc.public.visits.case_key FROM cdc.public.visits",
    "SELECT v.CASE_KEY FROM cdc.public.visits v",
    "SELECT case_ke FROM cdc.public.visits",
    "SELECT case_no AS n FROM cdc.public.visits WHERE case_key = 77",
    "SELECT case_no FROM cdc.public.visits ORDER BY case_key",
    "SELECT case_no FROM cdc.public.visits GROUP BY case_no HAVING max(case_key) > 1",
    "SELECT case_no AS case_key FROM cdc.public.visits ORDER BY case_key",
    "SELECT a.ward FROM cdc.public.visits a JOIN cdc.public.visits b USING (case_key)",
    "SELECT * FROM cdc.public.visits a JOIN cdc.public.visits b ON a.case_no = b.case_no",
    "SELECT phone FROM cdc.public.visits WHERE phone LIKE '555%'",
    "SELECT * FROM cdc.public.visits_by_ward",
    "SELECT key_of FROM cdc.public.visits_by_ward",
    f"SELECT * FROM {FIND_ONLY}",
    "SELECT table_name FROM cdc.information_schema.tables",
    "SELECT * FROM cdc.public.visits AS v (a, b, c)",
    "SELECT * FROM cdc.public.visits AS v (a, b, c, d)",
    "SELECT * FROM lake.public.Notes",
    'SELECT * FROM lake.public."Notes"',
]


@pytest.mark.parametrize("sql", QUERIES)
def test_sql_answers_for_the_hidden_as_for_the_absent(worlds: Worlds, sql: str) -> None:
    """Rows, columns, errors with their places and suggestions, and what each source is asked."""
    for more in (["--json"], [], ["--explain"], ["--explain", "--json"]):
        not_named(same(worlds, "query", sql, *more), asked=sql)


@pytest.mark.slow
def test_http_answers_for_the_hidden_as_for_the_absent(worlds: Worlds) -> None:
    """Status and bytes are the same; 404 is for both, 403 is for what may be found."""
    with serving(worlds[0]) as with_hidden, serving(worlds[1]) as without:
        status = {}
        for sql in QUERIES:
            first, second = (server.ask(sql, who=ANALYST) for server in (with_hidden, without))
            assert (first.status_code, comparable(first.text)) == (second.status_code, comparable(second.text)), sql
            own = {"date": "", "x-request-id": ""}  # of each answer, whatever it tells
            assert {**first.headers, **own} == {**second.headers, **own}
            status[sql] = first.status_code

    assert status[f"SELECT * FROM {HIDDEN}"] == 404
    assert status[f"SELECT * FROM {FIND_ONLY}"] == 403


def kept_document(name: str) -> str:
    """One of the documents that a portal begins with."""
    return (DOCUMENTS / f"{name}.graphql").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("document", "variables"),
    [
        *(("dataset", {"name": name}) for name in NAMES),
        *(("lineage", {"name": name}) for name in NAMES),
        *(("search", {"words": words}) for words in SEARCHES),
        ("me", {}),
    ],
    ids=lambda value: value if isinstance(value, str) else "-".join(value.values()),
)
def test_graphql_answers_for_the_hidden_as_for_the_absent(
    worlds: Worlds, document: str, variables: dict[str, str]
) -> None:
    """Data and errors of every document are those of a catalogue without the hidden."""
    question = Question(query=kept_document(document), variables=variables)
    told = []
    for home in worlds:
        with Registry.open(home) as registry:
            answered = answer(
                question,
                catalogue=registry.catalogue,
                decisions=registry.decisions(),
                principal=registry.principal(ANALYST),
            )
        told.append(re.sub(r'"id": "\w+=*"', '"id": "ID"', json.dumps(answered.body, default=str)))

    assert comparable(told[0]) == comparable(told[1])
    not_named(Done(0, told[0], ""), asked=" ".join(variables.values()))


def test_what_may_be_found_says_whom_to_ask(worlds: Worlds) -> None:
    """A dataset that may be found and not read is denied, with its owner's name."""
    answer = same(worlds, "query", f"SELECT * FROM {FIND_ONLY}")

    assert answer.code == 3
    assert "you may find cdc.public.zip_counts, but not read it" in answer.err
    assert "ask CDC desk for access" in answer.err


def test_whoever_may_know_of_it_sees_it(worlds: Worlds) -> None:
    """It is the policy that hides: a nurse reads what the analyst cannot know of, a steward finds it."""
    nurse = hms(worlds[0], "query", f"SELECT contact FROM {HIDDEN}", "--as", NURSE, "--format", "csv")
    key = hms(worlds[0], "query", "SELECT max(case_key) AS k FROM cdc.public.visits", "--as", NURSE, "--format", "csv")
    steward = hms(worlds[0], "search", "zanzibar", "--as", STEWARD)

    assert nurse.out.splitlines() == ["contact", "Ada"]
    assert key.out.splitlines() == ["k", "78"]
    assert HIDDEN in steward.out and HIDDEN_VIEW in steward.out and "2 found" in steward.out
    assert hms(worlds[0], "query", f"SELECT * FROM {HIDDEN}", "--as", STEWARD).code == 3


def test_masked_is_not_hidden(worlds: Worlds) -> None:
    """A masked column is named, and its values are not told, not even by a predicate."""
    shown = same(worlds, "query", "SELECT phone FROM cdc.public.visits", "--format", "csv")
    guessed = same(
        worlds, "query", "SELECT count(*) AS n FROM cdc.public.visits WHERE phone = '555-0100'", "--format", "csv"
    )

    assert shown.out.splitlines() == ["phone", "***", "***"]
    assert guessed.out.splitlines() == ["n", "0"]


def test_a_filter_on_a_hidden_column_works_and_is_not_told(worlds: Worlds, tmp_path: Path) -> None:
    """The rows are filtered; neither show nor --explain nor an error says by what."""
    home = tmp_path / "world_c"
    shutil.copytree(worlds[0], home)
    rules = home / "policies" / "rules.polar"
    rule = 'row_filter(_, dataset: Dataset, "case_key > 77") if dataset.name = "cdc.public.visits";'
    rules.write_text(f"{rules.read_text()}\n{rule}\n")
    assert hms(home, "policy", "publish").code == 0
    sql = "SELECT case_no FROM cdc.public.visits"

    rows = hms(home, "query", sql, "--as", ANALYST, "--format", "csv")

    assert rows.out.splitlines() == ["case_no", "2"]
    for words in (["show", "cdc.public.visits"], ["query", sql, "--explain"], ["query", f"{sql} WHERE case_key > 1"]):
        for more in ([], ["--json"]):
            not_named(hms(home, *words, *more, "--as", ANALYST), asked=" ".join(words))
    assert "names what you may not see" in hms(home, "show", "cdc.public.visits", "--as", ANALYST).out
    assert "case_key" in hms(home, "query", sql, "--explain", "--as", NURSE).out


def test_what_a_visible_view_comes_from_is_counted_not_named(worlds: Worlds, tmp_path: Path) -> None:
    """A steward declassified the view of a hidden table: its lineage says how many are upstream."""
    home = tmp_path / "world_d"
    shutil.copytree(worlds[0], home)
    manifest = home / "declassified.yml"
    manifest.write_text("name: Counts\nsource: sqlite:///cdc.db#contact_counts\ntier: hot\ndeclassify: true\n"
                        "privacy_tier: PUBLIC\n")  # fmt: skip
    assert hms(home, "ingest", str(manifest)).code == 0

    told = [hms(home, "lineage", HIDDEN_VIEW, *more, "--as", ANALYST) for more in ([], ["--json"], ["--mermaid"])]

    assert [each.code for each in told] == [0, 0, 0]
    assert "1 restricted upstream" in told[0].out and "1 restricted upstream" in told[2].out
    for each in told:
        assert "flu_weekly_contacts" not in each.out
    assert hms(home, "query", f"SELECT week FROM {HIDDEN_VIEW}", "--as", ANALYST).code == 0
