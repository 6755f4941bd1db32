"""How an answer lies where strangers can write: sealed with its key, so that a forged one is known.

    SHA-256 HMAC of all that follows, by the key (32 bytes)
    length of the head (4 bytes)
    head: JSON, the line of the audit
    body

The key holds the catalogue's mark, which nobody guesses who cannot read the catalogue: who can write into Redis can
neither make a value that is taken for ours, nor have ours taken for the answer to another question.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Final

from hms_registry.ports.cache import KeptAnswer

MOST_BYTES: Final = 4 << 20
"""A sealed answer is never longer."""

_SEAL: Final = 32
_HEAD: Final = 4


def name_of(key: bytes) -> str:
    """Return the name under which the answer to a key lies: it tells nothing of the key."""
    return f"hms-dta:answer:{hashlib.sha256(b'name' + key).hexdigest()}"


def seal(answer: KeptAnswer, *, key: bytes) -> bytes | None:
    """Return the value that holds an answer; None if it is too long."""
    head = json.dumps([answer.action, dict(answer.detail)]).encode()
    told = len(head).to_bytes(_HEAD, "big") + head + answer.body
    sealed = hmac.digest(key, told, "sha256") + told
    return sealed if len(sealed) <= MOST_BYTES else None


def unseal(value: bytes, *, key: bytes) -> KeptAnswer | None:
    """Return the answer that was sealed with this key; None if the value is anything else."""
    told = value[_SEAL:]
    if len(value) > MOST_BYTES or not hmac.compare_digest(hmac.digest(key, told, "sha256"), value[:_SEAL]):
        return None
    end = _HEAD + int.from_bytes(told[:_HEAD], "big")
    action, detail = json.loads(told[_HEAD:end])  # ours: nobody else could have sealed it
    return KeptAnswer(body=told[end:], action=action, detail=detail)
