"""What Trino is answered: every operation, for everybody who may ask, and for nobody what nobody registered."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest

from hms_federation.trino.opa.operations import OPERATIONS
from hms_federation.trino.opa.schema import written
from hms_federation.trino.people import own_schema
from trino_world import EVALUATOR, SERVICE, SETTINGS, Trino, asks, column, registry_of, table, trino_asking

PASSAGES, LINE_LIST, GOLD = "lake.locks.passages", "cdc.public.line_list", "hidden.vault.gold"
UNKNOWN = "lake.locks.nobody_registered_it"


@pytest.fixture(scope="module")
def trino() -> Iterator[Trino]:
    """A registry that Trino asks; no test changes it."""
    with registry_of() as registry, trino_asking(registry) as asking:
        yield asking


def catalog(name: str) -> dict[str, object]:
    """A catalog as a resource."""
    return {"catalog": {"name": name}}


def schema(catalog: str, name: str) -> dict[str, object]:
    """A schema as a resource."""
    return {"schema": {"catalogName": catalog, "schemaName": name}}


def function(catalog: str, schema: str, name: str) -> dict[str, object]:
    """A function or procedure as a resource."""
    return {"function": {"catalogName": catalog, "schemaName": schema, "functionName": name}}


def user(name: str) -> dict[str, object]:
    """A user as a resource."""
    return {"user": {"user": name}}


MINE = own_schema("ana")
OWN = f"scratch.{MINE}.t"

CASES: list[tuple[str, dict[str, object], set[str]]] = [
    ("ExecuteQuery", {}, {"ana", "sam", "superset", SERVICE}),
    (
        "SetSystemSessionProperty",
        {"systemSessionProperty": {"name": "join_reordering"}},
        {"ana", "sam", "superset", SERVICE},
    ),
    (
        "SetCatalogSessionProperty",
        {"catalogSessionProperty": {"catalogName": "lake", "propertyName": "x"}},
        {"ana", "sam", SERVICE, EVALUATOR},
    ),
    ("ReadSystemInformation", {}, {SERVICE}),
    ("WriteSystemInformation", {}, set()),
    ("ViewQueryOwnedBy", user("ana"), {"ana"}),
    ("KillQueryOwnedBy", user("ana"), {"ana"}),
    ("ImpersonateUser", user("ana"), {SERVICE, "superset"}),
    ("ImpersonateUser", user(EVALUATOR), set()),
    ("ImpersonateUser", user(SERVICE), set()),
    ("ImpersonateUser", user("mallory"), set()),
    ("ImpersonateUser", user("analyst"), set()),
    ("CreateCatalog", catalog("lake"), {SERVICE}),
    ("CreateCatalog", catalog("system"), set()),
    ("DropCatalog", catalog("lake"), {SERVICE}),
    ("AccessCatalog", catalog("system"), {"ana", "sam", "superset", SERVICE, EVALUATOR}),
    ("AccessCatalog", catalog("lake"), {"ana", "sam", SERVICE, EVALUATOR}),
    ("AccessCatalog", catalog("hidden"), {"sam", SERVICE, EVALUATOR}),
    ("AccessCatalog", {}, set()),
    ("ShowSchemas", catalog("hidden"), {"sam", SERVICE, EVALUATOR}),
    ("ShowTables", schema("lake", "locks"), {"ana", "sam", SERVICE}),
    ("ShowTables", schema("hidden", "vault"), {"sam", SERVICE}),
    ("ShowTables", schema("hidden", "information_schema"), {"sam", SERVICE, EVALUATOR}),
    ("ShowTables", schema("system", "jdbc"), {"ana", "sam", "superset", SERVICE, EVALUATOR}),
    ("ShowFunctions", schema("lake", "locks"), {"ana", "sam", SERVICE}),
    ("ShowColumns", table(PASSAGES), {"ana", "sam", SERVICE, EVALUATOR}),
    ("ShowColumns", table(GOLD), {"sam", SERVICE, EVALUATOR}),
    ("ShowColumns", table(UNKNOWN), {SERVICE}),
    ("SelectFromColumns", table(PASSAGES, "day", "vessel_id"), {"ana", "sam", EVALUATOR}),
    ("SelectFromColumns", table(PASSAGES, listed=False), {"ana", "sam", EVALUATOR}),
    ("SelectFromColumns", table(PASSAGES), set()),
    ("SelectFromColumns", table(PASSAGES, "$path"), {EVALUATOR}),
    ("SelectFromColumns", table(PASSAGES, "Day"), {EVALUATOR}),
    ("SelectFromColumns", table("lake.locks.plain", "mixcol"), {"ana", "sam", EVALUATOR}),
    ("SelectFromColumns", table("lake.locks.twins", "n"), {"ana", "sam", EVALUATOR}),
    ("SelectFromColumns", table("lake.locks.twins", "a"), {EVALUATOR}),
    ("SelectFromColumns", table('lake.locks."Passages"', "day"), {SERVICE}),
    ("SelectFromColumns", table('lake.locks."passages$partitions"', "n"), {SERVICE}),
    ("SelectFromColumns", table('lake.locks."passages$properties"', "n"), {SERVICE}),
    ("SelectFromColumns", table(LINE_LIST, "outcome", "patient"), {"ana", "sam", EVALUATOR}),
    ("SelectFromColumns", table(LINE_LIST, "outcome", "ssn"), {"sam", EVALUATOR}),
    ("SelectFromColumns", table("cdc.public.listed", "n"), {"sam", EVALUATOR}),
    ("SelectFromColumns", table("cdc.public.listed", listed=False), {"sam", EVALUATOR}),
    ("SelectFromColumns", table("cdc.public._schema", "fields"), {SERVICE}),
    ("SelectFromColumns", table("hms_keys.hms.keys", "k"), {EVALUATOR}),
    ("SelectFromColumns", table('cdc."odd schema"."t%""x"', "n"), {"ana", "sam", EVALUATOR}),
    ("SelectFromColumns", table("system.jdbc.tables", "table_name"), {"ana", "sam", "superset", SERVICE, EVALUATOR}),
    (
        "SelectFromColumns",
        table("system.runtime.queries", listed=False),
        {"ana", "sam", "superset", SERVICE, EVALUATOR},
    ),
    ("SelectFromColumns", table("system.runtime.nodes", "node_id"), {SERVICE}),
    ("SelectFromColumns", table("system.runtime.tasks", "task_id"), {SERVICE}),
    ("SelectFromColumns", table("lake.information_schema.columns", "table_name"), {"ana", "sam", SERVICE, EVALUATOR}),
    ("SelectFromColumns", table("hidden.information_schema.columns", "table_name"), {"sam", SERVICE, EVALUATOR}),
    ("SelectFromColumns", table("lake.information_schema.views", "table_name"), {"ana", "sam", SERVICE, EVALUATOR}),
    ("SelectFromColumns", table("lake.information_schema.views", "view_definition"), {SERVICE}),
    ("CreateViewWithSelectFromColumns", table(PASSAGES, "day", "tonnage"), {"ana", "sam", EVALUATOR}),
    ("CreateViewWithSelectFromColumns", table(PASSAGES, "day", "vessel_id"), {"sam", EVALUATOR}),
    ("CreateViewWithSelectFromColumns", table(LINE_LIST, "outcome"), {"sam", EVALUATOR}),
    ("CreateViewWithSelectFromColumns", table(UNKNOWN, "n"), {SERVICE}),
    ("CreateViewWithSelectFromColumns", table("lake.information_schema.columns", "table_name"), {SERVICE}),
    ("ShowCreateTable", table("lake.locks.plain"), {"ana", "sam", SERVICE}),
    ("ShowCreateTable", table(PASSAGES), {"sam", SERVICE}),
    ("ShowCreateTable", table(LINE_LIST), {"sam", SERVICE}),
    ("ShowCreateTable", table(UNKNOWN), {SERVICE}),
    ("ExecuteFunction", function("system", "builtin", "sequence"), {"ana", "sam", "superset", SERVICE, EVALUATOR}),
    ("ExecuteFunction", function("lake", "system", "query"), set()),
    ("ExecuteFunction", function("lake", "builtin", "query"), set()),
    ("CreateViewWithExecuteFunction", function("lake", "system", "query"), set()),
    ("ExecuteProcedure", function("lake", "system", "flush_metadata_cache"), {SERVICE}),
    ("ExecuteProcedure", function("cdc", "system", "execute"), set()),
    ("ExecuteProcedure", function("system", "runtime", "kill_query"), set()),
    ("CreateSchema", schema("scratch", MINE), {"ana", SERVICE}),
    (
        "CreateSchema",
        {"schema": {"catalogName": "scratch", "schemaName": MINE, "properties": {"location": "s3://x/"}}},
        {SERVICE},
    ),
    ("CreateTable", table(OWN), {"ana", SERVICE}),
    (
        "CreateTable",
        {"table": {**table(OWN)["table"], "properties": {"format": "ORC", "external_location": None}}},
        {"ana", SERVICE},
    ),
    ("CreateTable", {"table": {**table(OWN)["table"], "properties": {"external_location": "s3://seaway/"}}}, {SERVICE}),
    ("CreateTable", table("lake.locks.mine"), {SERVICE}),
    ("InsertIntoTable", table(OWN), {"ana", SERVICE}),
    ("InsertIntoTable", table("lake.locks.plain"), {SERVICE}),
    ("SelectFromColumns", table(OWN, "anything"), {"ana", SERVICE}),
    ("CreateView", table(OWN), {"ana", SERVICE}),
    ("CreateView", table("lake.locks.v"), {SERVICE}),
    ("DropView", table("lake.locks.v"), {SERVICE}),
    ("DeleteFromTable", table("lake.locks.plain"), {SERVICE}),
    ("SetViewAuthorization", table(OWN), set()),
    ("SetTableProperties", table(OWN), set()),
    ("CreateFunction", function("scratch", MINE, "f"), set()),
    ("GetRowFilters", table(PASSAGES), set()),
    ("GetColumnMask", {}, set()),
    ("FlyToTheMoon", table(PASSAGES), set()),
]
ASKERS = (
    "ana",
    "sam",
    "superset",
    SERVICE,
    EVALUATOR,
    "mallory",
    "analyst",
    "role:analyst",
    "shipping",
    "Ana",
    "аna",
    "",
    "ana'\"--",
)


@pytest.mark.parametrize(
    ("operation", "resource", "allowed"), CASES, ids=[f"{at}-{each[0]}" for at, each in enumerate(CASES)]
)
def test_an_operation_is_for_those_who_may_and_for_nobody_else(
    trino: Trino, operation: str, resource: dict[str, object], allowed: set[str]
) -> None:
    """Whoever the policy does not know may nothing; nor does a role's or a group's name make somebody one of it."""
    found = {who for who in ASKERS if trino.allows(operation, user=who, resource=resource) is True}

    assert found == allowed


@pytest.mark.parametrize("operation", sorted(OPERATIONS))
def test_no_operation_is_for_somebody_whom_the_policy_does_not_know(trino: Trino, operation: str) -> None:
    """Also where it asks for nothing; and a question without its resource is an answer and no failure."""
    resources = [{}, table(PASSAGES, "day"), catalog("system"), schema("lake", "locks"), function("", "", "abs")]

    told = {trino.allows(operation, user="mallory", resource=each) for each in resources}
    listed = [trino.among(operation, resources, user="mallory")]
    for who in ("ana", SERVICE, EVALUATOR):
        assert trino.allows(operation, user=who) in (True, False)

    assert (told, listed) == ({False}, [[]])


def test_a_renaming_is_of_two_names_that_are_somebodys_own(trino: Trino) -> None:
    """Neither may a dataset be taken away, nor may one's own table take the place of one."""
    own, other, taken = table(OWN), table(f"scratch.{MINE}.u"), table("lake.locks.plain")

    told = [
        trino.allows("RenameTable", user="ana", resource=old, targetResource=new)
        for old, new in ((own, other), (own, taken), (taken, own), (own, {}))
    ]

    assert told == [True, False, False, False]


