"""Profiles out of PostgreSQL's own statistics: bounded, never a table read, never more than a query would tell."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from hms_crawler import Report
from hms_registry.domain.columns import PrivacyTier
from hms_registry.domain.names import Address
from hms_registry.domain.profiles import ColumnProfile, KeptProfile, Method, Profile, TopValue
from hms_registry.domain.sources import Source
from postgres_crawling import Registry, adapter_of, registry
from services.postgres import PASSWORD, Database

ROWS = """
CREATE TABLE public.calls (id bigint PRIMARY KEY, tonnes numeric(8,2), day date, berth text, papers jsonb);
INSERT INTO public.calls
SELECT n, CASE WHEN n % 4 = 0 THEN NULL ELSE n * 1.5 END, date '2024-01-01' + n % 10,
       CASE WHEN n % 10 < 7 THEN 'A' ELSE 'B' END, '{"canary": "4711"}' FROM generate_series(1, 1000) AS n;
"""


@pytest.fixture
def crawled() -> Iterator[Registry]:
    """An empty catalogue."""
    with registry() as made:
        yield made


def crawl(into: Registry, url: str, *, tier: PrivacyTier | None = PrivacyTier.PUBLIC, **options: str) -> Report:
    place = "postgresql://db.example/db"
    source = Source(name="src", kind="postgres", url=place, options=options, privacy_tier=tier, profile=True)
    return into.crawl_by(lambda: adapter_of(url, **options), source)


def kept(registry: Registry, table: str = "calls") -> KeptProfile:
    with registry.catalogue.unit() as uow:
        dataset = uow.datasets.find(Address("src", "public", table))
        assert dataset is not None
        found = uow.profiles.of([dataset.id]).get(dataset.id)
    assert found is not None
    return found


def columns(profile: Profile) -> dict[str, ColumnProfile]:
    return {str(each.path): each for each in profile.columns}


def execute(database: Database, *statements: str) -> None:
    with database.connect() as session:
        for statement in statements:
            session.execute(statement.encode())


def test_a_profile_is_what_analyze_wrote_down(crawled: Registry, postgres_database: Database) -> None:
    """Counts, ends and frequent values, told as an estimate of the moment of ANALYZE; documents give no value."""
    execute(postgres_database, ROWS, "ANALYZE public.calls")

    assert crawl(crawled, postgres_database.url).is_ok

    profile = kept(crawled).profile
    assert (profile.method, profile.rows, profile.note) == (Method.ESTIMATE, 1000, "")
    assert profile.measured_at is not None
    assert profile.measured_at < kept(crawled).at
    found = columns(profile)
    assert (found["id"].nulls, found["id"].distinct) == (0, 1000)
    assert (found["id"].minimum, found["id"].maximum, found["id"].top) == ("1", "1000", ())
    assert (found["tonnes"].nulls, found["tonnes"].distinct, found["tonnes"].minimum) == (250, 750, "1.50")
    assert (found["day"].minimum, found["day"].maximum, len(found["day"].top)) == ("2024-01-01", "2024-01-10", 10)
    assert [(each.value, round(each.share, 3)) for each in found["berth"].top] == [("A", 0.7), ("B", 0.3)]
    assert (found["berth"].minimum, found["papers"].holds_values) == (None, False)


def test_no_table_is_read(crawled: Registry, postgres_database: Database) -> None:
    """A crawl ends whole and profiled while somebody holds every table locked against readers."""
    execute(postgres_database, ROWS, "ANALYZE public.calls")
    with postgres_database.connect() as session, session.transaction():
        session.execute("LOCK TABLE public.calls IN ACCESS EXCLUSIVE MODE")

        assert crawl(crawled, postgres_database.url).is_ok

    assert kept(crawled).profile.columns


def test_what_was_never_analysed_says_so(crawled: Registry, postgres_database: Database) -> None:
    """There is no figure, and the next step."""
    execute(postgres_database, ROWS, "CREATE VIEW public.seen AS SELECT * FROM public.calls")

    assert crawl(crawled, postgres_database.url).is_ok

    assert kept(crawled).profile.columns == ()
    assert kept(crawled).profile.note == "it was never analysed: ANALYZE it, and crawl again"
    assert kept(crawled, "seen").profile.note == "it is a view: PostgreSQL keeps no statistics of its rows"


def test_only_what_was_analysed_since_is_profiled_again(crawled: Registry, postgres_database: Database) -> None:
    """Nothing new: the run ends at its stamp and writes its own row. A new ANALYZE: another profile, and neither a
    version nor an event."""
    execute(postgres_database, ROWS, "CREATE TABLE public.other (id int)", "ANALYZE")
    crawl(crawled, postgres_database.url)
    first, other = kept(crawled), kept(crawled, "other")
    with crawled.catalogue.unit() as uow:
        epoch = uow.epoch()

    assert crawl(crawled, postgres_database.url).state == "unchanged"
    execute(postgres_database, "UPDATE public.calls SET berth = 'C'", "ANALYZE public.calls")
    report = crawl(crawled, postgres_database.url)

    assert (report.state, report.balance.unchanged, report.balance.changed) == ("complete", 2, 0)
    assert columns(kept(crawled).profile)["berth"].top == (TopValue(value="C", share=1.0),)
    assert kept(crawled).version == first.version
    assert kept(crawled, "other") == other
    with crawled.catalogue.unit() as uow:
        assert (uow.outbox.since(epoch), uow.epoch()) == ([], epoch + 1)


def test_what_an_account_may_not_read_is_not_profiled(crawled: Registry, postgres_database: Database) -> None:
    """Column by column, for who crawls; a table that only the reader may read says what to grant."""
    execute(
        postgres_database,
        ROWS,
        "CREATE TABLE public.hidden AS SELECT * FROM public.calls",
        "ANALYZE",
        f"CREATE ROLE part LOGIN PASSWORD '{PASSWORD}'",
        "GRANT USAGE ON SCHEMA public TO part",
        "GRANT SELECT (id, day) ON public.calls TO part",
    )
    try:
        account = {"scan_user": "postgres", "scan_password": PASSWORD}
        assert crawl(crawled, postgres_database.url_of("part"), **account).is_ok
    finally:
        execute(postgres_database, "DROP OWNED BY part", "DROP ROLE part")

    assert list(columns(kept(crawled).profile)) == ["id", "day"]
    assert kept(crawled, "hidden").profile.note == (
        "the account that crawls may not read it, and so not its statistics: grant SELECT to it"
    )


def test_what_the_reader_may_not_read_is_not_profiled(crawled: Registry, postgres_database: Database) -> None:
    """A superuser crawls, another account reads rows: a profile tells no more than that one's queries."""
    execute(
        postgres_database,
        ROWS,
        "CREATE TABLE public.secured AS SELECT * FROM public.calls",
        "ALTER TABLE public.secured ENABLE ROW LEVEL SECURITY",
        "ANALYZE",
        f"CREATE ROLE part LOGIN PASSWORD '{PASSWORD}'",
        "GRANT USAGE ON SCHEMA public TO part",
        "GRANT SELECT (id, day) ON public.calls TO part",
        "GRANT SELECT ON public.secured TO part",
    )
    try:
        assert crawl(crawled, postgres_database.url, scan_user="part", scan_password=PASSWORD).is_ok
    finally:
        execute(postgres_database, "DROP OWNED BY part", "DROP ROLE part")

    assert list(columns(kept(crawled).profile)) == ["id", "day"]
    assert kept(crawled, "secured").profile.columns == ()
    assert kept(crawled, "secured").profile.note == (
        "row security is on: its statistics are of rows that not everybody may see"
    )


