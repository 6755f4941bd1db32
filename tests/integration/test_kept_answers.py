"""Answers that are kept: whose they are, of what moment, and that nobody can tell but by the time they take."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import pytest
from fastapi import FastAPI
from starlette.types import Receive, Scope, Send

from catalogues import Catalogues
from hms_registry.bootstrap import now
from hms_registry.domain.columns import PrivacyTier
from hms_registry.domain.crawls import Balance, CrawlState
from hms_registry.domain.sources import Source
from hms_registry.http.keeping import Keeping
from hms_registry.http.offers import SCOPE_KEY
from hms_registry.services.audit_trail import AuditTrail
from hms_registry.services.tokens import list_tokens, revoke_token
from portals import BY_TIER, NOBODY, ROLES, SEARCH, Answer, Portal, portal, running
from statements import statements
from store_samples import described, put, register

AT = datetime(2026, 11, 21, 12, tzinfo=UTC)
ME = "{ me { subject roles } }"
PUBLIC = Source(name="lake", kind="files", url="file:lake", privacy_tier=PrivacyTier.PUBLIC)


@pytest.fixture
def served(catalogues: Catalogues, tmp_path: Path) -> Iterator[Portal]:
    """Three public datasets and a restricted one, on each database in turn."""
    with portal(tmp_path / "home", catalogue=catalogues.url(tmp_path)) as made:
        put(made.registry.catalogue, PUBLIC)
        made.add("flu one", "flu two", "flu three")
        register(made.registry.catalogue, described("flu ward", source="ward"))
        yield made


@pytest.fixture
def local(tmp_path: Path) -> Iterator[Portal]:
    """The same in SQLite, for what does not lie with the database."""
    with portal(tmp_path / "home") as made:
        put(made.registry.catalogue, PUBLIC)
        made.add("flu one", "flu two", "flu three")
        yield made


def test_the_second_time_nothing_is_executed(served: Portal) -> None:
    """The same bytes, without one statement of a unit; only the moment was read."""

    async def work() -> tuple[Answer, Answer, list[str]]:
        first = await served.ask(SEARCH, who="ana", words="flu")
        with statements(served.registry.catalogue) as seen:
            second = await served.ask(SEARCH, who="ana", words="flu")
            return first, second, [each for each in seen if "audit" not in each and "tokens" not in each]

    first, second, _seen = running(work)

    assert len(first.addresses) == 3
    assert first == second
    counts = served.registry.caches.counts
    assert (counts.misses, counts.hits, counts.kept) == (1, 1, 1)


def test_who_has_the_same_rights_shares_an_answer_and_who_has_not_does_not(served: Portal) -> None:
    """Ana and Ben are analysts; Eve is nobody, and asks the same after them."""

    async def work() -> list[Answer]:
        return [await served.ask(SEARCH, who=who, words="flu") for who in ("ana", "ben", "eve", "sam")]

    ana, ben, eve, sam = running(work)

    assert ana == ben
    assert (len(ana.addresses), len(sam.addresses)) == (3, 4)
    assert eve.addresses == []
    assert (served.registry.caches.counts.misses, served.registry.caches.counts.hits) == (3, 1)


def test_what_tells_of_a_person_is_theirs_alone(local: Portal) -> None:
    """Also where the word by which it is guessed does not stand in the document as it was sent."""
    aliased = "query { who: me { subject } }"

    async def work() -> list[Answer]:
        return [await local.ask(query, who=who) for query in (ME, aliased) for who in ("ana", "ben", "ana", "ben")]

    told = [answer.data for answer in running(work)]

    assert [next(iter(each.values()))["subject"] for each in told] == ["ana", "ben"] * 4
    assert local.registry.caches.counts.hits == 4


@pytest.mark.parametrize("change", ["dataset", "crawl", "policy", "roles", "source"])
def test_after_a_change_the_next_answer_is_as_if_nothing_were_kept(served: Portal, change: str) -> None:
    """Whatever was changed, and whoever asked before."""
    catalogue = served.registry.catalogue
    query = "query($words: String!) { search(words: $words) { totalCount } sources { name agency lastCrawledAt } }"

    async def work() -> tuple[dict, dict]:
        before = await served.ask(query, who="ana", words="flu")
        assert before == await served.ask(query, who="ana", words="flu")
        match change:
            case "dataset":
                served.add("flu four")
            case "crawl":
                with catalogue.unit(writes=True) as uow:
                    crawl = uow.crawls.start("lake", now=AT, lease_s=60)
                    uow.crawls.finish(crawl, state=CrawlState.UNCHANGED, balance=Balance(), failures=[], now=AT)
                    uow.commit()
            case "policy":
                served.publish(NOBODY)
            case "roles":
                served.publish(BY_TIER, roles=ROLES.replace("ana: {roles: [analyst]", "ana: {roles: []"))
            case "source":
                put(catalogue, Source(name="lake", kind="files", url="file:lake", privacy_tier=PrivacyTier.PUBLIC,
                                      agency="CDC"))  # fmt: skip
        after = await served.ask(query, who="ana", words="flu")
        return before.data, after.data

    before, after = running(work)

    assert before["search"]["totalCount"] == 3
    assert before != after
    counted = {"dataset": 4, "policy": 0, "roles": 0}
    assert after["search"]["totalCount"] == counted.get(change, 3)


def test_who_has_an_answer_is_not_sent_it_again(local: Portal) -> None:
    """304, with what a cache of theirs needs, and none of the body; until it is another."""

    async def work() -> list[Answer]:
        first = await local.ask(SEARCH, who="ana", words="flu")
        has = {"if-none-match": f'"other", W/{first.headers["etag"]}'}
        same = await local.ask(SEARCH, who="ana", words="flu", headers=has)
        put(local.registry.catalogue, Source(name="other", kind="files", url="file:other"))
        executed = await local.ask(SEARCH, who="ana", words="flu", headers=has)
        local.add("flu four")
        changed = await local.ask(SEARCH, who="ana", words="flu", headers=has)
        return [first, same, executed, changed]

    first, same, executed, changed = running(work)

    assert first.headers["cache-control"] == "private, no-cache"
    assert first.headers["vary"] == "Authorization"
    assert (same.status, same.body) == (304, b"")
    assert {same.headers[name] for name in ("etag", "vary")} == {first.headers["etag"], "Authorization"}
    assert (executed.status, executed.body) == (304, b"")
    assert changed.status == 200
    assert changed.headers["etag"] != first.headers["etag"]


@pytest.mark.parametrize("credential", ["", "Bearer x", "Bearer hmsdta_" + "A" * 43, "Basic YTpi"])
def test_who_is_nobody_learns_nothing_of_what_is_kept(local: Portal, credential: str) -> None:
    """401, also where the answer is kept and they name its tag, or any."""

    async def work() -> tuple[Answer, ...]:
        kept = await local.ask(SEARCH, who="ana", words="flu")
        asked = [{"if-none-match": tag, "authorization": credential} for tag in (kept.headers["etag"], "*")]
        return tuple([await local.ask(SEARCH, who="ana", words="flu", headers=headers) for headers in asked])

    for answer in running(work):
        assert (answer.status, json.loads(answer.body)["error"]["code"]) == (401, "authentication-failed")
        assert "etag" not in answer.headers


def test_a_hundred_who_ask_the_same_at_once_are_one_execution(served: Portal) -> None:
    """The others wait for it, and each leaves a line of their own."""
    served.token("ana"), served.token("ben")

    async def work() -> list[Answer]:
        asking = [served.ask(SEARCH, who=("ana", "ben")[at % 2], words="flu") for at in range(100)]
        return await asyncio.gather(*asking)

    told = running(work)

    counts = served.registry.caches.counts
    assert len({answer.body for answer in told}) == 1
    assert counts.misses == 1
    assert counts.waits + counts.hits == 99
    assert sorted(who for who, action in served.lines() if action == "graphql") == ["ana"] * 50 + ["ben"] * 50


def test_who_waits_is_not_told_what_another_may_see_by_a_policy_published_meanwhile(local: Portal) -> None:
    """Ana and Ben have the same rights when both ask; the policy that decides Ana's answer leaves Ben none."""
    served: list[str] = []
    is_asked, goes_on = asyncio.Event(), asyncio.Event()

    async def route(scope: Scope, _receive: Receive, send: Send) -> None:
        served.append(dict(scope["headers"])[b"authorization"].decode())
        if len(served) == 1:
            is_asked.set()
            await goes_on.wait()
        scope[SCOPE_KEY].is_made, scope[SCOPE_KEY].is_personal = True, False
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": served[-1].encode()})

    async def work() -> tuple[Answer, Answer]:
        for who in ("ana", "ben"):
            await local.ask(SEARCH, who=who, words="warm")
        portal = Portal(local.registry, cast(FastAPI, Keeping(route, registry=local.registry)), local.tokens)
        ana = asyncio.create_task(portal.ask(SEARCH, who="ana", words="flu"))
        await is_asked.wait()
        ben = asyncio.create_task(portal.ask(SEARCH, who="ben", words="flu"))
        for _ in range(20):
            await asyncio.sleep(0)
        local.publish(BY_TIER, roles=ROLES.replace("ben: {roles: [analyst], agency: DOT}", "ben: {}"))
        goes_on.set()
        return await ana, await ben

    ana, ben = running(work)

    assert (ana.body.decode(), ben.body.decode()) == (f"Bearer {local.token('ana')}", f"Bearer {local.token('ben')}")
    assert len(served) == 2