def test_lists_hold_what_may_be_found_by_their_places(trino: Trino) -> None:
    """In a list of mixed, repeated and broken resources, the places of those that may be found, and no other."""
    tables = [
        table(PASSAGES), table(GOLD), table(PASSAGES), {}, table(UNKNOWN), table("cdc.public.listed"),
        table("system.jdbc.tables"), table("lake.information_schema.tables"), table("hidden.information_schema.tables"),
        "nonsense", {"table": 7}, {"table": {"catalogName": ["lake"], "schemaName": {}, "tableName": None}},
        table('lake.locks."PASSAGES"'), table('lake.locks."passages$partitions"'), catalog("lake"),
        table("cdc.public.secret"),
    ]  # fmt: skip

    assert trino.among("FilterTables", tables, user="ana") == [0, 2, 5, 6, 7]
    assert trino.among("FilterTables", tables, user="sam") == [0, 1, 2, 5, 6, 7, 8, 15]
    assert trino.among("FilterTables", tables, user="mallory") == []
    assert trino.among("FilterCatalogs", [catalog(each) for each in ("lake", "hidden", "system", "x")], user="ana") == [
        0,
        2,
    ]
    assert trino.among(
        "FilterSchemas", [schema("lake", "locks"), schema("hidden", "vault"), schema("lake", "x")], user="ana"
    ) == [0]
    assert trino.among("FilterViewQueryOwnedBy", [user("sam"), user("ana")], user="ana") == [1]
    assert trino.among("FilterViewQueryOwnedBy", [user("sam"), user("ana")], user=SERVICE) == [0, 1]
    functions = [function("lake", "system", "query"), function("system", "builtin", "abs")]
    assert trino.among("FilterFunctions", functions, user="ana") == [1]


