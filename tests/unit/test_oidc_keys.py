"""The keys of a provider: fetched within bounds, rotated, kept for a while when it is down, and then given up."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial

import pytest
from joserfc.jwk import ECKey, OctKey

from hms_registry.errors import IssuerUnreachable
from hms_registry.oidc import documents
from hms_registry.oidc.documents import MAX_BYTES, fetch_jwks
from hms_registry.oidc.keys import FRESH_S, KEPT_S, RETRY_S, SigningKeys
from hms_registry.services.identity_settings import OidcSettings
from issuer import AUDIENCE, Issuer, issuing, rsa_key


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def provider() -> Iterator[tuple[Issuer, Callable[[], None]]]:
    """An issuer, and what ends it."""
    with ExitStack() as stack:
        issuer = stack.enter_context(issuing())
        yield issuer, stack.close


@pytest.fixture
def issuer(provider: tuple[Issuer, Callable[[], None]]) -> Issuer:
    return provider[0]


@pytest.fixture
def clock() -> Clock:
    return Clock()


def settings_of(issuer: Issuer, *, jwks_url: str = "") -> OidcSettings:
    return OidcSettings(issuer=issuer.url, audience=AUDIENCE, jwks_url=jwks_url)


def keys_of(issuer: Issuer, clock: Clock) -> SigningKeys:
    """The keys of an issuer whose address is known, fetched for the first time."""
    keys = SigningKeys(fetch=partial(fetch_jwks, settings_of(issuer, jwks_url=f"{issuer.url}/certs")), elapsed=clock)
    keys.start()
    return keys


def why(issuer: Issuer, *, jwks_url: str = "") -> str:
    """Why its keys are not fetched."""
    with pytest.raises(IssuerUnreachable) as failed:
        SigningKeys(fetch=partial(fetch_jwks, settings_of(issuer, jwks_url=jwks_url))).start()
    return failed.value.message


def test_a_rotated_key_is_found_by_the_first_token_that_names_it(issuer: Issuer, clock: Clock) -> None:
    """And the one that is gone is good no more."""
    keys = keys_of(issuer, clock)
    issuer.keys = {"two": rsa_key("two")}
    clock.now += RETRY_S

    assert keys.find("two") is not None
    assert keys.find("one") is None


def test_tokens_of_unknown_keys_have_the_provider_asked_no_more_than_once_in_a_while(
    issuer: Issuer, clock: Clock
) -> None:
    """However many there are, of however many names."""
    keys = keys_of(issuer, clock)
    for number in range(50):
        assert keys.find(f"k{number}") is None
        clock.now += 1

    assert len(issuer.asked) == 1 + 50 // RETRY_S


def test_many_that_wait_for_a_rotated_key_have_it_fetched_once(issuer: Issuer, clock: Clock) -> None:
    """All of them get it by one request."""
    keys = keys_of(issuer, clock)
    issuer.keys = {"two": rsa_key("two")}
    clock.now += RETRY_S

    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(keys.find, ["two"] * 64))

    assert all(found)
    assert len(issuer.asked) == 2


def test_keys_are_fetched_anew_when_they_are_old(issuer: Issuer, clock: Clock) -> None:
    """One that was taken away is found out so, and what was remembered by the old ones counts no more."""
    keys = keys_of(issuer, clock)
    before = keys.generation()
    issuer.keys = {"two": rsa_key("two")}

    clock.now += FRESH_S
    assert keys.find("one") is not None and keys.generation() == before
    clock.now += 1

    assert keys.find("one") is None
    assert keys.generation() > before


def test_a_provider_that_is_down_costs_nothing_for_a_while_and_then_nobody_is_believed(
    provider: tuple[Issuer, Callable[[], None]], clock: Clock
) -> None:
    """The last good keys count for an hour."""
    issuer, kill = provider
    keys = keys_of(issuer, clock)
    kill()

    clock.now += KEPT_S
    assert keys.find("one") is not None and keys.generation()
    clock.now += 1

    assert keys.find("one") is None
    assert keys.generation() == 0


def test_a_provider_that_comes_back_is_believed_again(issuer: Issuer, clock: Clock) -> None:
    """By the next token after a while; a broken answer in between takes nothing away."""
    keys = keys_of(issuer, clock)
    issuer.answer = lambda _: (200, {}, b'{"keys": []}')
    clock.now += KEPT_S
    assert keys.find("one") is not None
    clock.now += RETRY_S
    assert keys.find("one") is None

    issuer.answer = None
    clock.now += RETRY_S

    assert keys.find("one") is not None


def test_a_provider_that_is_slow_holds_up_nobody_whose_key_is_known(issuer: Issuer, clock: Clock) -> None:
    """One thread waits for it; the others go on with what there is."""
    keys = keys_of(issuer, clock)
    came, goes_on = threading.Event(), threading.Event()

    def slow(path: str) -> tuple[int, dict[str, str], bytes]:
        came.set()
        assert goes_on.wait(30)
        return issuer.document(path)

    issuer.answer = slow
    clock.now += FRESH_S + 1
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(keys.find, "one")
        assert came.wait(30)
        found = keys.find("one")
        goes_on.set()

        assert found is not None
        assert first.result() is not None
    assert len(issuer.asked) == 2


def test_discovery_leads_to_the_keys(issuer: Issuer) -> None:
    """Where settings.yml does not say where they are."""
    SigningKeys(fetch=partial(fetch_jwks, settings_of(issuer))).start()

    assert issuer.asked == ["/.well-known/openid-configuration", "/certs"]


@pytest.mark.parametrize("said", ["https://login.example", "", None, 7])
def test_a_discovery_document_of_another_issuer_is_refused(issuer: Issuer, said: object) -> None:
    """It must name the very issuer that was asked."""
    issuer.answer = lambda _: (200, {}, json.dumps({"issuer": said, "jwks_uri": f"{issuer.url}/certs"}).encode())

    assert why(issuer) == "the discovery document is of another issuer"


@pytest.mark.parametrize(
    "address",
    ["http://192.0.2.1/certs", "file:///etc/passwd", "ftp://127.0.0.1/", "https://u:p@h/", "//x", "", None, 7, []],
)
def test_a_discovery_document_names_no_address_but_of_keys(issuer: Issuer, address: object) -> None:
    """What it names is https, or on this machine as the provider itself."""
    issuer.answer = lambda _: (200, {}, json.dumps({"issuer": issuer.url, "jwks_uri": address}).encode())

    assert why(issuer) == "the discovery document names no address of keys to call"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((302, {"Location": "/certs"}, b""), "the identity provider answered 302"),
        ((500, {}, b""), "the identity provider answered 500"),
        ((200, {}, b"<html>"), "the identity provider answered with something that is not JSON"),
        ((200, {}, b"[" * 100_000), "the identity provider answered with something that is not JSON"),
        ((200, {}, b"[]"), "the identity provider answered with JSON of another shape"),
        ((200, {}, b" " * (MAX_BYTES + 1)), "the identity provider answered more than 256 KiB"),
        ((200, {}, b"{}"), "the identity provider publishes no key that can be used"),
        ((200, {}, b'{"keys": 7}'), "the identity provider publishes no key that can be used"),
        ((200, {}, b'{"keys": [7, {"kty": "RSA"}]}'), "the identity provider publishes no key that can be used"),
        (
            (200, {"Content-Encoding": "gzip"}, b"\x1f\x8b"),
            "the identity provider answered with something that is not JSON",
        ),
    ],
)
def test_what_is_no_set_of_keys_is_told(issuer: Issuer, answer: tuple[int, dict[str, str], bytes], said: str) -> None:
    """With a fact, and with nothing that it said; no redirect is followed."""
    issuer.answer = lambda _: answer

    assert why(issuer, jwks_url=f"{issuer.url}/keys") == said
    assert issuer.asked == ["/keys"]


def test_a_provider_that_drips_is_left(issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The time is for the whole document, not for each byte."""
    monkeypatch.setattr(documents, "TIMEOUT_S", 0.3)
    ended = threading.Event()

    def drip(_path: str) -> tuple[int, dict[str, str], bytes]:
        ended.wait(5)
        return 200, {}, b"{}"

    issuer.answer = drip
    try:
        assert why(issuer, jwks_url=f"{issuer.url}/keys") == "the identity provider did not answer in time"
    finally:
        ended.set()


