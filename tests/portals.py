"""A registry behind its HTTP app, in this process: who asks, what they may see, and what is written meanwhile."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple, TypeVar

from fastapi import FastAPI

from hms_policies.bundles import make_bundle
from hms_registry.app import make_app
from hms_registry.bootstrap import Registry, now
from hms_registry.services.tokens import create_token
from store_samples import column, described, register

T = TypeVar("T")

ROLES = """
roles:
  analyst: {clearance: PUBLIC}
  steward: {clearance: RESTRICTED}
people:
  ana: {roles: [analyst], agency: DOT}
  ben: {roles: [analyst], agency: DOT}
  sam: {roles: [steward]}
  eve: {}
"""
BY_TIER = """
allow(principal: Principal, _, dataset: Dataset) if
    not (principal.roles = []) and dataset.privacy_tier <= principal.clearance;
"""
NOBODY = 'allow(principal: Principal, "find", _dataset: Dataset) if "nobody" in principal.roles;'

SEARCH = """query Search($words: String!) { search(words: $words) {
    totalCount edges { matched node { address mayRead columns { path mask } } }
} }"""


class Answer(NamedTuple):
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def data(self) -> dict:
        """The answer to a document that has no errors."""
        told = json.loads(self.body)
        assert self.status == 200 and "errors" not in told, self
        return told["data"]

    @property
    def addresses(self) -> list[str]:
        """What a search found."""
        return [edge["node"]["address"] for edge in self.data["search"]["edges"]]


@dataclass
class Portal:
    """The app, asked without a network."""

    registry: Registry
    app: FastAPI
    tokens: dict[str, str] = field(default_factory=dict)

    def token(self, who: str) -> str:
        """Make a token, once for each."""
        if who not in self.tokens:
            registry = self.registry
            made = create_token(catalogue=registry.catalogue, subject=who, lasts=timedelta(hours=1), now=now())
            self.tokens[who] = made[0]
        return self.tokens[who]

    async def ask(
        self, query: str, *, who: str, headers: Mapping[str, str] | None = None, **variables: object
    ) -> Answer:
        """Ask a document."""
        return await self.post(json.dumps({"query": query, "variables": variables}).encode(), who=who, headers=headers)

    async def post(self, body: bytes, *, who: str, headers: Mapping[str, str] | None = None) -> Answer:
        """Send bytes to the GraphQL route."""
        sent = {
            "host": "127.0.0.1",
            "authorization": f"Bearer {self.token(who)}",
            "content-type": "application/json",
            "content-length": str(len(body)),
            **(headers or {}),
        }
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "path": "/graphql",
            "raw_path": b"/graphql", "root_path": "", "scheme": "http", "query_string": b"", "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 80), "headers": [(k.encode(), v.encode()) for k, v in sent.items()],
        }  # fmt: skip
        told: list[Mapping] = []
        asked = iter([{"type": "http.request", "body": body, "more_body": False}])

        async def receive() -> Mapping:
            for message in asked:
                return message
            return await asyncio.get_running_loop().create_future()

        async def send(message: Mapping) -> None:
            told.append(message)

        await self.app(scope, receive, send)
        begun, *rest = told
        found = {name.decode(): value.decode() for name, value in begun["headers"] if name != b"x-request-id"}
        return Answer(begun["status"], found, b"".join(each.get("body", b"") for each in rest))

    def publish(self, policy: str, *, roles: str = ROLES) -> None:
        """Put a policy in force."""
        with self.registry.catalogue.unit(writes=True) as uow:
            uow.bundles.publish(make_bundle({"base.polar": policy, "roles.yml": roles}, author="gov"))
            uow.commit()

    def add(self, *names: str, tiers: Sequence[str] = ()) -> None:
        """Register datasets of one column, public but for those of another tier."""
        from hms_registry.domain.columns import PrivacyTier

        stated = [PrivacyTier[each] for each in tiers] or [PrivacyTier.PUBLIC] * len(names)
        register(
            self.registry.catalogue,
            *(described(name, column("id", tier=tier)) for name, tier in zip(names, stated, strict=True)),
        )

    def lines(self) -> list[tuple[str, str]]:
        """Who did what, the latest first."""
        self.registry.audit_trail.flush()
        with self.registry.catalogue.unit() as uow:
            return [(each.subject, each.action) for each in uow.audit.latest(limit=1_000_000)]


@contextmanager
def portal(home: Path, *, catalogue: str | None = None, policy: str = BY_TIER, settings: str = "") -> Iterator[Portal]:
    """Open one over an empty catalogue.

    Args:
        catalogue: where it lies, if not in the home.
    """
    (home / ".hms-dta").mkdir(parents=True, exist_ok=True)
    (home / "sources.yml").write_text("sources: {}\n")
    if settings:
        (home / "settings.yml").write_text(settings)
    environ = {"HMS_DTA_CATALOGUE": catalogue} if catalogue else {}
    with Registry(home, environ=environ) as registry:
        made = Portal(registry, make_app(registry))
        made.publish(policy)
        yield made


def running(work: Callable[[], Awaitable[T]]) -> T:
    """Run what a test does on a loop of its own."""

    async def main() -> T:
        return await work()

    return asyncio.run(main())
