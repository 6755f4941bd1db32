"""GraphQL over the registry: one document, asked by one person, of one moment of the catalogue.

What a resolver may show is decided below it: it gets a `View` from the catalogue service, or nothing.
"""

from hms_graphql.answering import Answered, Question, answer, tell
from hms_graphql.schema import SCHEMA, schema_digest

__all__ = ["SCHEMA", "Answered", "Question", "answer", "schema_digest", "tell"]
