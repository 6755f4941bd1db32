"""Webhooks: who is told what happens, as `settings.yml` names them, and how far each has been told.

    webhooks:
      portal:
        url: https://portal.example/hooks/hms-dta
        secret: ${PORTAL_WEBHOOK_SECRET}      # signs what is sent: whsec_ and 24 bytes or more in base64
        as: role:analyst                      # it is told what this person or role may know

An event counts as told once its receiver answered 2xx; how far that is, is kept in the catalogue. After a kill in
between it is sent again, under the id that it had.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Final

from hms_registry.domain.principals import Principal
from hms_registry.errors import DeliveryFailed
from hms_registry.ports.catalogue import Catalogue
from hms_registry.ports.policy import Decisions
from hms_registry.ports.records import Delivery
from hms_registry.services.feed import Cursor, FeedPage, Told, read_feed
from hms_registry.services.secret_references import has_bad_reference, holds_secret
from hms_registry.services.settings_file import read_settings
from hms_registry.services.yaml_file import Fields

_FIELDS: Final = ("url", "secret", "as")
_REFERENCE = re.compile(r"\$\{[A-Za-z_][A-Za-z0-9_]*\}\Z")
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,62}\Z")
_HINT: Final = "write `name: {url: https://..., secret: ${NAME}, as: WHO}`"
_PAGE: Final = 100
LEASE_S: Final = 120.0
"""How long a receiver is left to a process beyond its last sign of life; sending one event takes less."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """A receiver of events.

    Attributes:
        url, secret: as written, `${ENV}` references unresolved.
        who: the person or role of roles.yml whose rights it has.
    """

    name: str
    url: str
    secret: str = field(repr=False)
    who: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What is sent: an id that stays the same however often it is sent, and what it tells."""

    id: str
    told: Told


@dataclass(slots=True, kw_only=True)
class Delivered:
    """What one pass did for one receiver. *error*: why it broke off; the next pass goes on there."""

    receiver: str
    sent: int = 0
    error: str = ""
    is_elsewhere: bool = False


def read_webhooks(home: Path) -> list[Webhook]:
    """Read the webhooks of a home folder.

    Raises:
        SettingsInvalid: with file, line and field of the first mistake, and the next step; never with a secret.
    """
    top = read_settings(home)
    named = None if top is None else top.fields("webhooks", hint=_HINT)
    return [] if named is None else [_webhook(named, name) for name in named.mapping.entries]


def _webhook(named: Fields, name: str) -> Webhook:
    fields = named.fields(name, hint=_HINT)
    if fields is None or not _NAME.match(name):
        fact = "it says nothing" if fields is None else "that cannot name a webhook"
        raise named.wrong(named.line(name), "", fact, hint="use a-z, 0-9, _ and -, and " + _HINT)
    fields.only(_FIELDS)
    url, secret = fields.required("url", hint=_HINT), fields.required("secret", hint=_HINT)
    if has_bad_reference(url) or holds_secret(url):
        raise fields.wrong(fields.line("url"), "url", "it holds a secret in plain text", hint="refer to it: ${NAME}")
    if not _REFERENCE.match(secret):
        fact = "it is not one reference"
        raise fields.wrong(fields.line("secret"), "secret", fact, hint="export it, and write secret: ${NAME}")
    return Webhook(name=name, url=url, secret=secret, who=fields.required("as", hint="e.g. as: role:analyst"))


def deliver(
    webhook: Webhook,
    *,
    catalogue: Catalogue,
    decisions: Callable[[], Decisions],
    principal: Callable[[], Principal],
    send: Callable[[Webhook, Message], None],
    clock: Callable[[], datetime],
) -> Delivered:
    """Tell one receiver what it was not told yet, in order. A receiver that fails is tried again by the next pass.

    Args:
        decisions, principal: of now; asked again for each page.
        send: returns once the receiver has it. Raises: DeliveryFailed.
    """
    done = Delivered(receiver=webhook.name)
    with catalogue.unit(writes=True) as uow:
        delivery = uow.deliveries.take(webhook.name, now=clock(), lease_s=LEASE_S)
        uow.commit()
    if delivery is None:
        done.is_elsewhere = True
        return done
    try:
        has_more = True
        while has_more:
            page = _page(delivery, catalogue=catalogue, decisions=decisions(), principal=principal())
            has_more = page.has_more
            for told in page.events:
                send(webhook, Message(id=_id(told), told=told))
                done.sent += 1
                delivery = _advance(delivery, told.cursor, catalogue=catalogue, now=clock(), lease_s=LEASE_S)
            delivery = _advance(delivery, page.end, catalogue=catalogue, now=clock(), lease_s=LEASE_S)
    except DeliveryFailed as error:
        done.error = error.message
    finally:
        with catalogue.unit(writes=True) as uow:
            uow.deliveries.advance(delivery, now=clock(), lease_s=0)  # given back; nothing, if it was lost
            uow.commit()
    return done


def _page(delivery: Delivery, *, catalogue: Catalogue, decisions: Decisions, principal: Principal) -> FeedPage:
    after = Cursor(delivery.epoch, delivery.sequence)
    with catalogue.unit() as uow:
        return read_feed(after, limit=_PAGE, uow=uow, principal=principal, decisions=decisions)


def _advance(delivery: Delivery, to: Cursor, *, catalogue: Catalogue, now: datetime, lease_s: float) -> Delivery:
    """Write how far it has got.

    Raises:
        DeliveryFailed: another process delivers to it by now.
    """
    moved = replace(delivery, epoch=to.epoch, sequence=to.sequence)
    with catalogue.unit(writes=True) as uow:
        if not uow.deliveries.advance(moved, now=now, lease_s=lease_s):
            raise DeliveryFailed(f"another process took webhook {delivery.receiver} over", hint="let it go on")
        uow.commit()
    return moved


def _id(told: Told) -> str:
    """Return the id that a receiver tells a repetition by; another catalogue's events have others."""
    return "evt_" + hashlib.sha256(f"{told.cursor} {told.at} {told.kind}".encode()).hexdigest()[:32]