def test_nobody_there_is_told_without_the_address(provider: tuple[Issuer, Callable[[], None]]) -> None:
    """By the kind of failure alone."""
    issuer, kill = provider
    kill()

    assert why(issuer) == "the identity provider could not be asked (ConnectError)"


def as_published(key: object, **other: object) -> dict[str, object]:
    return {**key.as_dict(private=False), "kid": "odd", **other}  # type: ignore[attr-defined]


UNUSABLE = {
    "a secret": lambda: {**OctKey.generate_key(256).as_dict(private=True), "kid": "odd"},
    "of 1,024 bits": lambda: {"kty": "RSA", "kid": "odd", "n": "x" * 171, "e": "AQAB"},
    "to encrypt with": lambda: as_published(rsa_key("two"), use="enc"),
    "for other work": lambda: as_published(rsa_key("two"), key_ops=["encrypt"]),
    "without a name": lambda: as_published(rsa_key("two"), kid=None),
    "of a long name": lambda: as_published(rsa_key("two"), kid="k" * 300),
    "of a curve that is none": lambda: as_published(ECKey.generate_key("P-256"), crv="P-999"),
    "without its numbers": lambda: {"kty": "RSA", "kid": "odd"},
    "of numbers": lambda: {"kty": "RSA", "kid": "odd", "n": 7, "e": 3},
    "of an unknown kind": lambda: {"kty": "ML-DSA", "kid": "odd"},
}


@pytest.mark.parametrize("name", UNUSABLE)
def test_a_key_that_no_signature_may_be_judged_by_is_passed_over(issuer: Issuer, clock: Clock, name: str) -> None:
    """The others of the set count."""
    entry = UNUSABLE[name]()
    issuer.published = {"keys": [*issuer.jwks["keys"], entry]}  # type: ignore[misc]

    keys = keys_of(issuer, clock)

    assert keys.find(str(entry["kid"])) is None
    assert keys.find("one") is not None


def test_two_keys_of_one_name_are_none(issuer: Issuer, clock: Clock) -> None:
    """Which of them counts is nobody's guess."""
    issuer.published = {"keys": [*issuer.jwks["keys"], as_published(rsa_key("two")), as_published(rsa_key("three"))]}  # type: ignore[misc]

    assert keys_of(issuer, clock).find("odd") is None


def test_a_private_key_that_is_published_is_not_kept(issuer: Issuer, clock: Clock) -> None:
    """Its public part is enough."""
    issuer.published = {"keys": [{**rsa_key("one").as_dict(private=True), "kid": "one"}]}

    found = keys_of(issuer, clock).find("one")

    assert found is not None and not found.key.is_private
