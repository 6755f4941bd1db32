"""Policies: what governance reviews decides here, and nowhere else. The only package that imports oso.

Names load on first use, so that importing this package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hms_policies.bundles import load_bundle
    from hms_policies.cases import TestReport, run_tests
    from hms_policies.checks import check_bundle
    from hms_policies.deciding import PolicyDecisions
    from hms_policies.diffs import Change, PolicyDiff, diff
    from hms_policies.filters import FILTER_FUNCTIONS
    from hms_policies.masking import mask_expression
    from hms_policies.mentions import remention
    from hms_policies.roles import known_names, resolve_claimed, resolve_principal

__all__ = [
    "FILTER_FUNCTIONS",
    "Change",
    "PolicyDecisions",
    "PolicyDiff",
    "TestReport",
    "check_bundle",
    "diff",
    "known_names",
    "load_bundle",
    "mask_expression",
    "remention",
    "resolve_claimed",
    "resolve_principal",
    "run_tests",
]

_HOMES = {
    "FILTER_FUNCTIONS": "filters",
    "Change": "diffs",
    "PolicyDecisions": "deciding",
    "PolicyDiff": "diffs",
    "TestReport": "cases",
    "check_bundle": "checks",
    "diff": "diffs",
    "known_names": "roles",
    "load_bundle": "bundles",
    "mask_expression": "masking",
    "remention": "mentions",
    "resolve_claimed": "roles",
    "resolve_principal": "roles",
    "run_tests": "cases",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
