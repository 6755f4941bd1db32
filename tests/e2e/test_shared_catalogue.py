"""Two registries on one PostgreSQL catalogue, as people run them: what one crawls the other answers."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest

from command import Done, hms, hms_process
from hms_registry.bootstrap import Registry
from hms_registry.errors import CatalogueUnavailable
from services.postgres import PASSWORD, Database, PostgresServer

STEWARD, ANALYST = "role:steward", "role:analyst"
SOURCES = "sources:\n  lake: {url: 'file:lake', agency: DOT, privacy_tier: PUBLIC}\n"
SECRETS = (PASSWORD, "s3cret", "canary")


@pytest.fixture(scope="module")
def database(postgres_server: PostgresServer) -> Iterator[Database]:
    """The shared catalogue."""
    with postgres_server.database() as made:
        yield made


def make_home(home: Path, database: Database) -> Path:
    """A home whose catalogue lies on the server, its password in a file."""
    (home / "lake" / "harbour").mkdir(parents=True)
    (home / "lake" / "harbour" / "calls.csv").write_text("ship,tonnes\nAlma,1200\nBerta,900\n")
    (home / "sources.yml").write_text(SOURCES)
    (home / "password").write_text(PASSWORD)
    url = f"postgresql://postgres@127.0.0.1:{database.port}/{database.name}"
    (home / "settings.yml").write_text(f"catalogue:\n  url: {url}\n  password_file: password\n")
    return home


@pytest.fixture(scope="module")
def homes(tmp_path_factory: pytest.TempPathFactory, database: Database) -> tuple[Path, Path]:
    """Two homes; the first one published the policy and crawled."""
    one, two = (make_home(tmp_path_factory.mktemp(name), database) for name in ("one", "two"))
    for words in (["init"], ["policy", "publish"], ["crawl"]):
        done = hms(one, *words)
        assert done.code == 0, done
    return one, two


def tells_nothing(*done: Done) -> bool:
    told = "".join(each.out + each.err for each in done)
    return not any(secret in told for secret in SECRETS)


def test_what_one_crawls_the_other_answers(homes: tuple[Path, Path]) -> None:
    """Search, show and SQL of the second home, which crawled nothing itself."""
    two = homes[1]

    found = hms(two, "search", "calls", "--as", ANALYST)
    shown = hms(two, "show", "lake.harbour.calls", "--as", STEWARD)
    answer = hms(two, "query", "SELECT sum(tonnes) AS t FROM lake.harbour.calls", "--as", STEWARD, "--format", "csv")

    assert (found.code, shown.code, answer.code) == (0, 0, 0), (found, shown, answer)
    assert "lake.harbour.calls" in found.out
    assert answer.out.split() == ["t", "2100"]
    assert not (two / ".hms-dta" / "catalogue.db").exists()
    assert tells_nothing(found, shown, answer)


def test_the_next_crawl_of_the_other_finds_nothing_new(homes: tuple[Path, Path]) -> None:
    """Equal files under another path: their stamps differ, what they are does not, so there is no new version."""
    done = hms(homes[1], "crawl", "--json")

    assert done.code == 0
    with Registry.open(homes[0]) as registry, registry.catalogue.unit() as uow:
        (dataset,) = uow.datasets.iter()
        assert (str(dataset.address), dataset.version) == ("lake.harbour.calls", 1)
        assert {each.kind for each in uow.outbox.since(0)} >= {"DatasetRegistered", "PolicyPublished"}


@pytest.mark.slow
def test_a_catalogue_that_is_gone_is_said_without_a_secret(tmp_path: Path, database: Database) -> None:
    """In a process of its own, in text and JSON, with exit code 9; also when the error crosses to another process."""
    home = make_home(tmp_path / "home", database)
    settings = home / "settings.yml"
    settings.write_text(settings.read_text().replace(database.name, f"{database.name}_not"))

    text = hms_process("--home", str(home), "search", "x", "--as", STEWARD, cwd=home)
    as_json = hms_process("--home", str(home), "crawl", "--json", cwd=home)
    with Registry.open(home) as registry, pytest.raises(CatalogueUnavailable) as caught:
        _ = registry.catalogue

    assert text.code == 9 and "its server has no such database" in text.err
    assert as_json.code == 9
    assert tells_nothing(text, as_json)
    pickled = pickle.dumps(caught.value)
    assert not any(secret.encode() in pickled for secret in SECRETS)
    assert not any(secret in repr(registry) for secret in SECRETS)


@pytest.mark.slow
def test_the_environment_names_the_catalogue(tmp_path: Path, database: Database, homes: tuple[Path, Path]) -> None:
    """A container needs no settings file; its URL holds the secret, and nothing tells it."""
    home = make_home(tmp_path / "home", database)
    (home / "settings.yml").unlink()

    done = hms_process(
        "--home", str(home), "search", "calls", "--as", ANALYST, cwd=home, env={"HMS_DTA_CATALOGUE": database.url}
    )

    assert done.code == 0, done
    assert "lake.harbour.calls" in done.out
    assert tells_nothing(done)