def test_columns_are_filtered_by_their_places_in_the_one_table(trino: Trino) -> None:
    """Of a table that may not be found, none; of a list of two tables, none, for nobody could say whose they are."""
    line_list = table(LINE_LIST, "ssn", "outcome", "patient", "unknown", "outcome")

    assert trino.among("FilterColumns", [line_list], user="ana") == [1, 2, 4]
    assert trino.among("FilterColumns", [line_list], user="sam") == [0, 1, 2, 4]
    assert trino.among("FilterColumns", [line_list, line_list], user="ana") == []
    assert trino.among("FilterColumns", [table(GOLD, "n")], user="ana") == []
    assert trino.among("FilterColumns", [table("lake.locks.twins", "a", "n")], user="ana") == [1]
    views = table("lake.information_schema.views", "table_name", "view_definition")
    assert trino.among("FilterColumns", [views], user="ana") == [0]


@pytest.mark.parametrize("who", ["ana", "sam", SERVICE, EVALUATOR, "mallory"])
@pytest.mark.parametrize("of", [LINE_LIST, PASSAGES, GOLD, UNKNOWN, "lake.locks.twins", "cdc.public.listed"])
def test_what_filter_columns_hides_select_refuses(trino: Trino, of: str, who: str) -> None:
    """With `hide-inaccessible-columns`, a `SELECT *` that is told of a column which it may not read fails."""
    names = ["day", "n", "a", "ssn", "outcome", "$path"]

    shown = {names[at] for at in trino.among("FilterColumns", [table(of, *names)], user=who)}
    read = {name for name in names if trino.reads(of, name, user=who)}

    assert read <= shown
    if trino.reads(of, user=who):
        assert read == shown