def test_an_answer_with_errors_is_kept_for_nobody(local: Portal) -> None:
    """Ten who ask at once for what is not there are each told so, and so is the next."""
    query = '{ dataset(name: "lake.locks.none") { address } }'

    async def work() -> list[Answer]:
        told = await asyncio.gather(*(local.ask(query, who="ana") for _ in range(10)))
        return [*told, await local.ask(query, who="ana")]

    for answer in running(work):
        assert json.loads(answer.body)["errors"][0]["extensions"]["code"] == "dataset-not-found"
        assert "etag" not in answer.headers
    assert local.registry.caches.counts.kept == 0


@pytest.mark.parametrize(
    "body",
    [
        b'{"query": "{ passwords }"}',
        b'{"query": "mutation { me }"}',
        b'{"query": "{ me { subject } }", "more": 1}',
        b'[{"query": "{ me { subject } }"}]',
        b'{"query": 1}',
        b"{",
        b"",
        b"[" * 20_000,
    ],
)
def test_what_is_refused_is_refused_by_the_route_each_time(local: Portal, body: bytes) -> None:
    """The layer before it keeps nothing of it and says nothing itself."""

    async def work() -> list[Answer]:
        return [await local.post(body, who="ana") for _ in range(2)]

    first, second = running(work)

    assert first == second
    assert first.status == 400
    assert local.registry.caches.counts.kept == 0


