"""What OpenAPI and the SDL describe is what is answered: schemathesis asks, as two people and as nobody."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests
import schemathesis
from graphql import introspection_from_schema
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from hms_graphql import SCHEMA
from hms_registry.app import make_app
from hms_registry.bootstrap import Registry
from odd_home import calling_home, make_odd_home
from rest_client import Caller

PEOPLE = ["analyst", "steward", ""]
CHECKS = [
    not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance,
    response_headers_conformance,
]  # fmt: skip
FEW = settings(
    max_examples=3, derandomize=True, database=None, deadline=None, phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
ENDLESS = {"/dta/events", "/graphql/stream"}
"""A feed of events does not end, nor does a subscription."""


REST = schemathesis.openapi.from_dict(make_app(Registry.in_memory()).openapi(), config=SchemathesisConfig())
ROUTES = [each.ok() for each in REST.get_all_operations() if each.ok().path not in ENDLESS]
SDL = introspection_from_schema(SCHEMA._schema)
GRAPHQL = schemathesis.graphql.from_dict({"data": SDL}, config=SchemathesisConfig())
FIELDS = [each.ok() for each in GRAPHQL.get_all_operations()]


@pytest.fixture(scope="module")
def caller(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Caller]:
    """A registry of odd names; what is sent may change it, and nothing here asks what is in it."""
    with calling_home(make_odd_home(tmp_path_factory.mktemp("described"))) as caller:
        yield caller


def cases(route: schemathesis.APIOperation) -> st.SearchStrategy[schemathesis.Case]:
    """What is described, what is not, and what leads to a dataset that is there."""
    made = route.as_strategy() | route.as_strategy(schemathesis.GenerationMode.NEGATIVE)
    return made | route.as_strategy(path_parameters={"name": "odd.public.victim"}) if "{name}" in route.path else made


@pytest.mark.parametrize("route", ROUTES, ids=lambda each: each.label)
def test_each_route_answers_as_it_is_described(caller: Caller, route: schemathesis.APIOperation) -> None:
    """No 5xx; status, type and shape of the answer are in the description, whatever is sent."""

    @FEW
    @given(case=cases(route), who=st.sampled_from(PEOPLE))
    def ask(case: schemathesis.Case, who: str) -> None:
        made = requests.Request(**case.as_transport_kwargs(base_url="http://127.0.0.1")).prepare()
        assume(len(made.url or "") < 60_000)  # httpx sends no longer one
        headers = {name: text for name, text in made.headers.items() if name.lower() != "authorization"}
        answer = caller.send(made.method, made.url, who=who, headers=headers, content=made.body)
        case.validate_response(answer, checks=CHECKS)

    ask()


@pytest.mark.parametrize("field", FIELDS, ids=lambda each: each.label)
def test_each_field_of_graphql_is_answered(caller: Caller, field: schemathesis.APIOperation) -> None:
    """With data or with errors that say what to do; the registry itself fails at none."""

    @FEW
    @given(case=field.as_strategy(), who=st.sampled_from(PEOPLE))
    def ask(case: schemathesis.Case, who: str) -> None:
        answer = caller.send("POST", "/graphql", who=who, json={"query": case.body})
        assert answer.status_code in ((200, 400) if who else (401,)), answer.text
        errors = answer.json().get("errors", [])
        assert [each for each in errors if each["extensions"]["code"] == "hms-error"] == []

    ask()
