"""The story on real stores: tonnage in PostgreSQL, flu and patients in S3, three people, one policy, two doors."""

from __future__ import annotations

import csv
import io
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import httpx
import psycopg
import pytest
from botocore.exceptions import ClientError

from command import Done, hms, hms_process
from hms_registry.services.sources_file import read_sources, resolve_secrets
from services.postgres import PASSWORD, PostgresServer
from services.seaweedfs import SECRET, SeaweedServer
from serving import Server, serving

EXAMPLES = Path(__file__).parents[2] / "examples"
QUESTION = (EXAMPLES / "demo.sql").read_text(encoding="utf-8")
ASKED = f"@{EXAMPLES / 'demo.sql'}"
ANALYST, EPIDEMIOLOGIST, STEWARD, VISITOR = "shipping-analyst", "epidemiologist", "steward", "visitor"
PATIENTS, PASSAGES = "cdc.public.linelist_synthetic", "lake.seaway.passages_synthetic"
LAKE_PASSWORD = "kanarienvogel/@:%+ 7f3a"
CANARIES = tuple({spelled for each in (LAKE_PASSWORD, PASSWORD, SECRET) for spelled in (each, quote(each, safe=""))})
NOT_A_ROLE = """
  visitor:
    description: Has a login, and nothing to do with either agency.
    clearance: RESTRICTED
"""
# What people try: names, everything, the largest and smallest, one person by name, and by a join of both stores.
OF_PATIENTS = (
    "SELECT * FROM cdc.public.linelist_synthetic",
    "SELECT min(patient_name) AS a, max(patient_id) AS b, max(birth_date) AS c, max(zip) AS d "
    "FROM cdc.public.linelist_synthetic",
    "SELECT patient_id, upper(patient_name) AS n FROM cdc.public.linelist_synthetic WHERE patient_name LIKE 'A%'",
    "SELECT p.vessel_id, l.patient_id, l.patient_name, l.zip FROM lake.seaway.passages_synthetic AS p "
    "JOIN cdc.public.linelist_synthetic AS l ON l.onset_date = p.passage_date WHERE p.passage_id < 2000",
)
OF_VESSELS = (
    "SELECT * FROM lake.seaway.passages_synthetic",
    "SELECT min(vessel_id) AS a, max(substr(vessel_id, 1, 4)) AS b, max(lower(vessel_id)) AS c "
    "FROM lake.seaway.passages_synthetic",
    "SELECT vessel_id FROM lake.seaway.passages_synthetic WHERE vessel_id LIKE 'IMO0%'",
    OF_PATIENTS[-1],
)


@dataclass(frozen=True)
class Town:
    """A home over both stores.

    Attributes:
        printed: by the script that made it.
    """

    home: Path
    bucket: str
    printed: str


@pytest.fixture(scope="module")
def town(
    tmp_path_factory: pytest.TempPathFactory, postgres_server: PostgresServer, seaweed_server: SeaweedServer
) -> Iterator[Town]:
    """Load both stores and a home by the script that docker-compose.yml runs, and let in a visitor."""
    home = tmp_path_factory.mktemp("town") / "home"
    with (
        postgres_server.database() as database,
        seaweed_server.bucket() as bucket,
        pytest.MonkeyPatch.context() as patch,
    ):
        reading = {"LAKE_PASSWORD": LAKE_PASSWORD, "CDC_ACCESS_KEY": bucket.reader, "CDC_SECRET_KEY": SECRET}
        for name, value in reading.items():
            patch.setenv(name, value)
        writing = {
            "DEMO_POSTGRES": database.url,
            "DEMO_S3": bucket.endpoint,
            "DEMO_BUCKET": bucket.name,
            "DEMO_S3_KEY": "admin",
            "DEMO_S3_SECRET": SECRET,
        }
        printed = load(home, writing)
        roles = home / "policies" / "roles.yml"
        roles.write_text(roles.read_text(encoding="utf-8").replace("\npeople:", NOT_A_ROLE + "people:"))
        assert hms(home, "policy", "publish").code == 0
        yield Town(home, bucket.name, printed)


