"""Things to put into a catalogue, said in one line each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from hms_registry.domain.columns import Column, ColumnPath, PrivacyTier
from hms_registry.domain.datasets import Dataset, DatasetId, DatasetKind, DatasetRef, DescribedDataset, Stamp
from hms_registry.domain.decisions import Visibility
from hms_registry.domain.edges import Edge, EdgeKind
from hms_registry.domain.names import Address
from hms_registry.domain.sources import Source
from hms_registry.ports.bundles import Bundle
from hms_registry.ports.catalogue import Catalogue
from hms_registry.ports.registering import Registered

LAKE = Source(name="lake", kind="files", url="file:lake", agency="DOT", owner="bts", registry_id="local")


def column(
    name: str, trino_type: str = "bigint", *, tags: Iterable[str] = (), tier: PrivacyTier | None = None
) -> Column:
    """A flat column."""
    return Column(path=ColumnPath.of(name), trino_type=trino_type, tags=frozenset(tags), privacy_tier=tier)


def described(
    table: str,
    *columns: Column | str,
    source: str = "lake",
    schema: str = "locks",
    stamp: str | None = "s1",
    kind: DatasetKind = DatasetKind.TABLE,
    description: str = "",
) -> DescribedDataset:
    """A dataset as an adapter would describe it; without columns it has one, `id`."""
    made = tuple(column(each) if isinstance(each, str) else each for each in columns or ("id",))
    ref = DatasetRef(address=Address(source, schema, table), kind=kind, stamp=None if stamp is None else Stamp(stamp))
    return DescribedDataset(ref=ref, columns=made, description=description, location=f"file:///{table}")


def put(catalogue: Catalogue, *sources: Source) -> None:
    """Describe sources."""
    with catalogue.unit(writes=True) as uow:
        for each in sources:
            uow.sources.put(each)
        uow.commit()


def register(catalogue: Catalogue, *datasets: DescribedDataset) -> list[Registered]:
    """Register in a unit of its own; the sources named come to be as `LAKE` is."""
    with catalogue.unit(writes=True) as uow:
        known = {each.source.name for each in uow.sources.all()}
        for name in sorted({each.ref.address.source for each in datasets} - known):
            uow.sources.put(replace(LAKE, name=name))
        done = uow.registrations.register(datasets)
        uow.commit()
    return done


def get(catalogue: Catalogue, dataset_id: DatasetId) -> Dataset:
    """Read one dataset."""
    with catalogue.unit() as uow:
        return uow.datasets.get(dataset_id)


def link(
    catalogue: Catalogue,
    upstream: DatasetId,
    downstream: DatasetId,
    *pairs: tuple[str | None, str | None],
    kind: EdgeKind = EdgeKind.DERIVES,
    has_unknown: bool = False,
) -> int:
    """Make these the edges of *downstream*, column to column; without pairs, dataset to dataset."""
    edges = [
        Edge(upstream=upstream, downstream=downstream, kind=kind, upstream_column=one, downstream_column=other)
        for one, other in pairs or ((None, None),)
    ]
    with catalogue.unit(writes=True) as uow:
        written = uow.edges.replace(downstream, origin=f"view of {upstream}", edges=edges, has_unknown=has_unknown)
        uow.commit()
    return written


def publish(catalogue: Catalogue, *mentions: str, digest: str = "d1") -> None:
    """Publish a bundle that mentions these strings."""
    bundle = Bundle(files={"a.polar": "# none"}, digest=digest, author="gov", mentions=frozenset(mentions))
    with catalogue.unit(writes=True) as uow:
        uow.bundles.publish(bundle)
        uow.commit()


def everything(catalogue: Catalogue) -> Visibility:
    """The visibility of who may find all there is."""
    with catalogue.unit() as uow:
        classes = uow.bundles.classes()
    return Visibility(dataset_classes=frozenset(classes.datasets), column_classes=frozenset(classes.columns))
