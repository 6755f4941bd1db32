"""The clinic's part of the demo in MongoDB: the patients of the line list, each a document with their visits in it."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from build_demo import SEED
from pymongo import MongoClient

DATABASE, COLLECTION = "clinic", "patients_synthetic"
_COLUMNS = "patient_id, patient_name, zip, onset_date, week_end, occupation, outcome"
MANIFEST = """\
name: Patients of a clinic (synthetic)
source: {url}#{collection}
owner: HHS:CDC
license: CC0-1.0
description: >-
  SYNTHETIC: made by a seeded generator. One document a patient with influenza-like illness, their visits inside;
  documents whose outcome is `test` are the clinic's own tests. No such patient exists.
tags: [health, flu, phi, line-list, synthetic]
privacy_tier: RESTRICTED
schema:
  - _id: {{tags: [patient-identifier], privacy_tier: RESTRICTED}}
  - name: {{tags: [patient-name], privacy_tier: RESTRICTED}}
  - zip: {{tags: [small-area], privacy_tier: RESTRICTED}}
  - week_end: {{description: Saturday that ends the MMWR week of onset}}
"""


def load_mongo(url: str, *, database: Path) -> None:
    """Insert the documents, all of them or none."""
    with MongoClient(url) as server:
        collection = server[DATABASE][COLLECTION]
        documents = list(patients(database))
        if collection.estimated_document_count() != len(documents):
            collection.drop()
            collection.insert_many(documents)


def patients(database: Path) -> Iterator[dict[str, object]]:
    """Yield a document a row of the line list; the visits are made up here, from a seed of their own."""
    dice = random.Random(SEED + 2)
    with sqlite3.connect(database) as store:
        rows = store.execute(f"SELECT {_COLUMNS} FROM linelist_synthetic ORDER BY patient_id").fetchall()  # noqa: S608  # our names
    store.close()
    for patient, name, area, onset, week_end, occupation, outcome in rows:
        first = moment(onset) + timedelta(hours=dice.randrange(24, 72))
        visits = [
            {"at": first + timedelta(days=3 * at), "ward": dice.choice("AB"), "fever": round(dice.uniform(37, 41), 1)}
            for at in range(dice.randrange(1, 4))
        ]
        yield {
            "_id": patient,
            "name": name,
            "zip": area,
            "week_end": moment(week_end),
            "occupation": occupation,
            "outcome": outcome,
            "visits": visits,
        }


def moment(day: str) -> datetime:
    """Return when a day begins in UTC: MongoDB has moments, and no days."""
    return datetime.fromisoformat(day).replace(tzinfo=UTC)
