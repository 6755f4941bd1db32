"""Commands that state what a dataset is, as a portal does: describe, tag, own, deprecate."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from hms_registry.cli.output import print_json, print_lines
from hms_registry.cli.state import AsJson, AsWho, home_of, principal

if TYPE_CHECKING:
    from hms_registry.services.editing import Edited, Editor

Name = Annotated[str, typer.Argument(help="source.schema.table")]
InColumn = Annotated[str | None, typer.Option("--column", metavar="PATH", help="A column of it, e.g. crew[].name.")]
Clear = Annotated[bool, typer.Option("--clear", help="Take back what was stated here.")]
Seen = Annotated[
    int | None, typer.Option("--revision", min=0, help="Refuse if it was edited since this revision, as `show` has it.")
]


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command(short_help="State what a dataset or a column is.")(describe)
    app.command(short_help="Put tags on a dataset or a column, or take them away.")(tag)
    app.command(short_help="State whose a dataset is.")(own)
    app.command(short_help="State that a dataset is not to be used any more.")(deprecate)


def describe(
    context: typer.Context,
    name: Name,
    text: Annotated[str | None, typer.Argument(help="What it is.")] = None,
    column: InColumn = None,
    is_cleared: Clear = False,
    seen: Seen = None,
    who: AsWho = None,
    as_json: AsJson = False,
) -> None:
    """State what a dataset or a column is. It stands over what its manifest and its store say."""
    from hms_registry.services.curation import describe as describe_dataset

    _check_one_of(text, is_cleared, what="TEXT")
    with _editor(context, who) as editor:
        _print(describe_dataset(name, text, column=column, seen=seen, editor=editor), as_json=as_json)


def tag(
    context: typer.Context,
    name: Name,
    tags: Annotated[list[str], typer.Argument(help="Words that search and policies read.")],
    column: InColumn = None,
    is_removed: Annotated[bool, typer.Option("--remove", help="Take away tags that were put on here.")] = False,
    who: AsWho = None,
    as_json: AsJson = False,
) -> None:
    """Put tags on a dataset or a column. Those of its manifest and its source stay."""
    from hms_registry.services.curation import tag as tag_dataset

    with _editor(context, who) as editor:
        edited = tag_dataset(
            name, add=() if is_removed else tags, remove=tags if is_removed else (), column=column, editor=editor
        )
        _print(edited, as_json=as_json)


def own(
    context: typer.Context,
    name: Name,
    owner: Annotated[str | None, typer.Argument(help="A person, a desk or an agency.")] = None,
    is_cleared: Clear = False,
    seen: Seen = None,
    who: AsWho = None,
    as_json: AsJson = False,
) -> None:
    """State whose a dataset is. It stands over what its manifest and its store say."""
    from hms_registry.services.curation import own as own_dataset

    _check_one_of(owner, is_cleared, what="OWNER")
    with _editor(context, who) as editor:
        _print(own_dataset(name, owner, seen=seen, editor=editor), as_json=as_json)


def deprecate(
    context: typer.Context,
    name: Name,
    reason: Annotated[str | None, typer.Option(help="Why; it is shown to whoever may find the dataset.")] = None,
    successor: Annotated[str | None, typer.Option(metavar="NAME", help="What is to be used in its place.")] = None,
    is_undone: Annotated[bool, typer.Option("--undo", help="Take it back.")] = False,
    seen: Seen = None,
    who: AsWho = None,
    as_json: AsJson = False,
) -> None:
    """State that a dataset is not to be used any more. It can be found and read as before."""
    from hms_registry.services.curation import deprecate as deprecate_dataset
    from hms_registry.services.curation import undeprecate

    _check_one_of(reason, is_undone, what="--reason", undo="--undo")
    with _editor(context, who) as editor:
        edited = (
            undeprecate(name, seen=seen, editor=editor)
            if reason is None
            else deprecate_dataset(name, reason=reason, successor=successor, seen=seen, editor=editor)
        )
        _print(edited, as_json=as_json)


def _check_one_of(given: str | None, is_taken_back: bool, *, what: str, undo: str = "--clear") -> None:
    if (given is None) != is_taken_back:
        raise typer.BadParameter(f"write {what}, or {undo} to take back what was stated here")


@contextmanager
def _editor(context: typer.Context, who: str | None) -> Iterator[Editor]:
    with home_of(context).registry() as registry:
        yield registry.editor(principal(registry, who))


def _print(edited: Edited, *, as_json: bool) -> None:
    if as_json:
        print_json(
            {
                "id": edited.dataset_id,
                "address": edited.address,
                "revision": edited.revision,
                "changed": edited.has_changed,
            }
        )
        return
    done = "edited" if edited.has_changed else "it is so already"
    print_lines([f"{edited.address}: {done}, revision {edited.revision}"])
