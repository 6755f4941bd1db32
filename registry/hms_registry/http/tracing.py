"""Spans of requests for OpenTelemetry, where `settings.yml` names a collector; without that, nothing is imported.

A span is as https://opentelemetry.io/docs/specs/semconv/http/http-spans/ has it, but for `url.path` and `url.query`:
they hold names of datasets, and words that somebody looked for. (The instrumentation that ships for ASGI sends both.)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, Self

from hms_registry import __version__
from hms_registry.errors import NotInstalled
from hms_registry.services.settings_file import tracing_endpoint

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider


class Request(Protocol):
    """What a span tells of a request; its status is known when it has ended."""

    method: str
    request_id: str
    status: int

    @property
    def route(self) -> str: ...


class Tracing:
    """Makes a span of each request. Ending it sends what is left."""

    def __init__(self, provider: TracerProvider) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer("hms_registry", __version__)

    @classmethod
    def to(cls, endpoint: str) -> Self:
        """Send spans to a collector by OTLP over HTTP; headers for it come from OTEL_EXPORTER_OTLP_HEADERS.

        Raises:
            NotInstalled
        """
        try:
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
            from opentelemetry.sdk.resources import Resource
            from opentelemetry.sdk.trace import TracerProvider
            from opentelemetry.sdk.trace.export import BatchSpanProcessor
        except ModuleNotFoundError as exc:
            raise NotInstalled(
                f"tracing is not installed: {exc.name} is missing", hint="pip install 'hms-dta[otel]'"
            ) from exc
        resource = Resource.create({"service.name": "hms-dta", "service.version": __version__})
        provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint, timeout=5)))
        return cls(provider)

    @contextmanager
    def request(self, seen: Request, headers: Mapping[str, str]) -> Iterator[None]:
        """Span a request, as a part of its caller's trace if `traceparent` names one."""
        from opentelemetry.trace import SpanKind, StatusCode
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        context = TraceContextTextMapPropagator().extract(headers)
        begun = {"http.request.method": seen.method, "hms_dta.request_id": seen.request_id}
        with self._tracer.start_as_current_span(
            seen.method, context, kind=SpanKind.SERVER, attributes=begun, record_exception=False
        ) as span:
            yield
            span.update_name(f"{seen.method} {seen.route}".rstrip())
            span.set_attributes({"http.route": seen.route, "http.response.status_code": seen.status})
            if seen.status >= 500:
                span.set_attribute("error.type", str(seen.status))
                span.set_status(StatusCode.ERROR)

    def close(self) -> None:
        """Send what is left."""
        self._provider.shutdown()


def tracing_of(home: Path | None) -> Tracing | None:
    """Return what the settings of a home folder ask for; None if they ask for nothing.

    Raises:
        NotInstalled, SettingsInvalid
    """
    endpoint = None if home is None else tracing_endpoint(home)
    return None if endpoint is None else Tracing.to(endpoint)
