"""Every error says a fact, a next step, and has a page."""

import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest

from hms_registry import errors
from hms_registry.errors import HmsError, SqlInvalid

PAGES = Path(__file__).parents[2] / "docs" / "errors"


def tree() -> Iterator[type[HmsError]]:
    """Every error of the product; a test's own fakes, which may be loaded too, are none."""
    for kind in vars(errors).values():
        if isinstance(kind, type) and issubclass(kind, HmsError):
            yield kind


@pytest.mark.parametrize("kind", list(tree()), ids=lambda kind: kind.__name__)
def test_every_error_has_a_page_of_its_name(kind: type[HmsError]) -> None:
    """The class name is the address of its page."""
    page = PAGES / f"{kind('fact').code}.md"

    assert page.read_text(encoding="utf-8").startswith(f"# {kind.__name__}\n")


def test_every_page_is_of_an_error() -> None:
    """No page outlives its error."""
    assert {page.stem for page in PAGES.glob("*.md")} == {kind("fact").code for kind in tree()}


@pytest.mark.parametrize("kind", list(tree()), ids=lambda kind: kind.__name__)
def test_the_tree_at_the_top_of_the_file_names_every_error(kind: type[HmsError]) -> None:
    """A reader sees the whole tree at one glance."""
    assert kind.__name__ in (errors.__doc__ or "")


@pytest.mark.parametrize("kind", list(tree()), ids=lambda kind: kind.__name__)
def test_an_error_crosses_a_process_boundary_whole(kind: type[HmsError]) -> None:
    """A query's child process raises these in its parent."""
    copy = pickle.loads(pickle.dumps(kind("a fact", hint="a step")))

    assert (type(copy), copy.message, copy.hint, str(copy)) == (kind, "a fact", "a step", "a fact")


def test_a_position_crosses_too() -> None:
    """Line and column survive pickling."""
    copy = pickle.loads(pickle.dumps(SqlInvalid("a fact", line=3, column=7)))

    assert (copy.line, copy.column) == (3, 7)