def test_what_json_cannot_say_again_is_not_kept(local: Portal) -> None:
    """NaN is read by Python's parser, and by no other."""

    async def work() -> list[int]:
        body = b'{"query": "{ me { subject } }", "variables": {"a": NaN}}'
        return [(await local.post(body, who="ana")).status for _ in range(2)]

    assert running(work) == [200, 200]
    assert local.registry.caches.counts.kept == 0


def test_what_is_executed_is_what_the_key_was_made_of(local: Portal) -> None:
    """A key that stands twice in a body cannot put one answer under the other's question."""
    twice = b'{"query": "{ a: __typename }", "query": "{ b: __typename }"}'

    async def work() -> list[Answer]:
        return [await local.post(twice, who="ana"), await local.ask("{ a: __typename }", who="ana"),
                await local.ask("{ b: __typename }", who="ana")]  # fmt: skip

    told = running(work)

    assert [list(each.data) for each in told] == [["b"], ["a"], ["b"]]


def test_the_order_of_variables_is_no_other_question(local: Portal) -> None:
    """Nor are spaces between them; another value is."""
    query = "query($a: String!, $b: Int) { search(words: $a, first: $b) { totalCount } }"
    bodies = [
        {"query": query, "variables": {"a": "flu", "b": 2}},
        {"variables": {"b": 2, "a": "flu"}, "query": query},
        {"query": query, "variables": {"a": "flu", "b": 3}},
    ]

    async def work() -> None:
        for body in bodies:
            assert (await local.post(json.dumps(body, indent=1).encode(), who="ana")).status == 200

    running(work)

    assert (local.registry.caches.counts.misses, local.registry.caches.counts.hits) == (2, 1)


def test_every_answer_leaves_a_line_whoever_executed_it(local: Portal) -> None:
    """Kept, waited for, and those who had it already."""

    async def work() -> None:
        first = await local.ask(SEARCH, who="ana", words="flu")
        await local.ask(SEARCH, who="ben", words="flu")
        await local.ask(SEARCH, who="ben", words="flu", headers={"if-none-match": first.headers["etag"]})

    running(work)

    assert [line for line in local.lines() if line[1] == "graphql"] == [
        ("ben", "graphql"), ("ben", "graphql"), ("ana", "graphql"),
    ]  # fmt: skip


def test_where_no_line_can_be_left_nothing_is_answered(local: Portal) -> None:
    """Not even what is kept."""

    async def work() -> Answer:
        assert (await local.ask(SEARCH, who="ana", words="flu")).status == 200
        local.registry.audit_trail.close()
        local.registry.audit_trail = AuditTrail(local.registry.catalogue, most=0)
        return await local.ask(SEARCH, who="ana", words="flu")

    answer = running(work)

    assert (answer.status, json.loads(answer.body)["error"]["code"]) == (503, "catalogue-unavailable")


def test_a_token_that_was_revoked_gets_nothing_that_is_kept(served: Portal) -> None:
    """It is looked at for each request, before anything else."""

    async def work() -> list[int]:
        told = [(await served.ask(SEARCH, who=who, words="flu")).status for who in ("ana", "ben", "ana", "ben")]
        catalogue = served.registry.catalogue
        (mine,) = [each for each in list_tokens(catalogue=catalogue) if each.subject == "ana"]
        revoke_token(mine.id, catalogue=catalogue, now=now())
        return told + [(await served.ask(SEARCH, who=who, words="flu")).status for who in ("ana", "ben")]

    assert running(work) == [200, 200, 200, 200, 401, 200]
