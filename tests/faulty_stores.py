"""A home over a real PostgreSQL database and a real bucket, each behind a proxy that can be told to fail."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from command import Done, hms
from hms_registry.bootstrap import Registry
from services.postgres import PASSWORD, Database
from services.seaweedfs import SECRET, Bucket
from services.tcp_proxy import READY, STATUS, Fault, Proxy, tcp_proxy

WHO = "role:steward"
SECRETS = (PASSWORD, quote(PASSWORD, safe=""), SECRET, quote(SECRET, safe=""))


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """A registry's home with two sources, `cdc` in PostgreSQL and `lake` in a bucket."""

    path: Path
    database: Database
    bucket: Bucket
    postgres: Proxy
    s3: Proxy

    def empty(self) -> None:
        """Start anew: empty stores that nothing is wrong with, and a catalogue that knows the policy only."""
        for proxy in (self.postgres, self.s3):
            proxy.revive(Fault())
        self.database.reset()
        listed = self.bucket.client.list_objects_v2(Bucket=self.bucket.name).get("Contents", [])
        self.bucket.delete(*(each["Key"] for each in listed))
        self.forget()

    def forget(self) -> None:
        """Go back to a catalogue that knows the policy only."""
        shutil.rmtree(self.path / ".hms-dta")
        shutil.copytree(self.path / "fresh", self.path / ".hms-dta")

    def crawl(self, *sources: str) -> dict[str, Mapping[str, Any]]:
        """Crawl, and return the report of each source; what was printed tells no secret."""
        done = self.told("crawl", *sources, "--json")
        assert done.code in (0, 10), done
        reports = json.loads(done.out)["crawls"]
        return {report["source"]: report for report in reports}

    def query(self, sql: str, *more: str) -> Done:
        """Ask as the steward."""
        return self.told("query", sql, "--as", WHO, "--format", "csv", *more)

    def rows(self, sql: str) -> list[str]:
        """Return the lines of an answer, without its heading."""
        done = self.query(sql)
        assert done.code == 0, done
        return done.out.splitlines()[1:]

    def told(self, *words: str) -> Done:
        """Run a command, and see that neither stream tells a secret."""
        done = hms(self.path, *words)
        for text in (done.out, done.err):
            assert not [secret for secret in SECRETS if secret in text], words
            assert "Traceback" not in text
        return done

    def states(self, source: str) -> dict[str, str]:
        """Return the state of all that was ever registered of a source, by `schema.table`."""
        with Registry.open(self.path) as registry, registry.catalogue.unit() as uow:
            known = uow.registrations.known(source)
        return {f"{address.schema}.{address.table}": str(each.state) for address, each in known.items()}


@contextmanager
def faulty_stores(path: Path, *, database: Database, bucket: Bucket, user: str = "postgres") -> Iterator[Home]:
    """Make the home, with a policy that lets the steward read everything."""
    with tcp_proxy(database.port) as postgres, tcp_proxy(int(bucket.endpoint.rpartition(":")[2])) as s3:
        postgres.mark, s3.mark = READY, STATUS
        home = Home(path=path, database=database, bucket=bucket, postgres=postgres, s3=s3)
        described = {
            "cdc": {
                "url": f"postgresql://{user}:${{PG_PASSWORD}}@127.0.0.1:{postgres.port}/{database.name}",
                "options": {"connect_timeout_s": "2", "statement_timeout_s": "5"},
                "privacy_tier": "PUBLIC",
            },
            "lake": {
                "url": f"s3://{bucket.name}",
                "options": {
                    "endpoint": f"http://127.0.0.1:{s3.port}",
                    "access_key": "${S3_KEY}",
                    "secret_key": "${S3_SECRET}",
                },
                "privacy_tier": "PUBLIC",
            },
        }
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PG_PASSWORD", PASSWORD)
            patch.setenv("S3_KEY", bucket.reader)
            patch.setenv("S3_SECRET", SECRET)
            (path / "sources.yml").write_text(json.dumps({"sources": described}))
            for words in (["init"], ["policy", "publish"]):
                assert hms(path, *words).code == 0
            shutil.copytree(path / ".hms-dta", path / "fresh")
            yield home
