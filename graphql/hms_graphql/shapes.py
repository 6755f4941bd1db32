"""How large a document is, measured before anything else walks it, its fragments spelled out.

Twenty fragments that each include the next one twice are a million fields in 900 bytes, and whatever follows fragments
walks all of them: limits and rules of validation, too. So each fragment is measured once, those it includes first, and
a document that is too large is refused before it is checked, let alone resolved.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from graphlib import CycleError, TopologicalSorter
from typing import Final

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLSyntaxError,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
    parse,
)
from strawberry.extensions import SchemaExtension

from hms_graphql.asking import Asking

MAX_TOKENS: Final = 2_000
MAX_DEPTH: Final = 10
"""Fields within fields; introspection has its own limit, in graphql-core."""
MAX_LEVELS: Final = 50
"""Fields, inline fragments and fragments within each other: whoever walks them by recursion needs few frames."""
MAX_ALIASES: Final = 30
MAX_FIELDS: Final = 5_000
MAX_REPEATS: Final = 100
"""Fields that stand twice beside each other: each is compared with each."""

_KEPT: Final = 256
_LEVELS: Final = "levels of fields and fragments"
_INTROSPECTION: Final = frozenset({"__schema", "__type"})


@dataclass(slots=True)
class Shape:
    """What a selection holds, counted with its fragments spelled out."""

    depth: int = 0
    levels: int = 0
    aliases: int = 0
    fields: int = 0
    repeats: int = 0
    introspects: bool = False

    def include(self, other: Shape, *, depth: int, level: int) -> None:
        """Add what a fragment holds that is included so deep."""
        self.depth = max(self.depth, depth + other.depth)
        self.levels = max(self.levels, level + other.levels)
        self.aliases += other.aliases
        self.fields += other.fields
        self.repeats += other.repeats
        self.introspects |= other.introspects


class BoundedParser(SchemaExtension):
    """Parses a document, once for all who send it, and refuses one that is too large, or asks what is not told here."""

    def on_parse(self) -> Iterator[None]:
        """Parse before strawberry does."""
        context = self.execution_context
        assert context.query is not None
        document, introspects = _parsed(context.query)
        asking = context.context
        if introspects and not (isinstance(asking, Asking) and asking.introspects):
            raise GraphQLError("introspection is off here; graphql/schema.graphql is the schema")
        context.graphql_document = document
        yield


@lru_cache(maxsize=_KEPT)
def _parsed(query: str) -> tuple[DocumentNode, bool]:
    try:
        document = parse(query, max_tokens=MAX_TOKENS)
    except GraphQLSyntaxError as exc:
        if "nested too deeply" in exc.message:
            raise _beyond(MAX_LEVELS, _LEVELS) from None
        raise
    shape = shape_of(document)
    for count, most, words in (
        (shape.depth, MAX_DEPTH, "fields within each other"),
        (shape.levels, MAX_LEVELS, _LEVELS),
        (shape.aliases, MAX_ALIASES, "aliases"),
        (shape.fields, MAX_FIELDS, "fields with its fragments spelled out"),
        (shape.repeats, MAX_REPEATS, "fields that stand beside themselves"),
    ):
        if count > most:
            raise _beyond(most, words)
    return document, shape.introspects


def _beyond(most: int, words: str) -> GraphQLError:
    return GraphQLError(f"the document has more than {most:,} {words}, which is the most")


def shape_of(document: DocumentNode) -> Shape:
    """Measure a document; it need not be valid.

    Raises:
        GraphQLError: its fragments go round in circles.
    """
    fragments = {each.name.value: each for each in document.definitions if isinstance(each, FragmentDefinitionNode)}
    included = {name: set(_spread_in(each.selection_set)) for name, each in fragments.items()}
    measured: dict[str, Shape] = {}
    try:
        for name in TopologicalSorter(included).static_order():
            if name in fragments:  # what includes one that is not there is refused by validation
                measured[name] = _measured(fragments[name].selection_set, measured)
    except CycleError:
        raise GraphQLError("a fragment includes itself") from None
    whole = Shape()
    for each in document.definitions:
        if isinstance(each, OperationDefinitionNode):
            whole.include(_measured(each.selection_set, measured), depth=0, level=0)
    return whole


def _spread_in(selection: SelectionSetNode) -> Iterable[str]:
    waiting = [selection]
    while waiting:
        for node in waiting.pop().selections:
            if isinstance(node, FragmentSpreadNode):
                yield node.name.value
            elif isinstance(node, FieldNode | InlineFragmentNode) and node.selection_set is not None:
                waiting.append(node.selection_set)


def _measured(selection: SelectionSetNode, fragments: Mapping[str, Shape]) -> Shape:
    """Measure without recursion: how deep it goes is what is asked."""
    shape, waiting = Shape(), [(selection, 0, 1, False)]
    while waiting:
        inner, depth, level, is_within_introspection = waiting.pop()
        shape.levels = max(shape.levels, level)
        keys: set[str] = set()
        for node in inner.selections:
            shape.fields += 1
            if isinstance(node, FragmentSpreadNode):
                shape.include(fragments.get(node.name.value, Shape()), depth=depth, level=level)
            elif isinstance(node, InlineFragmentNode):
                waiting.append((node.selection_set, depth, level + 1, is_within_introspection))
            elif isinstance(node, FieldNode):
                key = (node.alias or node.name).value
                shape.repeats += key in keys
                keys.add(key)
                shape.aliases += node.alias is not None
                shape.introspects |= node.name.value in _INTROSPECTION
                if node.selection_set is not None:
                    is_within = is_within_introspection or node.name.value.startswith("__")
                    below = depth if is_within else depth + 1
                    shape.depth = max(shape.depth, below)
                    waiting.append((node.selection_set, below, level + 1, is_within))
    return shape
