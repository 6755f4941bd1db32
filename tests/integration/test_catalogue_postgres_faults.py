"""A catalogue on PostgreSQL whose server breaks, hangs, fills up or refuses: one clear error, and nothing by halves."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg
import pytest

from catalogues import truncate
from hms_registry.errors import CatalogueError, CatalogueUnavailable, SettingsInvalid
from hms_registry.ports.catalogue import Catalogue
from hms_registry.store import open_catalogue
from hms_registry.store.postgresql import database as ours
from hms_registry.store.postgresql import location
from services.postgres import PASSWORD, Database, PostgresServer
from services.running import free_port
from services.tcp_proxy import Fault, Proxy, silent_server, tcp_proxy
from store_samples import LAKE, described, put, register

SECRETS = (PASSWORD, "s3cret", "canary")


@pytest.fixture(scope="module")
def kept(postgres_server: PostgresServer) -> Iterator[Database]:
    """One database for this module."""
    with postgres_server.database() as made:
        yield made


@pytest.fixture
def database(kept: Database) -> Database:
    """An empty catalogue."""
    truncate(kept)
    return kept


@pytest.fixture
def catalogue(database: Database) -> Iterator[Catalogue]:
    opened = open_catalogue(database.url)
    yield opened
    opened.close()


def tables_of(catalogue: Catalogue) -> list[str]:
    with catalogue.unit() as uow:
        return [each.address.table for each in uow.datasets.iter()]


def end_sessions(database: Database) -> None:
    """End every other session of the database, as an administrator or a failover does."""
    database.rows("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                  " WHERE datname = current_database() AND pid <> pg_backend_pid()")  # fmt: skip


def check_tells_no_secret(error: CatalogueError | SettingsInvalid) -> None:
    told = f"{error.message} {error.hint} {error!r} {error.as_dict()}"
    assert error.hint
    assert not any(secret in told for secret in SECRETS)


def test_sessions_that_ended_while_idle_are_not_noticed(database: Database, catalogue: Catalogue) -> None:
    """A server that restarts between two units costs no error and no restart of ours."""
    register(catalogue, described("a"))

    end_sessions(database)

    register(catalogue, described("b"))
    assert tables_of(catalogue) == ["a", "b"]


@pytest.mark.parametrize("step", ["before anything", "after a write", "at the commit"])
def test_a_session_lost_in_a_unit_is_said_and_leaves_nothing(
    database: Database, catalogue: Catalogue, step: str
) -> None:
    """Nothing of the unit is there, the next unit works."""
    register(catalogue, described("a"))

    with pytest.raises(CatalogueUnavailable) as caught, catalogue.unit(writes=True) as uow:
        if step == "before anything":
            end_sessions(database)
        uow.registrations.register([described("b")])
        if step == "after a write":
            end_sessions(database)
        uow.registrations.register([described("c")])
        if step == "at the commit":
            end_sessions(database)
        uow.commit()

    assert caught.value.message.endswith("broke the connection")
    check_tells_no_secret(caught.value)
    assert tables_of(catalogue) == ["a"]
    register(catalogue, described("b"))
    assert tables_of(catalogue) == ["a", "b"]


def test_a_session_lost_while_rows_are_copied_is_said(database: Database, catalogue: Catalogue) -> None:
    """COPY goes past SQLAlchemy, and breaks in the same way."""
    put(catalogue, LAKE)

    with pytest.raises(CatalogueUnavailable), catalogue.unit(writes=True) as uow:
        session = uow._session  # type: ignore[attr-defined] # what the repositories write through
        end_sessions(database)
        session.emit("DatasetChanged", None)
        session.touch(["lake"])
        session.fill(_outbox(), ("epoch", "sequence", "kind", "payload"), [(9, 9, "x", "{}")])

    register(catalogue, described("a"))
    assert tables_of(catalogue) == ["a"]


def _outbox() -> object:
    from hms_registry.store.tables import outbox

    return outbox


def break_with(monkeypatch: pytest.MonkeyPatch, **settings: str) -> None:
    """Open sessions under other settings of the server."""
    merged = {**location._SETTINGS, **settings}
    monkeypatch.setattr(location, "_SETTINGS", merged)


def test_a_read_only_server_says_so_and_is_read(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """As after a failover, or where a provider stops writes because a disk is full."""
    catalogue = open_catalogue(database.url)
    register(catalogue, described("a"))
    catalogue.close()
    break_with(monkeypatch, default_transaction_read_only="on")

    catalogue = open_catalogue(database.url)
    with pytest.raises(CatalogueUnavailable) as caught:
        register(catalogue, described("b"))

    assert caught.value.message == (
        f"the catalogue postgresql://127.0.0.1:{database.port}/{database.name}"
        " cannot be written: its server is read-only, or a standby"
    )
    assert caught.value.hint == "name the server that may be written"
    assert tables_of(catalogue) == ["a"]
    catalogue.close()


def test_a_writer_that_waits_too_long_says_for_what(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody else holds the turn; readers go on meanwhile, and the turn comes when it is free."""
    break_with(monkeypatch, lock_timeout="50ms")
    catalogue, other = open_catalogue(database.url), open_catalogue(database.url)
    put(other, LAKE)

    with other.unit(writes=True):
        with pytest.raises(CatalogueUnavailable) as caught:
            register(catalogue, described("a"))
        assert tables_of(catalogue) == []

    assert caught.value.message.endswith("is being written by somebody else for too long")
    register(catalogue, described("a"))
    assert tables_of(catalogue) == ["a"]
    catalogue.close()
    other.close()


