"""Reading the catalogue as somebody: what they may not find is not there, whatever they ask."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from hms_registry.domain.columns import Column
from hms_registry.domain.datasets import Dataset, DatasetId
from hms_registry.domain.decisions import Decision, Mask
from hms_registry.domain.edges import Edge
from hms_registry.domain.names import Address, TrinoName, split_name
from hms_registry.domain.principals import Principal
from hms_registry.domain.sources import SourceStatus
from hms_registry.domain.walks import Walk
from hms_registry.errors import DatasetNotFound, SettingsInvalid
from hms_registry.ports.catalogue import UnitOfWork
from hms_registry.ports.policy import Decisions


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A dataset as one person may see it.

    Attributes:
        columns: those that are not denied, each with the mask that its rows would meet.
        shows_values: metadata that is made of values (row counts, locations, findings) may be shown: the person
            may read every row.
    """

    dataset: Dataset
    decision: Decision
    columns: tuple[tuple[Column, Mask], ...]

    @property
    def names(self) -> frozenset[str]:
        """The names of its columns, as SQL knows them."""
        return frozenset(column.name for column, _mask in self.columns)

    @property
    def shows_values(self) -> bool:
        """True if no row filter stands between the person and the data."""
        return shows_values(self.decision)


def shows_values(decision: Decision) -> bool:
    """Say whether what is made of a dataset's values may be shown: every row of it may be read."""
    return decision.may_read and not decision.row_filters


def view_of(dataset: Dataset, *, principal: Principal, decisions: Decisions) -> View | None:
    """Return the dataset as the person may see it; None if they may not find it."""
    decision = decisions.decide(principal, dataset.labels)
    if not decision.may_find:
        return None
    masks = [(column, decision.mask(column.name)) for column in dataset.columns]
    visible = tuple((column, mask) for column, mask in masks if mask is not Mask.DENY)
    return View(dataset=dataset, decision=decision, columns=visible)


def views_of(
    ids: Iterable[DatasetId], *, uow: UnitOfWork, principal: Principal, decisions: Decisions
) -> dict[DatasetId, View]:
    """Read the datasets of these ids that the person may find, in the order asked. A fixed number of statements."""
    seen = {
        dataset.id: view_of(dataset, principal=principal, decisions=decisions)
        for dataset in uow.datasets.get_many(list(ids))
    }
    return {each: view for each, view in seen.items() if view is not None}


def absent(name: str, *, uow: UnitOfWork, principal: Principal, decisions: Decisions) -> DatasetNotFound:
    """Make the one error for a dataset that is not there and for one that the person may not find."""
    visible = decisions.visibility(principal)
    near = uow.search.nearest(name, visible=visible)
    hint = f"did you mean {' or '.join(map(str, near))}?" if near else "hms-dta search WORDS finds what you may see"
    return DatasetNotFound(f"there is no dataset {name} that you may find", hint=hint)


def find_dataset(name: str, *, uow: UnitOfWork) -> Dataset | None:
    """Find a dataset by its address, byte-exact, or by its SQL name, whoever asks.

    Raises:
        SettingsInvalid: *name* is not a dotted name.
    """
    return next(_meant(name, uow=uow), None)


def _meant(name: str, *, uow: UnitOfWork) -> Iterator[Dataset]:
    parts = split_name(name)
    if len(parts) != 3:
        return
    if (exact := uow.datasets.find(Address(*parts))) is not None:
        yield exact
    if (by_sql_name := uow.datasets.resolve(TrinoName(*(part.lower() for part in parts)))) is not None:
        yield by_sql_name


def get_view(name: str, *, uow: UnitOfWork, principal: Principal, decisions: Decisions) -> View:
    """Get a dataset by its address, byte-exact, or by its SQL name.

    Raises:
        DatasetNotFound: it is not there, or not for this person.
        SettingsInvalid: *name* is not a dotted name.
    """
    for found in _meant(name, uow=uow):
        # A hidden twin by case must not stand before the visible one that the name means without it.
        view = view_of(found, principal=principal, decisions=decisions)
        if view is not None:
            return view
    raise absent(name, uow=uow, principal=principal, decisions=decisions)


def may_know_source(name: str, *, uow: UnitOfWork, principal: Principal, decisions: Decisions) -> bool:
    """Say whether the person may find anything of a source."""
    visible = decisions.visibility(principal)
    return next(uow.datasets.iter(source=name, visible=visible, limit=1), None) is not None


def visible_sources(*, uow: UnitOfWork, principal: Principal, decisions: Decisions) -> list[SourceStatus]:
    """Return the sources of which the person may find something, by name. A fixed number of statements."""
    seen = uow.sources.seen(decisions.visibility(principal))
    return [status for status in uow.sources.all() if status.source.name in seen.some]


def list_views(
    *,
    uow: UnitOfWork,
    principal: Principal,
    decisions: Decisions,
    source: str | None = None,
    after: Address | None = None,
    limit: int,
) -> list[View]:
    """Return datasets that the person may find, by address, beginning behind *after*."""
    visible = decisions.visibility(principal)
    found = uow.datasets.iter(source=source, visible=visible, after=after, limit=limit)
    seen = (view_of(dataset, principal=principal, decisions=decisions) for dataset in found)
    return [view for view in seen if view is not None]


def split_version(text: str) -> tuple[str, int | None]:
    """Split `name@v3` into the name and 3; `name@latest` and `name` into the name and None."""
    name, at, version = text.rpartition("@")
    if not at or '"' in version:
        return text, None
    if version == "latest":
        return name, None
    if version.isascii() and version[:1] == "v" and version[1:].isdecimal():
        return name, int(version[1:])
    raise SettingsInvalid(f"{version!r} is not a version", hint="write @v3 or @latest")


@dataclass(frozen=True, slots=True, kw_only=True)
class Lineage:
    """What a dataset comes from or leads to, with everything that the person may not find left nameless."""

    root: View
    direction: Literal["up", "down"]
    edges: tuple[Edge, ...]
    nodes: dict[DatasetId, View | None]


def lineage(
    view: View,
    *,
    direction: str,
    uow: UnitOfWork,
    principal: Principal,
    decisions: Decisions,
    depth: int | None = None,
    as_of: int | None = None,
) -> Lineage:
    """Walk `derives` edges to the end, or *depth* steps. A dataset that may not be found is a node without a view.

    Args:
        as_of: an epoch; None = now.

    Raises:
        SettingsInvalid: it is to go both ways.
    """
    if direction == "both":
        raise SettingsInvalid("a tree of lineage goes one way", hint="ask for what is upstream or what is downstream")
    towards: Literal["up", "down"] = "down" if direction == "down" else "up"
    edges = uow.walks.edges(Walk(start=view.dataset.id, direction=towards, depth=depth, as_of=as_of))
    ids = list(dict.fromkeys([end for edge in edges for end in (edge.upstream, edge.downstream)]))
    nodes: dict[DatasetId, View | None] = dict.fromkeys(ids)
    nodes |= views_of(ids, uow=uow, principal=principal, decisions=decisions)
    nodes[view.dataset.id] = view
    return Lineage(root=view, direction=towards, edges=tuple(edges), nodes=nodes)
