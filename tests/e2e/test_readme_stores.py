"""The README's "Your own stores", typed as it stands: grants, policy, sources.yml, commands, cron."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from command import hms
from services.postgres import Database, PostgresServer
from services.seaweedfs import SECRET, Bucket, SeaweedServer
from warm_command import warm_command

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
SECTION = README.split("<!-- start own-stores -->")[1].split("<!-- end own-stores -->")[0]
STRANGER = "bucket-500-reader"
"""An S3 identity that has no right of its own to any bucket that tests use."""
PRINCIPAL = {"AWS": f"arn:aws:iam::000000000000:user/{STRANGER}"}


def block(language: str) -> str:
    """The section's only block of a language."""
    found = re.findall(rf"^```{language}\n(.*?)^```$", SECTION, flags=re.MULTILINE | re.DOTALL)
    assert len(found) == 1, language
    return str(found[0])


@dataclass(frozen=True)
class Place:
    """Both stores and the home, where the README's examples stand for them.

    Attributes:
        folder: has the home and the file of secrets.
        command: has `hms-dta`.
    """

    folder: Path
    command: Path
    database: Database
    bucket: Bucket

    @property
    def home(self) -> Path:
        return self.folder / "registry"

    def typed(self, text: str) -> str:
        """The README's words, with this place's names for its examples."""
        for word, ours in (
            ("db.example:5432/lake", f"127.0.0.1:{self.database.port}/{self.database.name}"),
            ("DATABASE lake", f'DATABASE "{self.database.name}"'),
            ("https://s3.example.org", self.bucket.endpoint),
            ("cdc-flu", self.bucket.name),
            ("/etc/hms-dta", str(self.folder)),
            ("/srv/registry", str(self.home)),
        ):
            text = text.replace(word, ours)
        return text

    def allow(self, *, leaving_out: str = "") -> None:
        """Put the README's policy on the bucket, for one account: a bucket's policy says whom it is for."""
        policy = json.loads(self.typed(block("json")))
        statements = [{**each, "Principal": PRINCIPAL} for each in policy["Statement"]]
        kept = [each for each in statements if each["Action"] != leaving_out]
        assert len(kept) == len(statements) - bool(leaving_out)
        told = json.dumps({**policy, "Statement": kept})
        self.bucket.client.put_bucket_policy(Bucket=self.bucket.name, Policy=told)

    def begin(self) -> None:
        """Make the catalogue anew, so that no test finds what another crawled."""
        shutil.rmtree(self.home / ".hms-dta", ignore_errors=True)
        assert self.run("hms-dta init && hms-dta policy publish").returncode == 0

    def run(self, script: str) -> subprocess.CompletedProcess[str]:
        """Type into a shell that has nothing but a path in its environment."""
        environ = {"PATH": f"{self.command}:/usr/bin:/bin", "HOME": str(self.folder), "PYTHONUTF8": "1"}
        return subprocess.run(
            ["sh", "-c", script], cwd=self.home, env=environ, capture_output=True, encoding="utf-8", check=False
        )


