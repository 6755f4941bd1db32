"""What a server counts, for Prometheus: requests by route, queries that run, sources by how they were last crawled.

Names of requests are those of OpenTelemetry, as Prometheus spells them:
https://opentelemetry.io/docs/specs/semconv/http/http-metrics/. No label names a dataset, a source or a person: a route
is its template, a source its adapter.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

from fastapi import APIRouter, Depends, Request, Response
from prometheus_client import CollectorRegistry, Gauge, GCCollector, Histogram, PlatformCollector, ProcessCollector
from prometheus_client import Counter as Counted
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from hms_registry import __version__
from hms_registry.domain.crawls import CrawlState
from hms_registry.errors import HmsError
from hms_registry.http.callers import Credentials, caller

if TYPE_CHECKING:
    from hms_registry.bootstrap import Registry
    from hms_registry.caches import CacheCounts

logger = logging.getLogger(__name__)
router = APIRouter(tags=["operating"])

_SECONDS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_FORWARDED: Final = ("forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-real-ip")


class Metrics:
    """The counts of one app."""

    def __init__(self, registry: Registry) -> None:
        self._collected = CollectorRegistry()
        self.duration = Histogram(
            "http_server_request_duration_seconds",
            "Seconds from a request's first byte to its answer's last.",
            ("http_request_method", "http_route", "http_response_status_code"),
            buckets=_SECONDS,
            registry=self._collected,
        )
        self.active = Gauge("http_server_active_requests", "Requests being answered.", registry=self._collected)
        self._decisions = Counted(
            "hms_dta_trino_decisions",
            "Questions of Trino, by operation.",
            ("operation", "outcome"),
            registry=self._collected,
        )
        self._unregistered = Counted(
            "hms_dta_trino_unregistered_tables",
            "Tables that Trino asked for and that nobody registered.",
            registry=self._collected,
        )
        for kind in (ProcessCollector, PlatformCollector, GCCollector):
            kind(registry=self._collected)
        self._collected.register(_RegistryCollector(registry))

    def count_trino(self, operation: str, *, is_allowed: bool, unregistered: int) -> None:
        """Count a question of Trino."""
        self._decisions.labels(operation, "allowed" if is_allowed else "denied").inc()
        if unregistered:
            self._unregistered.inc(unregistered)

    def written(self, accept: str) -> tuple[bytes, str]:
        """Write everything in a form that the reader accepts, and say which."""
        encoder, media_type = choose_encoder(accept)
        return encoder(self._collected), media_type


class _RegistryCollector(Collector):
    """Reads from the catalogue what other processes did, crawls above all, at the moment of being asked."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def describe(self) -> list[Metric]:
        """Tell no name in advance: that would read the catalogue while the server starts."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Read, once a scrape."""
        yield _gauge("hms_dta_build_info", "The release.", 1, version=__version__)
        yield _gauge("hms_dta_query_children_running", "Queries that run.", self._registry.sql.running)
        yield _gauge("hms_dta_query_children_max", "Queries that may run at once.", self._registry.sql.most_children)
        yield from _of_cache(self._registry.caches.counts)
        try:
            told = list(self._of_catalogue())
        except HmsError as error:
            logger.warning("metrics without the catalogue: %s: %s", error.code, error.message)
            told = []
        yield _gauge("hms_dta_catalogue_up", "Whether the catalogue could be read.", int(bool(told)))
        yield from told

    def _of_catalogue(self) -> Iterator[Metric]:
        with self._registry.catalogue.unit() as uow:
            statuses, epochs = uow.sources.all(), (uow.epoch(), uow.bundles.epoch())
            alarms = uow.proofs.count_alarms()
            states = {source: crawl.state for source, crawl in uow.crawls.last().items()}
        yield _gauge("hms_dta_catalogue_epoch", "Grows with each change of the catalogue.", epochs[0])
        yield _gauge("hms_dta_policy_epoch", "The epoch of the policy in force; 0 = none.", epochs[1])
        yield CounterMetricFamily("hms_dta_trino_alarms", "Queries in Trino that were not governed as decided.", alarms)
        text = "Sources, by adapter and by how the last crawl ended."
        sources = GaugeMetricFamily("hms_dta_sources", text, labels=("adapter", "last_crawl"))
        counts = Counter((each.source.kind, states.get(each.source.name, "none")) for each in statuses)
        for kind in sorted({kind for kind, _ in counts}):
            for state in ("none", *CrawlState):
                sources.add_metric((kind, state), counts[kind, state])
        yield sources
        text = "Sources that the last crawl could not reach."
        yield _gauge("hms_dta_sources_stale", text, sum(each.is_stale for each in statuses))
        ends = [each.last_crawled_at.timestamp() for each in statuses if each.last_crawled_at is not None]
        if ends:
            text = "When the source that waits longest was last crawled whole."
            yield _gauge("hms_dta_source_oldest_crawl_timestamp_seconds", text, min(ends))


def _of_cache(counts: CacheCounts) -> Iterator[Metric]:
    answers = CounterMetricFamily(
        "hms_dta_cache_answers", "Questions that may be kept, by who answered.", labels=("by",)
    )
    for by, count in (
        ("memory", counts.hits), ("redis", counts.shared_hits), ("execution", counts.misses), ("waiting", counts.waits),
    ):  # fmt: skip
        answers.add_metric((by,), count)
    yield answers
    for name, text, count in (
        ("unchanged", "Of these, answered with 304.", counts.unchanged),
        ("kept", "Answers that were put into memory.", counts.kept),
        ("sent_bytes", "Bytes of answers that were not executed for their asker.", counts.bytes),
        ("redis_refused", "Values of Redis that were not what this registry put there.", counts.refused),
        ("redis_failures", "Questions to Redis that it did not answer in time.", counts.failures),
        ("redis_passed_over", "Questions that Redis was not asked, since it had just failed.", counts.passed_over),
    ):
        yield CounterMetricFamily(f"hms_dta_cache_{name}", text, count)


def _gauge(name: str, text: str, value: float, **labels: str) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, text, labels=list(labels))
    family.add_metric(list(labels.values()), value)
    return family


def operator(request: Request, credentials: Credentials) -> None:
    """Let in a program on this machine, and whoever has a token.

    Raises:
        AuthenticationFailed: it comes from elsewhere, or through a proxy, without a token.
    """
    if credentials is None and _is_on_this_machine(request):
        return
    caller(request, credentials)


def _is_on_this_machine(request: Request) -> bool:
    if request.client is None or any(name in request.headers for name in _FORWARDED):
        return False
    try:
        return ip_address(request.client.host).is_loopback
    except ValueError:
        return False


@router.get("/metrics", response_class=Response, dependencies=[Depends(operator)])
def metrics(request: Request) -> Response:
    """Tell Prometheus what this server counts. For a program on this machine, or by token."""
    counted: Metrics = request.app.state.metrics
    body, media_type = counted.written(request.headers.get("accept", ""))
    return Response(body, headers={"Content-Type": media_type, "Cache-Control": "no-store"})
