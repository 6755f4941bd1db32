"""A proof as one JSON document: written once, read whole, and never searched inside."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from hms_registry.domain.datasets import DatasetId
from hms_registry.domain.enforcement import (
    Alarm,
    AlarmKind,
    AppliedColumn,
    AppliedQuery,
    AppliedTable,
    Proof,
    Verdict,
)
from hms_registry.store.codec import parse_time, time_text


def proof_document(proof: Proof) -> dict[str, object]:
    """Return a proof as plain values."""
    query = asdict(proof.query)
    query["groups"] = sorted(proof.query.groups)
    query["created_at"] = time_text(proof.query.created_at)
    query["ended_at"] = None if proof.query.ended_at is None else time_text(proof.query.ended_at)
    return {
        "query": query,
        "verdict": proof.verdict.value,
        "alarms": [asdict(each) for each in proof.alarms],
        "policy_epochs": proof.policy_epochs,
        "notes": proof.notes,
    }


def parse_proof(document: dict[str, Any]) -> Proof:
    """Read back `proof_document`."""
    query = document["query"]
    created_at = parse_time(query["created_at"])
    assert created_at is not None
    told = {
        **query,
        "groups": frozenset(query["groups"]),
        "created_at": created_at,
        "ended_at": parse_time(query["ended_at"]),
        "tables": tuple(_table(each) for each in query["tables"]),
    }
    return Proof(
        query=AppliedQuery(**told),
        verdict=Verdict(document["verdict"]),
        alarms=tuple(_alarm(each) for each in document["alarms"]),
        policy_epochs=tuple(document["policy_epochs"]),
        notes=tuple(document["notes"]),
    )


def _table(document: dict[str, Any]) -> AppliedTable:
    columns = tuple(AppliedColumn(**each) for each in document["columns"])
    lists = {name: tuple(document[name]) for name in ("filters", "through")}
    return AppliedTable(**{**document, **lists, "columns": columns})


def _alarm(document: dict[str, Any]) -> Alarm:
    dataset_id = document["dataset_id"]
    exact = {"kind": AlarmKind(document["kind"]), "dataset_id": None if dataset_id is None else DatasetId(dataset_id)}
    return Alarm(**{**document, **exact})