def test_a_writer_that_does_nothing_gives_its_turn_away(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that is stopped in its unit stops nobody else for ever; nothing of its unit is left."""
    catalogue = open_catalogue(database.url)
    put(catalogue, LAKE)
    break_with(monkeypatch, idle_in_transaction_session_timeout="100ms")
    idle = open_catalogue(database.url)

    with pytest.raises(CatalogueUnavailable) as caught, idle.unit(writes=True) as uow:
        uow.registrations.register([described("a")])
        register(catalogue, described("b"))  # waits until the server ended the idle one
        uow.commit()

    check_tells_no_secret(caught.value)
    assert tables_of(catalogue) == ["b"]
    register(idle, described("c"))
    assert tables_of(idle) == ["b", "c"]
    idle.close()
    catalogue.close()


def test_a_statement_that_takes_too_long_is_ended(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the server, which says so."""
    break_with(monkeypatch, statement_timeout="50ms")
    catalogue = open_catalogue(database.url)

    with pytest.raises(CatalogueUnavailable, match="did not answer in time"), catalogue.unit() as uow:
        uow._session._connection.exec_driver_sql("SELECT pg_sleep(30)")  # type: ignore[attr-defined]

    assert tables_of(catalogue) == []
    catalogue.close()


@contextmanager
def through_proxy(database: Database) -> Iterator[tuple[Proxy, Catalogue]]:
    with tcp_proxy(database.port) as proxy:
        catalogue = open_catalogue(database.url_of("postgres", port=proxy.port))
        try:
            yield proxy, catalogue
        finally:
            catalogue.close()


def test_a_server_that_hangs_is_given_up(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where not even the server's own time-outs come through, we hang up; once it answers again, we go on."""
    with through_proxy(database) as (proxy, catalogue):
        put(catalogue, LAKE)
        catalogue.close()
        monkeypatch.setattr(ours, "HANG_S", 0.5)
        proxy.fault = Fault(hang_after=2_300)  # past the log-in, amid an answer: a ping that hangs is no failure
        with pytest.raises(CatalogueUnavailable) as caught:
            for _ in range(50):
                tables_of(catalogue)
        check_tells_no_secret(caught.value)
        proxy.fault = Fault()

        register(catalogue, described("a"))
        assert tables_of(catalogue) == ["a"]


@pytest.mark.parametrize("after", [3_000, 3_300, 3_600])
def test_a_connection_that_breaks_amid_an_answer_is_said(database: Database, after: int) -> None:
    """Cut anywhere, it is an error; half an answer is never taken for the whole."""
    with through_proxy(database) as (proxy, catalogue):
        register(catalogue, *(described(f"t{at:03}") for at in range(60)))
        catalogue.close()
        proxy.fault = Fault(cut_after=after)

        with pytest.raises(CatalogueUnavailable) as caught:
            for _ in range(3):
                assert len(tables_of(catalogue)) == 60

        check_tells_no_secret(caught.value)
        proxy.fault = Fault()
        assert len(tables_of(catalogue)) == 60


def _wrong_password(database: Database) -> str:
    return database.url.replace("s3cret", "s3cret-canary")


def _wrong_user(database: Database) -> str:
    return database.url_of("nobody_known")


def _no_database(database: Database) -> str:
    return f"{database.url}_and_more"


def _nobody_listens(database: Database) -> str:
    return database.url_of("postgres", port=free_port())


def _no_such_host(database: Database) -> str:
    return database.url.replace("127.0.0.1", "nowhere.invalid")


def _needs_tls(database: Database) -> str:
    return f"{database.url}?sslmode=require"


@pytest.mark.parametrize(
    ("url_of", "fact"),
    [
        (_wrong_password, "does not let this user in"),
        (_wrong_user, "does not let this user in"),
        (_no_database, "is not there: its server has no such database, or no such role"),
        (_nobody_listens, "is not there: nothing listens at its host and port"),
        (_no_such_host, "is not found: the name of its host is not known"),
        (_needs_tls, "takes no encrypted connection of ours"),
    ],
)
def test_a_catalogue_that_cannot_be_opened_says_why(
    kept: Database, url_of: Callable[[Database], str], fact: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The fact, the next step, and no secret: neither in the error nor in a log."""
    caplog.set_level(logging.DEBUG)

    with pytest.raises(CatalogueUnavailable) as caught:
        open_catalogue(url_of(kept))

    assert caught.value.message.endswith(f" {fact}")
    check_tells_no_secret(caught.value)
    assert not any(secret in caplog.text for secret in SECRETS)


def test_a_server_that_accepts_and_says_nothing_is_given_up() -> None:
    """The wait for a connection is bounded, and the URL says by what."""
    with silent_server() as port, pytest.raises(CatalogueUnavailable, match="did not answer in time"):
        open_catalogue(f"postgresql://a:{SECRETS[1]}@127.0.0.1:{port}/x?connect_timeout=2")


def test_a_user_who_may_not_make_tables_is_told_so(postgres_server: PostgresServer) -> None:
    """An empty database and a role without rights: nothing is half made."""
    postgres_server.role("catalogue_reader")
    with postgres_server.database() as database:
        with pytest.raises(CatalogueUnavailable) as caught:
            open_catalogue(database.url_of("catalogue_reader"))

        assert caught.value.message.endswith("does not let this user do that")
        assert database.rows("SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace") == [(0,)]


def test_a_user_who_may_only_read_reads(database: Database, postgres_server: PostgresServer) -> None:
    """A role for reading can look, and is told when it may not write."""
    owner = open_catalogue(database.url)
    register(owner, described("a"))
    owner.close()
    postgres_server.role("catalogue_reader")
    database.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO catalogue_reader")

    reader = open_catalogue(database.url_of("catalogue_reader"))
    assert tables_of(reader) == ["a"]
    with pytest.raises(CatalogueUnavailable, match="does not let this user do that"):
        put(reader, LAKE)
    reader.close()


def test_too_many_connections_is_said(database: Database, postgres_server: PostgresServer) -> None:
    """Of the role, the database or the server: the hint names the setting."""
    postgres_server.role("catalogue_crowd")
    database.execute("ALTER ROLE catalogue_crowd CONNECTION LIMIT 1", "GRANT SELECT ON epoch TO catalogue_crowd")
    with database.connect("catalogue_crowd"), pytest.raises(CatalogueUnavailable) as caught:
        open_catalogue(database.url_of("catalogue_crowd"))

    assert caught.value.message.endswith("takes no further connections")


def test_another_encoding_is_refused(postgres_server: PostgresServer) -> None:
    """A database that cannot hold every name is no place for a catalogue."""
    admin = Database(name="postgres", port=postgres_server.port)
    admin.execute("DROP DATABASE IF EXISTS latin",
                  "CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'")  # fmt: skip

    with pytest.raises(SettingsInvalid) as caught:
        open_catalogue(Database(name="latin", port=postgres_server.port).url)

    assert "in LATIN1" in caught.value.message and "UTF8" in caught.value.hint
    admin.execute("DROP DATABASE latin")


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://",
        "postgresql://host",
        "postgresql://u:s3cret canary@/",
        "postgresql://u:p@host:port/s3cret",
        "postgresql://u:100%canary@host/db",
        "postgresql://host/db?pass=s3cret",
    ],
)
def test_a_url_that_is_none_is_refused_and_not_repeated(url: str) -> None:
    """libpq would quote what it does not understand, which may be a password."""
    with pytest.raises(SettingsInvalid) as caught:
        open_catalogue(url)

    check_tells_no_secret(caught.value)
    assert "postgresql://USER@HOST:5432/DATABASE" in caught.value.hint


def test_the_catalogue_prints_without_user_and_secret(database: Database) -> None:
    """Wherever its dialect or its location ends up."""
    where = location.Location.parse(database.url)

    assert str(where) == f"postgresql://127.0.0.1:{database.port}/{database.name}"
    assert not any(secret in repr(ours.Postgresql(where)) + repr(where) for secret in SECRETS)


def test_a_disk_that_is_full_is_said(database: Database, catalogue: Catalogue) -> None:
    """The server says 53100; the unit is rolled back whole."""
    register(catalogue, described("a"))
    database.execute(
        """CREATE FUNCTION fill_disk() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION USING ERRCODE = '53100', MESSAGE = 'could not extend file: s3cret'; END $$""",
        "CREATE TRIGGER fill BEFORE INSERT ON versions EXECUTE FUNCTION fill_disk()",
    )
    try:
        with pytest.raises(CatalogueUnavailable) as caught:
            register(catalogue, described("b"))
    finally:
        database.execute("DROP FUNCTION fill_disk CASCADE")

    assert caught.value.message.endswith("cannot grow: its disk is full")
    check_tells_no_secret(caught.value)
    assert tables_of(catalogue) == ["a"]
    register(catalogue, described("b"))
    assert tables_of(catalogue) == ["a", "b"]


def test_every_error_of_the_driver_is_translated(database: Database) -> None:
    """Whatever class of SQLSTATE the server sends, it is ours, with a next step and none of its words."""
    for code in sorted(vars(psycopg.errors)):
        kind = getattr(psycopg.errors, code)
        if isinstance(kind, type) and issubclass(kind, psycopg.Error):
            error = ours.Postgresql.at(database.url).error(kind("s3cret"))
            check_tells_no_secret(error)
