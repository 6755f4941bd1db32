"""What each door tells somebody, in one shape: the same question must have the same answer at all of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import quote

from command import hms
from hms_registry.bootstrap import Registry
from hms_registry.errors import HmsError
from rest_client import Caller

_DATASET = """query($name: String!) { dataset(name: $name) {
    address sqlName title description owner tags privacyTier mayRead reason rowFilters primaryKey
    columns { path type mask }
    observation { rowCount location findings }
    profile { rows columns { path nulls distinct minimum maximum } }
    up: lineage(direction: UP) { ...Tree } down: lineage(direction: DOWN) { ...Tree }
} }
fragment Tree on Lineage {
    nodes { depth restricted dataset { address } }
    edges { kind upstreamColumn downstreamColumn upstream { address } downstream { address } }
}"""
_SEARCH = """query($words: String!) { search(words: $words, first: 100) {
    totalCount corrections { written meant } edges { matched rank node { address } }
} }"""

Told = dict[str, object]
"""What is told of one dataset: its facts, or `{"error": code}`."""
Found = tuple[int, dict[str, str], list[tuple[str, tuple[str, ...], str]]]
"""The total of a search, its corrections, and of each hit in order its address, where it matched and its rank."""


class Door(Protocol):
    """One way to ask."""

    def tell(self, who: str, name: str) -> Told:
        """Tell of a dataset."""
        ...

    def find(self, who: str, words: str) -> Found:
        """Search."""
        ...


@dataclass(frozen=True)
class GraphqlDoor:
    """`POST /graphql`."""

    caller: Caller

    def tell(self, who: str, name: str) -> Told:
        """Tell of a dataset, with its lineage and its profile, in one document."""
        body = self._ask(who, _DATASET, name=name)
        told = body["data"]["dataset"]
        if told is None:
            (error,) = body["errors"]
            return {"error": error["extensions"]["code"]}
        assert "errors" not in body, body
        observed, profile = told["observation"], told["profile"]
        return {
            "address": told["address"], "sql_name": told["sqlName"], "title": told["title"],
            "description": told["description"], "owner": told["owner"], "tags": told["tags"],
            "privacy_tier": _spelled(told["privacyTier"]), "may_read": told["mayRead"], "reason": told["reason"],
            "row_filters": told["rowFilters"], "primary_key": told["primaryKey"],
            "columns": [(each["path"], each["type"], _spelled(each["mask"])) for each in told["columns"]],
            "observation": observed and (observed["rowCount"], observed["location"], observed["findings"]),
            "profile": profile and (profile["rows"], [tuple(each.values()) for each in profile["columns"]]),
            "up": _tree(told["up"]), "down": _tree(told["down"]),
        }  # fmt: skip

    def find(self, who: str, words: str) -> Found:
        """Search."""
        found = self._ask(who, _SEARCH, words=words)["data"]["search"]
        hits = [(each["node"]["address"], tuple(each["matched"]), _spelled(each["rank"])) for each in found["edges"]]
        return found["totalCount"], _corrected(found["corrections"]), hits

    def _ask(self, who: str, query: str, **variables: str) -> dict:
        answer = self.caller.send("POST", "/graphql", who=who, json={"query": query, "variables": variables})
        assert answer.status_code == 200, answer.text
        return answer.json()


def _tree(told: dict) -> object:
    nodes = [
        (each["depth"], each["restricted"], each["dataset"] and each["dataset"]["address"]) for each in told["nodes"]
    ]
    edges = {
        (_spelled(each["kind"]), each["upstream"]["address"], each["upstreamColumn"], each["downstream"]["address"],
         each["downstreamColumn"])
        for each in told["edges"]
    }  # fmt: skip
    return nodes, sorted(edges, key=repr)


@dataclass(frozen=True)
class RestDoor:
    """`GET /dta/datasets/{name}`, `/dta/lineage/{name}`, `/dta/search` and `/dta/datasets`."""

    caller: Caller

    def tell(self, who: str, name: str) -> Told:
        """Tell of a dataset."""
        name = quote(name, safe="")
        shown = self.caller.get(f"/dta/datasets/{name}", who=who).json()
        up, down = (self.caller.get(f"/dta/lineage/{name}", who=who, direction=way).json() for way in ("up", "down"))
        return told_of(shown, up=up, down=down)

    def find(self, who: str, words: str) -> Found:
        """Search."""
        return found_of(self.caller.json("/dta/search", who=who, words=words, limit=100))

    def listed(self, who: str) -> list[str]:
        """Return all that the person may find."""
        return [each["address"] for each in self.caller.json("/dta/datasets", who=who, limit=100)["datasets"]]


@dataclass(frozen=True)
class CommandDoor:
    """`hms-dta show`, `lineage` and `search`, as JSON."""

    registry: Registry

    def tell(self, who: str, name: str) -> Told:
        """Tell of a dataset; what is no dataset to the person must not be one for lineage either."""
        shown, up, down = (
            self._run(who, *words) for words in (["show", name], ["lineage", name], ["lineage", name, "--down"])
        )
        return told_of(shown, up=up, down=down)

    def find(self, who: str, words: str) -> Found:
        """Search."""
        return found_of(self._run(who, "search", words, "--limit", "100"))

    def _run(self, who: str, *words: str) -> dict:
        assert self.registry.home is not None
        done = hms(self.registry.home, *words, "--as", who, "--json")
        return json.loads(done.out if done.code == 0 else done.err)


def told_of(shown: dict, *, up: dict, down: dict) -> Told:
    """Put what the command line and REST tell into the one shape."""
    errors = {each["error"]["code"] for each in (shown, up, down) if "error" in each}
    if errors:
        assert all("error" in each for each in (shown, up, down)), (shown, up, down)
        (code,) = errors
        return {"error": code}
    same = ("address", "sql_name", "title", "description", "owner", "tags", "privacy_tier", "may_read", "reason",
            "row_filters", "primary_key")  # fmt: skip
    profile = shown.get("profile")
    return {
        **{key: shown[key] for key in same},
        "privacy_tier": _spelled(shown["privacy_tier"]),
        "columns": [(each["path"], each["type"], _spelled(each["mask"])) for each in shown["columns"]],
        "observation": (shown["row_count"], shown["location"], shown["findings"]) if "row_count" in shown else None,
        "profile": profile
        and (
            profile["rows"],
            [
                tuple(each.get(key) for key in ("path", "nulls", "distinct", "minimum", "maximum"))
                for each in profile["columns"]
            ],
        ),
        "up": _lineage(up),
        "down": _lineage(down),
    }


def found_of(told: dict) -> Found:
    """Put what the command line and REST tell of a search into the one shape."""
    hits = [(each["address"], tuple(each["matched"]), each["rank"]) for each in told["datasets"]]
    return told["total"], _corrected(told.get("corrections", [])), hits


def _corrected(told: Sequence[dict]) -> dict[str, str]:
    return {each["written"]: each["meant"] for each in told}


def _lineage(told: dict) -> object:
    nodes = [(each["depth"], each["restricted"], each["dataset"]) for each in told["nodes"]]
    keys = ("upstream", "upstream_column", "downstream", "downstream_column")
    return nodes, sorted({(_spelled(each["kind"]), *(each[key] for key in keys)) for each in told["edges"]}, key=repr)


def _spelled(word: str) -> str:
    """Write a word of GraphQL's and one of JSON's alike."""
    return word.lower().replace("_", "-")


@dataclass(frozen=True)
class Rows:
    """What SQL gives of one dataset: the columns of `SELECT *` and those that were masked, or why it gives nothing."""

    error: str = ""
    columns: Sequence[str] = ()
    masks: frozenset[tuple[str, str]] = frozenset()
    row_filters: Sequence[str] = ()


def rows_of(registry: Registry, who: str, name: str) -> Rows:
    """Ask for all of a dataset in SQL."""
    sql, principal = f"SELECT * FROM {name}", registry.principal(who)
    try:
        with registry.sql.ask(sql, principal=principal) as answer:
            columns = [column.name for column in answer.columns]
            for _ in answer:
                pass
        (governed,) = registry.sql.explain(sql, principal=principal).governed
    except HmsError as error:
        return Rows(error=error.code)
    return Rows(
        columns=columns, masks=frozenset((c, str(m)) for c, m in governed.masks), row_filters=governed.row_filters
    )