def test_row_filters_are_conditions_and_never_an_empty_answer_for_who_may_not_read(trino: Trino) -> None:
    """Trino takes no filter for all rows. Who may not read is told one that no row passes; the evaluator reads all."""
    nothing = [{"expression": "false", "identity": EVALUATOR}]

    assert trino.filters(LINE_LIST, user="ana") == [{"expression": "outcome <> 'test'", "identity": EVALUATOR}]
    assert trino.filters(LINE_LIST, user="sam") == trino.filters(LINE_LIST, user=EVALUATOR) == []
    assert (
        trino.filters("system.jdbc.tables", user="ana")
        == trino.filters("lake.information_schema.tables", user="ana")
        == []
    )
    assert trino.filters(UNKNOWN, user=SERVICE) == trino.filters("hms_keys.hms.keys", user=EVALUATOR) == []
    for name, who in (
        (GOLD, "ana"), (UNKNOWN, "ana"), (UNKNOWN, "sam"), ("cdc.public.listed", "ana"), (PASSAGES, "mallory"),
        (PASSAGES, SERVICE), (UNKNOWN, EVALUATOR), ("system.runtime.nodes", "ana"),
        ("hidden.information_schema.tables", "ana"),
        ('lake.locks."passages$partitions"', "sam"), ("hms_keys.hms.keys", "sam"),
    ):  # fmt: skip
        assert trino.filters(name, user=who) == nothing, (name, who)
    assert trino.ask("rowFilters", {}) == trino.ask("rowFilters", []) == nothing


