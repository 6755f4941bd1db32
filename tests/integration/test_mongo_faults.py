"""What goes wrong on the way to a server costs a crawl or a query, and never a dataset or a secret."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import ExitStack, closing

import pyarrow as pa
import pytest
from bson import Int64

from hms_registry.domain.columns import ColumnPath
from hms_registry.domain.crawls import CrawlState, Failure
from hms_registry.domain.datasets import DatasetRef, DatasetState
from hms_registry.domain.names import Address
from hms_registry.domain.predicates import Conjunct, Operator
from hms_registry.errors import CredentialsRejected, ScanFailed, SourceError
from hms_registry.ports.adapter import ScanRequest, Scope
from mongo_crawling import Registry, adapter_of, registry
from services.mongo import MongoDatabase
from services.odd_mongo import OddMongo
from services.running import free_port
from services.tcp_proxy import Fault, silent_server, tcp_proxy

CANARY = "canary-77aa"
COLLECTIONS = 3
SHORT = {"connect_timeout_s": "1", "operation_timeout_s": "1"}
DENIED = {"ok": 0, "code": 13, "codeName": "Unauthorized", "errmsg": f"not authorized {CANARY}"}
REFUSED = {"ok": 0, "code": 18, "codeName": "AuthenticationFailed", "errmsg": f"Authentication failed {CANARY}"}
LATE = {"ok": 0, "code": 50, "codeName": "MaxTimeMSExpired", "errmsg": f"operation exceeded time limit {CANARY}"}


@pytest.fixture
def shop(odd_mongo: OddMongo) -> OddMongo:
    """Three collections."""
    for at in range(COLLECTIONS):
        odd_mongo.collection("shop", f"t{at}").put(*({"_id": number, "n": number} for number in range(3)))
    return odd_mongo


def _listing(*collections: dict[str, object]) -> dict[str, object]:
    return {"ok": 1, "cursor": {"id": Int64(0), "ns": "shop.$cmd.listCollections", "firstBatch": list(collections)}}


def _request(table: str = "t0", **more: object) -> ScanRequest:
    schema = pa.schema([pa.field("n", pa.int64())])
    ref = DatasetRef(address=Address("src", "shop", table))
    return ScanRequest(ref=ref, columns=("n",), schema=schema, **more)  # type: ignore[arg-type] # fields of the request


def _is_whole(crawled: Registry) -> bool:
    datasets = crawled.datasets()
    return len(datasets) == COLLECTIONS and {each.state for each in datasets.values()} == {DatasetState.PRESENT}


WAYS: dict[str, Callable[[OddMongo, ExitStack], str]] = {
    "refused": lambda _odd, _stack: f"127.0.0.1:{free_port()}/",
    "no such host": lambda _odd, _stack: "no-such-host.invalid/",
    "no TLS": lambda odd, _stack: f"127.0.0.1:{odd.port}/?tls=true",
    "no such certificate": lambda odd, _stack: f"127.0.0.1:{odd.port}/?tls=true&tlsCAFile=/no/such/{CANARY}.pem",
    "hangs after accept": lambda _odd, stack: f"127.0.0.1:{stack.enter_context(silent_server())}/",
    "one byte a second": lambda odd, stack: _through(odd, stack, Fault(bytes_a_second=1)),
    "breaks at once": lambda odd, stack: _through(odd, stack, Fault(cut_after=0)),
    "hangs after the greeting": lambda odd, stack: _through(odd, stack, Fault(hang_after=400)),
}


def _through(odd: OddMongo, stack: ExitStack, fault: Fault) -> str:
    proxy = stack.enter_context(tcp_proxy(odd.port))
    proxy.fault = fault
    return f"127.0.0.1:{proxy.port}/"


REASONS = {
    "refused": "nothing listens at its host and port",
    "no such host": "the name of its host is not known",
    "no such certificate": "its TLS or login options cannot be used",
    "hangs after accept": "its server did not answer in time",
}


@pytest.mark.parametrize("way", WAYS)
def test_a_server_that_cannot_be_reached_costs_no_dataset(shop: OddMongo, way: str) -> None:
    """The crawl fails within its bounds, says what to mend without a secret, and all stays as it was, stale."""
    with registry() as crawled, ExitStack() as stack:
        crawled.crawl(shop.url)
        url = WAYS[way](shop, stack)

        report = crawled.crawl(f"mongodb://reader:{CANARY}@{url}", **SHORT)

        assert report.state is CrawlState.FAILED
        assert report.error.startswith(f"source src: {REASONS.get(way, '')}")
        assert report.hint
        assert CANARY not in str(report.as_dict())
        assert _is_whole(crawled)
        with crawled.catalogue.unit() as uow:
            assert uow.sources.get("src").is_stale


def _commands(odd: OddMongo) -> int:
    """Return how many commands a crawl takes, but for the driver's own."""
    odd.asked.clear()
    with registry() as crawled:
        assert crawled.crawl(odd.url).is_ok
    return len(odd.names())


