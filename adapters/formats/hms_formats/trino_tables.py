"""Datasets of files as tables of Trino's hive connector, which are to give the rows that a scan here gives.

Where that connector would give others (a format it reads otherwise, files it leaves out, types it has not), there is
no table, and a reason. https://trino.io/docs/476/connector/hive.html
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from hms_formats.detection import Format
from hms_formats.listing import Entry
from hms_formats.membership import members_of
from hms_formats.partitions import partition_key, partition_values
from hms_formats.trees import Locator, Tree
from hms_formats.trino_parquet import parquet_column
from hms_formats.trino_text import text_table
from hms_registry.domain.datasets import Dataset
from hms_registry.ports.trino import NotFederated, StoredColumn, TrinoTable

MOST_PATHS = 500
"""Files that a view names one by one."""


def trino_table(tree: Tree, dataset: Dataset, *, root: str) -> TrinoTable | NotFederated:
    """Return the table for a dataset.

    Args:
        root: URL of the tree's root as Trino takes it: undecoded, with a slash at its end.

    Raises:
        ScanFailed: it is not there any more, or its files cannot be read.
        SourceUnreachable, CredentialsRejected
    """
    if not dataset.is_readable or not dataset.columns:
        return NotFederated(
            reason="nothing is known of its columns", hint="let the registry's account read it, and crawl"
        )
    locator = Locator.parse(dataset.locator)
    files = members_of(tree, locator).files
    if any(_is_hidden_there(entry) for entry in files):
        return NotFederated(
            reason="Trino leaves out files and folders whose names begin with _ or .", hint="rename them in the store"
        )
    is_partitioned = locator.is_folder and bool(partition_values(files[0].path, below=locator.path))
    keys = {column.name for column in dataset.columns if column.is_partition_key} if is_partitioned else set()
    folder = locator.path if locator.is_folder else locator.path.rpartition("/")[0]
    strangers = _strangers(tree, locator, files)
    if strangers and len(files) > MOST_PATHS:
        return NotFederated(
            reason="its folder holds files that are none of its own, and too many of its own to name them",
            hint=f"move what is not part of it elsewhere, e.g. {strangers[0].path}",
        )
    if dataset.format == Format.PARQUET:
        made = _of_parquet(dataset, keys)
    elif dataset.format in (Format.CSV, Format.TSV):
        made = text_table(tree, dataset, files, keys=keys)
    else:
        made = NotFederated(
            reason="Trino reads JSON lines otherwise than they are read here", hint="ask here, or use Parquet"
        )
    if isinstance(made, NotFederated):
        return made
    return replace(
        made,
        folder=f"{root}{folder}".rstrip("/") + "/",
        paths=tuple(f"{root}{entry.path}" for entry in files) if strangers else (),
        partition_keys=tuple(column.name.lower() for column in dataset.columns if column.name in keys),
    )


def _of_parquet(dataset: Dataset, keys: set[str]) -> TrinoTable | NotFederated:
    columns: list[StoredColumn] = []
    for column in dataset.columns:
        if column.name in keys:
            columns.append(partition_key(column.name, column.trino_type))
            continue
        found = parquet_column(column)
        if isinstance(found, NotFederated):
            return found
        columns.append(found)
    return TrinoTable(folder="", format="PARQUET", columns=tuple(columns))


def _strangers(tree: Tree, locator: Locator, files: Sequence[Entry]) -> list[Entry]:
    """Return what Trino would read as well: other files in the same folders."""
    own = {entry.path for entry in files}
    folders = {entry.path.rpartition("/")[0] for entry in files}
    if not locator.is_folder:
        # Other files of the folder may come at any time: the one is named, whatever is there now.
        return list(files)
    listed = tree.members(locator)
    beside = [*listed.files, *listed.manifests]
    return [
        entry
        for entry in beside
        if entry.path not in own and entry.path.rpartition("/")[0] in folders and not _is_hidden_there(entry)
    ]


def _is_hidden_there(entry: Entry) -> bool:
    return any(part[:1] in ("_", ".") for part in entry.path.split("/"))
