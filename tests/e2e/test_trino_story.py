"""One statement over four kinds of store, asked of a real Trino by three people with three clients."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml
from trino.exceptions import TrinoQueryError

from command import hms
from four_stores import ANSWERS, FourStores
from services.hive import HiveMetastore
from services.mongo import MongoServer
from services.postgres import PostgresServer
from services.seaweedfs import SeaweedServer
from services.trino import Trino
from serving import Server, serving
from trino_clients import Cells, Question, by_command_line, by_jdbc, by_python

pytestmark = pytest.mark.slow

PEOPLE = {"ana": "shipper", "eli": "nurse", "cy": "clerk"}
SERVICE = "hms-dta"
SOURCES = ("cdc", "lake", "wards", "clinic")


@dataclass
class Story:
    """What the tests ask; none of them changes the stores.

    Attributes:
        home: of the registry that governs the Trino.
        server: the registry; whoever ends it serves it again.
        synced: what `hms-dta trino sync` said.
    """

    stores: FourStores
    trino: Trino
    home: Path
    servers: ExitStack
    server: Server = field(init=False)
    synced: str = ""

    def __post_init__(self) -> None:
        self.serve()

    def serve(self) -> None:
        """Start the registry."""
        self.server = self.servers.enter_context(serving(self.home))


@pytest.fixture(scope="module")
def story(
    tmp_path_factory: pytest.TempPathFactory,
    governed_trino: Trino,
    seaweed_server: SeaweedServer,
    postgres_server: PostgresServer,
    hive_metastore: HiveMetastore,
    mongo_server: MongoServer,
) -> Iterator[Story]:
    """Four stores, a registry over them that is served, and each store a catalog of Trino."""
    home, tables = tmp_path_factory.mktemp("story"), governed_trino.folder / "tables"
    tables.mkdir(exist_ok=True)
    settings = {
        "url": governed_trino.url, "etc": str(governed_trino.etc), "tables": str(tables), "catalogs": "statements",
        "opa": {"port": governed_trino.registry_port},
    }  # fmt: skip
    with ExitStack() as exits:
        stores = FourStores(
            bucket=exits.enter_context(seaweed_server.bucket()),
            postgres=exits.enter_context(postgres_server.database()),
            hive=exits.enter_context(hive_metastore.database()),
            mongo=exits.enter_context(mongo_server.database()),
        )
        patch = exits.enter_context(pytest.MonkeyPatch.context())
        for name, value in stores.environ.items():
            patch.setenv(name, value)
        stores.fill()
        stores.make_home(home, settings=yaml.safe_dump({"trino": settings}))
        servers = exits.enter_context(ExitStack())  # which outlast the catalogs: to drop one, the registry is asked
        story = Story(stores, governed_trino, home, servers)
        for source in SOURCES:
            exits.callback(governed_trino.drop_catalog, source, user=SERVICE)
        synced = hms(home, "trino", "sync")
        assert synced.code == 0, synced.out + synced.err
        story.synced = synced.out
        yield story


def embedded(story: Story, sql: str, *, user: str) -> Cells:
    """What the registry's own engine answers the same person."""
    done = hms(story.home, "query", sql, "--as", f"role:{PEOPLE[user]}", "--json")
    assert done.code == 0, done.err
    assert isinstance(done.json, list)
    return [tuple(None if cell is None else str(cell) for cell in row.values()) for row in done.json]


def test_three_people_get_three_right_answers_from_each_client(story: Story) -> None:
    """Python's client, Trino's command line and JDBC tell each the same rows, which are the embedded engine's too."""
    sql = story.stores.question
    jdbc = by_jdbc(story.trino, [Question(user=user, sql=sql) for user in PEOPLE])

    for (user, role), told in zip(PEOPLE.items(), jdbc, strict=True):
        right = ANSWERS[role]
        assert by_python(story.trino, sql, user=user) == right
        assert by_command_line(story.trino, sql, user=user) == right
        assert told == right
        assert embedded(story, sql, user=user) == right