def load(home: Path, env: dict[str, str]) -> str:
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / "real_stores.py"), str(home)],
        env={**os.environ, **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def typed(town: Town, sql: str, who: str) -> Done:
    """Ask at the command line, in a process of its own."""
    return hms_process("--home", str(town.home), "query", sql, "--as", who, "--format", "csv", cwd=town.home)


def asked(town: Town, sql: str, who: str) -> Done:
    """Ask at the command line, in this process: it is the same command, and starts faster."""
    return hms(town.home, "query", sql, "--as", who, "--format", "csv")


def table(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


@pytest.fixture(scope="module")
def secrets_of_rows(town: Town) -> dict[str, set[str]]:
    """What the stores hold of persons and vessels, as their steward reads it."""
    people = table(asked(town, OF_PATIENTS[0], STEWARD).out)
    ships = table(asked(town, OF_VESSELS[0], STEWARD).out)
    born = {row["birth_date"] for row in people if not row["birth_date"].endswith("-01-01")}
    told = {
        "names": {row["patient_name"] for row in people},
        "ids": {row["patient_id"] for row in people},
        "zips": {row["zip"] for row in people},
        "birth dates": born - {row["onset_date"] for row in people} - {row["week_end"] for row in people},
        "vessels": {row["vessel_id"] for row in ships},
    }
    assert {what: len(values) > 10 for what, values in told.items()} == dict.fromkeys(told, True)
    return told


def shown(text: str, values: set[str]) -> set[str]:
    """Return those values that a text holds, in whatever case."""
    cells = {cell.casefold() for line in csv.reader(io.StringIO(text)) for cell in line}
    return {value for value in values if value.casefold() in cells}


@pytest.mark.slow
def test_three_people_ask_the_same_question_across_postgres_and_s3(
    town: Town, secrets_of_rows: dict[str, set[str]]
) -> None:
    """The analyst gets vessels and no patient, the epidemiologist patients and no vessel, a visitor nothing."""
    analyst, epidemiologist, visitor = (typed(town, ASKED, who) for who in (ANALYST, EPIDEMIOLOGIST, VISITOR))
    seen, treated = table(analyst.out), table(epidemiologist.out)

    assert (analyst.code, epidemiologist.code, len(seen), len(treated)) == (0, 0, 13, 13)
    for row, other in zip(seen, treated, strict=True):
        assert row["synthetic_vessel_id"] in secrets_of_rows["vessels"]
        assert row["synthetic_patient_name"] == "" and row["synthetic_birth_date"].endswith("-01-01")
        assert other["synthetic_vessel_id"] == "***"
        assert other["synthetic_patient_name"] in secrets_of_rows["names"]
        same = ("week_end", "locks27_kt", "synthetic_seaway_t", "flu_visits", "synthetic_patients")
        assert [row[name] for name in same] == [other[name] for name in same]
    assert (visitor.code, visitor.out) == (4, "")
    assert visitor.err.startswith("error: there is no dataset ")


@pytest.mark.slow
@pytest.mark.parametrize("sql", OF_PATIENTS)
def test_no_question_of_the_analyst_shows_a_patient(town: Town, sql: str, secrets_of_rows: dict[str, set[str]]) -> None:
    """Not whole, not by its extremes, not by a condition on it, not by a join with what they may read."""
    answer = asked(town, sql, ANALYST)

    assert answer.code == 0
    for what in ("names", "ids", "zips", "birth dates"):
        assert shown(answer.out, secrets_of_rows[what]) == set(), what


@pytest.mark.slow
@pytest.mark.parametrize("sql", OF_VESSELS)
def test_no_question_of_the_epidemiologist_shows_a_vessel(
    town: Town, sql: str, secrets_of_rows: dict[str, set[str]]
) -> None:
    """Likewise; nor its first characters, by which it could be told."""
    answer = asked(town, sql, EPIDEMIOLOGIST)

    assert answer.code == 0
    assert shown(answer.out, secrets_of_rows["vessels"]) == set()
    assert "imo0" not in answer.out.lower()


@pytest.fixture(scope="module")
def server(town: Town) -> Iterator[Server]:
    """The home, served."""
    with serving(town.home) as running:
        yield running


@pytest.mark.slow
def test_the_answers_over_http_are_those_of_the_command_line(
    town: Town, server: Server, secrets_of_rows: dict[str, set[str]]
) -> None:
    """The same policy stands before both doors."""
    for who in (ANALYST, EPIDEMIOLOGIST):
        answer = server.ask(QUESTION, who=who, format="csv")
        assert (answer.status_code, table(answer.text)) == (200, table(asked(town, ASKED, who).out)), who
    refused = server.ask(QUESTION, who=VISITOR)
    assert (refused.status_code, refused.json()["error"]["code"]) == (404, "dataset-not-found")
    for sql in (OF_PATIENTS[0], OF_PATIENTS[-1]):
        answer = server.ask(sql, who=ANALYST, format="csv")
        assert answer.status_code == 200
        assert shown(answer.text, secrets_of_rows["names"] | secrets_of_rows["ids"]) == set()


@pytest.mark.slow
def test_a_changed_policy_holds_at_both_doors_once_it_is_published(
    town: Town, server: Server, secrets_of_rows: dict[str, set[str]]
) -> None:
    """The diff says who gains and who loses; the doors then do as it said, and as before once it is taken back."""
    proposed = str(EXAMPLES / "policies-proposed")
    one_ship = "SELECT passage_id, vessel_id FROM lake.seaway.passages_synthetic WHERE passage_id = 1"
    one_zip = "SELECT zip FROM cdc.public.linelist_synthetic WHERE onset_date = DATE '2019-10-02'"

    told = hms(town.home, "policy", "diff", "published", proposed)
    assert told.code == 10
    assert f"role:{EPIDEMIOLOGIST} loses on {PASSAGES}, column vessel_id: mask redact -> null" in told.out
    assert f"role:{ANALYST} gains on {PATIENTS}, column zip: mask redact -> none" in told.out

    try:
        assert hms(town.home, "policy", "publish", proposed).code == 0
        assert table(asked(town, one_ship, EPIDEMIOLOGIST).out) == [{"passage_id": "1", "vessel_id": ""}]
        hidden = table(server.ask(one_ship, who=EPIDEMIOLOGIST, format="csv").text)
        assert hidden == [{"passage_id": "1", "vessel_id": ""}]
        zips = {row["zip"] for row in table(server.ask(one_zip, who=ANALYST, format="csv").text)}
        assert zips and zips <= secrets_of_rows["zips"]
    finally:
        assert hms(town.home, "policy", "publish").code == 0
    assert table(asked(town, one_ship, EPIDEMIOLOGIST).out) == [{"passage_id": "1", "vessel_id": "***"}]
    assert {row["zip"] for row in table(server.ask(one_zip, who=ANALYST, format="csv").text)} == {"***"}


@pytest.mark.slow
def test_no_credential_of_either_store_is_told_anywhere(town: Town, server: Server) -> None:
    """Not by any command, answer, log, nor in a file of the registry, after asking well and asking badly."""
    told = [town.printed]
    commands = (
        ["crawl"], ["crawl", "--json"], ["show", PASSAGES, "--as", STEWARD],
        ["show", PATIENTS, "--as", STEWARD, "--json"], ["lineage", PASSAGES, "--as", STEWARD], ["audit"],
        ["query", OF_VESSELS[0], "--as", STEWARD, "--explain"],
        ["query", f"SELECT CAST(vessel_id AS integer) AS n FROM {PASSAGES}", "--as", STEWARD],
        ["query", f"SELECT CAST(patient_name AS integer) AS n FROM {PATIENTS}", "--as", STEWARD],
    )  # fmt: skip
    for words in commands:
        done = hms(town.home, *words)
        told += [done.out, done.err]
    answers: list[httpx.Response] = [server.ask(sql, who=STEWARD) for sql in (OF_PATIENTS[0], commands[-1][1])]
    told += [text for answer in answers for text in (answer.text, str(answer.headers))]
    told.append(server.log)
    files = [path for path in town.home.rglob("*") if path.is_file()]
    assert "catalogue.db" in {path.name for path in files}

    everything = "\0".join(told).encode() + b"\0".join(path.read_bytes() for path in files)

    assert [canary for canary in CANARIES if canary.encode() in everything] == []


def test_the_accounts_of_the_home_may_read_and_do_nothing_else(town: Town, seaweed_server: SeaweedServer) -> None:
    """The story leans on no superuser: who crawls and asks cannot write, there or elsewhere."""
    sources = {source.name: source for source in read_sources(town.home / "sources.yml")}
    url = resolve_secrets(sources["lake"].url, {"LAKE_PASSWORD": quote(LAKE_PASSWORD, safe="")})
    client = seaweed_server.client(os.environ["CDC_ACCESS_KEY"])

    with psycopg.connect(url, autocommit=True) as session:
        for statement in ("DELETE FROM seaway.passages_synthetic", "CREATE TABLE seaway.t ()", "CREATE ROLE r"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                session.execute(statement.encode())
    with pytest.raises(ClientError, match="AccessDenied"):
        client.put_object(Bucket=town.bucket, Key="x", Body=b"")
    client.close()
