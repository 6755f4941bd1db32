"""Two registries that differ only in what the analyst may not know of: here it is, there it never was."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from command import hms

ANALYST, NURSE, STEWARD = "role:analyst", "role:nurse", "role:steward"

_POLICY = """
# Analysts may find what carries no secret
allow(principal: Principal, "find", dataset: Dataset) if
    "analyst" in principal.roles and not ("secret" in dataset.tags);

# Analysts read what is public
allow(principal: Principal, "read", dataset: Dataset) if
    "analyst" in principal.roles and not ("secret" in dataset.tags) and dataset.privacy_tier = PUBLIC;

# Nurses find and read everything
allow(principal: Principal, _, _dataset: Dataset) if "nurse" in principal.roles;

# Stewards find everything
allow(principal: Principal, "find", _dataset: Dataset) if "steward" in principal.roles;

# Whose it is, is for nurses
deny(principal: Principal, "read", column: Column) if
    "hidden" in column.tags and "analyst" in principal.roles;

# Analysts see no phone
mask(principal: Principal, column: Column, "redact") if
    "phone" in column.tags and "analyst" in principal.roles;
"""
_ROLES = """
roles: {analyst: {clearance: PUBLIC}, nurse: {clearance: RESTRICTED}, steward: {clearance: RESTRICTED}}
"""
_SOURCES = """
sources:
  cdc: {url: 'sqlite:///cdc.db', agency: CDC}
  lake: {url: 'file:lake', privacy_tier: PUBLIC}
"""
_TABLES = (
    ("CREATE TABLE flu_weekly (week TEXT, cases INTEGER)", "INSERT INTO flu_weekly VALUES ('2024-01-06', 3)"),
    ("CREATE TABLE zip_counts (zip TEXT, cases INTEGER)", "INSERT INTO zip_counts VALUES ('10001', 1)"),
    ("CREATE VIEW flu_seasons AS SELECT substr(week, 1, 4) AS year, sum(cases) AS cases FROM flu_weekly GROUP BY 1",),
)
# The hidden column is a key, is in a view, and has a name that nearly is a visible one's.
_PATIENTS = (
    "CREATE TABLE visits (case_key INTEGER PRIMARY KEY, case_no INTEGER, ward TEXT, phone TEXT)",
    "INSERT INTO visits VALUES (77, 1, 'north', '555-0100'), (78, 2, 'south', '555-0101')",
    "CREATE VIEW visits_by_ward AS SELECT ward, case_key AS key_of, phone AS reach FROM visits",
    "CREATE TABLE flu_weekly_contacts (week TEXT, contact TEXT, zanzibar TEXT)",
    "INSERT INTO flu_weekly_contacts VALUES ('2024-01-06', 'Ada', 'x')",
    "CREATE VIEW contact_counts AS SELECT week, count(*) AS zanzibar_count FROM flu_weekly_contacts GROUP BY week",
)
_PATIENTS_NEVER = (
    "CREATE TABLE visits (case_no INTEGER, ward TEXT, phone TEXT)",
    "INSERT INTO visits VALUES (1, 'north', '555-0100'), (2, 'south', '555-0101')",
    "CREATE VIEW visits_by_ward AS SELECT ward, phone AS reach FROM visits",
)
_VISITS = "name: Visits\nsource: sqlite:///cdc.db#visits\nprivacy_tier: PUBLIC\nschema:\n  - phone: {tags: [phone]}\n"
_MANIFESTS = {
    "flu_weekly": "name: Flu\nsource: sqlite:///cdc.db#flu_weekly\nprivacy_tier: PUBLIC\ntags: [flu]\n",
    "zip_counts": "name: By ZIP\nsource: sqlite:///cdc.db#zip_counts\nprivacy_tier: RESTRICTED\nowner: CDC desk\n",
}
_HIDDEN = "  - case_key: {tags: [hidden], description: quixotic key}\n"
_CONTACTS = "name: Contacts\nsource: sqlite:///cdc.db#flu_weekly_contacts\ntags: [secret, flu]\nprivacy_tier: PUBLIC\n"


def make_world(home: Path, *, with_hidden: bool) -> Path:
    """Make a registry's home in which all commands have been run that a steward runs."""
    (home / "policies").mkdir(parents=True)
    (home / "policies" / "rules.polar").write_text(_POLICY)
    (home / "policies" / "roles.yml").write_text(_ROLES)
    (home / "sources.yml").write_text(_SOURCES)
    tables = [statement for each in _TABLES for statement in each]
    with closing(sqlite3.connect(home / "cdc.db")) as store:
        for statement in [*tables, *(_PATIENTS if with_hidden else _PATIENTS_NEVER)]:
            store.execute(statement)
        store.commit()
    (home / "lake").mkdir()
    (home / "lake" / "notes.csv").write_text("note\nplain\n")
    if with_hidden:
        # Its address differs from the visible one's by case alone.
        (home / "lake" / "Notes.csv").write_text("note\nzanzibar\n")
        (home / "lake" / "Notes.manifest.yml").write_text("name: n\nsource: Notes.csv\ntags: [secret]\n")
    manifests = {**_MANIFESTS, "visits": _VISITS + (_HIDDEN if with_hidden else "")}
    if with_hidden:
        manifests["contacts"] = _CONTACTS
    _done(hms(home, "init"), hms(home, "policy", "publish"), hms(home, "crawl"))
    for name, text in manifests.items():
        file = home / f"{name}.manifest.yml"
        file.write_text(text)
        _done(hms(home, "ingest", str(file)))
    return home


def _done(*commands: object) -> None:
    for each in commands:
        assert getattr(each, "code", None) == 0, each


_VARIES: Iterable[tuple[re.Pattern[str], str]] = (
    (re.compile(r"\b[0-9a-f]{32}\b"), "ID"),
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(\+00:00| UTC)?"), "WHEN"),
    (re.compile(r'"size_bytes": \d+|bytes: [\d,]+'), "SIZE"),
    (re.compile(r"\bworld_\w+"), "WORLD"),
)


def comparable(text: str) -> str:
    """The text without what differs between any two registries: ids, times, folders, the size of the whole store."""
    for pattern, word in _VARIES:
        text = pattern.sub(word, text)
    return text
