"""Profiles as data: which values a catalogue keeps, and which of them one person may see.

A value is kept of no column that is RESTRICTED, as are those that nobody labelled: whoever may read it reads it where
it lies. What is kept is judged again whenever somebody looks, by the labels and the policy of that moment, and only
for the state of the dataset that it was counted in: a column that was renamed, replaced or hidden since tells nothing.
"""

from __future__ import annotations

from dataclasses import replace

from hms_registry.domain.columns import PrivacyTier
from hms_registry.domain.datasets import Dataset
from hms_registry.domain.decisions import Mask
from hms_registry.domain.labels import ColumnLabels
from hms_registry.domain.profiles import MAX_COLUMNS, MAX_NOTE, MAX_TEXT, MAX_TOP, ColumnProfile, KeptProfile, Profile
from hms_registry.domain.sources import Source
from hms_registry.ports.catalogue import UnitOfWork
from hms_registry.services.catalogue import View


def values_kept(dataset: Dataset) -> frozenset[str]:
    """Return the names of the columns whose values may be kept: neither they nor what they come from is RESTRICTED."""
    return frozenset(name for name, labels in dataset.labels.columns if _tier(labels) < PrivacyTier.RESTRICTED)


def _tier(labels: ColumnLabels) -> PrivacyTier:
    return max([labels.privacy_tier, *(column.privacy_tier for _, column in labels.origins)])


def to_keep(profile: Profile, dataset: Dataset) -> Profile:
    """Return what of a profile is kept: known columns, values of those that may be, within bounds."""
    names, known = values_kept(dataset), {column.path for column in dataset.columns}
    columns = [each for each in profile.columns if each.path in known][:MAX_COLUMNS]
    return replace(
        profile,
        note=profile.note[:MAX_NOTE],
        columns=tuple(_bounded(each) if each.path.name in names else each.without_values() for each in columns),
    )


def _bounded(column: ColumnProfile) -> ColumnProfile:
    """A cut value is none that anything holds, so a long one is left out."""
    top = tuple(each for each in column.top if len(each.value) <= MAX_TEXT)[:MAX_TOP]
    return replace(column, minimum=_short(column.minimum), maximum=_short(column.maximum), top=top)


def _short(text: str | None) -> str | None:
    return None if text is None or len(text) > MAX_TEXT else text


def profile_of(view: View, *, source: Source, uow: UnitOfWork) -> KeptProfile | None:
    """Return the profile of a dataset as the person who has this view may see it; None if there is none for them."""
    return seen_profile(view, uow.profiles.of([view.dataset.id]).get(view.dataset.id), source=source)


def seen_profile(view: View, kept: KeptProfile | None, *, source: Source) -> KeptProfile | None:
    """Return what of a dataset's kept profile the person who has this view may see.

    A row filter hides all of it, a mask all of its column. A source that wants profiles no more tells of none.
    """
    if kept is None or not source.profile or not view.shows_values:
        return None
    dataset = view.dataset
    if (kept.stamp, kept.version) != (dataset.stamp, dataset.version):
        return None
    shown = {column.path for column, mask in view.columns if mask is Mask.NONE}
    profile = to_keep(kept.profile, dataset)
    return replace(
        kept, profile=replace(profile, columns=tuple(each for each in profile.columns if each.path in shown))
    )


def profile_fact(kept: KeptProfile) -> dict[str, object]:
    """A profile as plain values."""
    profile = kept.profile
    return {
        "method": str(profile.method),
        "rows": profile.rows,
        "at": kept.at.isoformat(),
        "measured_at": None if profile.measured_at is None else profile.measured_at.isoformat(),
        "note": profile.note,
        "columns": [_column_fact(each) for each in profile.columns],
    }


def _column_fact(column: ColumnProfile) -> dict[str, object]:
    return {
        "path": str(column.path),
        "nulls": column.nulls,
        "distinct": column.distinct,
        "minimum": column.minimum,
        "maximum": column.maximum,
        "top": [{"value": each.value, "share": each.share} for each in column.top],
    }
