"""Search in PostgreSQL, without an extension: GIN indexes over tokens and over pieces of three letters.

`array_to_tsvector` takes tokens as they are and keeps no positions, so no text is too long for a phrase: phrases are
found in the text itself, which is tokens and single spaces.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy import ARRAY, FromClause, Integer, Text, bindparam, text

INDEXES: Final = (
    """CREATE INDEX ix_search_entries_tokens ON search_entries
    USING gin (array_to_tsvector(string_to_array(text, ' ')))""",
    """CREATE FUNCTION name_pieces(name text) RETURNS text[] LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN ARRAY (SELECT substr(name, at, 3) FROM generate_series(1, length(name) - 2) AS at)""",
    "CREATE INDEX ix_search_names_pieces ON search_names USING gin (name_pieces(folded))",
)

_MATCHES: Final = """
SELECT asked.word, entry.id AS entry_id
FROM unnest(:words, :queries, :phrases) AS asked (word, query, phrase)
JOIN search_entries AS entry
ON array_to_tsvector(string_to_array(entry.text, ' ')) @@ CAST(asked.query AS tsquery)
AND strpos(' ' || entry.text || ' ', asked.phrase) > 0"""
_RESEMBLING: Final = """
SELECT name.id AS name_id, count(*) AS weight
FROM unnest(:pieces) AS asked (piece)
JOIN search_names AS name ON name_pieces(name.folded) @> ARRAY[asked.piece]
GROUP BY name.id"""


def matches(phrases: Sequence[Sequence[str]], *, prefixes: Sequence[bool]) -> FromClause:
    """See `Dialect.matches`."""
    queries = [
        " & ".join(map(_lexeme, phrase)) + (":*" if is_prefix else "")
        for phrase, is_prefix in zip(phrases, prefixes, strict=True)
    ]
    spaced = [
        f" {' '.join(phrase)}{'' if is_prefix else ' '}" for phrase, is_prefix in zip(phrases, prefixes, strict=True)
    ]
    statement = text(_MATCHES).bindparams(
        bindparam("words", list(range(len(phrases))), type_=ARRAY(Integer)),
        bindparam("queries", queries, type_=ARRAY(Text)),
        bindparam("phrases", spaced, type_=ARRAY(Text)),
    )
    return statement.columns(word=Integer, entry_id=Integer).cte("matches")


def resembling(folded: str) -> FromClause:
    """See `Dialect.resembling`; by at most 100 pieces."""
    pieces = list(dict.fromkeys(folded[at : at + 3] for at in range(min(len(folded) - 2, 100))))
    statement = text(_RESEMBLING).bindparams(bindparam("pieces", pieces, type_=ARRAY(Text)))
    return statement.columns(name_id=Integer, weight=Integer).cte("resembling")


def _lexeme(token: str) -> str:
    """Quote a token, so that nothing in it is tsquery syntax."""
    return "'" + token.replace("\\", "\\\\").replace("'", "''") + "'"
