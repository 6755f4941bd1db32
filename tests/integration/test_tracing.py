"""Spans of requests: to a collector that the settings name, and not a step taken without one."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from governed import STEWARD, publish_policies
from hms_registry.bootstrap import Registry, make_home
from hms_registry.errors import SettingsInvalid
from hms_registry.http.tracing import Tracing, tracing_of
from receiver import receiving
from rest_client import calling

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """One without any dataset; nothing here changes it."""
    home = tmp_path_factory.mktemp("traced")
    make_home(home, steward=STEWARD)
    with Registry.open(home) as registry:
        publish_policies(registry)
        yield registry


def test_a_request_is_a_span_of_its_callers_trace(registry: Registry) -> None:
    """Named by its route; neither the path nor the query nor who asked is in it."""
    spans, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    with calling(registry, tracing=Tracing(provider)) as caller:
        headers = {"traceparent": PARENT, **caller.headers("analyst")}
        answer = caller.send("GET", "/dta/datasets/a.b.zanzibar?x=zanzibar", headers=headers)
        (span,) = spans.get_finished_spans()

    assert span.name == "GET /dta/datasets/{name}"
    assert span.attributes["http.response.status_code"] == 404
    assert span.attributes["hms_dta.request_id"] == answer.headers["x-request-id"]
    assert f"{span.context.trace_id:032x}" in PARENT
    assert f"{span.parent.span_id:016x}" in PARENT
    assert "zanzibar" not in span.to_json()
    assert "analyst" not in span.to_json()


def test_spans_arrive_at_the_collector_that_the_settings_name(tmp_path: Path) -> None:
    """By OTLP over HTTP; what is left is sent when the server stops."""
    make_home(tmp_path, steward=STEWARD)
    with receiving() as collector:
        (tmp_path / "settings.yml").write_text(f"tracing: {{endpoint: '{collector.url}'}}\n")
        with Registry.open(tmp_path) as registry:
            with calling(registry) as caller:
                caller.get("/health", who="")
            sent = ExportTraceServiceRequest.FromString(collector.requests[0][1])

    (resource,) = sent.resource_spans
    assert [span.name for scope in resource.scope_spans for span in scope.spans] == ["GET /health"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("tracing: {}", "settings.yml:1: tracing.endpoint: it is missing"),
        ("tracing: {endpoint: 'file:///etc'}", "settings.yml:1: tracing.endpoint: it is no http:// or https:// URL"),
        ("tracing: {endpoint: 'https://me:pw@h/'}", "settings.yml:1: tracing.endpoint: it holds a secret"),
        ("tracing: {endpoint: 'http://h/', token: x}", "settings.yml:1: tracing: 'token' is not a field here"),
    ],
)
def test_wrong_settings_stop_the_start(tmp_path: Path, text: str, said: str) -> None:
    """With file, line and field, and no value."""
    (tmp_path / "settings.yml").write_text(text + "\n")

    with pytest.raises(SettingsInvalid) as caught:
        tracing_of(tmp_path)
    assert caught.value.message == f"{tmp_path}/{said}"


def test_without_a_setting_nothing_of_it_is_imported() -> None:
    """Off is off: the app is made without the SDK. (FastAPI looks for the API of its own accord.)"""
    program = "import sys, hms_registry.app; sys.exit('opentelemetry.sdk' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", program], check=False, timeout=60).returncode == 0
