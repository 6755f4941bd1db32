"""Explained: what a query became under the policy, and what each source would be asked, without a row read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hms_federation.plan import Governed, Plan, PlannedScan
    from hms_registry.ports.adapter import Scan


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedOfSource:
    """One scan.

    Attributes:
        asked: what the source is asked, in its own words.
        rechecked: conjuncts that the source was offered and does not apply; the engine applies every one anyhow.
    """

    source: str
    dataset: str
    asked: str
    rechecked: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """For `--explain`."""

    governed_sql: str
    scans: tuple[AskedOfSource, ...]
    governed: tuple[Governed, ...]

    def as_dict(self) -> dict[str, object]:
        """Return it as JSON takes it."""
        return {
            "governed_sql": self.governed_sql,
            "scans": [
                {"source": each.source, "dataset": each.dataset, "asked": each.asked, "rechecked": list(each.rechecked)}
                for each in self.scans
            ],
            "policy": [
                {"dataset": str(each.name), "row_filters": list(each.row_filters), "masks": dict(each.masks)}
                for each in self.governed
            ],
        }

    def lines(self) -> list[str]:
        """Return it as a person reads it."""
        found = ["Under the policy the query is:", "", f"  {self.governed_sql}", ""]
        for scan in self.scans:
            found.append(f"{scan.source} is asked for {scan.dataset}: {scan.asked}")
            if scan.rechecked:
                found.append(f"  left to the engine: {' AND '.join(scan.rechecked)}")
        for each in self.governed:
            found += [f"{each.name}: rows only where {text}" for text in each.row_filters]
            found += [f"{each.name}: column {column} is masked: {mask}" for column, mask in each.masks]
        return found


def explained(plan: Plan, scans: tuple[tuple[PlannedScan, Scan], ...]) -> Explained:
    """Put together what was planned and what the adapters made of it."""
    return Explained(
        governed_sql=plan.governed_sql,
        scans=tuple(
            AskedOfSource(
                source=planned.source,
                dataset=str(planned.name),
                asked=scan.asked,
                rechecked=tuple(map(str, scan.residual)),
            )
            for planned, scan in scans
        ),
        governed=plan.governed,
    )
