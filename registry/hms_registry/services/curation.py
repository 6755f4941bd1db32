"""Curation: people describe, tag, own and deprecate datasets at a door of the registry, under the policy."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from hms_registry.domain.curations import CuratedColumn, Curation, Deprecation
from hms_registry.domain.datasets import Dataset
from hms_registry.domain.decisions import Edit
from hms_registry.errors import ColumnNotFound, SettingsInvalid
from hms_registry.services.catalogue import View
from hms_registry.services.editing import Change, Edited, Editor, curation_of, edit_dataset, find_view
from hms_registry.services.stated_texts import check_line, check_tags, check_text

MAX_DESCRIPTION: Final = 4_000
MAX_REASON: Final = 1_000
MAX_OWNER: Final = 200


def describe(name: str, text: str | None, *, column: str | None = None, seen: int | None, editor: Editor) -> Edited:
    """State what a dataset or a column is; None takes back what was stated here.

    Args:
        seen: the revision that the editor has seen; None = whatever it is.

    Raises:
        DatasetNotFound, ColumnNotFound, AccessDenied, EditOutdated, SettingsInvalid
    """
    stated = None if text is None else check_text(text, what="a description", most=MAX_DESCRIPTION)

    def change(view: View, edits: frozenset[Edit]) -> Change:
        before = curation_of(view)
        told = {"text": _digest(stated)}
        if column is None:
            after = replace(before, description=stated)
            return Change(edit=Edit.DESCRIBE, action="describe", curation=after, detail=told)
        path, top = _column(view, column, edits)
        after = _with_column(before, replace(before.column(path), description=stated))
        return Change(
            edit=Edit.DESCRIBE, action="describe", curation=after, column=top, detail={**told, "column": path}
        )

    return edit_dataset(name, change, edit=Edit.DESCRIBE, seen=seen, editor=editor)


def tag(
    name: str,
    *,
    add: Iterable[str] = (),
    remove: Iterable[str] = (),
    column: str | None = None,
    editor: Editor,
) -> Edited:
    """Put tags on a dataset or a column, and take away those that were put on here.

    Sets of words can be edited by two people in any order, so no revision is asked for.

    Raises:
        DatasetNotFound, ColumnNotFound, AccessDenied, SettingsInvalid
    """
    wanted, unwanted = check_tags(add), check_tags(remove)

    def change(view: View, edits: frozenset[Edit]) -> Change:
        before = curation_of(view)
        path, top = ("", "") if column is None else _column(view, column, edits)
        mine = before.column(path).tags if path else before.tags
        _check_is_ours(unwanted - mine, effective=_tags(view.dataset, path))
        after = (mine | wanted) - unwanted
        added, removed = after - mine, mine - after
        return Change(
            edit=Edit.TAG,
            action="untag" if removed and not added else "tag",
            curation=(
                _with_column(before, replace(before.column(path), tags=after)) if path else replace(before, tags=after)
            ),
            opens=lambda decisions: decisions.opens_by_tags(added=added, removed=removed),
            column=top,
            detail={"added": ", ".join(sorted(added)), "removed": ", ".join(sorted(removed)), "column": path},
        )

    return edit_dataset(name, change, edit=Edit.TAG, seen=None, editor=editor)


def own(name: str, owner: str | None, *, seen: int | None, editor: Editor) -> Edited:
    """State whose a dataset is; None takes back what was stated here.

    Raises:
        DatasetNotFound, AccessDenied, EditOutdated, SettingsInvalid
    """
    stated = None if owner is None else check_line(owner, what="an owner", most=MAX_OWNER)

    def change(view: View, _edits: frozenset[Edit]) -> Change:
        return Change(
            edit=Edit.OWN,
            action="own",
            curation=replace(curation_of(view), owner=stated),
            opens=lambda decisions: decisions.opens_by_owner(),
            detail={"owner": stated or ""},
        )

    return edit_dataset(name, change, edit=Edit.OWN, seen=seen, editor=editor)


def deprecate(name: str, *, reason: str, successor: str | None, seen: int | None, editor: Editor) -> Edited:
    """State that a dataset is not to be used any more, why, and what is to be used in its place.

    Raises:
        DatasetNotFound: also where the successor may not be found.
        AccessDenied, EditOutdated, SettingsInvalid
    """
    why = check_text(reason, what="a reason", most=MAX_REASON)
    heir = None if successor is None else find_view(successor, editor)

    def change(view: View, _edits: frozenset[Edit]) -> Change:
        if heir is not None:
            _check_successor(view, heir)
        deprecation = Deprecation(reason=why, successor=None if heir is None else heir.dataset.id)
        return Change(
            edit=Edit.DEPRECATE,
            action="deprecate",
            curation=replace(curation_of(view), deprecation=deprecation),
            event="DatasetDeprecated",
            detail={"reason": _digest(why), "successor": deprecation.successor or ""},
        )

    return edit_dataset(name, change, edit=Edit.DEPRECATE, seen=seen, editor=editor)


def undeprecate(name: str, *, seen: int | None, editor: Editor) -> Edited:
    """Take back that a dataset is not to be used any more.

    Raises:
        DatasetNotFound, AccessDenied, EditOutdated
    """

    def change(view: View, _edits: frozenset[Edit]) -> Change:
        after = replace(curation_of(view), deprecation=None)
        return Change(edit=Edit.DEPRECATE, action="undeprecate", curation=after, event="DatasetReinstated")

    return edit_dataset(name, change, edit=Edit.DEPRECATE, seen=seen, editor=editor)


def _column(view: View, named: str, edits: frozenset[Edit]) -> tuple[str, str]:
    """Return the path of a column that the person may see, as printed, and its name in SQL.

    One that is not there any more can still be named by who may declassify: what closed it goes on until they say so.
    """
    paths = {str(column.path): column.name for column, _mask in view.columns}
    near = [path for path in paths if path.lower() == named.lower()]
    path = named if named in paths else near[0] if len(near) == 1 else None
    if path is not None:
        return path, paths[path]
    there = {str(column.path) for column in view.dataset.columns}
    if Edit.DECLASSIFY in edits and named not in there and not curation_of(view).column(named).is_empty:
        return named, ""
    raise ColumnNotFound(
        f"{view.dataset.address} has no column {named} that you may see", hint="hms-dta show NAME lists its columns"
    )


def _with_column(curation: Curation, column: CuratedColumn) -> Curation:
    others = [each for each in curation.columns if each.path != column.path]
    stated = others if column.is_empty else [*others, column]
    return replace(curation, columns=tuple(sorted(stated, key=lambda each: each.path)))


def _tags(dataset: Dataset, path: str) -> frozenset[str]:
    if not path:
        return dataset.tags
    return next((column.tags for column in dataset.columns if str(column.path) == path), frozenset())


def _check_is_ours(unwanted: frozenset[str], *, effective: frozenset[str]) -> None:
    if foreign := sorted(unwanted & effective):
        raise SettingsInvalid(
            f"the tag {foreign[0]} is stated by a manifest or by sources.yml", hint="mend it there, and crawl or ingest"
        )


def _check_successor(view: View, heir: View) -> None:
    back = curation_of(heir).deprecation
    if heir.dataset.id == view.dataset.id:
        raise SettingsInvalid("a dataset cannot be its own successor", hint="name another one, or none")
    if back is not None and back.successor == view.dataset.id:
        raise SettingsInvalid(
            f"{heir.dataset.address} is deprecated in favour of this one", hint="undeprecate it first, or name another"
        )


def _digest(text: str | None) -> str:
    """What tells one text from another in the audit, which holds none."""
    return "" if text is None else hashlib.sha256(text.encode()).hexdigest()[:16]
