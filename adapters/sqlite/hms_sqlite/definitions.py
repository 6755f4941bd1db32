"""What a view was when it was crawled: labels hold for that, so a scan refuses to read it as anything else.

Whoever may write to the database may make another view of the same name and columns, or turn a table into a view,
between a crawl and a query.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping

# Every word that can name a table; SQLite takes a text in single quotes for a name, too.
_WORD = re.compile(r""""((?:[^"]|"")*)"|`((?:[^`]|``)*)`|\[([^\]]*)\]|'((?:[^']|'')*)'|([\w$]+)""")


def definition_of(view: str, texts: Mapping[str, str]) -> str:
    """Digest the SQL of a view and of every view that it mentions, however far down.

    Args:
        texts: the SQL of all views of the database, by lower-case name.
    """
    met: dict[str, str] = {}
    waiting = [view.lower()]
    while waiting:
        name = waiting.pop()
        if name not in met and name in texts:
            met[name] = texts[name]
            waiting += _words(texts[name])
    return hashlib.sha256(repr(sorted(met.items())).encode(errors="surrogatepass")).hexdigest()[:32]


def _words(sql: str) -> set[str]:
    found = set()
    for double, back, square, single, bare in _WORD.findall(sql):
        found.add(double.replace('""', '"') or back.replace("``", "`") or square or single.replace("''", "'") or bare)
    return {word.lower() for word in found}


def locator_of(name: str, definition: str) -> str:
    """Write the handle of a table (*definition* empty) or view. No name holds a NUL."""
    return f"{definition}\0{name}" if definition else name


def read_locator(locator: str) -> tuple[str, str]:
    """Return name and definition of a handle."""
    definition, mark, name = locator.rpartition("\0")
    return name, definition if mark else ""
