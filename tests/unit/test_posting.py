"""One event to one receiver: signed, tried again where that may help, and never sent anywhere else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from threading import Event

import pytest
from standardwebhooks.webhooks import Webhook as Verifier

from hms_registry.bootstrap import now
from hms_registry.domain.changes import Grade
from hms_registry.errors import DeliveryFailed, SettingsInvalid
from hms_registry.posting import Poster
from hms_registry.services.feed import Cursor, Told
from hms_registry.services.webhooks import Message, Webhook
from receiver import SECRET, Receiver, receiving

TOLD = Told(cursor=Cursor(12, 3), kind="DatasetGone", at=now(), grade=Grade.BREAKING, facts={"address": "lake.a.é"})
MESSAGE = Message(id="evt_1", told=TOLD)
POST = Poster(environ={"SECRET": SECRET, "TOKEN": "hunter2hunter2"}, clock=now, attempts=3, longest_wait_s=0)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """One that takes everything."""
    with receiving() as running:
        yield running


def webhook(url: str) -> Webhook:
    return Webhook(name="portal", url=url, secret="${SECRET}", who="role:analyst")


def test_a_receiver_can_tell_who_signed(receiver: Receiver) -> None:
    """By the library of the standard, with the shared secret; it is JSON with type, time and data."""
    POST(webhook(receiver.url), MESSAGE)

    ((headers, body),) = receiver.requests
    Verifier(SECRET).verify(body, headers)
    assert json.loads(body) == {
        "type": "DatasetGone", "timestamp": TOLD.at and TOLD.at.isoformat(), "data": TOLD.as_dict()
    }  # fmt: skip
    assert headers["webhook-id"] == "evt_1"


def test_a_receiver_that_has_no_time_is_asked_again(receiver: Receiver) -> None:
    """The message keeps its id, and each attempt is signed anew."""
    receiver.answers = [503, 429, 200]

    POST(webhook(receiver.url), MESSAGE)

    assert receiver.ids == ["evt_1"] * 3


@pytest.mark.parametrize(("status", "requests"), [(500, 3), (404, 1), (410, 1)])
def test_a_receiver_that_refuses_is_an_error(receiver: Receiver, status: int, requests: int) -> None:
    """One that a repetition cannot help is asked once."""
    receiver.answers = [status]

    with pytest.raises(DeliveryFailed) as caught:
        POST(webhook(receiver.url), MESSAGE)

    assert caught.value.message == f"webhook portal answered {status}"
    assert len(receiver.requests) == requests


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_no_redirect_is_followed(receiver: Receiver, status: int) -> None:
    """A receiver cannot make the registry call somebody else."""
    with receiving() as other:
        receiver.answers, receiver.headers = [status], {"location": other.url}

        with pytest.raises(DeliveryFailed, match=f"answered {status}"):
            POST(webhook(receiver.url), MESSAGE)

        assert (len(receiver.requests), other.requests) == (1, [])


def test_a_receiver_that_is_not_there_is_an_error_without_its_url() -> None:
    """The path of such a URL is often a secret."""
    with receiving() as gone:
        url = gone.url
    hook = webhook(f"{url}/${{TOKEN}}")

    with pytest.raises(DeliveryFailed) as caught:
        POST(hook, MESSAGE)

    assert caught.value.message == "webhook portal did not answer (ConnectError)"
    assert "hunter2" not in repr((caught.value, caught.value.hint, caught.value.__cause__, hook, POST))


def test_who_stops_waits_for_no_receiver(receiver: Receiver) -> None:
    """The wait before the next attempt ends at once, and there is none."""
    receiver.answers, stop = [503], Event()
    receiver.on_request = lambda _number: stop.set()

    with pytest.raises(DeliveryFailed):
        replace(POST, stop=stop, longest_wait_s=3600)(webhook(receiver.url), MESSAGE)

    assert len(receiver.requests) == 1


def test_proxies_of_the_environment_are_not_used(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is sent goes where settings.yml says, and nowhere else."""
    with receiving() as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)

        POST(webhook(receiver.url), MESSAGE)

        assert (len(receiver.requests), proxy.requests) == (1, [])


@pytest.mark.parametrize(
    "url",
    ["http://portal.example/hook", "http://192.0.2.1/", "ftp://127.0.0.1/", "https:///hook", "https://me:x@a.example/",
     "https://a.example/#x", "file:///etc/passwd", "//a.example/", "http://localhost.a.example/", "https://[::1"],
)  # fmt: skip
def test_what_is_no_place_to_post_to_is_refused(url: str) -> None:
    """In the clear only to this machine."""
    with pytest.raises(SettingsInvalid) as caught:
        POST(webhook(url), MESSAGE)

    assert caught.value.message == "the URL of webhook portal is not one to post to"


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_c2hvcnQ=", "hunter2hunter2hunter2hunter2", "whsec_%%%"])
def test_a_secret_that_is_too_weak_is_refused_and_not_told(secret: str) -> None:
    """The hint says how to make one."""
    with pytest.raises(SettingsInvalid) as caught:
        replace(POST, environ={"SECRET": secret})(webhook("https://a.example/"), MESSAGE)

    assert "hunter2" not in str(caught.value) + caught.value.hint
