"""One document answered: parsed, measured against the limits, executed, and its errors told in the registry's words."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from graphql import GraphQLError
from strawberry.relay import GlobalIDValueError
from strawberry.schema.exceptions import InvalidOperationTypeError
from strawberry.types import ExecutionResult
from strawberry.types.graphql import OperationType

from hms_graphql.asking import Asking
from hms_graphql.deadline import Deadline
from hms_graphql.schema import SCHEMA
from hms_registry.domain.principals import Principal
from hms_registry.errors import HmsError, SettingsInvalid
from hms_registry.ports.catalogue import Catalogue, UnitOfWork
from hms_registry.ports.policy import EditDecisions
from hms_registry.services.editing import Editor
from hms_registry.services.feed import Told

_ELSEWHERE: Final = "a subscription is asked at /graphql/stream, and anything else at /graphql"
_READ_AND_EDIT: Final = (OperationType.QUERY, OperationType.MUTATION)
_SUBSCRIBE: Final = (OperationType.SUBSCRIPTION,)

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A document with its variables, and which of its operations is meant."""

    query: str
    variables: Mapping[str, object] = field(default_factory=dict)
    operation_name: str | None = None

    @property
    def digest(self) -> str:
        """What tells one document from another, without its literals: for the audit."""
        return hashlib.sha256(self.query.encode("utf-8", "backslashreplace")).hexdigest()[:16]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What is sent back: https://spec.graphql.org/October2021/#sec-Response-Format

    Attributes:
        is_refused: the document was not executed.
        is_personal: it tells something of who asked, and is for nobody else, whatever their rights.
    """

    body: dict[str, object]
    is_refused: bool
    is_personal: bool


def answer(
    question: Question,
    *,
    catalogue: Catalogue,
    decisions: EditDecisions,
    principal: Principal,
    editor: Editor | None = None,
    introspects: bool = False,
    deadline: Deadline | None = None,
) -> Answered:
    """Answer a document from one snapshot of the catalogue; each edit in it makes the next. Blocks; call it on a
    thread.

    Args:
        editor: what the edits of *principal* are made with; None = this door only reads.
        introspects: it may ask what the schema is.
        deadline: when it is ended; without one, MAX_SECONDS from now.

    Raises:
        CatalogueUnavailable: there is no snapshot to be had.
    """
    with catalogue.unit() as uow:
        asking = Asking(
            unit=uow,
            asker=principal,
            decisions=decisions,
            editor=editor,
            introspects=introspects,
            deadline=deadline or Deadline(),
        )
        return _answered(asyncio.run(_execute(question, asking, _READ_AND_EDIT)), asking)


def tell(
    question: Question, told: Sequence[Told], *, uow: UnitOfWork, decisions: EditDecisions, principal: Principal
) -> Answered:
    """Answer a subscription for what was read of the feed, from the snapshot that it was read from. Blocks."""
    asking = Asking(unit=uow, asker=principal, decisions=decisions, told=told)
    return _answered(asyncio.run(_execute(question, asking, _SUBSCRIBE)), asking)


def _answered(result: ExecutionResult, asking: Asking) -> Answered:
    if asking.deadline.has_ended_it and not asking.has_edited:
        return Answered(body={"errors": [_ours(asking.deadline.passed())]}, is_refused=True, is_personal=True)
    body: dict[str, object] = {} if result.data is None and result.errors else {"data": result.data}
    if result.errors:
        body["errors"] = [_told(error) for error in result.errors]
    return Answered(body=body, is_refused="data" not in body, is_personal=asking.is_personal)


async def _execute(question: Question, asking: Asking, kinds: Iterable[OperationType]) -> ExecutionResult:
    try:
        result = await SCHEMA.execute(
            question.query,
            variable_values=dict(question.variables),
            context_value=asking,
            operation_name=question.operation_name,
            allowed_operation_types=kinds,
        )
    except InvalidOperationTypeError:
        return ExecutionResult(data=None, errors=[GraphQLError(_ELSEWHERE)])
    assert isinstance(result, ExecutionResult)
    return result


def _told(error: GraphQLError) -> dict[str, object]:
    """Tell an error: ours with code and hint, a wrong document as it is, anything else without what it says."""
    told: dict[str, object] = dict(error.formatted)
    cause = error.original_error
    if isinstance(cause, HmsError):
        told |= _ours(cause)
    elif isinstance(cause, GlobalIDValueError):
        told |= _ours(SettingsInvalid("that is no id", hint="take the id of something that was found"))
    elif cause is None or isinstance(cause, GraphQLError):
        told["extensions"] = {"code": "request-invalid", "hint": "graphql/schema.graphql tells what may be asked"}
    else:
        logger.error("a field of a GraphQL document failed", exc_info=cause)
        told["message"] = "the registry failed at this field"
        told["extensions"] = {"code": "hms-error", "hint": "its log tells why"}
    return told


def _ours(error: HmsError) -> dict[str, object]:
    return {"message": error.message, "extensions": {"code": error.code, "hint": error.hint}}
