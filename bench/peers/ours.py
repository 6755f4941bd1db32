"""Our own crawler in the same shape: the command as its users run it, and what the catalogue then knows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from bench.homes import Described, make_home
from bench.peers.told import Told
from bench.timing import Watched, hms_dta, watched
from services.seaweedfs import Bucket

if TYPE_CHECKING:
    from hms_registry.domain.columns import Column


def crawl(home: Path, source: Described) -> Watched:
    """Crawl a source as `hms-dta crawl` does, into a catalogue that is new if the home is."""
    if not home.exists():
        make_home(home, {"store": source})
    took = watched(hms_dta("--home", str(home), "crawl", "--json"))
    (report,) = json.loads(took.output)["crawls"]
    if not report["ok"]:
        raise RuntimeError(f"the crawl of {home.name} failed: {report}")
    return took


def told(home: Path) -> Told:
    """What a crawled home knows, each dataset by its address, each type as the store spells it."""
    from hms_registry.bootstrap import Registry
    from hms_registry.domain.datasets import DatasetKind

    with Registry.open(home) as registry, registry.catalogue.unit() as uow:
        datasets = list(uow.datasets.iter(source="store"))
        views = [dataset for dataset in datasets if dataset.kind is DatasetKind.VIEW]
        origins = {
            (view.id, each.edge.downstream_column)
            for view in views
            for each in uow.edges.around(view.id)
            if each.edge.downstream == view.id and each.edge.downstream_column
        }
    return Told(
        datasets={
            str(dataset.address): {column.name: column.native_type for column in dataset.columns}
            for dataset in datasets
        },
        foreign_keys=sum(len(dataset.foreign_keys) for dataset in datasets),
        view_columns=len(origins),
    )


def told_of_bucket(home: Path, bucket: Bucket) -> Told:
    """What a crawled home knows of a bucket, each dataset by its key or prefix, each type as Trino's."""
    from hms_registry.bootstrap import Registry

    start = f"s3://{bucket.name}/"
    with Registry.open(home) as registry, registry.catalogue.unit() as uow:
        return Told(
            datasets={
                unquote(dataset.location).removeprefix(start): {
                    path: typed for column in dataset.columns for path, typed in _leaves(column)
                }
                for dataset in uow.datasets.iter(source="store")
            }
        )


def told_of_documents(home: Path) -> Told:
    """What a crawled home knows of a database of MongoDB, each field by its path, its steps into arrays left out."""
    from hms_registry.bootstrap import Registry

    with Registry.open(home) as registry, registry.catalogue.unit() as uow:
        return Told(
            datasets={
                dataset.address.table: {
                    str(column.path).replace("[]", ""): column.native_type for column in dataset.columns
                }
                for dataset in uow.datasets.iter(source="store")
            }
        )


def _leaves(column: Column) -> Iterator[tuple[str, str]]:
    """Yield a column, or the fields of a row type as `column.field`."""
    import pyarrow as pa

    from hms_registry.services.trino_types import to_arrow

    known = to_arrow(column.trino_type)
    if not isinstance(known, pa.StructType):
        yield column.name, column.trino_type
        return
    for field in known:
        yield f"{column.name}.{field.name}", str(field.type)
