"""Answers that are kept, before any route: whole bytes, to whoever has the same rights at the same moment.

Every request is authenticated first, and reads the moment that the catalogue is at; both are part of the key. So a kept
answer needs no taking back: when something was written or a policy published, nobody asks for it any more.

    authenticate -> moment -> key -> memory -> the same question now? -> Redis -> the route

Where this layer cannot tell, or something of it fails, the route answers as if the layer were not there.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

import anyio
from anyio import CapacityLimiter, to_thread
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hms_registry import __version__
from hms_registry.errors import AuthenticationFailed, HmsError
from hms_registry.http.admitting import Admission, Admitted
from hms_registry.http.callers import REFUSED
from hms_registry.http.offers import SCOPE_KEY, Offer
from hms_registry.http.questions import HttpQuestion, read_question
from hms_registry.ports.cache import KeptAnswer
from hms_registry.ports.catalogue import Moment

if TYPE_CHECKING:
    from hms_registry.bootstrap import Registry

_FAR_S: Final = 0.2
"""How long all of a question to the shared cache may take, however its bytes drip."""
_FAR_THREADS: Final = 4


class _Route(NamedTuple):
    """The route that would have answered, for who counts requests by their routes."""

    path_format: str


_ROUTE: Final = _Route("/graphql")


@dataclass(slots=True)
class _Flight:
    """One execution, and what it gave to whoever waits for it; None if everybody has to ask for themselves."""

    landed: asyncio.Event = field(default_factory=asyncio.Event)
    answer: KeptAnswer | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """A question of somebody, and how to tell them."""

    question: HttpQuestion
    who: Admitted
    key: bytes
    scope: Scope
    receive: Receive
    send: Send


class Keeping:
    """Answers `POST /graphql` from what was answered before, where that is the same answer."""

    def __init__(self, app: ASGIApp, *, registry: Registry) -> None:
        self._app = app
        self._registry = registry
        self._admission = Admission(registry)
        self._flights: dict[bytes, _Flight] = {}
        self._limiter = CapacityLimiter(_FAR_THREADS)
        self._release = ""
        _ = registry.audit_trail  # there is one of it, before threads ask for it

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or let the route do it."""
        if not _is_asking(scope):
            await self._app(scope, receive, send)
            return
        try:
            who = await self._admission.admit(scope["headers"])
        except AuthenticationFailed as error:
            scope[REFUSED], who = error, None
        except HmsError:  # the route meets it too, and tells it
            who = None
        if who is None:
            await self._app(scope, receive, send)
            return
        messages = await _messages(receive)
        question = read_question(b"".join(each.get("body", b"") for each in messages))
        if question is None or messages[-1]["type"] != "http.request":
            await self._app(scope, _replayed(messages, receive), send)
            return
        told: list[Message] = [{"type": "http.request", "body": question.body, "more_body": False}]
        key = await self._key(question, who)
        await self._answer(
            _Asked(
                question=question, who=who, key=key, scope=scope, receive=_replayed(told, receive), send=send
            )
        )  # fmt: skip

    async def _key(self, question: HttpQuestion, who: Admitted) -> bytes:
        """Return all that the answer depends on. Each part is of fixed form, so no two questions have one key."""
        if not self._release:
            self._release = await to_thread.run_sync(_release, self._registry)
        person = who.person if question.is_personal else ""
        return "\n".join((self._release, who.moment.mark, who.rights, person, question.digest)).encode()

    async def _answer(self, asked: _Asked) -> None:
        caches, counts = self._registry.caches, self._registry.caches.counts
        kept = caches.near.get(asked.key)
        if kept is not None:
            counts.hits += 1
            await self._tell_kept(kept, asked)
            return
        flight = self._flights.get(asked.key)
        if flight is None:
            await self._lead(asked)
            return
        await flight.landed.wait()
        if flight.answer is None:
            await self._execute(asked, _Flight())
        else:
            counts.waits += 1
            await self._tell_kept(flight.answer, asked)

    async def _lead(self, asked: _Asked) -> None:
        """Find the answer for everybody who asks the same meanwhile."""
        flight = self._flights[asked.key] = _Flight()
        try:
            shared = await self._ask_far(asked.key)
            if shared is None:
                await self._execute(asked, flight)
                return
            flight.answer = shared
            self._registry.caches.near.put(asked.key, shared)
        finally:
            # Not before the answer is in memory: between the two, one more would be executed.
            del self._flights[asked.key]
            flight.landed.set()
        self._registry.caches.counts.shared_hits += 1
        await self._tell_kept(shared, asked)

    async def _execute(self, asked: _Asked, flight: _Flight) -> None:
        """Have the route answer; whoever waits gets what it offers if no policy was published since the question came,
        and it is kept if nothing was written."""
        caches = self._registry.caches
        caches.counts.misses += 1
        made = Offer()
        held = _Held(asked.send, made)
        asked.scope[SCOPE_KEY] = made
        await self._app(asked.scope, asked.receive, held.take)
        if not held.is_whole:
            return
        answer = KeptAnswer(body=b"".join(held.parts), action=made.action, detail=made.detail)
        is_for_key = asked.question.is_personal or not made.is_personal
        now = await self._now() if is_for_key else None
        if now is not None and now.policy_epoch == asked.who.moment.policy_epoch:
            flight.answer = answer  # those who wait have the same rights under that policy, and under no other
        flight.landed.set()
        is_kept = now is not None and now.mark == asked.who.moment.mark
        if is_kept:
            caches.near.put(asked.key, answer)
            caches.counts.kept += 1
        await self._tell(answer, asked)
        if is_kept and caches.far is not None:
            await self._tell_far(asked.key, answer)

    async def _now(self) -> Moment | None:
        """Return the moment, once an answer is made; None if that cannot be told."""
        try:
            return await self._admission.now()
        except HmsError:
            return None

    async def _ask_far(self, key: bytes) -> KeptAnswer | None:
        caches = self._registry.caches
        if caches.far is None:
            return None
        with anyio.move_on_after(_FAR_S) as patience:
            return await to_thread.run_sync(caches.far.get, key, limiter=self._limiter, abandon_on_cancel=True)
        if patience.cancelled_caught:
            caches.counts.failures += 1
        return None

    async def _tell_far(self, key: bytes, answer: KeptAnswer) -> None:
        far = self._registry.caches.far
        assert far is not None
        with anyio.move_on_after(_FAR_S):
            await to_thread.run_sync(far.put, key, answer, limiter=self._limiter, abandon_on_cancel=True)

    async def _tell_kept(self, kept: KeptAnswer, asked: _Asked) -> None:
        """Tell what somebody else's execution gave, with a line of the audit of its own."""
        who = asked.who
        try:
            self._registry.note(principal=who.principal, action=kept.action, detail=kept.detail, epoch=who.moment.epoch)
        except HmsError:  # no line, no answer: the route says so
            await self._app(asked.scope, asked.receive, asked.send)
            return
        asked.scope["route"] = _ROUTE
        self._registry.caches.counts.bytes += await self._tell(kept, asked)

    async def _tell(self, answer: KeptAnswer, asked: _Asked) -> int:
        """Send an answer, or that it is the one that the asker has; returns the bytes of its body."""
        headers = [
            (b"etag", answer.etag.encode()),
            (b"cache-control", b"private, no-cache"),
            (b"vary", b"Authorization"),
        ]
        is_unchanged = _has(asked.scope, answer.etag)
        if is_unchanged:
            self._registry.caches.counts.unchanged += 1
            status, body = 304, b""
        else:
            status, body = 200, answer.body
            headers += [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await asked.send({"type": "http.response.start", "status": status, "headers": headers})
        await asked.send({"type": "http.response.body", "body": body})
        return len(body)


@dataclass(slots=True)
class _Held:
    """Holds a response back that its route offers, and lets any other pass as it comes."""

    send: Send
    made: Offer
    is_offered: bool = False
    is_whole: bool = False
    parts: list[bytes] = field(default_factory=list)

    async def take(self, message: Message) -> None:
        """Take what a route sends."""
        if message["type"] == "http.response.start":
            self.is_offered = self.made.is_made and message["status"] == 200
        if not self.is_offered:
            await self.send(message)
        elif message["type"] == "http.response.body":
            self.parts.append(message.get("body", b""))
            self.is_whole = not message.get("more_body", False)


def _is_asking(scope: Scope) -> bool:
    """Whether this is a document as GraphQL has it over HTTP; what else a client may have meant is for the route."""
    if (
        scope["type"] != "http"
        or scope["path"] != _ROUTE.path_format
        or scope["method"] != "POST"
        or scope["query_string"]
    ):
        return False
    kinds = [value for name, value in scope["headers"] if name == b"content-type"]
    return len(kinds) == 1 and kinds[0].partition(b";")[0].strip().lower() == b"application/json"


def _has(scope: Scope, etag: str) -> bool:
    """Whether the asker has this answer: https://www.rfc-editor.org/rfc/rfc9110#name-if-none-match"""
    named = [value.decode("latin-1") for name, value in scope["headers"] if name == b"if-none-match"]
    tags = {tag.strip().removeprefix("W/") for value in named for tag in value.split(",")}
    return etag in tags or "*" in tags


async def _messages(receive: Receive) -> list[Message]:
    """Read a request to its end, or until its sender has left."""
    found = [await receive()]
    while found[-1]["type"] == "http.request" and found[-1].get("more_body", False):
        found.append(await receive())
    return found


def _replayed(messages: list[Message], receive: Receive) -> Receive:
    """Give these messages first, and then what comes."""
    waiting = iter(messages)

    async def replayed() -> Message:
        for message in waiting:
            return message
        return await receive()

    return replayed


def _release(registry: Registry) -> str:
    """What answers: another release, or another schema, may answer the same question otherwise, who serves developers
    tells more, and who answers kept documents only refuses the others."""
    from hms_graphql import schema_digest

    settings = registry.graphql_settings
    return f"{__version__} {schema_digest()} {settings.introspection} {settings.is_only_documents}"