def test_each_person_is_shown_only_the_names_that_are_theirs(story: Story) -> None:
    """A tree of names, as a tool shows it over JDBC, and SHOW, DESCRIBE, `SELECT *` and information_schema."""
    visits = f"clinic.{story.stores.mongo.name}.visits"
    known: dict[str, tuple[bool, bool]] = {"ana": (True, False), "eli": (False, True), "cy": (False, False)}
    asked = [Question(user=user, what=what) for user in known for what in ("tables", "columns")]
    trees = dict(zip(((each.user, each.what) for each in asked), by_jdbc(story.trino, asked), strict=True))

    for user, (sees_crews, sees_numbers) in known.items():
        tables = [row for row in trees[user, "tables"] if row[0] in SOURCES and row[1] != "information_schema"]
        columns = [row for row in trees[user, "columns"] if row[0] in SOURCES and row[1] != "information_schema"]
        others = {row[2] for row in tables} ^ {"flu", "passages", "beds", "visits"}
        shown = "SELECT table_name FROM lake.information_schema.tables WHERE table_schema = 'seaway'"
        described = [row[0] for row in by_python(story.trino, f"DESCRIBE {visits}", user=user)]
        rows = by_python(story.trino, f"SELECT * FROM {visits}", user=user)

        assert others == ({"crews"} if sees_crews else set())
        assert {row[2] for row in columns} == {row[2] for row in tables}
        assert (("crews",) in by_python(story.trino, "SHOW TABLES FROM lake.seaway", user=user)) is sees_crews
        assert (("crews",) in by_python(story.trino, shown, user=user)) is sees_crews
        assert ("number" in described) is sees_numbers
        assert ("number" in {row[3] for row in columns}) is sees_numbers
        assert {len(row) for row in rows} == {len(described)}
        assert rows == embedded(story, f"SELECT {', '.join(described)} FROM {visits}", user=user)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT master FROM lake.seaway.crews",
        "SELECT number FROM {visits}",
        "SELECT week FROM {visits} WHERE number = 'A-1'",
        "SELECT * FROM clinic.{mongo}._schema",
        "SELECT * FROM TABLE(lake.system.query(query => 'SELECT master FROM seaway.crews'))",
        "SELECT * FROM lake.pg_catalog.pg_roles",
        "INSERT INTO lake.seaway.passages VALUES ('2024-W03', 'IMO 333', 1)",
        "DROP TABLE lake.seaway.passages",
        "CREATE CATALOG mine USING tpch",
    ],
)
def test_what_is_not_theirs_is_refused(story: Story, sql: str) -> None:
    """By a name that they are not shown, around the policy, or by writing."""
    mongo = story.stores.mongo.name

    with pytest.raises(TrinoQueryError):
        story.trino.ask(sql.format(mongo=mongo, visits=f"clinic.{mongo}.visits"), user="cy")


def test_no_secret_is_told_by_trino_or_left_in_its_folder(story: Story) -> None:
    """Neither by a catalog's file nor in a log; the catalogs name the environment."""
    kept = b"".join(path.read_bytes() for path in (story.trino.etc / "catalog").iterdir())
    logs = story.trino.running.log.read_bytes() + story.server.log_file.read_bytes() + story.synced.encode()
    secrets = [value.encode() for name, value in story.stores.environ.items() if name != "CDC_KEY"]

    assert b"LAKE_PASSWORD" in kept and b"CDC_SECRET" in kept
    assert [secret for secret in secrets if secret in kept + logs] == []


def test_a_registry_that_is_killed_leaves_everybody_refused_until_it_is_back(story: Story) -> None:
    """Trino refuses, whoever asks; a registry that is started again answers for it as before."""
    os.kill(story.server.process.pid, signal.SIGKILL)
    story.server.process.wait()
    for user in (*PEOPLE, SERVICE):
        with pytest.raises(TrinoQueryError, match="Failed to query OPA backend"):
            story.trino.ask("SELECT 1", user=user)

    story.serve()

    assert story.trino.ask("SELECT 1", user="ana") == [(1,)]
    assert by_python(story.trino, story.stores.question, user="cy") == ANSWERS["clerk"]