def test_values_that_nobody_labelled_are_not_kept(crawled: Registry, postgres_database: Database) -> None:
    """Where nothing is labelled, all is RESTRICTED: there are counts and no value."""
    execute(postgres_database, ROWS, "ANALYZE")

    assert crawl(crawled, postgres_database.url, tier=None).is_ok

    found = columns(kept(crawled).profile)
    assert (found["berth"].distinct, found["tonnes"].nulls) == (2, 250)
    assert [each for each in found.values() if each.holds_values] == []


def test_a_label_that_changed_is_obeyed_by_the_next_crawl(crawled: Registry, postgres_database: Database) -> None:
    """Values are dropped when the source becomes RESTRICTED, and asked for when it is PUBLIC again, though nothing in
    the database changed meanwhile."""
    execute(postgres_database, ROWS, "ANALYZE")
    held = []

    for tier in (PrivacyTier.PUBLIC, PrivacyTier.RESTRICTED, PrivacyTier.PUBLIC):
        assert crawl(crawled, postgres_database.url, tier=tier).is_ok
        held.append(columns(kept(crawled).profile)["id"].holds_values)

    assert held == [True, False, True]


def test_a_partitioned_table_has_the_statistics_of_its_root(crawled: Registry, postgres_database: Database) -> None:
    """Rows of all partitions count; a table that others inherit from tells no counts, since they would be of a part."""
    execute(
        postgres_database,
        "CREATE TABLE public.calls (id int, berth text) PARTITION BY RANGE (id)",
        "CREATE TABLE public.low PARTITION OF public.calls FOR VALUES FROM (0) TO (50)",
        "CREATE TABLE public.high PARTITION OF public.calls FOR VALUES FROM (50) TO (1000)",
        "INSERT INTO public.calls SELECT n, 'A' FROM generate_series(0, 199) AS n",
        "CREATE TABLE public.tugs (id int)",
        "CREATE TABLE public.sea_tugs () INHERITS (public.tugs)",
        "INSERT INTO public.tugs VALUES (1), (2)",
        "INSERT INTO public.sea_tugs VALUES (8), (9)",
        "ANALYZE",
    )

    assert crawl(crawled, postgres_database.url).is_ok

    assert kept(crawled).profile.rows == 200
    assert (columns(kept(crawled).profile)["id"].minimum, columns(kept(crawled).profile)["id"].maximum) == ("0", "199")
    inherited = kept(crawled, "tugs").profile
    (tug,) = inherited.columns
    assert (inherited.rows, tug.nulls, tug.minimum, tug.maximum) == (None, None, "1", "9")


def test_odd_values_end_no_profile(crawled: Registry, postgres_database: Database) -> None:
    """NaN, infinity, years before Christ and long texts are left out; quotes and braces are told as they are."""
    execute(
        postgres_database,
        "CREATE TABLE public.calls (n double precision, d date, t text, a int[], b bytea, i interval, long text)",
        """INSERT INTO public.calls SELECT v.* FROM generate_series(1, 20), (VALUES
           (float8 'NaN', date 'infinity', 'a"b,{c}\\d', '{1,2}'::int[], '\\x00ff'::bytea, interval '1 day',
            repeat('x', 500)),
           (float8 '-1', date '0044-03-15 BC', 'NULL', '{}', '\\x', interval '2 days', 'short')) AS v""",
        "ANALYZE",
    )

    assert crawl(crawled, postgres_database.url).is_ok

    found = columns(kept(crawled).profile)
    assert (found["n"].minimum, found["d"].maximum) == (None, None)
    assert {each.value for each in found["t"].top} == {'a"b,{c}\\d', "NULL"}
    assert [each.value for each in found["long"].top] == ["short"]
    assert not any(found[name].holds_values for name in ("a", "b") if name in found)
