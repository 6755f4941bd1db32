"""The demo on real stores: transport's tables in PostgreSQL, CDC's files in S3 and in Hive, a clinic in MongoDB.

    python examples/real_stores.py HOME [--no-crawl]

puts the demo's data there, makes HOME a registry's home over it, crawls unless it is told not to, and puts the policy
in force. It may be run again: what is loaded, and the files of the home, stay as they are. The environment says where
the stores are, and who may write there:

    DEMO_POSTGRES      how libpq is told of a database, and of somebody who may make a role and schemas there
    DEMO_S3            the URL of an S3 server
    DEMO_BUCKET        a bucket of it, which is made if it is not there
    DEMO_S3_KEY        whose key may write there, and
    DEMO_S3_SECRET     the secret key that belongs to it

and who only reads there, as the home's sources.yml will ask for it:

    LAKE_PASSWORD      of the role that this script makes in PostgreSQL
    CDC_ACCESS_KEY     of an account that may list and read the bucket
    CDC_SECRET_KEY

These may be left out, each with its part of the story:

    DEMO_HIVE          a HiveServer2 that asks for no password and may read the bucket, hive://USER@HOST:PORT, and
    DEMO_METASTORE     its metastore, thrift://HOST:PORT
    DEMO_MONGO         a MongoDB that asks for no password, mongodb://HOST:PORT
    DEMO_CATALOGUE     a URL as settings.yml takes it: the catalogue lies there and not in HOME
    DEMO_CACHE         a Redis in which servers over that catalogue keep answers, redis://HOST:PORT
    DEMO_TRINO         the coordinator of a Trino under the policy, http://HOST:PORT,
    DEMO_TRINO_ASKS    the port of loopback at which it asks the registry, and
    DEMO_TRINO_TABLES  a folder of its own, in which it keeps what it knows of files in S3
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from build_demo import HERE, build_cdc
from demo_postgres import FILES, PASSAGES, READER, load_postgres
from demo_s3 import SURVEILLANCE, load_s3
from psycopg.conninfo import conninfo_to_dict

LAKE_AND_CDC = """\
# Each store is read by an account that may do nothing else there. Secrets are in the environment.
sources:
  lake:
    url: postgresql://{reader}:${{LAKE_PASSWORD}}@{lake}
    agency: DOT
    owner: DOT:BTS
    tags: [transport-lake]
    options: {{statement_timeout_s: 30}}
  cdc:
    url: s3://{bucket}
    agency: HHS:CDC
    owner: HHS:CDC
    options:
      endpoint: {endpoint}
      access_key: ${{CDC_ACCESS_KEY}}
      secret_key: ${{CDC_SECRET_KEY}}
"""
SURVEILLANCE_IN_HIVE = """\
  surveillance:
    url: {hive}
    agency: HHS:CDC
    owner: HHS:CDC
    privacy_tier: PUBLIC  # counts by state, as the CDC publishes them
    options:
      metastore: {metastore}
      read_from: s3://{bucket}/{prefix}  # files below it are read without HiveServer2
      endpoint: {endpoint}
      access_key: ${{CDC_ACCESS_KEY}}
      secret_key: ${{CDC_SECRET_KEY}}
"""
CLINIC_IN_MONGO = """\
  clinic:
    url: {url}
    agency: HHS:CDC
    owner: HHS:CDC
"""
CONSENT = "    options: {trino_schema: allowed}  # Trino writes its guesses into the database, and its owner agrees\n"
GOVERNED = """\
trino:
  url: {url}
  tables: {tables}
  catalogs: statements
  opa: {{port: {port}}}
