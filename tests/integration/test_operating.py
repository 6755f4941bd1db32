"""What operators are told of a server, and that it holds no name of a dataset or a person."""

from __future__ import annotations

import io
import json
import logging
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from governed import STEWARD, crawl_sources, publish_policies
from hms_registry.bootstrap import Registry
from hms_registry.home import make_home
from hms_registry.logs import JsonLines
from rest_client import Caller, calling

NAME = "shop.public.zanzibar"
FORWARDED = {"X-Forwarded-For": "127.0.0.1"}


def make_shop_home(home: Path) -> Path:
    """One dataset, PUBLIC; nothing is published or crawled yet."""
    with closing(sqlite3.connect(home / "shop.db")) as store:
        store.execute("CREATE TABLE zanzibar (n INTEGER)")
        store.commit()
    (home / "sources.yml").write_text("sources:\n  shop: {url: 'sqlite:///shop.db', privacy_tier: PUBLIC}\n")
    make_home(home, steward=STEWARD)
    return home


@pytest.fixture(scope="module")
def caller(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Caller]:
    """Nothing here changes what it serves."""
    with Registry.open(make_shop_home(tmp_path_factory.mktemp("operated"))) as registry:
        publish_policies(registry)
        crawl_sources(registry)
        with calling(registry) as caller:
            yield caller


@contextmanager
def log_lines() -> Iterator[list[dict]]:
    """What the server's loggers write meanwhile, as JSON."""
    stream, lines = io.StringIO(), []
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines())
    logger = logging.getLogger("hms_registry")
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield lines
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)
        lines += map(json.loads, stream.getvalue().splitlines())


def counted(caller: Caller) -> dict[tuple[str, ...], float]:
    """Every sample that the server tells, by name and labels."""
    text = caller.get("/metrics", who="").text
    return {
        (sample.name, *(f"{name}={value}" for name, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def requests(caller: Caller, route: str, status: int) -> float:
    labels = ("http_request_method=GET", f"http_response_status_code={status}", f"http_route={route}")
    return counted(caller).get(("http_server_request_duration_seconds_count", *labels), 0.0)


def test_a_registry_that_can_answer_is_ready(caller: Caller) -> None:
    """Anybody may ask, and is told no more."""
    answer = caller.get("/ready", who="")

    assert (answer.status_code, answer.json()) == (200, {"status": "ready"})


def test_one_without_a_policy_is_not_ready(tmp_path: Path) -> None:
    """It is alive, and every question would be denied."""
    with Registry.open(make_shop_home(tmp_path)) as registry, calling(registry) as caller:
        answers = [caller.get(path, who="") for path in ("/health", "/ready")]

    assert [answer.status_code for answer in answers] == [200, 503]
    assert answers[1].json()["error"]["message"] == "no policy is in force"


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE alembic_version SET version_num = 'later'", "a newer release has upgraded the catalogue"),
        ("DROP TABLE epoch", "the catalogue cannot be read"),
    ],
)
def test_one_whose_catalogue_is_not_what_it_opened_is_not_ready(tmp_path: Path, statement: str, said: str) -> None:
    """A stranger learns which part it is, and neither a path nor a version."""
    with Registry.open(make_shop_home(tmp_path)) as registry, calling(registry) as caller:
        publish_policies(registry)
        assert caller.get("/ready", who="").status_code == 200
        with closing(sqlite3.connect(tmp_path / ".hms-dta" / "catalogue.db")) as database:
            database.execute(statement)
            database.commit()
        answer = caller.get("/ready", who="")
        other = [caller.get(path, who="") for path in ("/health", "/metrics", "/dta/sources")]

    assert (answer.status_code, answer.json()["error"]["message"]) == (503, said)
    assert all(str(tmp_path) not in each.text and "later" not in each.text for each in [answer, *other])
    assert other[1].status_code == 200
    assert "hms_dta_catalogue_up 0.0" in other[1].text


def test_one_that_is_stopping_is_not_ready(tmp_path: Path) -> None:
    """Whoever balances requests sends it no more."""
    with Registry.open(make_shop_home(tmp_path)) as registry, calling(registry) as caller:
        publish_policies(registry)
        caller.app.state.stopping.set()

        assert caller.get("/ready", who="").json()["error"]["message"] == "the server is stopping"


def test_requests_are_counted_by_the_template_of_their_route(caller: Caller) -> None:
    """Whatever the path is; what no route answers has none."""
    before = requests(caller, "/dta/datasets/{name}", 200), requests(caller, "/dta/datasets/{name}", 404)
    nowhere = requests(caller, "", 404)

    caller.get(f"/dta/datasets/{NAME}", who="analyst")
    caller.get("/dta/datasets/shop.public.nothing", who="analyst")
    caller.get("/secret-plans", who="analyst")

    after = requests(caller, "/dta/datasets/{name}", 200), requests(caller, "/dta/datasets/{name}", 404)
    assert [late - early for early, late in zip(before, after, strict=True)] == [1, 1]
    assert requests(caller, "", 404) == nowhere + 1


def test_no_label_names_a_dataset_a_source_or_a_person(caller: Caller) -> None:
    """Nor anything else that a caller sent: methods and routes are those that there are."""
    caller.get(f"/dta/datasets/{NAME}/history", who="analyst")
    caller.get(f"/dta/search?words={NAME}", who=STEWARD)
    caller.send("ZANZIBAR", "/dta/sources")

    text = caller.get("/metrics", who="").text

    assert not re.search(f"zanzibar|analyst|shop|{STEWARD}", text, re.IGNORECASE)
    assert 'http_request_method="_OTHER"' in text


def test_crawls_are_counted_by_how_they_ended(caller: Caller) -> None:
    """As the catalogue knows them, whichever process crawled."""
    samples = counted(caller)

    assert samples["hms_dta_sources", "adapter=sqlite", "last_crawl=complete"] == 1
    assert samples["hms_dta_sources", "adapter=sqlite", "last_crawl=failed"] == 0
    assert samples["hms_dta_sources_stale",] == 0
    assert samples["hms_dta_query_children_running",] == 0


def test_an_answer_of_the_cache_is_counted_under_its_route(caller: Caller) -> None:
    """Whoever answers, a request is one of its route."""
    hits = ("hms_dta_cache_answers_total", "by=memory")
    route = ("http_server_request_duration_seconds_count", "http_request_method=POST", "http_response_status_code=200",
             "http_route=/graphql")  # fmt: skip
    before = counted(caller)

    for _ in range(3):
        caller.send("POST", "/graphql", who="analyst", json={"query": "{ sources { name } }"})

    after = counted(caller)
    assert after[hits] > before[hits]
    assert after[route] - before.get(route, 0) == 3


def test_a_mistake_of_ours_is_told_in_the_one_shape(tmp_path: Path) -> None:
    """And nothing of it: the log has that."""
    with Registry.open(make_shop_home(tmp_path)) as registry, calling(registry) as caller:
        caller.app.state.metrics = None
        answer = caller.get("/metrics", who="")

    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "hms-error")
    assert "NoneType" not in answer.text


