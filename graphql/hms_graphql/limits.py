"""What a document may cost to resolve: fields, by how long their pages are. How large it may be, `shapes` measures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from graphql import (
    ExecutionResult,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    IntValueNode,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
    VariableNode,
)
from strawberry.extensions import SchemaExtension

from hms_graphql.paging import MOST

MAX_COST: Final = 5_000
"""Fields, each as often as its page is long."""

PAGES: Final = {"search": 20, "reach": 20, "crawls": 20}
"""Fields with a page, and how long it is unless *first* says so."""
LISTS: Final = {"events": 50}
"""Fields whose list nobody chooses the length of, and how long it is at most."""
WEIGHTS: Final = (
    dict.fromkeys(("lineage", "reach", "impact", "path", "facets"), 20)
    | dict.fromkeys(("history", "schemaVersion"), 5)
    | dict.fromkeys(("describe", "tag", "untag", "own", "deprecate", "undeprecate"), 50)
)
"""Fields that cost more than others: what is below them is not paged, or they write."""


class CostLimiter(SchemaExtension):
    """Refuses what would resolve more than MAX_COST fields."""

    def on_execute(self) -> Iterator[None]:
        """Count before anything is executed."""
        context = self.execution_context
        document = context.graphql_document
        assert document is not None
        fragments = {each.name.value: each for each in document.definitions if isinstance(each, FragmentDefinitionNode)}
        operations = [each for each in document.definitions if isinstance(each, OperationDefinitionNode)]
        name = context.operation_name
        asked = [each for each in operations if not name or (each.name is not None and each.name.value == name)]
        total = sum(_Cost(fragments, context.variables or {}).of(each.selection_set) for each in asked)
        if total > MAX_COST:
            message = f"the document costs {total:,}, {MAX_COST:,} is the most: ask for shorter pages or fewer fields"
            context.result = ExecutionResult(data=None, errors=[GraphQLError(message)])
        yield


class _Cost:
    """Counts fields. The document was validated: its fragments do not go round in circles."""

    def __init__(self, fragments: Mapping[str, FragmentDefinitionNode], variables: Mapping[str, object]) -> None:
        self._fragments, self._variables = fragments, variables

    def of(self, selection: SelectionSetNode | None) -> int:
        """Return what a selection costs."""
        return sum(map(self._one, selection.selections)) if selection is not None else 0

    def _one(self, node: SelectionNode) -> int:
        if isinstance(node, FragmentSpreadNode):
            fragment = self._fragments[node.name.value]
            return self.of(fragment.selection_set)
        if not isinstance(node, FieldNode):
            return self.of(getattr(node, "selection_set", None))
        name = node.name.value
        if name.startswith("__"):
            return 0
        return WEIGHTS.get(name, 1) + self._times(node) * self.of(node.selection_set)

    def _times(self, node: FieldNode) -> int:
        usual = PAGES.get(node.name.value)
        if usual is None:
            return LISTS.get(node.name.value, 1)
        given = next((each.value for each in node.arguments or () if each.name.value == "first"), None)
        if given is None:
            return usual
        if isinstance(given, IntValueNode):
            return max(1, int(given.value))
        told = self._variables.get(given.name.value) if isinstance(given, VariableNode) else None
        return told if isinstance(told, int) and told > 0 else MOST