def test_a_connection_that_breaks_at_any_command_costs_no_dataset(shop: OddMongo) -> None:
    """Before, within and after every collection: nothing is taken for gone, and the next crawl completes."""
    total = _commands(shop)
    states = []
    with registry() as crawled:
        crawled.crawl(shop.url)
        for at in range(total):
            for held in shop.databases["shop"].values():
                held.put({"_id": 100 + at, f"new_{at}": 1})
            shop.asked.clear()
            shop.breaks_at = at

            report = crawled.crawl(shop.url, **SHORT)

            states.append(report.state)
            assert report.balance.is_balanced
            assert report.balance.gone == report.balance.suspect == 0
            assert _is_whole(crawled)
            shop.breaks_at = None
            assert crawled.crawl(shop.url).is_ok
            assert all(f"new_{at}" in str(each.columns) for each in crawled.datasets().values())

    assert states[0] is CrawlState.FAILED
    assert CrawlState.PARTIAL in states
    assert set(states) == {CrawlState.FAILED, CrawlState.PARTIAL}


def test_a_first_crawl_that_breaks_at_any_command_is_completed_by_the_next(shop: OddMongo) -> None:
    """What was registered stays, and nothing is doubled."""
    total = _commands(shop)
    for at in range(total):
        shop.asked.clear()
        shop.breaks_at = at
        with registry() as crawled:
            assert not crawled.crawl(shop.url, **SHORT).is_ok
            shop.breaks_at = None

            assert crawled.crawl(shop.url).is_ok

            assert _is_whole(crawled)
            assert {each.version for each in crawled.datasets().values()} == {1}


def test_a_server_that_hangs_in_the_middle_of_a_crawl_is_left(shop: OddMongo) -> None:
    """The command has its own deadline; what was listed until then stays listed."""
    with registry() as crawled:
        crawled.crawl(shop.url)
        shop.asked.clear()
        shop.hangs_at = 9

        report = crawled.crawl(shop.url, **SHORT)

        assert report.state in (CrawlState.PARTIAL, CrawlState.FAILED)
        assert report.error == "source src: its server did not answer in time"
        assert _is_whole(crawled)


def test_a_wrong_password_is_a_rejected_credential(shop: OddMongo) -> None:
    """Neither name nor password is told, nor what the server said of them."""
    shop.answers["saslStart"] = REFUSED
    with closing(adapter_of(f"mongodb://reader:{CANARY}@127.0.0.1:{shop.port}/", **SHORT)) as adapter:
        for ask in (adapter.check, lambda: adapter.stamp(Scope()), lambda: list(adapter.discover(Scope()))):
            with pytest.raises(CredentialsRejected) as caught:
                ask()

            assert caught.value.message == "source src: its server does not let this account in"
            assert "reader" not in caught.value.message + caught.value.hint
            assert CANARY not in caught.value.message + caught.value.hint


def test_a_collection_that_may_not_be_read_is_registered_as_that(shop: OddMongo) -> None:
    """It is there, without columns; the others are whole, and reading it says what to grant."""
    for command in ("collStats t1", "find t1", "listIndexes t1"):
        shop.answers[command] = DENIED
    with registry() as crawled:
        report = crawled.crawl(shop.url)
        found = crawled.datasets()["t1"]
        with closing(adapter_of(shop.url)) as adapter, pytest.raises(ScanFailed) as caught:
            adapter.scan(_request("t1")).open_reader().read_all()

        assert report.is_ok
        assert (found.is_readable, found.columns, found.findings) == (False, (), ("this account may not read it",))
        assert caught.value.message == "src.shop.t1: this account may not read it"
        shop.answers.clear()
        crawled.crawl(shop.url)
        assert crawled.datasets()["t1"].is_readable


def test_a_database_that_may_not_be_listed_deletes_nothing(shop: OddMongo) -> None:
    """Taking the right to list away is a rejected credential, not an empty store."""
    with registry() as crawled:
        crawled.crawl(shop.url)
        shop.answers["listCollections"] = DENIED

        report = crawled.crawl(shop.url)

        assert report.state is CrawlState.FAILED
        assert report.balance.gone == report.balance.suspect == 0
        assert _is_whole(crawled)
        assert CANARY not in str(report.as_dict())


