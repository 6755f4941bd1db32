"""Documents under policy: what is labelled inside a document hides the column that holds it, views included."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from command import hms
from services.mongo import MongoServer
from services.odd_mongo import OddMongo

ANALYST, NURSE = "role:analyst", "role:nurse"
_POLICY = """
# Everybody may look at what is there
allow(principal: Principal, _, _dataset: Dataset) if "analyst" in principal.roles or "nurse" in principal.roles;

# Who somebody is, is for nurses
mask(principal: Principal, column: Column, "redact") if "person" in column.tags and "analyst" in principal.roles;
"""
_ROLES = "roles: {analyst: {clearance: PUBLIC}, nurse: {clearance: RESTRICTED}}\n"
VISITS = [
    {"_id": 1, "ward": "north", "who": {"name": "Ada canary", "age": 36}, "notes": [{"by": "Bo", "text": "fine"}]},
    {"_id": 2, "ward": "south", "who": {"name": "Cem canary", "age": 52}, "notes": []},
    {"_id": 3, "ward": "south", "who": None},
]


def home_of(folder: Path, url: str, schema: str) -> Path:
    """Make a home over one MongoDB, with the patient's name labelled, and crawl."""
    (folder / "sources.yml").write_text(f"sources:\n  clinic: {{url: '{url}', privacy_tier: PUBLIC}}\n")
    server = "/".join(url.split("/")[:3])
    (folder / "policies").mkdir()
    (folder / "policies" / "rules.polar").write_text(_POLICY)
    (folder / "policies" / "roles.yml").write_text(_ROLES)
    (folder / "visits.yml").write_text(
        f"source: '{server}/{schema}#visits'\nname: Visits\nschema:\n- who.name: {{tags: [person]}}\n"
    )
    for words in (["crawl"], ["ingest", str(folder / "visits.yml")], ["policy", "publish"], ["crawl"]):
        done = hms(folder, *words)
        assert done.code == 0, (words, done.out, done.err)
    return folder


def rows(home: Path, sql: str, who: str) -> object:
    done = hms(home, "query", sql, "--as", who, "--json")
    assert done.code == 0, done.err
    return done.json


@pytest.fixture
def clinic(mongo_server: MongoServer, tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A home, and where its visits are in SQL."""
    with mongo_server.database() as database:
        database.insert("visits", VISITS)
        yield home_of(tmp_path, database.url, database.name), f"clinic.{database.name}.visits"


def test_a_label_inside_a_document_masks_the_column_that_holds_it(clinic: tuple[Path, str]) -> None:
    """A nurse reads the fields of `who`; to an analyst all of it is masked, in every clause, and the rest is not."""
    home, visits = clinic
    by_nurse = f"SELECT v.ward, v.who.name AS n FROM {visits} v ORDER BY v._id"

    assert "Ada canary" in str(rows(home, by_nurse, NURSE))
    for sql in (f"SELECT * FROM {visits}", by_nurse, f"SELECT count(*) AS n FROM {visits} v WHERE v.who.age > 40"):
        done = hms(home, "query", sql, "--as", ANALYST, "--json")
        assert "canary" not in done.out + done.err
    told = rows(home, f"SELECT ward, who FROM {visits} v ORDER BY v._id", ANALYST)

    assert "'north'" in str(told)
    assert "36" not in str(told)


def test_nested_fields_and_arrays_are_read_as_rows(clinic: tuple[Path, str]) -> None:
    """A document is a row, an array an array, what is missing NULL."""
    home, visits = clinic

    told = rows(home, f"SELECT v._id, v.who.age AS age, cardinality(v.notes) AS n FROM {visits} v ORDER BY 1", NURSE)

    assert told == [{"_id": 1, "age": 36, "n": 1}, {"_id": 2, "age": 52, "n": 0}, {"_id": 3, "age": None, "n": None}]


def test_a_view_of_documents_is_masked_as_what_it_is_made_of(odd_mongo: OddMongo, tmp_path: Path) -> None:
    """A pipeline passes a labelled field on under another name: the label follows it there."""
    odd_mongo.collection("clinic", "visits").put(*VISITS)
    pipeline = [{"$project": {"place": "$ward", "patient": "$who.name"}}]
    view = odd_mongo.collection("clinic", "by_ward", kind="view", options={"viewOn": "visits", "pipeline": pipeline})
    view.put({"_id": 1, "place": "north", "patient": "Ada canary"})
    home = home_of(tmp_path, odd_mongo.url, "clinic")

    told = {who: str(rows(home, "SELECT place, patient FROM clinic.clinic.by_ward", who)) for who in (ANALYST, NURSE)}

    assert "Ada canary" in told[NURSE]
    assert "canary" not in told[ANALYST]
    assert "north" in told[ANALYST]
