"""JSON, digests and times as text. Canonical: equal objects are equal text, so text can be hashed and compared.

ASCII only: `json` then carries any Python string through, also what is not valid Unicode, and NUL.
"""

from __future__ import annotations

import hashlib
import json
import re
from datetime import UTC, datetime

_encoder = json.JSONEncoder(ensure_ascii=True, separators=(",", ":"), sort_keys=True)
_ESCAPE = re.compile(r"\\(?:\\|(x00|u[0-9a-f]{4}))")


def dump(value: object) -> str:
    """Write *value* as canonical JSON."""
    return _encoder.encode(value)


def digest(text: str) -> str:
    """Return 128 bits of SHA-256, hex: short enough for an index, long enough to never collide."""
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def bindable(text: str) -> str:
    """Return *text* as every database takes it: NUL and what is not valid Unicode are spelled out."""
    if text.isascii() and "\0" not in text:
        return text
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")


def is_bindable(text: str) -> bool:
    """Say whether a database takes *text* as it is; if not, it holds no such text either."""
    return bindable(text) == text


def exact(text: str) -> str:
    """Return *text* as every database takes it, so that `parse_exact` gives it back."""
    return bindable(text.replace("\\", "\\\\"))


def parse_exact(text: str) -> str:
    """Read back `exact`."""
    return _ESCAPE.sub(_unescaped, text) if "\\" in text else text


def _unescaped(found: re.Match[str]) -> str:
    return "\\" if found[1] is None else chr(int(found[1][1:], 16))


def time_text(value: datetime) -> str:
    """Write a time as text of one width, so that it sorts; a time without a zone is taken for UTC."""
    value = value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    return value.isoformat(timespec="microseconds")


def parse_time(text: str | None) -> datetime | None:
    """Read back `time_text`."""
    return None if text is None else datetime.fromisoformat(text)
