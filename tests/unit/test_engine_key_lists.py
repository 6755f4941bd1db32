"""Lists of keys in the engine: the small side is read once and first, and the large side asked for its keys only."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event

import pyarrow as pa
import pytest

from engine_fakes import Store, planned, scanned
from hms_federation.engine.limits import Limits
from hms_federation.engine.run import run
from hms_federation.plan import MOST_KEYS, KeyList, Plan
from hms_registry.domain.columns import ColumnPath
from hms_registry.domain.predicates import Conjunct, Operator
from hms_registry.errors import HmsError, QueryFailed, QueryLimitExceeded, SourceUnreachable

BIG = 4_000


def plan(where: str = "") -> Plan:
    """Join `small` to `big` by a list of the small one's keys."""
    feeder, target = scanned("Id", source="small"), scanned("Id", relation="__scan_2", source="big")
    keys = KeyList(
        feeder="__scan_1",
        target="__scan_2",
        key=ColumnPath.of("Id"),
        column=ColumnPath.of("Id"),
        sql=f'SELECT DISTINCT id AS "k" FROM __scan_1{where} LIMIT {MOST_KEYS + 1}',
    )
    sql = f"SELECT count(*) AS n FROM __scan_1 a JOIN __scan_2 b ON a.id = b.id{where.replace('id', 'a.id')}"
    made = planned(sql, feeder, target, n="bigint")
    return Plan(sql=made.sql, governed_sql="", scans=made.scans, columns=made.columns, governed=(), key_lists=(keys,))


def stores(**small: object) -> tuple[dict[str, Store], Callable[[str], Store]]:
    made = {"small": Store(**small), "big": Store(batches=40, rows=100)}  # type: ignore[arg-type]
    return made, lambda source: made[source]


def count(made: Plan, open_adapter: Callable[[str], Store], **limits: object) -> int:
    with run(made, open_adapter=open_adapter, limits=Limits(**limits)) as found:  # type: ignore[arg-type]
        rows = pa.Table.from_batches(list(found), schema=found.schema).to_pylist()
    return int(rows[0]["n"])


def test_the_large_side_is_asked_for_the_keys_of_the_small_one() -> None:
    """Each side is opened once, and the keys are those of the rows that the query reads."""
    made, open_adapter = stores(batches=2, rows=3)

    assert count(plan(), open_adapter) == 6

    (conjunct,) = made["big"].requests[0].predicate
    assert (conjunct.column, conjunct.operator) == (ColumnPath.of("Id"), Operator.IN)
    assert sorted(conjunct.values) == [0, 1, 2, 3, 4, 5]
    assert [(store.opened, store.closed) for store in made.values()] == [(1, 1), (1, 1)]


def test_conditions_of_the_query_choose_the_keys() -> None:
    """What the query leaves out of the small side is not asked for."""
    made, open_adapter = stores(batches=2, rows=3)

    assert count(plan(" WHERE id > 4"), open_adapter) == 1

    assert made["big"].requests[0].predicate == (Conjunct(ColumnPath.of("Id"), Operator.IN, (5,)),)


def test_without_keys_the_large_side_is_not_asked_at_all() -> None:
    """No row of it can be in the answer."""
    made, open_adapter = stores(batches=0)

    assert count(plan(), open_adapter) == 0

    assert made["big"].requests == []


@pytest.mark.parametrize(("batches", "rows"), [(11, 1000), (6, 100_000)], ids=["too many keys", "too many rows"])
def test_where_the_small_side_is_not_small_both_are_read_once_and_whole(batches: int, rows: int) -> None:
    """What was read for its keys is not read again, and no row is lost between what was held and the rest."""
    made, open_adapter = stores(batches=batches, rows=rows)

    assert count(plan(), open_adapter) == BIG

    assert made["big"].requests[0].predicate == ()
    assert [(store.opened, store.closed) for store in made.values()] == [(1, 1), (1, 1)]


def test_a_condition_that_fails_on_a_row_leaves_the_telling_to_the_query() -> None:
    """There is no list then; the query fails or not as it does without one."""
    made, open_adapter = stores(batches=1, rows=3)

    with pytest.raises(QueryFailed, match="a value does not fit the type it is cast to"):
        count(plan(" WHERE CAST('x' || id AS INTEGER) > 0"), open_adapter)

    assert made["big"].requests[0].predicate == ()


def test_an_error_of_the_small_side_is_the_one_that_arrives() -> None:
    """It is read before the query begins."""
    made, open_adapter = stores(batches=2, breaks_at=1, breaks_with=SourceUnreachable("small is away", hint="wait"))

    with pytest.raises(SourceUnreachable) as caught:
        count(plan(), open_adapter)

    assert (caught.value.message, caught.value.hint) == ("small is away", "wait")
    assert (made["small"].closed, made["small"].adapters_closed, made["big"].requests) == (1, 1, [])


def test_what_else_the_small_side_raises_names_the_source_and_nothing_more() -> None:
    """A driver's text may hold values."""
    _, open_adapter = stores(batches=2, breaks_at=1, breaks_with=ValueError("canary"))

    with pytest.raises(HmsError) as caught:
        count(plan(), open_adapter)

    assert caught.value.message == "source small broke while small.public.t was read"


def test_reading_the_small_side_ends_at_the_deadline() -> None:
    """As the query itself would."""
    made, open_adapter = stores(batches=100_000, pause_s=0.01)

    with pytest.raises(QueryLimitExceeded, match=r"^the query was ended after 0\.3 seconds$"):
        count(plan(), open_adapter, timeout_s=0.3)

    assert made["small"].closed == made["small"].opened  # a slow machine may have had no time to open it


def test_reading_the_small_side_ends_when_nobody_waits() -> None:
    """Cancelled while the keys are read, before there is a first row."""
    made, open_adapter = stores(batches=100_000, pause_s=0.01)
    cancel = Event()
    canceller = made["small"].once_read(cancel.set)

    with (
        run(plan(), open_adapter=open_adapter, limits=Limits(), cancel=cancel) as found,
        pytest.raises(QueryFailed, match="the query was cancelled"),
    ):
        list(found)

    canceller.join()
    assert (made["small"].opened, made["small"].closed, made["big"].opened) == (1, 1, 0)
