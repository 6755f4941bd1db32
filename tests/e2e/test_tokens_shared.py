"""Tokens over two processes on one catalogue: made at the command line, good in both, and revoked in both at once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from command import hms
from hms_registry.app import make_app
from hms_registry.bootstrap import Registry
from in_process import InProcess
from serving import ANALYST, make_shop, serving

ME = "{ me { subject purpose } }"
RESPONDING = """
# Who responds to an outbreak may find the patients.
allow(principal: Principal, "find", dataset: Dataset) if
    principal.purpose = "public-health-response" and dataset.source = "clinic";
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose policy asks what for."""
    made = make_shop(tmp_path_factory.mktemp("shared"))
    (made / "policies" / "responding.polar").write_text(RESPONDING)
    assert hms(made, "policy", "publish").code == 0
    return made


@pytest.fixture
def here(home: Path) -> Iterator[InProcess]:
    """The registry in this process."""
    with Registry.open(home) as registry:
        yield InProcess(make_app(registry))


def made(home: Path, *words: str) -> tuple[str, dict[str, str]]:
    """A token's id, and the header that presents it."""
    told = hms(home, "token", "create", "--as", ANALYST, *words, "--json").json
    assert isinstance(told, dict)
    return told["id"], {"Authorization": f"Bearer {told['token']}"}


def asked(client: httpx.Client | InProcess, headers: dict[str, str], query: str = ME) -> tuple[int, str]:
    answer = client.post("/graphql", json={"query": query}, headers=headers)
    return answer.status_code, answer.text


@pytest.mark.slow
def test_a_token_that_is_revoked_is_refused_by_every_process_on_its_next_request(home: Path, here: InProcess) -> None:
    """One process has it in memory, and so has the other; a third one revokes it."""
    token_id, headers = made(home)
    with serving(home) as server, server.client() as there:
        assert [asked(each, headers)[0] for each in (here, there, here, there)] == [200] * 4

        assert hms(home, "token", "revoke", token_id).code == 0

        told = [asked(each, headers) for each in (here, there)]
    assert [status for status, _ in told] == [401, 401]
    assert all("the token was revoked" in text for _, text in told)


def test_purpose_rules_decide_by_the_purpose_of_the_token(home: Path, here: InProcess) -> None:
    """The same role finds the patients with the purpose that the policy names, and not without."""
    query = '{ me { subject purpose } dataset(name: "clinic.public.patients") { address } }'
    with_purpose = asked(here, made(home, "--purpose", "public-health-response")[1], query)
    without = asked(here, made(home)[1], query)

    assert '"purpose":"public-health-response"' in with_purpose[1] and "clinic.public.patients" in with_purpose[1]
    assert '"purpose":""' in without[1] and '"dataset":null' in without[1]


def test_the_list_shows_each_token_and_no_secret(home: Path) -> None:
    """Whose, what for, what it is called, until when, and whether it is good still."""
    token_id, headers = made(home, "--name", "portal", "--purpose", "audit")
    assert hms(home, "token", "revoke", token_id).code == 0

    listed = hms(home, "token", "list", "--json")
    shown = hms(home, "token", "list")

    assert isinstance(listed.json, list)
    (one,) = [each for each in listed.json if each["id"] == token_id]
    assert (one["as"], one["name"], one["purpose"], one["state"]) == (ANALYST, "portal", "audit", "revoked")
    assert token_id in shown.out and "portal" in shown.out
    secret = headers["Authorization"].removeprefix("Bearer hmsdta_")
    assert secret not in listed.out + shown.out


def test_making_and_revoking_are_in_the_audit_with_who_typed_it(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under the subject that the token is for."""
    monkeypatch.setenv("LOGNAME", "olga")
    token_id, _ = made(home, "--purpose", "audit")
    hms(home, "token", "revoke", token_id)

    entries = hms(home, "audit", "--limit", "2", "--json").json

    assert isinstance(entries, list)
    assert [(each["action"], each["subject"], each["detail"]["asked_by"]) for each in entries] == [
        ("token-revoke", ANALYST, "olga"),
        ("token-create", ANALYST, "olga"),
    ]
    assert {each["detail"]["id"] for each in entries} == {token_id}


def test_an_unknown_id_is_told(home: Path) -> None:
    """With what shows the ids that there are."""
    done = hms(home, "token", "revoke", "nothing")

    assert (done.code, done.err) == (
        4,
        "error: no token has the id nothing\n  hint: hms-dta token list shows those there are\n",
    )


def test_the_file_of_the_release_before_is_read_at_the_next_start(home: Path) -> None:
    """`token list` is a start as well as `serve` is."""
    digest = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    entry = f'[{{"subject": "{ANALYST}", "sha256": "{digest}", "expires": "2999-01-01T00:00:00+00:00"}}]'
    (home / ".hms-dta" / "tokens.json").write_text(entry)

    listed = hms(home, "token", "list", "--json").json

    assert isinstance(listed, list)
    assert ("e3b0c44298fc", "valid") in [(each["id"], each["state"]) for each in listed]
    assert not (home / ".hms-dta" / "tokens.json").exists()


def test_a_damaged_file_of_tokens_keeps_the_server_from_starting(tmp_path: Path) -> None:
    """It is not passed over as if nobody had a token."""
    home = make_shop(tmp_path)
    (home / ".hms-dta" / "tokens.json").write_text("{")

    done = hms(home, "serve", "--port", "0")

    assert (done.code, done.err.splitlines()[0]) == (2, "error: tokens.json is damaged")
