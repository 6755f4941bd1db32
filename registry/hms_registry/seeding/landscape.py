"""Who has what: agencies, each with a lake, a warehouse and marts, and a schema for each of its subjects."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import Final

from hms_registry.domain.columns import PrivacyTier
from hms_registry.domain.datasets import DatasetKind
from hms_registry.domain.sources import Source
from hms_registry.seeding.plan import Plan

MARK: Final = "seeded"
"""The option of a source that says by which plan it was seeded."""

HUB: Final = 0
"""The number of the dataset from which all marts of the first agency come."""


@dataclass(frozen=True, slots=True)
class Agency:
    """One that owns sources; *share* of all datasets is its."""

    code: str
    name: str
    share: float
    privacy_tier: PrivacyTier | None = PrivacyTier.PUBLIC


@dataclass(frozen=True, slots=True)
class Layer:
    """One kind of store that each agency has."""

    name: str
    kind: str
    share: float
    holds: DatasetKind
    format: str = ""


@dataclass(frozen=True, slots=True)
class Subject:
    """What a schema is about. *sensitive* is the tag of a column that tells of whom it is, and its name."""

    name: str
    sensitive: tuple[str, str] | None = None
    privacy_tier: PrivacyTier | None = None
    tags: frozenset[str] = frozenset()


AGENCIES: Final = (
    Agency("bts", "DOT:BTS", 0.25),
    Agency("cdc", "HHS:CDC", 0.18, PrivacyTier.PII_SAFE),
    Agency("noaa", "DOC:NOAA", 0.13),
    Agency("census", "DOC:CENSUS", 0.10, PrivacyTier.PII_SAFE),
    Agency("usda", "USDA:ERS", 0.08),
    Agency("epa", "EPA", 0.06),
    Agency("usgs", "DOI:USGS", 0.05),
    Agency("uscg", "DHS:USCG", 0.04, None),
    Agency("fema", "DHS:FEMA", 0.04),
    Agency("bls", "DOL:BLS", 0.03),
    Agency("eia", "DOE:EIA", 0.02),
    Agency("fda", "HHS:FDA", 0.02, None),
)
LAYERS: Final = (
    Layer("lake", "s3", 0.5, DatasetKind.FOLDER, "parquet"),
    Layer("warehouse", "postgres", 0.3, DatasetKind.VIEW),
    Layer("marts", "hive", 0.2, DatasetKind.VIEW),
)
SUBJECTS: Final = (
    Subject("port_calls", ("vessel-identifier", "vessel_id"), PrivacyTier.PUBLIC),
    Subject("line_lists", ("patient-name", "patient_name"), PrivacyTier.PII_SAFE, frozenset({"line-list"})),
    Subject("river_gauges"),
    Subject("household_survey", ("small-area", "zip_code"), PrivacyTier.PII_SAFE, frozenset({"small-cells"})),
    Subject("cargo_tonnage", None, PrivacyTier.PUBLIC),
    Subject("vaccination", ("birth-date", "birth_date"), PrivacyTier.PII_SAFE),
    Subject("air_quality", None, PrivacyTier.PUBLIC),
    Subject("investigations", None, PrivacyTier.RESTRICTED, frozenset({"law-enforcement"})),
    Subject("lock_passages", ("vessel-identifier", "vessel_no")),
    Subject("hospital_capacity"),
    Subject("storm_events", None, PrivacyTier.PUBLIC, frozenset({"real-time"})),
    Subject("claims", ("patient-identifier", "claimant_id"), PrivacyTier.RESTRICTED),
    Subject("crop_yields"),
    Subject("employment", None, PrivacyTier.PII_SAFE),
    Subject("water_quality", None, PrivacyTier.PUBLIC),
    Subject("inspections", ("secret", "inspector_note")),
    Subject("energy_supply"),
    Subject("disaster_aid", ("patient-identifier", "applicant_id"), PrivacyTier.PII_SAFE),
    Subject("freight_rail"),
    Subject("fisheries", ("small-area", "landing_site")),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """The datasets of one source: *size* numbers from *first* on, in blocks of one subject each.

    Attributes:
        offset: which of the subjects is the first; no two agencies begin alike.
    """

    source: Source
    agency: Agency
    layer: int
    first: int
    size: int
    subjects: int
    offset: int

    def subject_of(self, number: int) -> int:
        """Return which of the stretch's blocks a dataset is in."""
        return (number - self.first) * self.subjects // self.size

    def block(self, at: int) -> range:
        """Return the numbers of one block, but for the hub's: none if the stretch has fewer datasets than subjects."""
        first, end = (self.first - (-each * self.size // self.subjects) for each in (at, at + 1))
        return range(max(first, HUB + 1), end)

    def subject(self, number: int) -> Subject:
        """Return what a dataset is about."""
        return SUBJECTS[(self.subject_of(number) + self.offset) % len(SUBJECTS)]


class Landscape:
    """Which dataset lies where, for one plan. Layer after layer, so that what comes from another has a later number."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        shares = [(layer, agency) for layer in LAYERS for agency in AGENCIES]
        ends = [
            round(each * plan.datasets) for each in accumulate(layer.share * agency.share for layer, agency in shares)
        ]
        ends[-1] = plan.datasets
        self.stretches = tuple(
            self._stretch(at, first, end - first) for at, (first, end) in enumerate(zip([0, *ends], ends, strict=False))
        )

    def _stretch(self, at: int, first: int, size: int) -> Stretch:
        layer, number = divmod(at, len(AGENCIES))
        agency, kind = AGENCIES[number], LAYERS[layer].kind
        return Stretch(
            source=Source(
                name=f"{agency.code}_{LAYERS[layer].name}",
                kind=kind,
                url=f"{kind}://{agency.code}.{LAYERS[layer].name}.invalid",
                agency=agency.name,
                owner=f"{agency.code.upper()} data office",
                options={MARK: str(self.plan)},
                privacy_tier=agency.privacy_tier,
            ),
            agency=agency,
            layer=layer,
            first=first,
            size=size,
            subjects=max(1, min(len(SUBJECTS), round(self.plan.datasets * agency.share / 250))),
            offset=number * 3,
        )

    @cached_property
    def _firsts(self) -> list[int]:
        return [each.first for each in self.stretches]

    @property
    def first_derived(self) -> int:
        """All before it are in a lake, and come from nothing."""
        return self.stretches[len(AGENCIES)].first

    def stretch_of(self, number: int) -> Stretch:
        """Return the stretch that a dataset is in."""
        return self.stretches[bisect_right(self._firsts, number) - 1]

    def below(self, stretch: Stretch, *, layer: int) -> Stretch:
        """Return the stretch of the same agency in another layer."""
        return self.stretches[layer * len(AGENCIES) + AGENCIES.index(stretch.agency)]
