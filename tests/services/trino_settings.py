"""What a Trino of the tests is told to do: whom it asks for access, whom it tells of its queries, how people log in."""

from __future__ import annotations

from collections.abc import Mapping

Properties = Mapping[str, str]
"""One file of Trino's settings."""

REQUEST_TIMEOUT = "5s"
"""How long it waits for an answer about access: a busy machine gets longer than an operator would allow."""


def opa(url: str, *, request_timeout: str = REQUEST_TIMEOUT) -> Properties:
    """Return the access control that asks a registry's listener at *url* everything that it can be asked."""
    asked = f"{url}/v1/data/trino"
    return {
        "access-control.name": "opa",
        "opa.policy.uri": f"{asked}/allow",
        "opa.policy.batched-uri": f"{asked}/batch",
        "opa.policy.row-filters-uri": f"{asked}/rowFilters",
        "opa.policy.column-masking-uri": f"{asked}/columnMask",
        "opa.policy.batch-column-masking-uri": f"{asked}/batchColumnMasks",
        "opa.http-client.max-requests-queued-per-destination": "20000",  # its own 1024 fail a listing of 2,000 tables
        "opa.http-client.max-connections-per-server": "50",
        "opa.http-client.request-timeout": request_timeout,
    }


def http_events(url: str) -> Properties:
    """Return the listener that posts each query to *url* when it begins and when it has ended."""
    return {
        "event-listener.name": "http",
        "http-event-listener.connect-ingest-uri": url,
        "http-event-listener.log-created": "true",
        "http-event-listener.log-completed": "true",
        "http-event-listener.log-split": "false",
        "http-event-listener.connect-retry-count": "10",  # by default an event that is not taken at once is lost
    }


def openlineage(url: str, *, endpoint: str, token: str, trino: str) -> Properties:
    """Return the listener that posts OpenLineage events of writing queries to a registry.

    Args:
        endpoint: the path below *url*.
        token: by which the registry knows Trino; it may be a reference to Trino's environment.
        trino: URL of the coordinator, which names the datasets.
    """
    return {
        "event-listener.name": "openlineage",
        "openlineage-event-listener.trino.uri": trino,
        "openlineage-event-listener.transport.type": "HTTP",
        "openlineage-event-listener.transport.url": url,
        "openlineage-event-listener.transport.endpoint": endpoint,
        "openlineage-event-listener.transport.api-key": token,
    }
