"""sources.yml describes stores once; secrets stay references until a source is opened."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from hms_registry.domain.columns import PrivacyTier
from hms_registry.domain.sources import Source
from hms_registry.errors import SettingsInvalid
from hms_registry.services.adapters import AdapterFactory
from hms_registry.services.sources_file import absolute_url, opened_url, read_sources, resolve_secrets

CANARY = "canary-hunter2"
GOOD = """\
sources:
  cdc:
    url: sqlite:///cdc.db
    agency: HHS:CDC
    owner: flu@cdc.example
    privacy_tier: PUBLIC
    tags: [health, 2024]
    include: ['public.*']
    exclude: ['*.tmp_*']
    options: {timeout_s: 5, password: '${CDC_PASSWORD}'}
  lake: {url: file:lake, registry_id: dot}
  old:
    url: lake/old
    kind: files
  pg:
    url: postgresql://reader:${PG_PASSWORD}@db.example:5432/flu?sslpassword=${PG_SSL}
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "sources.yml"
    path.write_text(text, encoding="utf-8")
    return path


def refusal(folder: Path, text: str) -> SettingsInvalid:
    with pytest.raises(SettingsInvalid) as caught:
        read_sources(write(folder, text))
    assert caught.value.hint
    return caught.value


def test_sources_are_read_as_written(tmp_path: Path) -> None:
    """Order, options, patterns and references are kept; the kind comes from the scheme or is stated."""
    cdc, lake, old, pg = read_sources(write(tmp_path, GOOD))

    assert (cdc.name, cdc.kind, cdc.url, cdc.agency) == ("cdc", "sqlite", "sqlite:///cdc.db", "HHS:CDC")
    assert (cdc.owner, cdc.privacy_tier) == ("flu@cdc.example", PrivacyTier.PUBLIC)
    assert (cdc.tags, cdc.include, cdc.exclude) == ({"health", "2024"}, ("public.*",), ("*.tmp_*",))
    assert cdc.options == {"timeout_s": "5", "password": "${CDC_PASSWORD}"}
    assert (lake.kind, lake.registry_id, lake.privacy_tier) == ("files", "dot", None)
    assert (old.kind, old.url) == ("files", "lake/old")
    assert (pg.kind, pg.registry_id) == ("postgres", "local")
    assert "${PG_PASSWORD}" in pg.url


def test_an_empty_list_of_sources_is_no_mistake(tmp_path: Path) -> None:
    """A fresh home has none yet."""
    assert read_sources(write(tmp_path, "sources:\n")) == []
    assert read_sources(write(tmp_path, "sources: {}\n")) == []


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("source: {}\n", 1, "'source' is not a field here"),
        ("sources: [a]\n", 1, "sources: it is a list, not a mapping"),
        ("sources:\n  CDC: {url: sqlite:///x}\n", 2, "sources: 'CDC' cannot name a source"),
        ("sources:\n  select: {url: sqlite:///x}\n", 2, "sources: 'select' cannot name a source"),
        ("sources:\n  cdc:\n", 2, "sources.cdc: it says nothing"),
        ("sources:\n  cdc: sqlite:///x\n", 2, "sources.cdc: it is a text, not a mapping"),
        ("sources:\n  cdc:\n    agency: x\n", 3, "sources.cdc.url: it is missing"),
        ("sources:\n  cdc:\n    url: folder/x\n", 3, "sources.cdc.url: it has no scheme that would name the adapter"),
        ("sources:\n  cdc:\n    url: sqlite:///x\n    urll: y\n", 4, "sources.cdc: 'urll' is not a field here"),
        (
            "sources:\n  cdc:\n    url: sqlite:///x\n    options: {a: [1]}\n",
            4,
            "sources.cdc.options.a: it is not one text",
        ),
        ("sources:\n  a: {url: 'x:${}'}\n", 2, "sources.a.url: a ${ in it is not a reference"),
        ("sources:\n  a: {url: 's:x'}\n  a: {url: 's:x'}\n", 3, "'a' is there twice"),
    ],
)
def test_a_mistake_is_told_with_line_and_field(tmp_path: Path, text: str, line: int, message: str) -> None:
    """Each mistake names the file, its line and its field."""
    assert refusal(tmp_path, text).message == f"{tmp_path / 'sources.yml'}:{line}: {message}"


