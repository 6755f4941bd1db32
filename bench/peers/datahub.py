"""DataHub's crawler as its users run it: a recipe, a file sink, no server; what it wrote is read back."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.peers.told import Told
from bench.servers import READER, key_variable
from bench.timing import Watched, watched
from bench.venvs import installed
from services.mongo import MongoDatabase
from services.postgres import Database
from services.seaweedfs import Bucket

VERSION = "1.7.0.17"


@dataclass(frozen=True, slots=True, kw_only=True)
class DataHub:
    """The installed crawler; recipes and what they print go to *folder*."""

    programs: Path
    folder: Path

    @classmethod
    def in_cache(cls, folder: Path) -> DataHub:
        """Install it, the first time.

        Raises:
            NotInstalled
        """
        folder.mkdir()
        programs = installed(f"datahub-{VERSION}", f"acryl-datahub[postgres,s3,mongodb]=={VERSION}")
        return cls(programs=programs, folder=folder)

    def crawl_postgres(self, database: Database) -> tuple[Watched, Told]:
        """Ingest one database, by the defaults."""
        return self._ingest(
            "postgres",
            {
                "host_port": f"127.0.0.1:{database.port}",
                "database": database.name,
                "username": READER,
                "password": "${BENCH_POSTGRES_PASSWORD}",
            },
        )

    def crawl_s3(self, bucket: Bucket, *paths: str) -> tuple[Watched, Told]:
        """Ingest the objects of a bucket that patterns name; it takes no Spark unless it profiles."""
        return self._ingest(
            "s3",
            {
                "path_specs": [{"include": f"s3://{bucket.name}/{path}"} for path in paths],
                "aws_config": {
                    "aws_access_key_id": f"${{{key_variable(bucket)}}}",
                    "aws_secret_access_key": "${BENCH_S3_SECRET}",
                    "aws_endpoint_url": bucket.endpoint,
                    "aws_region": "us-east-1",
                },
            },
        )

    def crawl_mongo(self, database: MongoDatabase) -> tuple[Watched, Told]:
        """Ingest one database, by the defaults: a random sample of a thousand documents of each collection."""
        only = {"allow": [f"^{database.name}$"]}
        return self._ingest("mongodb", {"connect_uri": database.server_url, "database_pattern": only})

    def _ingest(self, kind: str, config: Mapping[str, object]) -> tuple[Watched, Told]:
        recipe, told, log = (self.folder / name for name in ("recipe.yml", "told.json", "log.txt"))
        told.unlink(missing_ok=True)
        sink = {"type": "file", "config": {"filename": str(told)}}
        recipe.write_text(json.dumps({"source": {"type": kind, "config": config}, "sink": sink}), encoding="utf-8")
        # What it leaves in its home and among temporary files goes with the folder.
        own = {"HOME": str(self.folder), "TMPDIR": str(self.folder)}
        env = {**os.environ, **own, "DATAHUB_TELEMETRY_ENABLED": "false"}
        env.pop("PYTHONPATH", None)
        shell = f'exec "$0" ingest -c "{recipe}" > "{log}" 2>&1'
        took = watched(["sh", "-c", shell, str(self.programs / "datahub")], env=env)
        records = json.loads(told.read_text(encoding="utf-8")) if told.exists() else []
        return took, _told(records)


def _told(records: list[dict[str, object]]) -> Told:
    datasets: dict[str, dict[str, str]] = {}
    foreign_keys = view_columns = 0
    for urn, kind, aspect in _aspects(records):
        if kind == "schemaMetadata":
            fields = aspect["fields"]
            datasets[_name(urn)] = {each["fieldPath"]: str(each["nativeDataType"]) for each in fields}
            foreign_keys += len(aspect.get("foreignKeys") or ())
        elif kind == "upstreamLineage":
            view_columns += len(aspect.get("fineGrainedLineages") or ())
    return Told(datasets=datasets, foreign_keys=foreign_keys, view_columns=view_columns)


def _aspects(records: list[dict[str, object]]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield (urn, name, content) of the aspects of datasets, of both forms in which they are written."""
    for record in records:
        if record.get("entityType") == "dataset":
            yield record["entityUrn"], record["aspectName"], record["aspect"]["json"]  # type: ignore[misc, index]
        for snapshot in dict(record.get("proposedSnapshot") or {}).values():  # type: ignore[call-overload]
            for aspect in snapshot["aspects"]:
                for name, content in aspect.items():
                    short = name.rpartition(".")[2]
                    yield snapshot["urn"], short[0].lower() + short[1:], content


def _name(urn: str) -> str:
    """The name in `urn:li:dataset:(urn:li:dataPlatform:postgres,NAME,PROD)`, without database or bucket."""
    return urn.partition(",")[2].rpartition(",")[0].partition("/" if ":s3," in urn else ".")[2]


def same_type(true: str, told: str) -> bool:
    """Whether SQLAlchemy's name of a type says what `format_type` says, its schema left aside."""
    said = told.lower().replace(", ", ",")
    for short, long in (("varchar", "character varying"), ("char", "character")):
        if said == short or said.startswith((f"{short}(", f"{short}[")):
            said = long + said[len(short) :]
    return said == true.rpartition(".")[2].lower()
