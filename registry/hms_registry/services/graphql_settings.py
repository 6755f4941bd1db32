"""What `settings.yml` says of GraphQL: documents that are asked by their hash, and whether the schema may be asked.

graphql:
  documents: portal/queries      # *.graphql; each may be asked by its SHA-256
  only_documents: true           # and nothing else is answered
  introspection: true            # by default false: the schema is published as a file
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from hms_registry.errors import SettingsInvalid
from hms_registry.services.settings_file import read_settings

MAX_DOCUMENTS: Final = 2_000
_MAX_BYTES: Final = 100_000
_HINT: Final = "e.g. graphql: {documents: portal/queries}"


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphqlSettings:
    """How GraphQL is asked.

    Attributes:
        documents: texts by SHA-256, in hex.
        is_only_documents: nothing else is answered.
        introspection: the schema may be asked for itself.
    """

    documents: Mapping[str, str] = field(default_factory=dict)
    is_only_documents: bool = False
    introspection: bool = False


def document_hash(text: str) -> str:
    """Return what a document is asked by."""
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()


def read_graphql_settings(home: Path) -> GraphqlSettings:
    """Read them; without a word, no documents are kept and any may be asked.

    Raises:
        SettingsInvalid: with file, line and field, or the document that cannot be read.
    """
    top = read_settings(home)
    fields = None if top is None else top.fields("graphql", hint=_HINT)
    if fields is None:
        return GraphqlSettings()
    fields.only(("documents", "only_documents", "introspection"))
    named, is_only = fields.text("documents"), fields.flag("only_documents")
    if is_only and named is None:
        line = fields.line("only_documents")
        raise fields.wrong(line, "only_documents", "there are no documents", hint="name their folder: documents: ...")
    documents = {} if named is None else _documents(home / named)
    if named is not None and not documents:
        raise fields.wrong(fields.line("documents"), "documents", "no *.graphql lies there", hint=_HINT)
    return GraphqlSettings(documents=documents, is_only_documents=is_only, introspection=fields.flag("introspection"))


def _documents(folder: Path) -> dict[str, str]:
    files = sorted(folder.glob("*.graphql"))
    if len(files) > MAX_DOCUMENTS:
        raise SettingsInvalid(f"{folder} has more than {MAX_DOCUMENTS:,} documents", hint="keep those that are asked")
    return {document_hash(text): text for text in map(_text, files)}


def _text(file: Path) -> str:
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise SettingsInvalid(f"{file} cannot be read as text", hint="mend it, or take it away") from None
    if len(text) > _MAX_BYTES:
        raise SettingsInvalid(f"{file} is longer than {_MAX_BYTES:,} characters", hint="ask it in several documents")
    return text
