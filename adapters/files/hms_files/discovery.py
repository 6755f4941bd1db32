"""Discovery: refs for the datasets of each schema, with what describing and scanning need to find them again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from hms_files.config import FilesConfig, absolute, local_path
from hms_files.grouping import PUBLIC, Group, group, name_groups
from hms_files.listing import Listed, stamp_of, walk
from hms_files.partitions import is_partition
from hms_files.peeking import Heads
from hms_formats.detection import Format
from hms_registry.domain.crawls import ContainerListed, Discovery, Failure
from hms_registry.domain.datasets import DatasetKind, DatasetRef
from hms_registry.domain.names import Address
from hms_registry.errors import SettingsInvalid


@dataclass(frozen=True, slots=True, kw_only=True)
class Locator:
    """Where a dataset's files are.

    Attributes:
        path: the file or the folder, below the source.
        format: of a folder's files.
        left_out: files of a folder, below it, that have another schema; known once it is described.
    """

    path: str
    is_folder: bool = False
    format: Format | None = None
    left_out: tuple[str, ...] = ()

    def __str__(self) -> str:
        said: dict[str, object] = {"path": self.path}
        if self.is_folder:
            said |= {"format": str(self.format), "left_out": list(self.left_out)}
        return json.dumps(said, ensure_ascii=False)

    @classmethod
    def parse(cls, text: str) -> Locator:
        """Read back what `str(locator)` prints."""
        said = json.loads(text)
        if "format" not in said:
            return cls(path=said["path"])
        return cls(path=said["path"], is_folder=True, format=Format(said["format"]), left_out=tuple(said["left_out"]))


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaListed:
    """One schema, listed and grouped."""

    schema: str
    groups: tuple[tuple[str, Group], ...]
    listed: Listed
    ignored: int


def schemas(config: FilesConfig) -> Iterator[SchemaListed]:
    """List and group schema by schema, `public` last, as folders may add to it."""
    peek = Heads(config)
    top = Listed()
    folders = walk(config.root, "", listed=top, is_deep=False)
    public: list[Group] = []
    for folder in folders:
        if folder == PUBLIC or is_partition(folder):
            continue
        listed = Listed()
        walk(config.root, folder, listed=listed)
        groups, promoted, ignored = group(listed.files, schema=folder, peek=peek)
        public.extend(promoted)
        yield SchemaListed(schema=folder, groups=tuple(name_groups(groups)), listed=listed, ignored=ignored)
    for folder in filter(is_partition, folders):
        walk(config.root, folder, listed=top)
    groups, promoted, ignored = group(top.files, schema="", peek=peek, root_name=config.source)
    public.extend([*groups, *promoted])
    if PUBLIC in folders:
        already = len(top.files)
        walk(config.root, PUBLIC, listed=top)
        groups, promoted, more = group(top.files[already:], schema=PUBLIC, peek=peek)
        public.extend([*groups, *promoted])
        ignored += more
    yield SchemaListed(schema=PUBLIC, groups=tuple(name_groups(public)), listed=top, ignored=ignored)


def discover(config: FilesConfig) -> Iterator[Discovery]:
    """Yield the refs of every schema and what could not be listed, then the schema itself."""
    is_complete = True
    for each in schemas(config):
        for name, found in each.groups:
            yield ref_of(config, each.schema, name, found)
        for subject, reason in each.listed.problems:
            yield Failure(subject=subject, reason=reason)
        strays = sum(len(found.strays) for _, found in each.groups)
        is_complete = is_complete and each.listed.is_complete
        yield ContainerListed(
            schema=each.schema,
            is_complete=each.listed.is_complete,
            stamp=stamp_of([*each.listed.files, *each.listed.manifests]),
            ignored=each.listed.ignored + each.ignored + strays,
        )
    yield ContainerListed(schema="", is_complete=is_complete)


def ref_of(config: FilesConfig, schema: str, name: str, found: Group) -> DatasetRef:
    """Make the ref of a group of files; its stamp covers every file in it, strays too."""
    locator = Locator(path=found.path, is_folder=found.is_folder, format=found.format)
    return DatasetRef(
        address=Address(config.source, schema, name),
        kind=DatasetKind.FOLDER if found.is_folder else DatasetKind.FILE,
        stamp=stamp_of([*found.files, *found.strays]),
        locator=str(locator),
    )


def find(config: FilesConfig, location: str) -> DatasetRef | None:
    """Return the dataset that a path or `file:` URL names: its file or folder, or a file in its folder."""
    try:
        path = absolute(local_path(location, source=config.source))
    except SettingsInvalid:
        return None
    root = config.root.rstrip("/")
    if path != root and not path.startswith(root + "/"):
        return None
    wanted = path[len(root) + 1 :]
    holder: DatasetRef | None = None
    for each in schemas(config):
        for name, found in each.groups:
            if found.path == wanted:
                return ref_of(config, each.schema, name, found)
            if any(entry.path == wanted for entry in found.files):
                holder = ref_of(config, each.schema, name, found)
    return holder