@pytest.mark.parametrize(
    ("who", "headers", "status"),
    [("", {}, 200), ("analyst", {}, 200), ("", FORWARDED, 401), ("analyst", FORWARDED, 200),
     ("", {"Authorization": "Bearer x"}, 401), ("", {"Forwarded": "for=127.0.0.1"}, 401)],
)  # fmt: skip
def test_metrics_are_for_this_machine_or_a_token(caller: Caller, who: str, headers: dict, status: int) -> None:
    """What comes through a proxy is not from this machine, whatever it claims."""
    assert caller.send("GET", "/metrics", who=who, headers=headers).status_code == status


def test_each_request_leaves_one_line_that_names_nobody_and_nothing(caller: Caller) -> None:
    """With an id, the route, the status and how long it took."""
    caller.headers("analyst")
    with log_lines() as lines:
        answer = caller.get(f"/dta/datasets/{NAME}", who="analyst")

    (line,) = [each for each in lines if "route" in each]
    assert (line["method"], line["route"], line["status"]) == ("GET", "/dta/datasets/{name}", 200)
    assert line["request_id"] == answer.headers["x-request-id"]
    assert line["duration_ms"] > 0
    assert not re.search("zanzibar|analyst|hmsdta_|Bearer", json.dumps(line))


@pytest.mark.parametrize("given", ["trace-0001", "A" * 64, "7f9c2ba4e88f827d616045507605853e"])
def test_an_id_that_is_well_formed_is_kept(caller: Caller, given: str) -> None:
    """So that one request is one thing in the logs of all it passes."""
    answer = caller.send("GET", "/health", headers={"X-Request-ID": given})

    assert answer.headers["x-request-id"] == given


@pytest.mark.parametrize("given", ["", "short", "a" * 65, "a b c d e f", 'x","level":"x', "-" * 10, "%0a%0a%0a%0a"])
def test_any_other_id_is_made_anew(caller: Caller, given: str) -> None:
    """A log repeats nothing of it."""
    with log_lines() as lines:
        answer = caller.send("GET", "/health", headers={"X-Request-ID": given})

    assert re.fullmatch("[0-9a-f]{32}", answer.headers["x-request-id"])
    assert not given or given not in json.dumps(lines)


def test_a_request_that_the_gate_refuses_is_seen_as_well(caller: Caller) -> None:
    """It has an id, a count and a line."""
    with log_lines() as lines:
        answer = caller.send("GET", "/health", headers={"Host": "evil.example"})

    assert (answer.status_code, [line["status"] for line in lines]) == (403, [403])
    assert answer.headers["x-request-id"] == lines[0]["request_id"]


def test_a_line_of_the_log_is_one_line_whatever_it_tells() -> None:
    """Neither a line break nor what a terminal obeys comes through."""
    record = logging.LogRecord("x", logging.INFO, __file__, 1, "a\nb\u2028c \x1b[2J %s", ("\r{}",), None)

    written = JsonLines().format(record)

    assert written.isascii()
    assert written.isprintable()
    assert json.loads(written)["message"] == "a\nb\u2028c \x1b[2J \r{}"
