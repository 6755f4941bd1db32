"""What is reached along lineage, as one person may see it: pages, counts and paths; what they may not find is a number.

A dataset that may not be found is walked through, not cut: what lies behind it shows, and it is counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from hms_registry.domain.decisions import Visibility
from hms_registry.domain.edges import EdgeKind
from hms_registry.domain.labels import DatasetLabels
from hms_registry.domain.principals import Principal
from hms_registry.domain.walks import FOLLOWED, Direction, Reach, Reached, Walk
from hms_registry.errors import ColumnNotFound, SettingsInvalid
from hms_registry.ports.catalogue import UnitOfWork
from hms_registry.ports.policy import Decisions
from hms_registry.services.catalogue import View, views_of


def walk_from(
    view: View,
    *,
    uow: UnitOfWork,
    direction: Direction = "up",
    depth: int | None = None,
    kinds: Iterable[EdgeKind] | None = None,
    column: str | None = None,
    as_of: datetime | None = None,
) -> Walk:
    """Make the walk that somebody asks for from what they may see.

    Args:
        kinds: None = those of lineage.

    Raises:
        ColumnNotFound: the dataset has no such column that they may see.
        SettingsInvalid: no step is to be taken, or no edge to be followed.
    """
    if depth is not None and depth < 1:
        raise SettingsInvalid(
            f"a walk takes one step or more, not {depth}", hint="leave the depth out to go to the end"
        )
    followed = FOLLOWED if kinds is None else frozenset(kinds)
    if not followed:
        raise SettingsInvalid("no kind of edge is to be followed", hint="name one, or none at all for those of lineage")
    if column is not None and all(shown.name != column for shown, _mask in view.columns):
        raise ColumnNotFound(
            f"{view.dataset.address} has no column {column} that you may see", hint="hms-dta show lists its columns"
        )
    return Walk(
        start=view.dataset.id,
        direction=direction,
        depth=depth,
        kinds=followed,
        column=column,
        as_of=epoch_of(as_of, uow=uow),
    )


def epoch_of(as_of: datetime | None, *, uow: UnitOfWork) -> int | None:
    """Return the epoch that held at a time, of UTC where it says no zone; None = now."""
    return None if as_of is None else uow.walks.epoch_at(as_of)


def reach(walk: Walk, *, uow: UnitOfWork, visible: Visibility, first: int, offset: int = 0) -> Reach:
    """Return a page of what is reached, nearest first."""
    return uow.walks.reach(walk, visible=visible, first=first, offset=offset)


def met_columns(reached: Reached, view: View) -> list[str]:
    """Return the columns by which a dataset was reached, as far as the person may see them. One that it has in another
    case was reached over the same data under another name."""
    shown = list(dict.fromkeys(column.name for column, _mask in view.columns))
    met = set(reached.columns) & set(shown)
    lowered = {name.lower() for name in set(reached.columns) - met}
    return [name for name in shown if name in met or name.lower() in lowered]


@dataclass(frozen=True, slots=True, kw_only=True)
class Impact:
    """How many datasets are reached, and whose they are. Counts are of what may be found; *restricted* is the rest.

    Attributes:
        depth: steps to the furthest.
    """

    total: int
    restricted: int
    depth: int
    sources: Mapping[str, int]
    agencies: Mapping[str, int]
    owners: Mapping[str, int]
    privacy_tiers: Mapping[str, int]


def impact(walk: Walk, *, uow: UnitOfWork, visible: Visibility) -> Impact:
    """Count what is reached."""
    tally = uow.walks.tally(walk, visible=visible)

    def by(key: Callable[[DatasetLabels], str]) -> dict[str, int]:
        counts: Counter[str] = Counter()
        for labels, count in tally.labels.items():
            counts[key(labels)] += count
        return dict(sorted(counts.items(), key=lambda each: (-each[1], each[0])))

    return Impact(
        total=sum(tally.labels.values()),
        restricted=tally.restricted,
        depth=tally.depth,
        sources=by(lambda labels: labels.source),
        agencies=by(lambda labels: labels.agency),
        owners=by(lambda labels: labels.owner),
        privacy_tiers=by(lambda labels: labels.privacy_tier.name),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """A dataset of a path, or several in a row that may not be found, counted.

    Attributes:
        view: None = *restricted* datasets.
        kind: of the edge that led here; None at the start, and where an end of it may not be found.
    """

    view: View | None
    restricted: int = 0
    kind: EdgeKind | None = None


def path_between(
    walk: Walk, end: View, *, uow: UnitOfWork, principal: Principal, decisions: Decisions
) -> list[Stretch] | None:
    """Return a shortest path to *end*; None if there is none.

    Raises:
        SettingsInvalid: it is of a column.
    """
    if walk.column is not None:
        raise SettingsInvalid("a path leads from dataset to dataset", hint="leave the column out")
    steps = uow.walks.path(walk, end=end.dataset.id)
    if steps is None:
        return None
    views = views_of([step.dataset_id for step in steps], uow=uow, principal=principal, decisions=decisions)
    stretches: list[Stretch] = []
    for step in steps:
        view = views.get(step.dataset_id)
        last = stretches[-1] if stretches else None
        if view is not None:
            is_told = last is None or last.view is not None
            stretches.append(Stretch(view=view, kind=step.kind if is_told else None))
        elif last is not None and last.view is None:
            stretches[-1] = Stretch(view=None, restricted=last.restricted + 1)
        else:
            stretches.append(Stretch(view=None, restricted=1))
    return stretches
