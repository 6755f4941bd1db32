"""`.hms-dta/tokens.json`, where earlier releases kept the tokens of a home: read into the catalogue once, then removed.

What was in it goes on to be good until its end. A process that is killed in between leaves the file, and the next one
reads it again: what is kept already, also as revoked, stays as it is.
"""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

from hms_registry.errors import SettingsInvalid
from hms_registry.ports.catalogue import Catalogue
from hms_registry.ports.tokens import IssuedToken

_FIELDS = {"subject", "sha256", "expires"}
_NAME = "from tokens.json"


def take_in(path: Path, *, catalogue: Catalogue, now: datetime) -> int:
    """Read a file of tokens into the catalogue and remove it; returns how many are kept that were not. No file, none.

    Raises:
        SettingsInvalid: it is damaged, or cannot be removed; then nobody is let in by it.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return 0
    except (OSError, UnicodeDecodeError):
        raise _damaged(path) from None
    tokens = [token for token in _parse(text, path=path, now=now) if token.ends_at > now]
    with catalogue.unit(writes=True) as uow:
        count = uow.bearer_tokens.add(tokens)
        uow.commit()
    try:
        path.unlink(missing_ok=True)
    except OSError:
        raise SettingsInvalid(
            f"{path.name} is read into the catalogue and cannot be removed", hint=f"remove {path.name}"
        ) from None
    return count


def _parse(text: str, *, path: Path, now: datetime) -> list[IssuedToken]:
    try:
        entries = json.loads(text)
        if isinstance(entries, list) and all(set(entry) == _FIELDS for entry in entries):
            return [
                IssuedToken(
                    id=str(entry["sha256"])[:12],
                    digest=str(entry["sha256"]),
                    subject=str(entry["subject"]),
                    name=_NAME,
                    made_at=now,
                    ends_at=datetime.fromisoformat(entry["expires"]).astimezone(),
                )
                for entry in entries
            ]
    except (ValueError, TypeError):
        pass
    raise _damaged(path)


def _damaged(path: Path) -> SettingsInvalid:
    return SettingsInvalid(f"{path.name} is damaged", hint=f"remove {path.name}; its tokens must be made anew")