"""


def main(home: Path, env: Mapping[str, str], *, crawls: bool) -> None:
    """Load the stores, then type what a person would type."""
    with tempfile.TemporaryDirectory() as folder:
        load(Path(folder), env)
    home.mkdir(parents=True, exist_ok=True)
    files = {"sources.yml": sources(env)}
    stated = {"catalogue": env.get("DEMO_CATALOGUE"), "cache": env.get("DEMO_CACHE")}
    settings = [f"{part}: {{url: '{url}'}}\n" for part, url in stated.items() if url]
    if "DEMO_TRINO" in env:
        asks, tables = env["DEMO_TRINO_ASKS"], env["DEMO_TRINO_TABLES"]
        settings.append(GOVERNED.format(url=env["DEMO_TRINO"], port=asks, tables=tables))
    if settings:
        files["settings.yml"] = "".join(settings)
    for name, told in files.items():
        if not (home / name).exists():
            (home / name).write_text(told, encoding="utf-8")
    if not (home / "policies").exists():
        shutil.copytree(HERE / "policies", home / "policies")
    manifests = list(write_manifests(home / "manifests", env))
    done = home / "manifests" / "ingested"  # touched last: who is interrupted begins again
    if not done.exists():
        for words in (["init"], *(["ingest", str(path)] for path in manifests)):
            hms(home, *words)
        done.touch()
    if "DEMO_HIVE" in env:
        from demo_hive import load_hive

        load_hive(env["DEMO_HIVE"], bucket=env["DEMO_BUCKET"])
    if crawls:
        hms(home, "crawl")
    hms(home, "policy", "publish")


def load(folder: Path, env: Mapping[str, str]) -> None:
    """Put the data into each store that the environment names, but for Hive, which finds its own in S3."""
    database = folder / "cdc.db"
    build_cdc(database)
    load_postgres(env["DEMO_POSTGRES"], env["LAKE_PASSWORD"], passages=folder / "passages_synthetic")
    load_s3(env, database=database, is_with_hive="DEMO_HIVE" in env)
    if "DEMO_MONGO" in env:
        from demo_mongo import load_mongo

        load_mongo(env["DEMO_MONGO"], database=database)


def sources(env: Mapping[str, str]) -> str:
    """Return sources.yml."""
    bucket, endpoint = env["DEMO_BUCKET"], env["DEMO_S3"]
    told = LAKE_AND_CDC.format(reader=READER, lake=lake_of(env), bucket=bucket, endpoint=endpoint)
    if "DEMO_HIVE" in env:
        hive, metastore = env["DEMO_HIVE"], env["DEMO_METASTORE"]
        told += SURVEILLANCE_IN_HIVE.format(
            hive=hive, metastore=metastore, bucket=bucket, prefix=SURVEILLANCE, endpoint=endpoint
        )
    if "DEMO_MONGO" in env:
        told += CLINIC_IN_MONGO.format(url=clinic_of(env)) + (CONSENT if "DEMO_TRINO" in env else "")
    return told


def lake_of(env: Mapping[str, str]) -> str:
    """Return where PostgreSQL has the lake: HOST:PORT/DATABASE."""
    where = conninfo_to_dict(env["DEMO_POSTGRES"])
    return f"{where['host']}:{where.get('port', 5432)}/{where['dbname']}"


def clinic_of(env: Mapping[str, str]) -> str:
    """Return the URL of the clinic's database."""
    from demo_mongo import DATABASE

    return f"{env['DEMO_MONGO'].rstrip('/')}/{DATABASE}"


def hms(home: Path, *words: str) -> None:
    """Run a command of hms-dta over the home; its failure is ours."""
    print(f"$ hms-dta {' '.join(words)}", flush=True)
    subprocess.run([str(Path(sys.executable).with_name("hms-dta")), "--home", str(home), *words], check=True)


def write_manifests(folder: Path, env: Mapping[str, str]) -> Iterator[Path]:
    """Write the manifests of tables and collections: a database has no place beside the data to put them."""
    folder.mkdir(exist_ok=True)
    for name in (*FILES, PASSAGES):
        told = (HERE / f"data/lake/{name}.manifest.yml").read_text(encoding="utf-8").splitlines()
        where = f"source: postgresql://{lake_of(env)}#{name}"
        lies = [where if line.startswith("source:") else line for line in told]
        yield written(folder / f"{name.partition('/')[2]}.manifest.yml", "\n".join(lies) + "\n")
    if "DEMO_MONGO" in env:
        from demo_mongo import COLLECTION, MANIFEST

        told = MANIFEST.format(url=clinic_of(env), collection=COLLECTION)
        yield written(folder / f"{COLLECTION}.manifest.yml", told)


def written(path: Path, text: str) -> Path:
    """Write a file, and return where."""
    path.write_text(text, encoding="utf-8")
    return path


if __name__ == "__main__":
    asked = sys.argv[1:]
    crawls = "--no-crawl" not in asked
    homes = [word for word in asked if word != "--no-crawl"]
    if len(homes) != 1:
        sys.exit("usage: real_stores.py HOME [--no-crawl]")
    main(Path(homes[0]), os.environ, crawls=crawls)