@pytest.fixture(scope="module")
def place(
    tmp_path_factory: pytest.TempPathFactory, postgres_server: PostgresServer, seaweed_server: SeaweedServer
) -> Iterator[Place]:
    """Two stores that give nobody anything, but for what the README has been typed to grant."""
    folder = tmp_path_factory.mktemp("own-stores")
    with (
        tempfile.TemporaryDirectory() as made,
        warm_command(Path(made)) as command,
        postgres_server.database() as database,
        seaweed_server.bucket() as bucket,
    ):
        place = Place(folder, command, database, bucket)
        place.home.mkdir()
        database.execute(
            f'REVOKE ALL ON DATABASE "{database.name}" FROM PUBLIC',
            "CREATE SCHEMA seaway",
            "CREATE SCHEMA payroll",
            "CREATE TABLE seaway.passages AS "
            "SELECT DATE '2024-01-06' AS week_end, n AS tonnes FROM generate_series(1, 3) AS n",
            "CREATE TABLE payroll.wages (name text)",
            "DROP ROLE IF EXISTS hms_dta",
        )
        database.execute(place.typed(block("sql")))
        # Made afterwards, by the same owner: the default privileges are for it.
        database.execute("CREATE TABLE seaway.berths AS SELECT 'A' AS berth")
        bucket.put({"flu.csv": b"week_end,visits\n2024-01-06,21915\n"})
        place.allow()
        secrets = folder / "secrets.env"
        password = re.findall(r"PASSWORD '(.*)'", block("sql"))[0]
        secrets.write_text(f"LAKE_PASSWORD={password}\nCDC_ACCESS_KEY={STRANGER}\nCDC_SECRET_KEY='{SECRET}'\n")
        (place.home / "sources.yml").write_text(place.typed(block("yaml")), encoding="utf-8")
        place.begin()
        try:
            yield place
        finally:
            database.execute("DROP OWNED BY hms_dta", "DROP ROLE hms_dta")


@pytest.mark.slow
def test_the_readmes_grants_and_commands_are_enough(place: Place) -> None:
    """Each is typed as it stands: check finds all of it readable, crawl registers it, a query joins both stores."""
    place.begin()

    done = place.run(place.typed(block("sh")).replace("hms-dta ", "hms-dta --home . "))

    assert (done.returncode, done.stderr) == (0, "")
    assert "lake: ok: 2 listed, 1 left out; 2 looked into, 2 of them may be read" in done.stdout
    assert "cdc: rows were read of cdc.public.flu" in done.stdout
    assert "lake: complete: 3 listed = 2 new" in done.stdout and "cdc: complete: 1 listed = 1 new" in done.stdout
    assert [cell.strip() for cell in done.stdout.splitlines()[-3].strip("│").split("│")] == ["2024-01-06", "21915", "6"]


@pytest.mark.slow
def test_the_readmes_grants_open_nothing_else(place: Place) -> None:
    """The role reads no other schema and writes nowhere; the key writes nothing."""
    password = re.findall(r"PASSWORD '(.*)'", block("sql"))[0]
    where = f"host=127.0.0.1 port={place.database.port} dbname={place.database.name} user=hms_dta password={password}"

    with psycopg.connect(where, autocommit=True) as session:
        for statement in (
            "SELECT * FROM payroll.wages",
            "DELETE FROM seaway.passages",
            "CREATE TABLE seaway.t ()",
            "CREATE TABLE public.t ()",
            "CREATE SCHEMA t",
            "CREATE TEMP TABLE t ()",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                session.execute(statement.encode())


@pytest.mark.slow
@pytest.mark.parametrize(("action", "state"), [("s3:ListBucket", "failed"), ("s3:GetObject", "unreadable")])
def test_each_action_of_the_readmes_policy_is_needed(place: Place, action: str, state: str) -> None:
    """Without one of them the bucket is not ready, and check says so."""
    place.allow(leaving_out=action)
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("CDC_ACCESS_KEY", STRANGER)
            patch.setenv("CDC_SECRET_KEY", SECRET)
            done = hms(place.home, "check", "cdc")
    finally:
        place.allow()

    assert done.code == 10
    assert done.out.startswith(f"cdc: {state}: ")


@pytest.mark.slow
def test_the_readmes_cron_line_crawls_and_mails_what_went_wrong(place: Place) -> None:
    """Nothing is printed where all is well, and all that was told where it is not."""
    place.begin()
    line = place.typed(block("cron"))
    schedule, command = line.split(" set ", 1)
    assert schedule == "*/15 * * * *" and "%" not in command

    well = place.run(f"set {command}")
    place.bucket.put({"scratch/broken.parquet": b"PAR1 and no more"})
    badly = place.run(f"set {command}")
    place.bucket.delete("scratch/broken.parquet")

    assert (well.stdout, well.stderr) == ("", "")
    assert "cdc: partial: " in badly.stdout and "cdc.scratch.broken" in badly.stdout
