"""A small registry drawn by one number: tables, views over them, labels, rules and ten people."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from random import Random

from command import hms
from governed import crawl_sources, publish_policies
from hms_registry.bootstrap import Registry

PEOPLE = [f"person{at}@agency.example" for at in range(10)]
WORDS = (
    "day",
    "site",
    "visits",
    "harbour",
    "phone",
    "flu phi",
    "made of",
    "person",
    "vessel",
    "harbuor",
    "visitz day",
    "persn",
)
_ROLES = ("analyst", "nurse", "shipper", "auditor")
_TIERS = ("PUBLIC", "PII-SAFE", "RESTRICTED")
_TAGS = ("flu", "ship", "phi")
_PURPOSES = ("", "public-health-response", "audit")
_AGENCIES = ("HHS:CDC", "DOT")
_COLUMNS = ("name", "phone", "zip", "ward", "dose", "vessel", "tonnes")
_TABLES = ("visits", "cases", "harbour_calls", "tolls", "wards")
_FILES = ("berths", "tides")
_VIEWS = 5

_DATASET_CONDITIONS = (
    *(f'"{tag}" in dataset.tags' for tag in _TAGS),
    *(f'not ("{tag}" in dataset.tags)' for tag in _TAGS),
    "dataset.privacy_tier <= principal.clearance",
    "dataset.privacy_tier < RESTRICTED",
    'dataset.source = "lake"',
    "dataset.agency = principal.agency",
    'principal.purpose = "public-health-response" and dataset.privacy_tier < RESTRICTED',
)


def make_random_world(home: Path, *, number: int) -> Path:
    """Make its home: stores filled, crawled and profiled, datasets labelled, the policy published."""
    chance = Random(number)
    (home / "policies").mkdir(parents=True)
    (home / "policies" / "rules.polar").write_text(_rules(chance), encoding="utf-8")
    # JSON is YAML, and quotes what has to be quoted.
    (home / "policies" / "roles.yml").write_text(json.dumps(_roles(chance)), encoding="utf-8")
    (home / "sources.yml").write_text(
        "sources:\n"
        "  clinic: {url: 'sqlite:///clinic.db', agency: 'HHS:CDC', profile: true}\n"
        "  lake: {url: 'file:lake', agency: DOT, privacy_tier: PUBLIC}\n",
        encoding="utf-8",
    )
    tables = _fill(home, chance)
    with Registry.open(home) as registry:
        publish_policies(registry)
        crawl_sources(registry)
    for name, columns in tables.items():
        if (manifest := _manifest(name, columns, chance)) is not None:
            file = home / f"{name}.manifest.yml"
            file.write_text(json.dumps(manifest), encoding="utf-8")
            done = hms(home, "ingest", str(file))
            assert done.code == 0, done
    with Registry.open(home) as registry:
        crawl_sources(registry)  # what may be kept of the values is decided under the labels
    return home


def _fill(home: Path, chance: Random) -> dict[str, list[str]]:
    tables: dict[str, list[str]] = {}
    with closing(sqlite3.connect(home / "clinic.db")) as store:
        for table in _TABLES:
            tables[table] = ["day", "site", *chance.sample(_COLUMNS, 3)]
            store.execute(f"CREATE TABLE {table} ({', '.join(f'{column} TEXT' for column in tables[table])})")
            for at in range(4):
                values = [f"{column} {at}" for column in tables[table]]
                store.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(values))})", values)
        for at in range(_VIEWS):
            below = chance.sample(sorted(tables), chance.choice((1, 2)))
            name, (select, columns) = f"made_of_{at}", _view(below, tables, chance)
            store.execute(f"CREATE VIEW {name} AS {select}")
            tables[name] = columns
        store.commit()
    (home / "lake").mkdir()
    for file in _FILES:
        tables[file] = ["day", "site", chance.choice(_COLUMNS)]
        rows = "".join(",".join(f"{column} {at}" for column in tables[file]) + "\n" for at in range(3))
        (home / "lake" / f"{file}.csv").write_text(",".join(tables[file]) + "\n" + rows, encoding="utf-8")
    return tables


def _view(below: list[str], tables: dict[str, list[str]], chance: Random) -> tuple[str, list[str]]:
    first, kept = below[0], ["day", "site"]
    shown = [f"{first}.day", f"{first}.site"]
    for table in below:
        for column in chance.sample(tables[table][2:], chance.randrange(1, len(tables[table]) - 1)):
            kept.append(f"{column}_{len(kept)}")
            shown.append(f"{table}.{column} AS {kept[-1]}")
    joined = "".join(f" JOIN {other} ON {other}.day = {first}.day" for other in below[1:])
    return f"SELECT {', '.join(shown)} FROM {first}{joined}", kept


def _manifest(name: str, columns: list[str], chance: Random) -> dict[str, object] | None:
    is_view, is_file = name.startswith("made_of"), name in _FILES
    if chance.random() < (0.6 if is_view else 0.1):
        return None
    stated = [
        {column: {"tags": chance.sample(_TAGS, 1), "privacy_tier": chance.choice(_TIERS)}}
        for column in columns[2:]
        if chance.random() < 0.5
    ]
    return {
        "name": f"The {name}",
        "source": f"lake/{name}.csv" if is_file else f"sqlite:///clinic.db#{name}",
        "description": f"{name} of {chance.choice(_TAGS)}",
        "tags": chance.sample(_TAGS, chance.randrange(3)),
        **({"privacy_tier": chance.choice(_TIERS)} if chance.random() < 0.7 else {}),
        **({"declassify": True} if is_view and chance.random() < 0.5 else {}),
        **({"schema": stated} if stated else {}),
    }


def _rules(chance: Random) -> str:
    """Return a policy: what each role finds and reads, and what is masked, filtered and denied for whom."""
    lines = []
    for role in _ROLES:
        who = f'"{role}" in principal.roles'
        for at, condition in enumerate(chance.sample(_DATASET_CONDITIONS, 3)):
            for action in ("find",) if at == 1 else ("find", "read"):
                lines.append(f'allow(principal: Principal, "{action}", dataset: Dataset) if {who} and {condition};')
        mask, tag = chance.choice(("null", "redact", "partial")), chance.choice(_TAGS)
        lines.append(f'mask(principal: Principal, column: Column, "{mask}") if {who} and "{tag}" in column.tags;')
        if chance.random() < 0.6:
            about = chance.choice(("column.privacy_tier > principal.clearance", f'"{tag}" in column.tags'))
            lines.append(f'deny(principal: Principal, "read", column: Column) if {who} and {about};')
        if chance.random() < 0.8:
            filtered = chance.choice((f'"{chance.choice(_TAGS)}" in dataset.tags', "dataset.agency = principal.agency"))
            head = "row_filter(principal: Principal, dataset: Dataset, \"site <> 'site 1'\")"
            lines.append(f"{head} if {who} and {filtered};")
    audit = '"phi" in dataset.tags and principal.purpose = "audit"'
    lines.append(f'deny(principal: Principal, "find", dataset: Dataset) if {audit};')
    return "\n".join(lines)


def _roles(chance: Random) -> dict[str, object]:
    roles = {role: {"clearance": chance.choice(_TIERS), "agency": chance.choice(_AGENCIES)} for role in _ROLES}
    people = {}
    for person in PEOPLE:
        purpose = chance.choice(_PURPOSES)
        people[person] = {
            "roles": chance.sample(_ROLES, chance.choice((1, 1, 2))),
            **({"clearance": chance.choice(_TIERS)} if chance.random() < 0.5 else {}),
            **({"purpose": purpose} if purpose else {}),
        }
    return {"roles": roles, "people": people}
