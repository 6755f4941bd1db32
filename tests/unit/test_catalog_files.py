"""Catalogs as files, where no Trino runs: written, compared, mended and removed; what is others' is not touched."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from hms_federation.trino.catalogs import CatalogState, State, catalog_states, sync
from hms_federation.trino.catalogs.text import MARK
from hms_registry.bootstrap import Registry
from hms_registry.errors import SettingsInvalid
from services.running import free_port
from store_samples import described, register

LAKE = {"url": "postgresql://reader:${PASSWORD}@db.example/lake"}
ENVIRON = {"PASSWORD": "canary-77af"}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home whose Trino does not run; its `etc` is there."""
    (tmp_path / "etc" / "catalog").mkdir(parents=True)
    trino = {"url": f"http://127.0.0.1:{free_port()}", "etc": "etc", "etc_there": "/etc/trino", "tables": "/var/t"}
    (tmp_path / "settings.yml").write_text(json.dumps({"trino": trino}))
    return tmp_path


def synced(home: Path, sources: Mapping[str, object], *, is_dry: bool = False) -> dict[str, CatalogState]:
    """Sync these sources, or only compare."""
    (home / "sources.yml").write_text(json.dumps({"sources": dict(sources)}))
    with Registry(home, environ=ENVIRON) as registry:
        run = catalog_states if is_dry else sync
        return {state.name: state for state in run(registry.trino.catalogs)}


def test_a_file_is_written_once_and_holds_no_secret(home: Path) -> None:
    """The second sync writes nothing; the file is marked, refers to the secret, and names its file of twins as Trino
    has it."""
    path = home / "etc" / "catalog" / "lake.properties"

    first = synced(home, {"lake": LAKE})["lake"]
    written = path.stat()
    second = synced(home, {"lake": LAKE})["lake"]

    assert (first.state, first.hint) == (State.MADE, "restart Trino: it reads catalogs when it starts")
    assert second.state is State.PRESENT
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (written.st_ino, written.st_mtime_ns)
    text = path.read_text()
    assert text.startswith(f"{MARK}\nconnector.name=postgresql\n")
    assert "connection-password=${ENV:PASSWORD}\n" in text
    assert "config-file=/etc/trino/hms-dta/lake.names.json\n" in text
    assert json.loads((home / "etc/hms-dta/lake.names.json").read_text()) == {"schemas": [], "tables": []}
    assert all("canary" not in each.read_text() for each in (home / "etc").rglob("*") if each.is_file())


def test_a_comparison_changes_nothing(home: Path) -> None:
    """What is missing is told, and is missing still."""
    assert synced(home, {"lake": LAKE}, is_dry=True)["lake"].state is State.MISSING
    assert list((home / "etc").rglob("*.*")) == []


def test_what_somebody_changed_is_mended(home: Path) -> None:
    """A line in a file of ours does not stay; a lost file of twins is written again."""
    synced(home, {"lake": LAKE})
    path = home / "etc" / "catalog" / "lake.properties"
    path.write_text(path.read_text() + "connection-password=literal\n")
    (home / "etc/hms-dta/lake.names.json").unlink()

    state = synced(home, {"lake": LAKE})["lake"]

    assert state.state is State.MENDED
    assert "literal" not in path.read_text()
    assert (home / "etc/hms-dta/lake.names.json").exists()


def test_a_file_that_is_not_ours_is_left_and_told(home: Path) -> None:
    """It is not written, and not removed when its source is gone; neither is one of another name."""
    theirs = home / "etc" / "catalog" / "lake.properties"
    theirs.write_text("connector.name=memory\n")

    state = synced(home, {"lake": LAKE})["lake"]
    gone = synced(home, {})

    assert (state.state, state.is_ok, gone) == (State.FOREIGN, False, {})
    assert theirs.read_text() == "connector.name=memory\n"


def test_what_sources_yml_describes_no_more_is_removed(home: Path) -> None:
    """With its file of twins; so is what federates no more, and the reason is told."""
    mongo = {"url": "mongodb://db.example", "options": {"trino_schema": "allowed"}}
    synced(home, {"lake": LAKE, "clinic": mongo})

    states = synced(home, {"clinic": {"url": "mongodb://db.example"}})

    assert {name: state.state for name, state in states.items()} == {"clinic": State.REMOVED, "lake": State.REMOVED}
    assert "did not consent" in states["clinic"].reason
    assert [each.name for each in (home / "etc").rglob("*.*")] == []


def test_a_source_that_cannot_be_understood_takes_nothing_away(home: Path) -> None:
    """A variable that is not set, or one with more than a secret in it, fails, and the file stays as it was."""
    synced(home, {"lake": LAKE})
    before = (home / "etc/catalog/lake.properties").read_text()

    state = synced(home, {"lake": {"url": "postgresql://reader:${PASSWORD}@${NOT_SET}/lake"}})["lake"]

    assert (state.state, state.reason) == (State.FAILED, "the environment variable NOT_SET is not set")
    assert (home / "etc/catalog/lake.properties").read_text() == before


def test_a_secret_that_trino_would_read_otherwise_is_refused(home: Path) -> None:
    """In a URL it has to be percent-encoded, and elsewhere it must not be; the message names the variable alone."""
    ENCODED = {"PASSWORD": "canary%2F77", "RAW": "canary/77"}
    (home / "sources.yml").write_text(
        json.dumps(
            {
                "sources": {
                    "lake": LAKE,
                    "clinic": {
                        "url": "mongodb://reader:${RAW}@db.example",
                        "options": {"trino_schema": "allowed"},
                    },
                }
            }
        )
    )

    with Registry(home, environ=ENCODED) as registry:
        states = sync(registry.trino.catalogs)

    assert [state.state for state in states] == [State.FAILED, State.FAILED]
    assert states[0].reason == "source lake: the variable PASSWORD is percent-encoded, and Trino takes it as it is"
    assert states[1].reason == "source clinic: the variable RAW holds what a URL may not, and Trino reads it in one"


def test_twins_that_trino_would_take_for_one_another_make_no_catalog(home: Path) -> None:
    """Of two collections whose names differ in case it would read one under the other's policy; alone each is fine."""
    clinic = {"clinic": {"url": "mongodb://db.example", "options": {"trino_schema": "allowed"}}}
    alone = synced(home, clinic)["clinic"]
    with Registry(home, environ=ENVIRON) as registry:
        twins = [described(name, source="clinic", schema="flu") for name in ("Visits", "visits")]
        register(registry.catalogue, *twins)

    together = synced(home, clinic)["clinic"]

    assert (alone.state, together.state) == (State.MADE, State.REMOVED)
    assert together.reason.startswith("Trino takes clinic.flu.visits and clinic.flu.visits__")


def test_files_need_a_folder(home: Path) -> None:
    """Without `etc` nothing can be written, and the settings say what else there is."""
    (home / "settings.yml").write_text(json.dumps({"trino": {"url": "http://127.0.0.1:1"}}))

    with pytest.raises(SettingsInvalid) as caught:
        synced(home, {"lake": LAKE})

    assert caught.value.message == "settings.yml does not say where Trino's settings are"