def test_one_database_that_may_not_be_listed_costs_only_itself(shop: OddMongo) -> None:
    """The other databases are crawled, and what is registered of this one stays."""
    shop.collection("other", "kept").put({"_id": 1})
    with registry() as crawled:
        crawled.crawl(shop.url)
        own = shop.answer

        def denies_other(command: dict[str, object]) -> dict[str, object]:
            is_other = command.get("$db") == "other" and "listCollections" in command
            return DENIED if is_other else own(command)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(type(shop), "answer", lambda _self, command: denies_other(command))
            report = crawled.crawl(shop.url)

        assert report.state is CrawlState.PARTIAL
        assert [each.subject for each in report.failures] == ["database other"]
        assert crawled.datasets()["kept"].state is DatasetState.PRESENT


def test_a_sample_that_takes_too_long_is_a_failure_of_its_collection(shop: OddMongo) -> None:
    """The others are crawled; this one stays as it was."""
    with registry() as crawled:
        crawled.crawl(shop.url)
        shop.answers["find t2"] = LATE

        report = crawled.crawl(shop.url)

        assert report.state is CrawlState.PARTIAL
        assert [(each.subject, each.reason) for each in report.failures] == [
            ("src.shop.t2", "its server could not read a sample of it in time")
        ]
        assert _is_whole(crawled)


def test_a_cursor_without_an_end_ends(shop: OddMongo) -> None:
    """A sample takes no more than it asked for; a scan stops at its limit or its deadline."""
    shop.loops = "find"
    with closing(adapter_of(shop.url, sample_documents="5")) as adapter:
        refs = [each for each in adapter.discover(Scope()) if isinstance(each, DatasetRef)]
        assert not [each for each in adapter.describe(refs) if isinstance(each, Failure)]
        assert adapter.scan(_request(limit=7)).open_reader().read_all().num_rows == 7
        with pytest.raises(ScanFailed, match="was not read in time"):
            adapter.scan(_request(deadline_s=1.0)).open_reader().read_all()


def test_a_listing_without_an_end_ends_the_crawl_and_deletes_nothing(shop: OddMongo) -> None:
    """The listing has its deadline; what is registered stays."""
    with registry() as crawled:
        crawled.crawl(shop.url)
        shop.loops = "listCollections"

        report = crawled.crawl(shop.url, **SHORT)

        assert report.state is CrawlState.FAILED
        assert report.error == "source src: its server did not answer in time"
        assert _is_whole(crawled)


def test_a_server_that_gives_more_than_it_was_asked_for_is_not_believed(shop: OddMongo) -> None:
    """The bound of documents holds on our side as well."""
    shop.databases["shop"]["t0"].put(*({"_id": number, "late": 1} for number in range(10, 900)))
    shop.databases["shop"]["t0"].count = 2
    shop.floods = True
    with registry() as crawled:
        crawled.crawl(shop.url, sample_documents="2")

        assert [column.name for column in crawled.datasets()["t0"].columns] == ["_id", "n"]


@pytest.mark.parametrize("fault", ["breaks", "hangs"])
def test_a_scan_that_is_cut_fails_and_never_ends_early(shop: OddMongo, fault: str) -> None:
    """Part of a collection must not look like the whole of it."""
    shop.databases["shop"]["t0"].put(*({"_id": number, "n": number} for number in range(10, 60)))
    with closing(adapter_of(shop.url, **SHORT)) as adapter:
        scan = adapter.scan(_request(batch_rows=10, deadline_s=2.0))
        reader = scan.open_reader()
        assert reader.read_next_batch().num_rows == 10
        setattr(shop, f"{fault}_at", 0)

        with pytest.raises(ScanFailed) as caught:
            reader.read_all()

    assert caught.value.hint


def test_a_cancelled_scan_does_not_wait_for_a_server_that_hangs(shop: OddMongo) -> None:
    """Whoever reads is told at once, long before the deadline of the scan."""
    cancel = threading.Event()
    with closing(adapter_of(shop.url)) as adapter:
        scan = adapter.scan(_request(cancel=cancel, deadline_s=60.0))
        shop.hangs_at = 0
        reader = scan.open_reader()
        threading.Timer(0.2, cancel.set).start()

        with pytest.raises(ScanFailed, match="the query was cancelled"):
            reader.read_all()
        shop.is_over.set()


def test_no_error_repeats_what_the_server_said(shop: OddMongo) -> None:
    """Any command may fail in any way: message and hint are our own."""
    going, commands = 91, ("find", "listDatabases", "listCollections", "collStats", "listIndexes", "ping")
    for code in (0, 13, 18, 26, 50, going, 8000):
        answer = {"ok": 0, "code": code, "errmsg": f"{CANARY}"}
        # The driver waits half a second before it goes back to a server that is going down.
        for command in commands[:1] if code == going else commands:
            shop.answers = {command: answer}
            with closing(adapter_of(shop.url, **SHORT)) as adapter:
                try:
                    told = str(list(adapter.discover(Scope())))
                except SourceError as error:
                    told = error.message + error.hint
                try:
                    where = (Conjunct(ColumnPath.of("n"), Operator.EQ, (1,)),)
                    adapter.scan(_request(predicate=where)).open_reader().read_all()
                except SourceError as error:
                    told += error.message + error.hint
            assert CANARY not in told


