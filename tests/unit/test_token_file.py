"""The token file of earlier releases: read into the catalogue once, its tokens as good as they were, and then gone."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hms_registry.domain.principals import Principal
from hms_registry.errors import AuthenticationFailed, SettingsInvalid
from hms_registry.ports.catalogue import Catalogue
from hms_registry.services.token_file import take_in
from hms_registry.services.tokens import CatalogueTokens, list_tokens, revoke_token

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
OLD = "hmsdta_" + "B" * 43


def written(folder: Path, *, expires: datetime = NOW + timedelta(hours=1)) -> Path:
    """The file as the release before wrote it."""
    path = folder / "tokens.json"
    digest = hashlib.sha256(OLD.encode()).hexdigest()
    path.write_text(json.dumps([{"subject": "ana", "sha256": digest, "expires": expires.isoformat()}], indent=1))
    return path


def holder(catalogue: Catalogue) -> str:
    found = CatalogueTokens(
        catalogue=catalogue,
        principal_of=lambda who, purpose: Principal(subject=who, purpose=purpose),
        clock=lambda: NOW,
    ).authenticate(OLD)
    assert found is not None
    return found.subject


def test_a_token_of_the_release_before_goes_on_to_be_good(catalogue: Catalogue, tmp_path: Path) -> None:
    """Its holder is who they were, and the file is gone."""
    path = written(tmp_path)

    assert take_in(path, catalogue=catalogue, now=NOW) == 1

    assert holder(catalogue) == "ana"
    assert not path.exists()
    assert take_in(path, catalogue=catalogue, now=NOW) == 0


def test_a_file_that_was_left_brings_no_revoked_token_back(catalogue: Catalogue, tmp_path: Path) -> None:
    """As after a kill before it was removed, or a backup that was put back."""
    take_in(written(tmp_path), catalogue=catalogue, now=NOW)
    (kept,) = list_tokens(catalogue=catalogue)
    revoke_token(kept.id, catalogue=catalogue, now=NOW)

    assert take_in(written(tmp_path), catalogue=catalogue, now=NOW) == 0

    with pytest.raises(AuthenticationFailed, match="the token was revoked"):
        holder(catalogue)


def test_what_had_ended_is_left(memory: Catalogue, tmp_path: Path) -> None:
    """It is good for nothing."""
    assert take_in(written(tmp_path, expires=NOW), catalogue=memory, now=NOW) == 0
    assert list_tokens(catalogue=memory) == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "{}x",
        '[{"subject": "ana"}]',
        '[{"subject": 1, "sha256": 2, "expires": "soon"}]',
        "[1]",
        '{"a": 1}',
        "\0",
    ],
)
def test_a_damaged_file_is_told_and_lets_nobody_in(memory: Catalogue, tmp_path: Path, text: str) -> None:
    """It stays where it is, for a person to look at."""
    path = tmp_path / "tokens.json"
    path.write_text(text)

    with pytest.raises(SettingsInvalid, match=r"^tokens\.json is damaged$"):
        take_in(path, catalogue=memory, now=NOW)

    assert path.exists()
    assert list_tokens(catalogue=memory) == []
