"""Search in PostgreSQL, without an extension: GIN indexes over tokens and over pieces of three letters.

`array_to_tsvector` takes tokens as they are and keeps no positions, so no text is too long for a phrase: phrases are
found in the text itself, which is tokens and single spaces.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ARRAY, BigInteger, BindParameter, FromClause, Integer, Text, bindparam, text

from hms_registry.store.documents import TEXTS
from hms_registry.store.keys import MOST
from hms_registry.store.match import LAST, Match, Phrase

_TOKENS: Final = "array_to_tsvector(string_to_array({}, ' '))"
INDEXES: Final = (
    f"""CREATE INDEX ix_search_documents_tokens ON search_documents
    USING gin ({", ".join(f"({_TOKENS.format(field)})" for field in TEXTS)})""",
    """CREATE FUNCTION name_pieces(name text) RETURNS text[] LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN ARRAY (SELECT substr(name, at, 3) FROM generate_series(1, length(name) - 2) AS at)""",
    "CREATE INDEX ix_search_names_pieces ON search_names USING gin (name_pieces(folded))",
)

_RESEMBLING: Final = """
SELECT name.id AS name_id, count(*) AS weight
FROM unnest(:pieces) AS asked (piece)
JOIN search_names AS name ON name_pieces(name.folded) @> ARRAY[asked.piece]
GROUP BY name.id"""


def documents(match: Match) -> FromClause:
    """See `Dialect.documents`."""
    texts: dict[str, str] = {}
    fields = ["name"] if match.only_names else [field for field in TEXTS if field not in match.hidden]
    wanted = [_clause(clause, fields, texts) for clause in match.clauses] or ["true"]
    bound: list[BindParameter[Any]] = [bindparam(name, value, type_=Text, unique=True) for name, value in texts.items()]
    if match.first > 0:
        wanted.append("key >= :first")
        bound.append(bindparam("first", match.first, type_=BigInteger, unique=True))
    if match.last < LAST:
        wanted.append("key <= :last")
        bound.append(bindparam("last", match.last, type_=BigInteger, unique=True))
    if match.reaches is not None:
        wanted.append(f"key & {MOST} = ANY (:reaches)")
        bound.append(bindparam("reaches", sorted(match.reaches), type_=ARRAY(BigInteger), unique=True))
    statement = text(f"SELECT key FROM search_documents WHERE {' AND '.join(wanted)}")  # noqa: S608
    return statement.bindparams(*bound).columns(key=BigInteger).subquery()


def _clause(clause: Sequence[Phrase], fields: Collection[str], texts: dict[str, str]) -> str:
    """Write a condition on the fields, each of which is indexed; what is asked goes into *texts*, to be bound."""
    found = []
    for phrase in _alternatives(clause):
        query, written = f"query{len(texts)}", f"phrase{len(texts)}"
        texts[query] = _query(phrase)
        of_phrase = [field for field in fields if phrase.fields is None or field in phrase.fields]
        conditions = [f"{_TOKENS.format(field)} @@ CAST(:{query} AS tsquery)" for field in of_phrase]
        if len(phrase.tokens) > 1:
            texts[written] = f" {' '.join(phrase.tokens)}{'' if phrase.is_prefix else ' '}"
            conditions = [
                f"({condition} AND strpos(' ' || {field} || ' ', :{written}) > 0)"
                for condition, field in zip(conditions, of_phrase, strict=True)
            ]
        found += conditions
    return f"({' OR '.join(found)})" if found else "false"


@dataclass(frozen=True, slots=True)
class _AnyOf:
    """Words, any one of which is enough: one condition on the index, where each phrase would be one."""

    words: tuple[str, ...]
    fields: Collection[str] | None

    @property
    def tokens(self) -> tuple[str, ...]:
        """No phrase has to be looked for in the text."""
        return self.words[:1]

    is_prefix = False


def _alternatives(clause: Sequence[Phrase]) -> Iterator[Phrase | _AnyOf]:
    """Put whole words that may stand in the same fields together."""
    words: dict[tuple[str, ...] | None, list[str]] = {}
    for phrase in clause:
        if phrase.is_prefix or len(phrase.tokens) > 1:
            yield phrase
        else:
            fields = None if phrase.fields is None else tuple(phrase.fields)
            words.setdefault(fields, []).append(phrase.tokens[0])
    for fields, of_fields in words.items():
        yield _AnyOf(tuple(of_fields), fields)


def _query(phrase: Phrase | _AnyOf) -> str:
    if isinstance(phrase, _AnyOf):
        return " | ".join(map(_lexeme, phrase.words))
    return " & ".join(map(_lexeme, phrase.tokens)) + (":*" if phrase.is_prefix else "")


def resembling(folded: str) -> FromClause:
    """See `Dialect.resembling`; by at most 100 pieces."""
    pieces = list(dict.fromkeys(folded[at : at + 3] for at in range(min(len(folded) - 2, 100))))
    statement = text(_RESEMBLING).bindparams(bindparam("pieces", pieces, type_=ARRAY(Text)))
    return statement.columns(name_id=Integer, weight=Integer).cte("resembling")


def _lexeme(token: str) -> str:
    """Quote a token, so that nothing in it is tsquery syntax."""
    return "'" + token.replace("\\", "\\\\").replace("'", "''") + "'"
