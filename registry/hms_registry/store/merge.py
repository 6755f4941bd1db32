"""What holds of a dataset: what its adapter described, under what its manifest states, under its source's defaults."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches

from hms_registry.domain.columns import Column, PrivacyTier, StorageTier
from hms_registry.domain.datasets import DatasetKind, DescribedDataset
from hms_registry.domain.manifests import Manifest, ManifestColumn
from hms_registry.domain.sources import Source
from hms_registry.errors import SettingsInvalid


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """A described dataset with what was stated of it put over it.

    Attributes:
        described: with the stated columns and description in place.
        title: what the manifest calls it; empty without one.
        owner: stated, else described, else the source's.
        tags: of the source and of the manifest.
        privacy_tier: stated; None = nobody did.
        stated: which of the described columns the manifest states something of, by position.
        lost: what the manifest states of columns that are not there.
    """

    described: DescribedDataset
    title: str = ""
    owner: str = ""
    license: str = ""
    tags: frozenset[str] = frozenset()
    storage_tier: StorageTier = StorageTier.HOT
    privacy_tier: PrivacyTier | None = None
    is_declassified: bool = False
    stated: frozenset[int] = frozenset()
    lost: tuple[ManifestColumn, ...] = ()


def merge(described: DescribedDataset, manifest: Manifest | None, source: Source) -> Merged:
    """Put what *manifest* states over what was described.

    A stated column that is not there is a finding: a crawl goes on where a person's statement grew old.
    """
    if manifest is None:
        return Merged(described=described, owner=described.owner or source.owner, tags=source.tags)
    findings: tuple[str, ...] = ()
    if (
        manifest.declassifies
        and described.ref.kind is DatasetKind.VIEW
        and manifest.definition != described.ref.locator
    ):
        manifest = manifest.without_declassifying()
        findings = ("it was declassified, and defined anew since: ingest its manifest again to declassify this one",)
    placed, unknown = _place(manifest.columns, described.columns)
    columns = tuple(
        _state(column, placed[at]) if at in placed else column for at, column in enumerate(described.columns)
    )
    findings += tuple(f"the manifest states something of column {lost.name}, which is not there" for lost in unknown)
    return Merged(
        described=replace(
            described,
            columns=columns,
            description=described.description if manifest.description is None else manifest.description,
            findings=described.findings + findings,
        ),
        title=manifest.name,
        owner=manifest.owner or described.owner or source.owner,
        license=manifest.license or "",
        tags=source.tags | (manifest.tags or frozenset()),
        storage_tier=manifest.storage_tier or StorageTier.HOT,
        privacy_tier=manifest.privacy_tier,
        is_declassified=manifest.is_declassified,
        stated=frozenset(placed),
        lost=unknown,
    )


def check_columns(described: DescribedDataset, manifest: Manifest) -> None:
    """Refuse a manifest that states something of a column that is not there.

    Raises:
        SettingsInvalid: names those columns, and the nearest that are there.
    """
    _, unknown = _place(manifest.columns, described.columns)
    if not unknown:
        return
    names = [str(column.path) for column in described.columns]
    missing = [lost.name for lost in unknown]
    near = list(dict.fromkeys(match for name in missing for match in get_close_matches(name, names, n=2)))
    is_one = len(missing) == 1
    raise SettingsInvalid(
        f"{described.ref.address} has no column{'' if is_one else 's'} {', '.join(missing)}, which the manifest states",
        hint=f"did you mean {', '.join(near)}?" if near else f"its columns are {_first(names)}",
    )


def _first(names: Sequence[str], count: int = 12) -> str:
    return ", ".join(names[:count]) + (f" and {len(names) - count} more" if len(names) > count else "")


_Placed = tuple[dict[int, ManifestColumn], tuple[ManifestColumn, ...]]


def _place(stated: Iterable[ManifestColumn], columns: Sequence[Column]) -> _Placed:
    """Find for each stated column the one it means: byte-exact, as a path as printed, or else the only such in
    lower case."""
    exact: dict[str, int] = {}
    lower: dict[str, list[int]] = {}
    for at, column in enumerate(columns):
        printed = str(column.path)
        lower.setdefault(printed.lower(), []).append(at)
        exact[printed] = at
    for at, column in enumerate(columns):
        if len(column.path.segments) == 1:
            exact[column.name] = at
    placed: dict[int, ManifestColumn] = {}
    unknown: list[ManifestColumn] = []
    for statement in stated:
        twins = lower.get(statement.name.lower(), [])
        at = exact.get(statement.name, twins[0] if len(twins) == 1 else -1)
        if at < 0:
            unknown.append(statement)
        else:
            placed[at] = statement
    return placed, tuple(unknown)


def _state(column: Column, stated: ManifestColumn) -> Column:
    retyped = stated.trino_type is not None and stated.trino_type != column.trino_type
    return replace(
        column,
        trino_type=stated.trino_type or column.trino_type,
        # Empty: as the Trino type says. What the adapter said is how it would read the type it guessed.
        arrow_type="" if retyped else column.arrow_type,
        is_guessed=column.is_guessed and stated.trino_type is None,
        description=column.description if stated.description is None else stated.description,
        unit=column.unit if stated.unit is None else stated.unit,
        scale=column.scale if stated.scale is None else stated.scale,
        tags=column.tags if stated.tags is None else stated.tags,
        privacy_tier=column.privacy_tier if stated.privacy_tier is None else stated.privacy_tier,
        is_declassified=column.is_declassified or stated.is_declassified,
    )
