"""settings.yml: where the catalogue lies, with its secret by reference or by file, and never shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from hms_registry.errors import SettingsInvalid
from hms_registry.services.settings_file import catalogue_url

CANARY = "c4n@ry/%:#"
QUOTED = "c4n%40ry%2F%25%3A%23"


def url(home: Path, text: str, **environ: str) -> str:
    (home / "settings.yml").write_text(text)
    return catalogue_url(home, environ)


def test_without_settings_the_catalogue_is_a_file_of_the_home(tmp_path: Path) -> None:
    """One folder, one file, no server."""
    assert catalogue_url(tmp_path, {}) == f"sqlite:///{tmp_path}/.hms-dta/catalogue.db"


def test_a_reference_is_one_part_of_the_url_whatever_it_holds(tmp_path: Path) -> None:
    """A password needs no percent-encoding by whoever sets it."""
    found = url(tmp_path, "catalogue: {url: 'postgresql://hms:${PASSWORD}@db/hms'}\n", PASSWORD=CANARY)

    assert found == f"postgresql://hms:{QUOTED}@db/hms"


def test_a_reference_may_be_the_whole_url(tmp_path: Path) -> None:
    """Hosting platforms hand out whole URLs."""
    given = f"postgresql://hms:{QUOTED}@db/hms"

    assert url(tmp_path, "catalogue: {url: '${DATABASE_URL}'}\n", DATABASE_URL=given) == given


@pytest.mark.parametrize(("stated", "mark"), [("postgresql://hms@db/hms", "?"), ("postgresql://hms@db/hms?a=b", "&")])
def test_a_password_comes_from_a_file(tmp_path: Path, stated: str, mark: str) -> None:
    """As orchestrators mount secrets; the line end is not part of it."""
    (tmp_path / "secret").write_text(CANARY + "\n")

    found = url(tmp_path, f"catalogue:\n  url: {stated}\n  password_file: secret\n")

    assert found == f"{stated}{mark}password={QUOTED}"


def test_the_environment_goes_before_the_file(tmp_path: Path) -> None:
    """A container is told by a variable alone."""
    text = "catalogue: {url: 'postgresql://hms@db/hms'}\n"

    assert url(tmp_path, text, HMS_DTA_CATALOGUE="postgresql://other/x") == "postgresql://other/x"


def test_a_relative_file_starts_at_the_home(tmp_path: Path) -> None:
    """As it does in sources.yml."""
    assert url(tmp_path, "catalogue: {url: 'sqlite:///kept/c.db'}\n") == f"sqlite:///{tmp_path}/kept/c.db"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("catalog: {url: x}\n", "settings.yml:1: 'catalog' is not a field here"),
        ("catalogue: {uri: x}\n", "settings.yml:1: catalogue: 'uri' is not a field here"),
        ("catalogue:\n  password_file: x\n", "settings.yml:2: catalogue.url: it is missing"),
        (
            f"catalogue:\n  url: 'postgresql://a:{CANARY}@b/c'\n",
            "settings.yml:2: catalogue.url: it holds a secret in plain text",
        ),
        (
            f"catalogue:\n  url: 'postgresql://a@b/c?password={CANARY}'\n",
            "settings.yml:2: catalogue.url: it holds a secret in plain text",
        ),
        (
            "catalogue:\n  url: 'postgresql://a:${A@b/c'\n",
            "settings.yml:2: catalogue.url: a ${ in it is not a reference",
        ),
        (
            "catalogue:\n  url: postgresql://a@b/c\n  password_file: c4nary\n",
            "settings.yml:3: catalogue.password_file: the file that it names cannot be read as text",
        ),
        ("catalogue: {url: 'postgresql://a:${UNSET}@b/c'}\n", "the environment variable UNSET is not set"),
    ],
)
def test_a_mistake_is_told_with_its_line_and_no_value(tmp_path: Path, text: str, message: str) -> None:
    """File, line and field; never what was written there."""
    with pytest.raises(SettingsInvalid) as caught:
        url(tmp_path, text)

    assert caught.value.message.removeprefix(f"{tmp_path}/") == message
    assert "c4n" not in caught.value.message + caught.value.hint
