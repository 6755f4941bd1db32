"""Search in SQLite, by FTS5: https://www.sqlite.org/fts5.html"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import BindParameter, Connection, FromClause, Integer, bindparam, text

from hms_registry.store.documents import TEXTS
from hms_registry.store.keys import MOST
from hms_registry.store.match import LAST, Match, Phrase
from hms_registry.store.tokens import SEPARATOR

# The tokenizers take characters as they are: what a word is, and what is equal to what, is said in `tokens`. Names are
# in an index of their own beside that of all text: a word that is everywhere else may stand in few of them.
INDEXES = (
    f"""CREATE VIRTUAL TABLE document_index USING fts5(
    {", ".join(TEXTS)}, content='search_documents', content_rowid='key', columnsize=0, tokenize='ascii', prefix='2 3'
)""",
    """CREATE VIRTUAL TABLE naming_index USING fts5(
    name, content='search_documents', content_rowid='key', columnsize=0, tokenize='ascii', prefix='2 3'
)""",
    """CREATE VIRTUAL TABLE name_index USING fts5(
    folded, content='search_names', content_rowid='id', columnsize=0, detail=none, tokenize='trigram case_sensitive 1'
)""",
)
_REACHED = "& :most IN (SELECT value FROM json_each(:reaches))"
_NOWHERE = f'"{SEPARATOR}{SEPARATOR}"'
_OF = "WHERE dataset_number IN (SELECT value FROM json_each(:numbers))"
_SOURCES = (
    ("document_index", "search_documents", "key", ", ".join(TEXTS)),
    ("naming_index", "search_documents", "key", "name"),
    ("name_index", "search_names", "id", "folded"),
)
# FTS5 keeps what comes in the order of its rowids in memory for longer.
_INDEX = tuple(
    f"INSERT INTO {index} (rowid, {texts}) SELECT {key}, {texts} FROM {table} {_OF} ORDER BY {key}"  # noqa: S608
    for index, table, key, texts in _SOURCES
)
# An index over another table's text is told the old text, to forget it:
# https://www.sqlite.org/fts5.html#external_content_tables
_UNINDEX = tuple(
    f"INSERT INTO {index} ({index}, rowid, {texts}) SELECT 'delete', {key}, {texts} FROM {table} {_OF} ORDER BY {key}"  # noqa: S608
    for index, table, key, texts in _SOURCES
)
_RESEMBLING = """
SELECT i.rowid AS name_id, count(*) AS weight
FROM json_each(:pieces) AS w CROSS JOIN name_index AS i ON i.name_index MATCH w.value
GROUP BY i.rowid"""


def index(connection: Connection, numbers: Sequence[int]) -> None:
    """See `Dialect.index`."""
    for statement in _INDEX:
        connection.execute(text(statement), {"numbers": json.dumps(numbers)})


def unindex(connection: Connection, numbers: Sequence[int]) -> None:
    """See `Dialect.unindex`."""
    for statement in _UNINDEX:
        connection.execute(text(statement), {"numbers": json.dumps(numbers)})


def clear(connection: Connection) -> None:
    """See `Dialect.clear_index`."""
    for index_name, *_ in _SOURCES:
        connection.exec_driver_sql(f"INSERT INTO {index_name} ({index_name}) VALUES ('delete-all')")  # noqa: S608


def documents(match: Match) -> FromClause:
    """See `Dialect.documents`. FTS5 returns rowids in order, and stops when whoever asks has enough."""
    parameters: dict[str, str | int] = {}
    if match.clauses:
        of = "naming_index" if match.only_names else "document_index"
        conditions, key = [f"{of} MATCH :wanted"], "rowid"
        parameters["wanted"] = _whole(match)
    else:
        of, conditions, key = "search_documents", [], "key"
    if match.first > 0:
        conditions.append(f"{key} >= :first")
        parameters["first"] = match.first
    if match.last < LAST:
        conditions.append(f"{key} <= :last")
        parameters["last"] = match.last
    if match.reaches is not None:
        conditions.append(f"{key} {_REACHED}")
        parameters["most"] = MOST
        parameters["reaches"] = json.dumps(sorted(match.reaches))
    # Names of our own tables and columns; what is asked is bound.
    statement = text(f"SELECT {key} AS key FROM {of} WHERE {' AND '.join(conditions) or 'true'}")  # noqa: S608
    bound: list[BindParameter[Any]] = [bindparam(name, value, unique=True) for name, value in parameters.items()]
    return statement.bindparams(*bound).columns(key=Integer).subquery()


def resembling(folded: str) -> FromClause:
    """See `Dialect.resembling`; by at most 100 trigrams."""
    pieces = list(dict.fromkeys(_quoted(folded[at : at + 3]) for at in range(min(len(folded) - 2, 100))))
    statement = text(_RESEMBLING).bindparams(pieces=json.dumps(pieces))
    return statement.columns(name_id=Integer, weight=Integer).cte("resembling")


def _whole(match: Match) -> str:
    """Write a match in FTS5's language: https://www.sqlite.org/fts5.html#full_text_query_syntax"""
    clauses = [f"({' OR '.join(_phrase(phrase, match.hidden) for phrase in clause)})" for clause in match.clauses]
    whole = " AND ".join(clauses)
    return f"- {{{' '.join(sorted(match.hidden))}}} : ({whole})" if match.hidden else whole


def _phrase(phrase: Phrase, hidden: frozenset[str]) -> str:
    """Tokens go in as quoted strings, so nothing in them is FTS5 syntax."""
    tokens = " + ".join(map(_quoted, phrase.tokens)) + ("*" if phrase.is_prefix else "")
    if phrase.fields is None:
        return tokens
    fields = [field for field in phrase.fields if field not in hidden]
    return f"{{{' '.join(fields)}}} : {tokens}" if fields else _NOWHERE


def _quoted(token: str) -> str:
    return '"' + token.replace('"', '""') + '"'
