"""Filters and facets by class: what a source, an agency, an owner, a tier or a tag says of a dataset is in its labels,
so a filter leaves out classes before anything is looked for, and a facet adds up how many hits each class has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from hms_registry.domain.decisions import Visibility
from hms_registry.domain.labels import DatasetLabels
from hms_registry.domain.search import EVERYTHING, FACET_VALUES, Facet, FacetName, FacetValue, Filter
from hms_registry.store.classes import load_labels
from hms_registry.store.codec import time_text
from hms_registry.store.documents import SLOTS, exact_column
from hms_registry.store.keys import DEPRECATED
from hms_registry.store.match import LAST, Phrase
from hms_registry.store.session import Session
from hms_registry.store.tokens import SEPARATOR, TYPE, UNIT, keyword, tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class Narrowed:
    """What a filter asks of a document beside its class.

    Attributes:
        columns: clauses that the columns must hold.
        first: the least key, and *last* the greatest.
        since: a time as text: what its store changed then or later.
    """

    columns: tuple[tuple[Phrase, ...], ...] = ()
    first: int = 0
    last: int = LAST
    since: str | None = None

    @classmethod
    def of(cls, narrowed: Filter) -> Narrowed:
        """Read it off a filter."""
        since = narrowed.updated_since
        return cls(
            columns=column_clauses(narrowed),
            first=DEPRECATED if narrowed.is_deprecated else 0,
            last=DEPRECATED - 1 if narrowed.is_deprecated is False else LAST,
            since=None if since is None else time_text(since),
        )


MAX_VALUES: Final = 100
MAX_ASKED: Final = 2_000
"""Values of one field, and characters of a value, that are looked at."""

_VALUES: Final[Mapping[FacetName, Callable[[DatasetLabels], Iterable[str]]]] = {
    FacetName.SOURCE: lambda labels: (labels.source,),
    FacetName.AGENCY: lambda labels: (labels.agency,),
    FacetName.OWNER: lambda labels: (labels.owner,),
    FacetName.PRIVACY_TIER: lambda labels: (str(labels.privacy_tier),),
    FacetName.STORAGE_TIER: lambda labels: (labels.storage_tier.value,),
    FacetName.TAG: lambda labels: labels.tags,
}


def narrow(session: Session, visible: Visibility, narrowed: Filter) -> Visibility:
    """Leave out the dataset classes that a filter does not let pass."""
    if narrowed == EVERYTHING:
        return visible
    labels = load_labels(session, visible.dataset_classes, ()).datasets
    passed = frozenset(each for each in visible.dataset_classes if each in labels and narrowed.admits(labels[each]))
    return replace(visible, dataset_classes=passed)


def column_clauses(narrowed: Filter) -> tuple[tuple[Phrase, ...], ...]:
    """Return what a filter asks of columns, as clauses on the slots that somebody may see."""
    asked: list[list[tuple[str, ...]]] = []
    if narrowed.columns:
        paths = [tuple(tokens(each[:MAX_ASKED])) for each in sorted(narrowed.columns)]
        asked.append([exact_column(path) for path in paths if path])
    if narrowed.column_types:
        asked.append([(keyword(TYPE, " ".join(each.lower().split())),) for each in sorted(narrowed.column_types)])
    if narrowed.units:
        asked.append([(keyword(UNIT, each),) for each in sorted(narrowed.units)])
    return tuple(tuple(Phrase(each, fields=SLOTS) for each in one[:MAX_VALUES] or [(SEPARATOR * 2,)]) for one in asked)


def count_facets(session: Session, counts: Mapping[int, int], names: Collection[FacetName]) -> Iterator[Facet]:
    """Spread hits over the values of each facet that labels tell; who says nothing of it is not counted there.

    Args:
        counts: hits by dataset class.
    """
    labels = load_labels(session, counts, ()).datasets
    for name in _VALUES:
        if name in names:
            spread: Counter[str] = Counter()
            for class_id, count in counts.items():
                for value in _VALUES[name](labels[class_id]):
                    spread[value] += count
            yield facet_of(name, spread)


def facet_of(name: FacetName, counts: Mapping[str, int]) -> Facet:
    """Make a facet of how many hits have each value."""
    spread = {value: count for value, count in counts.items() if value and count}
    first = sorted(spread.items(), key=lambda item: (-item[1], item[0]))[:FACET_VALUES]
    values = tuple(FacetValue(value=value, count=count) for value, count in first)
    return Facet(name=name, values=values, more=len(spread) - len(values))
