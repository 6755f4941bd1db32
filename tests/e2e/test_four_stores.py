"""One statement over four kinds of store, under one policy: S3, PostgreSQL, Hive and MongoDB, each a real server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from command import hms
from services.hive_tables import HiveDatabase
from services.mongo import MongoDatabase
from services.postgres import PASSWORD, Database
from services.seaweedfs import SECRET, Bucket

POLICY = """
# Both look at all that is there
allow(principal: Principal, _, _dataset: Dataset) if "shipper" in principal.roles or "nurse" in principal.roles;

# Which vessel it was is for shippers, and who was ill for nurses
mask(principal: Principal, column: Column, "redact") if "vessel" in column.tags and "nurse" in principal.roles;
mask(principal: Principal, column: Column, "redact") if "person" in column.tags and "shipper" in principal.roles;
"""
ROLES = "roles: {shipper: {clearance: RESTRICTED}, nurse: {clearance: RESTRICTED}}\n"
MANIFESTS = {
    "passages": "source: '{postgres}#seaway/passages'\nname: Passages\nschema:\n- vessel: {{tags: [vessel]}}\n",
    "visits": "source: '{mongo}#visits'\nname: Visits\nschema:\n- patient: {{tags: [person]}}\n",
}
QUESTION = """
SELECT f.week, f.cases, p.tonnes, b.beds, p.vessel, v.patient
FROM cdc.public.flu AS f
JOIN lake.seaway.passages AS p ON p.week = f.week
JOIN wards.{hive}.beds AS b ON b.week = f.week
JOIN clinic.{mongo}.visits AS v ON v.week = f.week
ORDER BY f.week
"""


@pytest.fixture
def asked(
    tmp_path: Path,
    bucket: Bucket,
    postgres_database: Database,
    hive_database: HiveDatabase,
    mongo_database: MongoDatabase,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[tuple[Path, str]]:
    """A home over the four, crawled, its policy in force; and the question, with the names that its stores gave."""
    bucket.put({"flu.csv": b"week,cases\n2024-W01,219\n2024-W02,240\n"})
    postgres_database.execute(
        "CREATE SCHEMA seaway",
        "CREATE TABLE seaway.passages AS SELECT * FROM (VALUES ('2024-W01', 'IMO 111', 1200), ('2024-W02', 'IMO 222', "
        "900)) AS p (week, vessel, tonnes)",
    )
    hive_database.add("beds", {"week": "string", "beds": "bigint"})
    place = hive_database.folder / "beds"
    place.mkdir(exist_ok=True)
    pq.write_table(pa.table({"week": ["2024-W01", "2024-W02"], "beds": [11, 12]}), place / "000000_0")
    mongo_database.insert("visits", [{"week": "2024-W01", "patient": "Ada"}, {"week": "2024-W02", "patient": "Cem"}])
    postgres = f"postgresql://127.0.0.1:{postgres_database.port}/{postgres_database.name}"
    sources = {
        "cdc": {
            "url": f"s3://{bucket.name}",
            "options": {"endpoint": bucket.endpoint, "access_key": "${CDC_KEY}", "secret_key": "${CDC_SECRET}"},
        },
        "lake": {"url": postgres.replace("//", "//postgres@"), "options": {"password": "${LAKE_PASSWORD}"}},
        "wards": {
            "url": f"{hive_database.metastore}/{hive_database.name}",
            "options": {"read_from": hive_database.folder.as_uri()},
        },
        "clinic": {"url": mongo_database.url},
    }
    monkeypatch.setenv("CDC_KEY", bucket.reader)
    monkeypatch.setenv("CDC_SECRET", SECRET)
    monkeypatch.setenv("LAKE_PASSWORD", PASSWORD)
    told = {"sources": {name: {**source, "privacy_tier": "PUBLIC"} for name, source in sources.items()}}
    (tmp_path / "sources.yml").write_text(yaml.safe_dump(told))
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "rules.polar").write_text(POLICY)
    (tmp_path / "policies" / "roles.yml").write_text(ROLES)
    mongo = f"{mongo_database.url.rpartition('/')[0]}/{mongo_database.name}"
    steps = [["init"], ["crawl"]]
    for name, text in MANIFESTS.items():
        manifest = tmp_path / f"{name}.yml"
        manifest.write_text(text.format(postgres=postgres, mongo=mongo))
        steps.append(["ingest", str(manifest)])
    for words in (*steps, ["policy", "publish"]):
        done = hms(tmp_path, *words)
        assert done.code == 0, (words, done.out, done.err)
    yield tmp_path, QUESTION.format(hive=hive_database.name, mongo=mongo_database.name)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("role", "vessels", "patients"),
    [("shipper", ["IMO 111", "IMO 222"], ["***", "***"]), ("nurse", ["***", "***"], ["Ada", "Cem"])],
)
def test_one_statement_joins_all_four_stores_under_policy(
    asked: tuple[Path, str], role: str, vessels: list[str], patients: list[str]
) -> None:
    """Both read the same four tables in one statement, and neither sees what is the other's."""
    home, question = asked

    done = hms(home, "query", question, "--as", f"role:{role}", "--json")

    assert done.code == 0, done.err
    assert [tuple(row.values()) for row in done.json] == [
        ("2024-W01", 219, 1200, 11, vessels[0], patients[0]),
        ("2024-W02", 240, 900, 12, vessels[1], patients[1]),
    ]
