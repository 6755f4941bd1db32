"""The feed under policy: what happened, how grave it is, and nothing of what somebody may not see."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from hms_policies import PolicyDecisions
from hms_registry.domain.columns import PrivacyTier
from hms_registry.domain.crawls import Balance, CrawlState
from hms_registry.domain.datasets import DatasetState
from hms_registry.domain.principals import Principal
from hms_registry.errors import SettingsInvalid
from hms_registry.ports.catalogue import Catalogue
from hms_registry.services.feed import Cursor, FeedPage, Told, read_feed
from policy_samples import bundle_of
from store_samples import LAKE, column, described, put, register

STEWARD = Principal(subject="olga", roles=frozenset({"steward"}))
ANALYST = Principal(subject="ana", roles=frozenset({"analyst"}))
POLICY = """
allow(_, "find", d: Dataset) if d.source = "lake";
allow(_, "read", d: Dataset) if d.source = "lake";
allow(who, _, _: Dataset) if "steward" in who.roles;
deny(who, "read", c: Column) if "secret" in c.tags and not ("steward" in who.roles);
"""
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
OPEN, SECRET = column("id", tier=PrivacyTier.PUBLIC), column("ssn", tags=["secret"])


def page(catalogue: Catalogue, who: Principal, *, after: Cursor | None = None, limit: int = 100) -> FeedPage:
    with catalogue.unit() as uow:
        classes = uow.bundles.classes()
        decisions = PolicyDecisions(bundle_of(POLICY), classes=lambda: classes)
        return read_feed(after or Cursor(), limit=limit, uow=uow, principal=who, decisions=decisions)


def told(catalogue: Catalogue, who: Principal) -> list[tuple[str, str, str | None]]:
    return [short(each) for each in page(catalogue, who).events]


def short(each: Told) -> tuple[str, str, str | None]:
    about = each.facts.get("address", each.facts.get("source", ""))
    return (each.kind, about, None if each.grade is None else str(each.grade))


def test_each_event_tells_how_grave_it_is(catalogue: Catalogue) -> None:
    """From the first registration to the return of what was gone, in commit order."""
    (done,) = register(catalogue, described("t", OPEN))
    register(catalogue, described("t", OPEN, column("more"), stamp="s2"))
    register(catalogue, described("t", OPEN, stamp="s3"))
    register(catalogue, described("t", OPEN, stamp="s4", description="of locks"))
    for state in (DatasetState.GONE, DatasetState.PRESENT):
        with catalogue.unit(writes=True) as uow:
            uow.registrations.mark([done.dataset_id], state)
            uow.commit()

    assert told(catalogue, ANALYST) == [
        ("DatasetRegistered", "lake.locks.t", "compatible"),
        ("SchemaChanged", "lake.locks.t", "compatible"),
        ("SchemaChanged", "lake.locks.t", "breaking"),
        ("DatasetChanged", "lake.locks.t", "compatible"),
        ("DatasetGone", "lake.locks.t", "breaking"),
        ("DatasetReturned", "lake.locks.t", "compatible"),
    ]


def test_a_schema_change_tells_what_changed(catalogue: Catalogue) -> None:
    """As the history does, with the version and the time."""
    register(catalogue, described("t", OPEN))
    register(catalogue, described("t", column("id", "double"), stamp="s2"))

    event = page(catalogue, ANALYST).events[-1].as_dict()

    assert event["changes"] == [
        {"kind": "type-changed", "subject": "id", "grade": "breaking", "before": "bigint", "after": "double"}
    ]
    assert (event["version"], event["type"], event["grade"]) == ("2", "SchemaChanged", "breaking")
    assert datetime.fromisoformat(str(event["at"])).tzinfo is not None


def test_what_may_not_be_found_has_no_events(catalogue: Catalogue) -> None:
    """Its registration, its changes and its end are nobody else's business; the place moves on all the same."""
    register(catalogue, described("t", OPEN), described("patients", OPEN, source="clinic"))
    register(catalogue, described("patients", OPEN, column("more"), source="clinic", stamp="s2"))

    assert {about for _, about, _ in told(catalogue, ANALYST)} == {"lake.locks.t"}
    assert len(told(catalogue, STEWARD)) == 3
    assert page(catalogue, ANALYST).end == page(catalogue, STEWARD).end


def test_a_change_of_hidden_columns_is_no_event(catalogue: Catalogue) -> None:
    """And one that breaks what is hidden is no graver for who does not see that."""
    register(catalogue, described("t", OPEN, SECRET))
    register(catalogue, described("t", OPEN, replace(SECRET, trino_type="date"), stamp="s2"))
    register(catalogue, described("t", OPEN, SECRET, column("more"), stamp="s3"))

    assert [each.grade for each in page(catalogue, STEWARD).events] == ["compatible", "breaking", "breaking"]
    assert [each.grade for each in page(catalogue, ANALYST).events] == ["compatible", "compatible"]
    assert "ssn" not in str([each.as_dict() for each in page(catalogue, ANALYST).events])


def test_a_source_that_stops_answering_is_told_once(catalogue: Catalogue) -> None:
    """And once when it answers again; to those only who may find something of it."""
    put(catalogue, LAKE, replace(LAKE, name="clinic"))
    register(catalogue, described("t", OPEN), described("patients", OPEN, source="clinic"))
    states = [CrawlState.FAILED, CrawlState.FAILED, CrawlState.COMPLETE]
    for at, state in enumerate(states):
        for source in ("lake", "clinic"):
            with catalogue.unit(writes=True) as uow:
                crawl = uow.crawls.start(source, now=NOW + timedelta(hours=at), lease_s=1)
                uow.crawls.finish(crawl, state=state, balance=Balance(), failures=(), now=NOW)
                uow.commit()

    heard = [each for each in told(catalogue, ANALYST) if each[0].startswith("Source")]
    assert heard == [("SourceUnreachable", "lake", None), ("SourceReachable", "lake", None)]
    assert len([each for each in told(catalogue, STEWARD) if each[0].startswith("Source")]) == 4


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
def test_pages_of_any_size_tell_each_event_once(catalogue: Catalogue, limit: int) -> None:
    """A page may end in the middle of an epoch; the next one goes on there."""
    register(catalogue, *(described(f"a{at}", OPEN) for at in range(5)))
    register(catalogue, *(described(f"hidden{at}", OPEN, source="clinic") for at in range(4)))
    register(catalogue, *(described(f"b{at}", OPEN) for at in range(3)))
    heard, after = [], Cursor()

    while True:
        one = page(catalogue, ANALYST, after=after, limit=limit)
        heard += [each.facts["address"] for each in one.events]
        after = one.end
        if not one.has_more:
            break

    assert heard == [f"lake.locks.a{at}" for at in range(5)] + [f"lake.locks.b{at}" for at in range(3)]
    assert page(catalogue, ANALYST, after=after) == FeedPage(events=(), end=after, has_more=False)


@pytest.mark.parametrize("text", ["", "x", "1.", ".1", "-1", "1.2.3", "1 ", "٣", "9" * 16])
def test_what_is_no_place_in_the_feed_is_refused(text: str) -> None:
    """The hint says what one looks like."""
    with pytest.raises(SettingsInvalid) as caught:
        Cursor.parse(text)

    assert caught.value.message == "that is no place in the feed"