def test_masks_are_of_the_columns_own_type_and_under_the_evaluators_name(trino: Trino) -> None:
    """What is denied or unknown needs none, for it cannot be read; a table that may not be read shows NULL, if Trino
    should come so far; a type that cannot be written safely is NULL as it is."""
    masks = trino.masks(PASSAGES, {"day": "date", "vessel_id": "varchar(20)", "new": "bigint"}, user="ana")
    assert masks == {
        "vessel_id": {
            "expression": (
                'CAST(CASE WHEN "vessel_id" IS NULL THEN NULL WHEN length("vessel_id") > 6 THEN \'****\' || '
                "substr(\"vessel_id\", -3) ELSE '***' END AS varchar(20))"
            ),
            "identity": EVALUATOR,
        },
    }
    patient = trino.masks(LINE_LIST, {"patient": "row(name varchar, ssn varchar)", "ssn": "varchar(11)"}, user="ana")
    assert patient == {"patient": {"expression": "CAST(NULL AS row(name varchar, ssn varchar))", "identity": EVALUATOR}}
    odd = trino.masks(LINE_LIST, {"patient": "row(a b varchar)) OR (true"}, user="ana")
    assert odd["patient"]["expression"] == "NULL"
    assert trino.masks(PASSAGES, {"vessel_id": "varchar"}, user="sam") == {}
    assert trino.masks(PASSAGES, {"vessel_id": "varchar"}, user=EVALUATOR) == {}
    assert trino.masks("lake.information_schema.views", {"view_definition": "varchar"}, user="ana") == {}
    assert trino.masks(GOLD, {"n": "bigint"}, user="ana")["n"]["expression"] == "CAST(NULL AS bigint)"
    assert trino.masks(UNKNOWN, {"n": "bigint"}, user="ana")["n"]["expression"] == "CAST(NULL AS bigint)"
    assert trino.masks(UNKNOWN, {"n": "bigint"}, user=SERVICE) == {}


def test_one_columns_mask_is_that_of_the_batch(trino: Trino) -> None:
    """The door for one column, which Trino asks where no batch is configured, says the same; null is no mask."""
    types = {"day": "date", "vessel_id": "varchar", "new": "row(x bigint)"}
    batch = trino.masks(PASSAGES, types, user="ana")

    for name, kind in types.items():
        one = trino.ask("columnMask", asks("GetColumnMask", user="ana", resource=column(name, PASSAGES, kind)))
        assert one == batch.get(name)


def test_a_question_of_another_trino_is_answered(trino: Trino) -> None:
    """Fields that are not known are passed over, and what is missing denies."""
    question = asks("SelectFromColumns", user="ana", resource={**table(PASSAGES, "day"), "security": {"x": []}}, more=1)
    question["input"]["context"] |= {"queryId": "q", "properties": {"cluster": "prod"}}

    assert trino.ask("allow", question) is True
    for broken in (
        {},
        [],
        7,
        {"input": []},
        {"input": {"action": {"operation": 5}, "context": {"identity": "x"}}},
    ):
        assert trino.ask("allow", broken) is False
        assert trino.ask("batch", broken) == []
        assert trino.ask("batchColumnMasks", broken) == []


