"""A small home over four kinds of store, S3, PostgreSQL, Hive and MongoDB, and the question that joins all of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from command import hms
from services.hive_tables import HiveDatabase
from services.mongo import MongoDatabase
from services.postgres import PASSWORD, Database
from services.seaweedfs import SECRET, Bucket

POLICY = """
# All of them look at all that is there, but for the crews.
allow(principal: Principal, _, dataset: Dataset) if is_somebody(principal) and not "crew" in dataset.tags;
allow(principal: Principal, _, _dataset: Dataset) if "shipper" in principal.roles;
is_somebody(principal) if "nurse" in principal.roles;
is_somebody(principal) if "clerk" in principal.roles;

# Which vessel it was is for shippers, and who was ill for nurses.
mask(principal: Principal, column: Column, "redact") if "vessel" in column.tags and not "shipper" in principal.roles;
mask(principal: Principal, column: Column, "redact") if "person" in column.tags and not "nurse" in principal.roles;

# A patient's number is for nurses: nobody else is told that there is one.
deny(principal: Principal, "read", column: Column) if "number" in column.tags and not "nurse" in principal.roles;

# Clerks see what is published.
row_filter(principal: Principal, dataset: Dataset, "week <> '2024-W02'") if
    "weekly" in dataset.tags and "clerk" in principal.roles;
"""
ROLES = """
roles: {shipper: {clearance: RESTRICTED}, nurse: {clearance: RESTRICTED}, clerk: {clearance: RESTRICTED}}
people: {ana: {roles: [shipper]}, eli: {roles: [nurse]}, cy: {roles: [clerk]}}
"""
MANIFESTS = {
    "passages": "source: '{postgres}#seaway/passages'\nname: Passages\ntags: [weekly]\n"
    "schema:\n- vessel: {{tags: [vessel]}}\n",
    "crews": "source: '{postgres}#seaway/crews'\nname: Crews\ntags: [crew]\n",
    "visits": "source: '{mongo}#visits'\nname: Visits\n"
    "schema:\n- patient: {{tags: [person]}}\n- number: {{tags: [number]}}\n",
}
QUESTION = """
SELECT f.week, f.cases, p.tonnes, b.beds, p.vessel, v.patient
FROM cdc.public.flu AS f
JOIN lake.seaway.passages AS p ON p.week = f.week
JOIN wards.{hive}.beds AS b ON b.week = f.week
JOIN clinic.{mongo}.visits AS v ON v.week = f.week
ORDER BY f.week
"""
ANSWERS = {
    "shipper": [
        ("2024-W01", "219", "1200", "11", "IMO 111", "***"),
        ("2024-W02", "240", "900", "12", "IMO 222", "***"),
    ],
    "nurse": [("2024-W01", "219", "1200", "11", "***", "Ada"), ("2024-W02", "240", "900", "12", "***", "Cem")],
    "clerk": [("2024-W01", "219", "1200", "11", "***", "***")],
}
"""What is right, by role; a cell is as it is written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FourStores:
    """Four stores, each a real server's."""

    bucket: Bucket
    postgres: Database
    hive: HiveDatabase
    mongo: MongoDatabase

    @property
    def question(self) -> str:
        return QUESTION.format(hive=self.hive.name, mongo=self.mongo.name)

    @property
    def environ(self) -> Mapping[str, str]:
        """What the home's files refer to."""
        return {"CDC_KEY": self.bucket.reader, "CDC_SECRET": SECRET, "LAKE_PASSWORD": PASSWORD}

    @property
    def _lake(self) -> str:
        return f"127.0.0.1:{self.postgres.port}/{self.postgres.name}"

    @property
    def _clinic(self) -> str:
        return f"{self.mongo.url.rpartition('/')[0]}/{self.mongo.name}"

    def fill(self) -> None:
        """Put the data into each."""
        self.bucket.put({"flu.csv": b"week,cases\n2024-W01,219\n2024-W02,240\n"})
        self.postgres.execute(
            "CREATE SCHEMA seaway",
            "CREATE TABLE seaway.passages AS SELECT * FROM (VALUES ('2024-W01', 'IMO 111', 1200), "
            "('2024-W02', 'IMO 222', 900)) AS p (week, vessel, tonnes)",
            "CREATE TABLE seaway.crews AS SELECT 'IMO 111' AS vessel, 'Dag' AS master",
        )
        self.hive.add("beds", {"week": "string", "beds": "bigint"})
        place = self.hive.folder / "beds"
        place.mkdir(exist_ok=True)
        pq.write_table(pa.table({"week": ["2024-W01", "2024-W02"], "beds": [11, 12]}), place / "000000_0")
        told = (("2024-W01", "Ada", "A-1"), ("2024-W02", "Cem", "C-1"))
        self.mongo.insert(
            "visits",
            [{"_id": number, "week": week, "patient": name, "number": number} for week, name, number in told],
        )

    def make_home(self, home: Path, *, settings: str = "") -> None:
        """Make a registry's home over them, crawl, and put the policy in force; `environ` is in the environment.

        Args:
            settings: its settings.yml. Where they tell of a Trino, the owner of the documents consents to it.
        """
        sources = {
            "cdc": {
                "url": f"s3://{self.bucket.name}",
                "options": {
                    "endpoint": self.bucket.endpoint,
                    "access_key": "${CDC_KEY}",
                    "secret_key": "${CDC_SECRET}",
                },
            },
            "lake": {"url": f"postgresql://postgres@{self._lake}", "options": {"password": "${LAKE_PASSWORD}"}},
            "wards": {
                "url": f"{self.hive.metastore}/{self.hive.name}",
                "options": {"read_from": self.hive.folder.as_uri()},
            },
            "clinic": {"url": self.mongo.url} | ({"options": {"trino_schema": "allowed"}} if settings else {}),
        }
        told = {"sources": {name: {**source, "privacy_tier": "PUBLIC"} for name, source in sources.items()}}
        (home / "sources.yml").write_text(yaml.safe_dump(told))
        if settings:
            (home / "settings.yml").write_text(settings)
        (home / "policies").mkdir()
        (home / "policies" / "rules.polar").write_text(POLICY)
        (home / "policies" / "roles.yml").write_text(ROLES)
        steps = [["init"], ["crawl"]]
        for name, text in MANIFESTS.items():
            manifest = home / f"{name}.yml"
            manifest.write_text(text.format(postgres=f"postgresql://{self._lake}", mongo=self._clinic))
            steps.append(["ingest", str(manifest)])
        for words in (*steps, ["policy", "publish"]):
            done = hms(home, *words)
            assert done.code == 0, (words, done.out, done.err)
