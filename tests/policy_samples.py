"""Small policies, people and datasets for the tests of hms_policies."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from hms_policies.bundles import make_bundle
from hms_policies.deciding import PolicyDecisions
from hms_registry.domain.columns import Column, ColumnPath, PrivacyTier
from hms_registry.domain.datasets import Dataset, DatasetId, DatasetKind, DatasetState
from hms_registry.domain.labels import ColumnLabels, DatasetLabels
from hms_registry.domain.names import Address, TrinoName
from hms_registry.domain.principals import Principal
from hms_registry.ports.bundles import Bundle, Classes

ANA = Principal(subject="ana", roles=frozenset({"analyst"}), agency="dot", clearance=PrivacyTier.PII_SAFE)

ROLES = """
roles:
  analyst: {description: Looks at shipping, clearance: PII-SAFE, agency: dot}
  steward: {description: Looks after data, clearance: RESTRICTED}
people:
  ana: {roles: [analyst], agency: dot}
"""

OPEN = "allow(_: Principal, _, _: Dataset);\n"
"""Everybody may do everything."""


def bundle_of(polar: str, *, roles: str = ROLES, **more: str) -> Bundle:
    """A bundle of one Polar file, a roles.yml, and test files by name."""
    tests = {f"tests/{name}.yml": text for name, text in more.items()}
    return make_bundle({"rules.polar": polar, "roles.yml": roles, **tests}, author="a steward")


def decisions_of(polar: str, *, labels: Iterable[DatasetLabels] = ()) -> PolicyDecisions:
    """The decisions of one Polar file over these classes."""
    datasets = tuple(labels)
    columns = [(dataset, column) for dataset in datasets for _name, column in dataset.columns]
    classes = Classes(datasets=dict(enumerate(datasets)), columns=dict(enumerate(columns)))
    return PolicyDecisions(replace(bundle_of(polar), epoch=7), classes=lambda: classes)


def dataset_of(
    address: str = "lake.locks.passages",
    *,
    labels: DatasetLabels | None = None,
    columns: Mapping[str, str] | None = None,
    tagged: Mapping[str, str] | None = None,
) -> Dataset:
    """A dataset with *columns* (name -> Trino type), some of them *tagged* (name -> tag)."""
    place = Address.parse(address)
    types = columns or {"vessel_id": "varchar", "tonnage": "double", "passed_on": "date"}
    labels = labels or DatasetLabels(source=place.source, agency="dot", privacy_tier=PrivacyTier.PUBLIC)
    of_columns = tuple(
        (name, ColumnLabels(tags=frozenset({(tagged or {}).get(name, "")} - {""}), privacy_tier=labels.privacy_tier))
        for name in types
    )
    return Dataset(
        id=DatasetId(address),
        address=place,
        trino_name=TrinoName(place.source, place.schema.lower(), place.table.lower()),
        kind=DatasetKind.TABLE,
        state=DatasetState.PRESENT,
        version=1,
        columns=tuple(Column(path=ColumnPath.of(name), trino_type=kind) for name, kind in types.items()),
        labels=replace(labels, columns=labels.columns or of_columns),
        epoch=1,
    )
