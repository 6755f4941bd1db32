"""Explained: what a query became under the policy, and what each source would be asked, without a row read."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from hms_registry.domain.decisions import WITHHELD, Mask, tellable

if TYPE_CHECKING:
    from hms_federation.plan import Governed, KeyList, Plan, PlannedScan
    from hms_registry.ports.adapter import Scan


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedOfSource:
    """One scan.

    Attributes:
        asked: what the source is asked, in its own words.
        rechecked: conjuncts that the source was offered and does not apply; the engine applies every one anyhow.
        keys_of: what it may be asked for in addition: only rows with a key that another dataset has, if those are few.
    """

    source: str
    dataset: str
    asked: str
    rechecked: tuple[str, ...]
    keys_of: tuple[str, ...] = ()


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
                {
                    "source": each.source,
                    "dataset": each.dataset,
                    "asked": each.asked,
                    "rechecked": list(each.rechecked),
                    "keys_of": list(each.keys_of),
                }
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
            found += [f"  and for those rows only whose {text}, if they are few" for text in scan.keys_of]
        for each in self.governed:
            found += [f"{each.name}: rows only where {text}" for text in each.row_filters]
            found += [f"{each.name}: column {column} is masked: {mask}" for column, mask in each.masks]
        return found


def explained(plan: Plan, scans: tuple[tuple[PlannedScan, Scan], ...]) -> Explained:
    """Put together what was planned and what the adapters made of it, as far as the asker may know of it.

    A denied column is not mentioned. Where a row filter names one, neither that filter nor the texts that hold it
    are told.
    """
    governed = tuple(map(_as_told, plan.governed))
    withheld = {told.dataset_id for told in governed if WITHHELD in told.row_filters}
    return Explained(
        governed_sql=f"-- not shown: {WITHHELD}" if withheld else plan.governed_sql,
        scans=tuple(
            AskedOfSource(
                source=planned.source,
                dataset=str(planned.name),
                asked=f"-- not shown: {WITHHELD}" if planned.dataset_id in withheld else scan.asked,
                rechecked=() if planned.dataset_id in withheld else tuple(map(str, scan.residual)),
                keys_of=tuple(_key_text(plan, each) for each in plan.key_lists if each.target == planned.relation),
            )
            for planned, scan in scans
        ),
        governed=governed,
    )


def _key_text(plan: Plan, key_list: KeyList) -> str:
    feeder = next(planned for planned in plan.scans if planned.relation == key_list.feeder)
    return f"{key_list.column} is among {feeder.name}.{key_list.key}"


def _as_told(governed: Governed) -> Governed:
    denied = [column for column, mask in governed.masks if mask == str(Mask.DENY)]
    return replace(
        governed,
        row_filters=tellable(governed.row_filters, denied=denied),
        masks=tuple((column, mask) for column, mask in governed.masks if column not in denied),
    )