def test_faults_between_us_and_the_wire_server(mongo_database: MongoDatabase) -> None:
    """A cut at any byte of the answers: nothing is gone, and the next crawl completes."""
    for at in range(6):
        mongo_database.insert(f"t{at}", [{"_id": number, "n": number} for number in range(5)])
    with registry() as crawled, tcp_proxy(mongo_database.port) as proxy:
        url = f"mongodb://127.0.0.1:{proxy.port}/{mongo_database.name}"
        assert crawled.crawl(url).is_ok
        whole = proxy.passed
        for cut_after in range(0, whole, max(1, whole // 12)):
            proxy.fault = Fault(cut_after=cut_after)

            report = crawled.crawl(url, **SHORT)

            assert report.balance.is_balanced
            assert report.balance.gone == report.balance.suspect == 0
        proxy.fault = Fault()

        assert crawled.crawl(url).is_ok
        assert set(crawled.datasets()) == {f"t{at}" for at in range(6)}


ODD_ANSWERS: dict[str, tuple[str, dict[str, object]]] = {
    "databases are a number": ("listDatabases", {"ok": 1, "databases": 5}),
    "databases are missing": ("listDatabases", {"ok": 1}),
    "a database has no name": ("listDatabases", {"ok": 1, "databases": [{}]}),
    "a collection has no name": ("listCollections", _listing({"type": "collection"})),
    "a name is a number": ("listCollections", _listing({"name": 5, "type": "collection"})),
}


@pytest.mark.parametrize("odd", ODD_ANSWERS)
def test_a_listing_that_is_none_is_not_believed(shop: OddMongo, odd: str) -> None:
    """What is no list of names costs the run, and no dataset."""
    command, answer = ODD_ANSWERS[odd]
    with registry() as crawled:
        crawled.crawl(shop.url)
        shop.answers[command] = answer

        report = crawled.crawl(shop.url)

        assert report.error == "source src: its server answered what no MongoDB server would"
        assert _is_whole(crawled)


def test_what_a_server_lists_twice_is_registered_once(shop: OddMongo) -> None:
    """The second is a failure that says so, and the others are as they were."""
    shop.answers["listCollections"] = _listing(*[{"name": "t0", "type": "collection"}] * 2)
    with registry() as crawled:
        report = crawled.crawl(shop.url)

        assert [(each.subject, each.reason) for each in report.failures] == [("src.shop.t0", "listed twice in one run")]
        assert report.balance.is_balanced
        assert set(crawled.datasets()) == {"t0"}


def _drop(shop: OddMongo) -> None:
    shop.databases["shop"].pop("t1", None)


def _rename(shop: OddMongo) -> None:
    held = shop.databases["shop"].pop("t1", None)
    if held is not None:
        shop.databases["shop"]["t9"] = held


def _alter(shop: OddMongo) -> None:
    shop.databases["shop"]["t1"].put({"_id": 7, "later": "x"})


def _make_anew(shop: OddMongo) -> None:
    shop.collection("shop", "t1").put({"_id": 1, "later": "x"})


@pytest.mark.parametrize("change", [_drop, _rename, _alter, _make_anew], ids=lambda change: change.__name__)
def test_a_collection_that_changes_while_it_is_crawled_is_one_or_the_other(
    shop: OddMongo, change: Callable[[OddMongo], None]
) -> None:
    """At any command of a crawl: the run ends in order, and what it registered is as before or as after."""
    del shop.databases["shop"]["t2"]
    total = _commands(shop)
    before = {"_id", "n"}
    whole = dict(shop.databases["shop"])
    documents = list(whole["t1"].documents)
    for at in range(total):
        shop.databases["shop"] = dict(whole)
        whole["t1"].documents = list(documents)
        shop.asked.clear()
        shop.meanwhile = lambda number, at=at: change(shop) if number == at else None  # type: ignore[misc] # bound
        with registry() as crawled:
            report = crawled.crawl(shop.url)

            shop.meanwhile = None
            found = {name: {column.name for column in each.columns} for name, each in crawled.datasets().items()}
            assert report.balance.is_balanced
            assert not report.error
            assert found["t0"] == before
            assert found.get("t1", before) in (before, before | {"later"}, {"_id", "later"})