@pytest.mark.parametrize("body", [b"", b"{", b'{"input": "\\ud800"}', b"\xff", b"[" * 100_000])
def test_what_is_no_json_is_an_error_and_no_answer(trino: Trino, body: bytes) -> None:
    """Trino denies for every status but 200."""
    for door in ("allow", "batch", "rowFilters", "columnMask", "batchColumnMasks"):
        assert trino.post(f"/v1/data/trino/{door}", content=body).status_code == 400


def test_what_no_route_answers_and_another_host_are_refused(trino: Trino) -> None:
    """A web page cannot reach the listener through its reader's browser, and nothing else lies there."""
    assert trino.post("/v1/data/trino/other", json={}).status_code == 404
    assert trino.post("/v1/data/trino/allow", json={}, headers={"Host": "evil.example"}).status_code == 403
    assert trino.post("/v1/data/trino/allow", json={}, headers={"Origin": "http://evil.example"}).status_code == 403


def test_the_log_and_the_metrics_tell_the_door_and_the_operation(
    trino: Trino, caplog: pytest.LogCaptureFixture
) -> None:
    """And nothing of who asked for what."""
    caplog.set_level("INFO")

    trino.allows("FlyToTheMoon", user="ana", resource=table(GOLD))

    told = [record.getMessage() for record in caplog.records if record.name.startswith("hms_registry")]
    assert told[0].startswith("denied an unknown operation of Trino, 'FlyToTheMoon': decision ")
    assert told[1:] == ["POST /v1/data/trino/allow 200"]


def test_a_linked_value_reads_its_key_where_nobody_else_may() -> None:
    """The text has the name of the key's table and no key; without that table, and on other types, it shows NULL."""
    rules = 'allow(_: Principal, _, _: Dataset); mask(_: Principal, c: Column, "link") if "identifier" in c.tags;'
    types = {"vessel_id": "varchar"}
    with registry_of(policy=rules) as registry, trino_asking(registry) as trino:
        linked = trino.masks(PASSAGES, types, user="ana")["vessel_id"]
        short = trino.masks(PASSAGES, {"vessel_id": "varchar(31)"}, user="ana")["vessel_id"]
        number = trino.masks(PASSAGES, {"vessel_id": "bigint"}, user="ana")["vessel_id"]
        assert trino.reads("hms_keys.hms.keys", "k", user=EVALUATOR) is True
        assert trino.reads("hms_keys.hms.keys", "k", user="sam") is False
    with (
        registry_of(policy=rules, settings=replace(SETTINGS, key_table=None)) as registry,
        trino_asking(registry) as trino,
    ):
        without = trino.masks(PASSAGES, types, user="ana")["vessel_id"]

    key = 'from_hex((SELECT k FROM "hms_keys"."hms"."keys" WHERE name = \'link\'))'
    hashed = f'substr(to_hex(hmac_sha256(to_utf8("vessel_id"), {key})), 1, 32)'
    assert linked == {"expression": f"CAST({hashed} AS varchar)", "identity": EVALUATOR}
    assert [each["expression"] for each in (short, number, without)] == [
        "CAST(NULL AS varchar(31))", "CAST(NULL AS bigint)", "CAST(NULL AS varchar)",
    ]  # fmt: skip


def test_the_schema_in_the_policies_folder_is_that_of_the_questions() -> None:
    """If this fails: python -m hms_federation.trino.opa.schema > policies/trino-input.schema.json."""
    kept = (Path(__file__).resolve().parents[2] / "policies" / "trino-input.schema.json").read_text(encoding="utf-8")
    schema = jsonschema.Draft202012Validator(json.loads(kept))

    wrong = [
        operation
        for operation, resource, _ in CASES
        if (operation in OPERATIONS) != schema.is_valid(asks(operation, user="ana", resource=resource))
    ]

    assert kept == written()
    assert wrong == []
    assert schema.is_valid(asks("FilterTables", user="ana", filterResources=[table(PASSAGES)]))
    assert not schema.is_valid(asks("FilterTables", user="ana", filterResources=["x"]))
