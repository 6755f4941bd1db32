"""One event to the receiver of a webhook: signed as https://www.standardwebhooks.com says, posted, and tried again.

The URL comes from the operator's `settings.yml`, never from an API, a manifest or data. No redirect is followed,
no proxy of the environment is used, nothing of the answer is read but its status, and none of it is told.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from threading import Event
from typing import Final

from hms_registry.errors import DeliveryFailed, NotInstalled, SettingsInvalid
from hms_registry.services.outward_urls import may_be_called
from hms_registry.services.secret_references import resolve_secrets
from hms_registry.services.webhooks import Message, Webhook

try:
    import httpx
    from standardwebhooks.webhooks import Webhook as Signer
    from tenacity import (
        Retrying,
        retry_if_exception_type,
        stop_after_attempt,
        stop_when_event_set,
        wait_random_exponential,
    )
    from tenacity.nap import sleep_using_event
except ModuleNotFoundError as exc:
    raise NotInstalled(
        f"webhooks are not installed: {exc.name} is missing", hint="pip install 'hms-dta[webhooks]'"
    ) from exc

_TIMEOUT_S: Final = 5.0
_AGAIN: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
_SECRET_BYTES: Final = 24


class _Refused(Exception):
    """The receiver did not take it."""


class _Again(_Refused):
    """And may take it the next time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Poster:
    """Sends events.

    Attributes:
        environ: what `${ENV}` references resolve to.
        stop: set it, and what waits to try again gives up at once.
        attempts, longest_wait_s: how often it tries, and how long it waits at most in between.
    """

    environ: Mapping[str, str] = field(repr=False)
    clock: Callable[[], datetime]
    stop: Event = field(default_factory=Event)
    attempts: int = 5
    longest_wait_s: float = 4.0

    def __call__(self, webhook: Webhook, message: Message) -> None:
        """Send one event; returns once its receiver answered 2xx.

        Raises:
            DeliveryFailed: it did not, by all attempts.
            SettingsInvalid: its URL or secret cannot be used.
        """
        url, signer = _url(webhook, self.environ), _signer(webhook, self.environ)
        body = _body(message)
        retrying = Retrying(
            retry=retry_if_exception_type(_Again),
            stop=stop_after_attempt(self.attempts) | stop_when_event_set(self.stop),
            wait=wait_random_exponential(multiplier=0.25, max=self.longest_wait_s),
            sleep=sleep_using_event(self.stop),
            reraise=True,
        )
        try:
            retrying(self._post, url, signer, message.id, body)
        except _Refused as refused:
            raise DeliveryFailed(
                f"webhook {webhook.name} {refused}", hint="see the receiver's log; the next pass sends it again"
            ) from None

    def _post(self, url: str, signer: Signer, message_id: str, body: str) -> None:
        now = self.clock()
        headers = {
            "content-type": "application/json",
            "webhook-id": message_id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": signer.sign(msg_id=message_id, timestamp=now, data=body),
        }
        try:
            with (
                httpx.Client(timeout=_TIMEOUT_S, follow_redirects=False, trust_env=False) as client,
                client.stream("POST", url, content=body.encode(), headers=headers) as answer,
            ):
                status = answer.status_code
        except httpx.TransportError as error:
            raise _Again(f"did not answer ({type(error).__name__})") from None
        if not 200 <= status < 300:
            raise _Again(f"answered {status}") if status in _AGAIN else _Refused(f"answered {status}")


def _body(message: Message) -> str:
    told = message.told
    document = {"type": told.kind, "timestamp": told.at and told.at.isoformat(), "data": told.as_dict()}
    return json.dumps(document, ensure_ascii=True, separators=(",", ":"))


def _url(webhook: Webhook, environ: Mapping[str, str]) -> str:
    """Return where to post to.

    Raises:
        SettingsInvalid: it is no https URL, or http on another machine than this.
    """
    url = resolve_secrets(webhook.url, environ)
    try:
        httpx.URL(url)
        is_usable = may_be_called(url)
    except (ValueError, httpx.InvalidURL):
        is_usable = False
    if not is_usable:
        raise SettingsInvalid(
            f"the URL of webhook {webhook.name} is not one to post to",
            hint="write https://HOST/PATH; http is for 127.0.0.1 and localhost only",
        )
    return url


def _signer(webhook: Webhook, environ: Mapping[str, str]) -> Signer:
    secret = resolve_secrets(webhook.secret, environ)
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except ValueError:
        key = b""
    if not secret.startswith("whsec_") or len(key) < _SECRET_BYTES:
        raise SettingsInvalid(
            f"the secret of webhook {webhook.name} is not whsec_ and {_SECRET_BYTES} bytes or more in base64",
            hint="make one: echo whsec_$(head -c 32 /dev/urandom | base64)",
        )
    return Signer(key)
