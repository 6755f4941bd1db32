"""A table and the objects at its location, on a real Hive and a real S3: one thing, whichever way somebody comes."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from command import hms
from services.hive_tables import HiveDatabase
from services.seaweedfs import SECRET, Bucket

POLICY = """
allow(principal: Principal, _, _dataset: Dataset) if "nurse" in principal.roles;
mask(principal: Principal, column: Column, "redact") if "person" in column.tags and "nurse" in principal.roles;
"""
ROLES = "roles: {nurse: {clearance: RESTRICTED}}\n"
MANIFEST = b"source: visits\nname: Visits\nschema:\n- patient: {tags: [person]}\n"


@pytest.fixture
def home(
    tmp_path: Path, bucket: Bucket, hive_database: HiveDatabase, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """A home over both: a partitioned table, whose folder the bucket's own manifest labels."""
    rows = pa.table({"patient": ["Ada", "Cem"], "beds": [1, 2]})
    file = io.BytesIO()
    pq.write_table(rows, file)
    bucket.put({f"ward/visits/day={day}/000000_0.parquet": file.getvalue() for day in ("1", "2")})
    bucket.put({"ward/visits.manifest.yml": MANIFEST})
    place = f"s3a://{bucket.name}/ward/visits"
    hive_database.add("visits", {"patient": "string", "beds": "bigint"}, location=place, keys={"day": "string"})
    hive_database.add_partitions("visits", [["1"], ["2"]])
    keys = {"access_key": "${KEY}", "secret_key": "${SECRET}", "endpoint": bucket.endpoint}
    sources = {
        "lake": {"url": f"s3://{bucket.name}", "options": keys},
        "wards": {
            "url": f"{hive_database.metastore}/{hive_database.name}",
            "options": {**keys, "read_from": f"s3://{bucket.name}"},
        },
    }
    monkeypatch.setenv("KEY", bucket.reader)
    monkeypatch.setenv("SECRET", SECRET)
    told = {"sources": {name: {**source, "privacy_tier": "PUBLIC"} for name, source in sources.items()}}
    (tmp_path / "sources.yml").write_text(yaml.safe_dump(told))
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "rules.polar").write_text(POLICY)
    (tmp_path / "policies" / "roles.yml").write_text(ROLES)
    done = hms(tmp_path, "init")
    assert done.code == 0, done.err
    yield tmp_path


@pytest.mark.slow
def test_a_mask_on_the_folder_holds_for_the_table(home: Path, hive_database: HiveDatabase) -> None:
    """Also if the folder is crawled last; and once the table lies elsewhere, it is its own again."""
    table = f"wards.{hive_database.name}.visits"
    question = f"SELECT patient, beds FROM {table} ORDER BY beds, day"
    for words in (("crawl", "wards"), ("crawl", "lake"), ("policy", "publish")):
        done = hms(home, *words)
        assert done.code == 0, (words, done.out, done.err)

    masked = hms(home, "query", question, "--as", "role:nurse", "--json")
    walked = hms(home, "lineage", "lake.ward.visits", "--as", "role:nurse")
    moved = hive_database.get("visits")
    moved.sd.location += "_of_old"
    hive_database.alter("visits", moved)
    again = hms(home, "crawl", "wards")
    shown = hms(home, "show", table, "--as", "role:nurse", "--json")

    assert masked.code == 0, masked.err
    assert [tuple(row.values()) for row in masked.json] == [("***", 1), ("***", 1), ("***", 2), ("***", 2)]
    assert walked.out.splitlines() == ["lake.ward.visits", f"  └ {table}  the same data"]
    assert again.code == 0, again.out
    masks = {column["path"]: column["mask"] for column in shown.json["columns"]}
    assert masks == {"patient": "none", "beds": "none", "day": "none"}
