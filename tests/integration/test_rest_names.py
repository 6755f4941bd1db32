"""Odd names in a path (FAULTS 2), and registering over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from hms_registry.domain.names import Address
from odd_home import ODD, calling_home, make_odd_home
from rest_client import Caller

CALLS = "name: calls\nsource: lake/calls.csv\nprivacy_tier: PUBLIC\n"


@pytest.fixture(scope="module")
def caller(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Caller]:
    """Nothing here changes what it serves: what asks for that is refused."""
    with calling_home(make_odd_home(tmp_path_factory.mktemp("odd"))) as caller:
        yield caller


def test_a_dataset_of_any_name_is_found_by_its_address_in_a_path(caller: Caller) -> None:
    """The address as it is printed, percent-encoded as a whole; its history and lineage likewise."""
    listed = {each["address"] for each in caller.json("/dta/datasets", who="analyst", limit=100)["datasets"]}
    for name in ["victim", *ODD]:
        address = str(Address("odd", "public", name))
        written = quote(address, safe="")

        assert caller.json(f"/dta/datasets/{written}", who="analyst")["address"] == address
        assert address in listed
        if "/" in name or "\n" in name:
            assert caller.json(f"/dta/datasets/{written}/history", who="analyst")["address"] == address
            assert caller.json(f"/dta/lineage/{written}", who="analyst")["root"] == address


def test_a_dataset_is_found_by_its_name_in_sql(caller: Caller) -> None:
    """Each says which; they all differ."""
    names = [each["sql_name"] for each in caller.json("/dta/datasets", who="analyst", limit=100)["datasets"]]
    for name in names[::4]:
        assert caller.json(f"/dta/datasets/{quote(name, safe='')}", who="analyst")["sql_name"] == name
    assert len(set(names)) == len(ODD) + 1


@pytest.mark.parametrize(
    "name",
    [
        "odd",
        "odd.public",
        "odd.public.",
        '"',
        'odd.public."x',
        "%00",
        "odd.public.%00",
        "a.b.c.d",
        "%FF%FE",
        "%ED%A0%80",
    ],
)
def test_what_is_no_name_is_a_failure_in_the_one_shape(caller: Caller, name: str) -> None:
    """400 for what cannot be one, 404 for what could."""
    answer = caller.get(f"/dta/datasets/{name}", who="analyst")

    assert answer.status_code in (400, 404)
    assert set(answer.json()["error"]) == {"code", "message", "hint"}


def post(caller: Caller, manifest: str | bytes, *, who: str) -> tuple[int, dict]:
    answer = caller.send("POST", "/dta/ingest", content=manifest, who=who)
    return answer.status_code, answer.json()


def test_a_manifest_registers_a_dataset_where_it_lies(tmp_path: Path) -> None:
    """It is there at once, under the manifest's word, and the audit says who did it."""
    with calling_home(make_odd_home(tmp_path), crawled=False) as caller:
        status, told = post(caller, CALLS, who="steward")

        assert (status, told["address"], told["version"]) == (200, "lake.public.calls", 1)
        assert caller.json("/dta/datasets/lake.public.calls", who="analyst")["title"] == "calls"
        with caller.registry.catalogue.unit() as uow:
            entry = next(each for each in uow.audit.latest() if each.action == "ingest")
    assert (entry.subject, entry.auth_method, entry.outcome) == ("role:steward", "token", "allowed")
    assert entry.detail["privacy_tier"] == "PUBLIC"


def test_whoever_is_not_named_in_the_settings_registers_nothing(caller: Caller) -> None:
    """A 403 before the body is looked at, recorded; what was RESTRICTED stays so."""
    status, told = post(caller, CALLS, who="analyst")

    assert (status, told["error"]["code"]) == (403, "access-denied")
    assert caller.get("/dta/datasets/lake.public.calls", who="analyst").status_code == 404
    with caller.registry.catalogue.unit() as uow:
        assert [(each.action, each.outcome) for each in uow.audit.latest(limit=2)][1] == ("ingest", "denied")


def test_without_a_word_in_the_settings_nobody_registers_over_http(tmp_path: Path) -> None:
    """Not even a steward."""
    (make_odd_home(tmp_path) / "settings.yml").unlink()
    with calling_home(tmp_path, crawled=False) as caller:
        assert post(caller, CALLS, who="steward")[0] == 403
        assert post(caller, CALLS, who="")[0] == 401


@pytest.mark.parametrize(
    "place", ["secrets.csv", "/etc/passwd", "../x", "lake/../secrets.csv", "http://169.254.169.254/latest", "s3://b/k",
              "file:///etc/passwd", "sqlite:////etc/passwd"]
)  # fmt: skip
def test_a_place_outside_every_source_is_not_opened(caller: Caller, place: str) -> None:
    """Whether or not something lies there."""
    status, told = post(caller, f"name: x\nsource: {place}\n", who="steward")

    assert (status, told["error"]["code"]) == (400, "location-outside-source")


@pytest.mark.parametrize(
    ("manifest", "said"),
    [
        (b"", "not a mapping"), (b"\xff\xfe", "not UTF-8"), (b"[1, 2]", "not a mapping"), (b"name: &a x\n", "anchors"),
        (b"name: x\nsource: lake/calls.csv\nowner: !!python/object:os.system x\n", "tags"), (b"name: x\n", "missing"),
        (b"name: x\nsource: lake/calls.csv\ntoken: abc\n", "not a field"), (b"a: " + b"x" * (65 << 10), "64 KiB"),
        (b"[" * 60_000, "deep"), (b"name: x\nsource: lake/calls.csv\nschema: [{gone: bigint}]\n", "gone"),
    ],
)  # fmt: skip
def test_what_is_no_manifest_is_a_400_that_says_why(caller: Caller, manifest: bytes, said: str) -> None:
    """And registers nothing."""
    status, told = post(caller, manifest, who="steward")

    assert status == 400, told
    assert said in told["error"]["message"]