@pytest.mark.parametrize(
    "setting",
    [
        f"url: postgresql://reader:{CANARY}@db/x",
        f"url: postgresql://reader:{CANARY}/with/slash@db/x",
        f"url: postgresql://reader:${{PREFIX}}{CANARY}@db/x",
        f"url: 'postgresql://db/x?user=a&password={CANARY}'",
        f"url: 's3://bucket/?access_key={CANARY}'",
        f"url: sqlite:///x\n    options: {{password: {CANARY}}}",
        f"url: sqlite:///x\n    options: {{aws_secret_access_key: {CANARY}}}",
        f"url: sqlite:///x\n    options: {{dsn: 'postgresql://a:{CANARY}@b/c'}}",
    ],
)
def test_a_secret_in_plain_text_is_refused_and_not_repeated(tmp_path: Path, setting: str) -> None:
    """A password belongs into the environment; the refusal says so and does not show it."""
    error = refusal(tmp_path, f"sources:\n  cdc:\n    {setting}\n")

    assert error.message.endswith(": it holds a secret in plain text")
    assert "${CDC_PASSWORD}" in error.hint
    assert CANARY not in error.message + error.hint


def test_a_reference_is_filled_in_when_a_source_is_opened(tmp_path: Path) -> None:
    """Only the opened URL holds the secret."""
    pg = read_sources(write(tmp_path, GOOD))[3]

    url = opened_url(pg, folder=tmp_path, environ={"PG_PASSWORD": CANARY, "PG_SSL": "x"})

    assert url == f"postgresql://reader:{CANARY}@db.example:5432/flu?sslpassword=x"
    assert CANARY not in repr(pg)


def test_a_variable_that_is_not_set_is_named_and_no_value_is() -> None:
    """The error names the variable, never what the others hold."""
    with pytest.raises(SettingsInvalid) as caught:
        resolve_secrets("a://${USER_NAME}:${MISSING_ONE}@h", {"USER_NAME": CANARY})

    assert caught.value.message == "the environment variable MISSING_ONE is not set"
    assert CANARY not in caught.value.message + caught.value.hint


def test_a_value_that_looks_like_a_reference_is_not_resolved_again() -> None:
    """What the environment holds is data."""
    assert resolve_secrets("${A}", {"A": "${B}", "B": "x"}) == "${B}"


@pytest.mark.parametrize(
    ("url", "absolute"),
    [
        ("sqlite:///cdc.db", "sqlite:////home/x/cdc.db"),
        ("sqlite:////srv/cdc.db", "sqlite:////srv/cdc.db"),
        ("sqlite:///../cdc.db?mode=ro", "sqlite:////home/cdc.db?mode=ro"),
        ("file:lake", "file:///home/x/lake"),
        ("file:///srv/lake", "file:///srv/lake"),
        ("files:lake/a", "files:///home/x/lake/a"),
        ("lake", "/home/x/lake"),
        ("/srv/lake", "/srv/lake"),
        ("postgresql://h/db", "postgresql://h/db"),
    ],
)
def test_a_relative_path_starts_at_the_folder_of_sources_yml(url: str, absolute: str) -> None:
    """A home folder can be moved: its sources move with it."""
    assert absolute_url(url, folder=Path("/home/x")) == absolute


def test_a_query_is_given_the_secrets_of_its_own_sources() -> None:
    """What crosses to its process holds no other source's, nor the catalogue's."""
    sources = {
        "cdc": Source(
            name="cdc", kind="postgres", url="postgresql://u@db/cdc", options={"password": "${CDC_PASSWORD}"}
        ),
        "flu": Source(name="flu", kind="s3", url="s3://${FLU_BUCKET}/weekly", options={"secret_key": "${FLU_KEY}"}),
    }
    environ = {"CDC_PASSWORD": "hunter2", "FLU_BUCKET": "cdc-flu", "FLU_KEY": "k", "CATALOGUE_PASSWORD": "hunter3"}
    factory = AdapterFactory(sources=sources, environ=environ, folder="/")

    crossed = pickle.loads(pickle.dumps(factory.only({"flu"})))

    assert crossed.sources.keys() == {"flu"}
    assert crossed.environ == {"FLU_BUCKET": "cdc-flu", "FLU_KEY": "k"}
