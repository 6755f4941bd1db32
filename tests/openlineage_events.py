"""Events of OpenLineage: those that real producers sent, and ones that a test states."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "data" / "openlineage"
TRINO = "trino://trino.example:8080"
"""The namespace of a Trino's datasets."""

Event = dict[str, Any]


def kept(producer: str) -> list[Event]:
    """What a real producer sent, in the order that it was sent."""
    text = gzip.decompress((FOLDER / f"{producer}.jsonl.gz").read_bytes()).decode()
    return [json.loads(line) for line in text.splitlines()]


def facet(**fields: object) -> dict[str, object]:
    """A facet, with what each must have."""
    return {"_producer": "https://test.example", "_schemaURL": "https://openlineage.io/spec", **fields}


def dataset(name: str, *, namespace: str = TRINO, **facets: Mapping[str, object]) -> Event:
    """A dataset of an event."""
    return {"namespace": namespace, "name": name, "facets": {key: facet(**told) for key, told in facets.items()}}


def column_lineage(
    fields: Mapping[str, Iterable[tuple[str, str]]], *, rows_by: Iterable[tuple[str, str]] = (), namespace: str = TRINO
) -> dict[str, object]:
    """A facet `columnLineage`: of each column, by dataset and column, what it comes from."""

    def inputs(pairs: Iterable[tuple[str, str]]) -> list[dict[str, str]]:
        return [{"namespace": namespace, "name": name, "field": field} for name, field in pairs]

    return {
        "fields": {column: {"inputFields": inputs(pairs)} for column, pairs in fields.items()},
        "dataset": inputs(rows_by),
    }


def schema(*names: str, kind: str = "varchar") -> dict[str, object]:
    """A facet `schema`."""
    return {"fields": [{"name": name, "type": kind} for name in names]}


def run_event(
    *,
    at: str = "2026-11-21T12:00:00Z",
    kind: str | None = "COMPLETE",
    run: str = "018f0000-0000-7000-8000-000000000001",
    job: str = "load",
    inputs: Iterable[Event | str] = (),
    outputs: Iterable[Event | str] = (),
    job_facets: Mapping[str, Mapping[str, object]] | None = None,
    run_facets: Mapping[str, Mapping[str, object]] | None = None,
) -> Event:
    """A RunEvent; a dataset is one, or a name in a Trino."""
    return {
        **({} if kind is None else {"eventType": kind}),
        "eventTime": at,
        "producer": "https://test.example",
        "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent",
        "run": {"runId": run, "facets": {key: facet(**told) for key, told in (run_facets or {}).items()}},
        "job": {
            "namespace": "scheduler",
            "name": job,
            "facets": {key: facet(**told) for key, told in (job_facets or {}).items()},
        },
        "inputs": [dataset(each) if isinstance(each, str) else each for each in inputs],
        "outputs": [dataset(each) if isinstance(each, str) else each for each in outputs],
    }
