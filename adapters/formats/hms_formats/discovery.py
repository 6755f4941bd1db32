"""Discovery: refs for the datasets of each schema, with what describing and scanning need to find them again."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from hms_formats.grouping import PUBLIC, Group, group, name_groups
from hms_formats.listing import Listed, stamp_of
from hms_formats.partitions import is_partition
from hms_formats.peeking import Heads
from hms_formats.trees import Locator, Tree
from hms_registry.domain.crawls import ContainerListed, Discovery, Failure
from hms_registry.domain.datasets import DatasetKind, DatasetRef
from hms_registry.domain.names import Address


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaListed:
    """One schema, listed and grouped."""

    schema: str
    groups: tuple[tuple[str, Group], ...]
    listed: Listed
    ignored: int
    is_complete: bool


def schemas(tree: Tree, *, within: Collection[str] | None = None) -> Iterator[SchemaListed]:
    """List and group schema by schema, `public` last, as folders may add to it.

    Args:
        within: only these folders, and not `public`.
    """
    peek = Heads(tree)
    top, named_public = Listed(), Listed()
    public: list[Group] = []
    is_complete = True
    for folder, listed in tree.folders(within):
        is_complete = is_complete and listed.is_complete
        if folder == PUBLIC:
            named_public = listed
        elif not folder or is_partition(folder):
            top.extend(listed)
        else:
            groups, promoted, ignored = group(listed.files, schema=folder, peek=peek)
            public.extend(promoted)
            yield SchemaListed(
                schema=folder,
                groups=tuple(name_groups(groups)),
                listed=listed,
                ignored=ignored,
                is_complete=listed.is_complete,
            )
    if within is not None:
        return
    groups, promoted, ignored = group(top.files, schema="", peek=peek, root_name=tree.source)
    public.extend([*groups, *promoted])
    groups, promoted, more = group(named_public.files, schema=PUBLIC, peek=peek)
    public.extend([*groups, *promoted])
    top.extend(named_public)
    yield SchemaListed(
        schema=PUBLIC,
        groups=tuple(name_groups(public)),
        listed=top,
        ignored=ignored + more,
        is_complete=is_complete,  # any folder may hold a table of `public`
    )


def discover(tree: Tree, *, within: Collection[str] | None = None) -> Iterator[Discovery]:
    """Yield the refs of every schema and what could not be listed, then the schema itself.

    Args:
        within: only these schemas; then nothing is said of any other.
    """
    is_complete = True
    for each in schemas(tree, within=within):
        for name, found in each.groups:
            yield ref_of(tree, each.schema, name, found)
        for subject, reason in each.listed.problems:
            yield Failure(subject=subject, reason=reason)
        strays = sum(len(found.strays) for _, found in each.groups)
        is_complete = is_complete and each.is_complete
        yield ContainerListed(
            schema=each.schema,
            is_complete=each.is_complete,
            stamp=stamp_of([*each.listed.files, *each.listed.manifests]),
            ignored=each.listed.ignored + each.ignored + strays,
        )
    if within is None:
        yield ContainerListed(schema="", is_complete=is_complete)


def ref_of(tree: Tree, schema: str, name: str, found: Group) -> DatasetRef:
    """Make the ref of a group of files; its stamp covers every file in it, strays too, and which
    store they are in."""
    locator = Locator(path=found.path, is_folder=found.is_folder, format=found.format)
    return DatasetRef(
        address=Address(tree.source, schema, name),
        kind=DatasetKind.FOLDER if found.is_folder else DatasetKind.FILE,
        stamp=stamp_of([*found.files, *found.strays], store=tree.store),
        locator=str(locator),
    )


def find_all(tree: Tree, paths: Collection[str]) -> dict[str, DatasetRef]:
    """Return the dataset at each path: its file or folder, or a file in its folder. One or two listings for all."""
    found: dict[str, DatasetRef] = {}
    if not paths:
        return found
    # The folder of a path mostly holds its dataset; a table of `public` needs the whole listing to have its name.
    folders = {head for head, slash, _ in (path.partition("/") for path in paths) if slash and head != PUBLIC}
    for within in (folders, None):
        if within is None or within:
            _look_for(tree, set(paths), found, within)
        if len(found) == len(paths):
            break
    return found


def _look_for(tree: Tree, wanted: set[str], found: dict[str, DatasetRef], within: Collection[str] | None) -> None:
    for each in schemas(tree, within=within):
        for name, group_ in each.groups:
            inside = {entry.path for entry in group_.files} & wanted if group_.is_folder else set()
            for path in inside - found.keys():
                found[path] = ref_of(tree, each.schema, name, group_)
            if group_.path in wanted:
                found[group_.path] = ref_of(tree, each.schema, name, group_)


def find(tree: Tree, location: str) -> DatasetRef | None:
    """Return the dataset at a location, None if there is none or it lies elsewhere."""
    path = tree.path_of(location)
    return None if path is None else find_all(tree, [path]).get(path)
