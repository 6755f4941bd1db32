"""What was asked, in the one form under which its answer is kept: the same question is the same bytes.

What is executed is read from these bytes too, never from those that came: who finds two readings of one body (a key
that stands twice, say) cannot have the answer to one of them kept under the other.
"""

from __future__ import annotations

import hashlib
import json
import re
from functools import lru_cache
from typing import Final, NamedTuple

_REMEMBERED: Final = 1_000
_LONGEST: Final = 8_192
"""Bodies that are remembered with what they ask, and how long one may be."""

_WRITES: Final = re.compile(r"(?<![_0-9A-Za-z])(?:mutation|subscription)(?![_0-9A-Za-z])")
_PERSONAL: Final = re.compile(r"(?<![_0-9A-Za-z])me(?![_0-9A-Za-z])")


class HttpQuestion(NamedTuple):
    """A document that may be answered from memory.

    Attributes:
        body: the request as JSON, its keys sorted.
        is_personal: it seems to ask who asks, so that its answer is for one person. Only a guess: whether it does is
            known when it is executed.
    """

    body: bytes
    digest: str
    is_personal: bool


def read_question(body: bytes) -> HttpQuestion | None:
    """Read the body of a request; None if its answer is never kept, for whatever reason.

    Anything but reading has a word for it in the text of its document, since GraphQL has no way to write a name
    otherwise: https://spec.graphql.org/October2021/#sec-Names
    """
    return _remembered(body) if len(body) <= _LONGEST else _read(body)


def _read(body: bytes) -> HttpQuestion | None:
    try:
        asked = json.loads(body)
        document = asked.get("query") if isinstance(asked, dict) else None
        if not isinstance(document, str) or _WRITES.search(document):
            return None
        canonical = json.dumps(asked, sort_keys=True, allow_nan=False, separators=(",", ":")).encode()
    except (ValueError, RecursionError):
        return None
    digest = hashlib.sha256(canonical).hexdigest()
    return HttpQuestion(canonical, digest, is_personal=_PERSONAL.search(document) is not None)


_remembered = lru_cache(_REMEMBERED)(_read)
