"""Trino's settings, each with one thing wrong: the doctor finds it, says what follows, and the line to write."""

from __future__ import annotations

from pathlib import Path

import pytest

from hms_federation.trino.doctor.access_control import examine_access
from hms_federation.trino.doctor.configuration import examine_configuration
from hms_federation.trino.doctor.etc import read_etc
from hms_registry.domain.findings import Finding, Grade
from hms_registry.errors import SettingsInvalid
from services.trino import write
from services.trino_settings import http_events, opa

LISTENER = "http://127.0.0.1:7780"
CONFIG = {"hide-inaccessible-columns": "true", "event-listener.config-files": "etc/events.properties"}
POSTGRES = {"connector.name": "postgresql", "connection-password": "${ENV:LAKE_PASSWORD}"}
ACCESS = opa(LISTENER)


def found(
    folder: Path,
    *,
    access: dict[str, str] | None = None,
    config: dict[str, str] | None = None,
    events: dict[str, str] | None = None,
    catalog: dict[str, str] | None = None,
) -> list[Finding]:
    """What the doctor finds in such a folder; what is not given is as it should be."""
    etc = folder / "etc"
    (etc / "catalog").mkdir(parents=True)
    write(etc / "config.properties", CONFIG if config is None else config)
    if access != {}:
        write(etc / "access-control.properties", access or ACCESS)
    write(etc / "events.properties", http_events(f"{LISTENER}/v1/events") if events is None else events)
    write(etc / "catalog" / "lake.properties", catalog or POSTGRES)
    read = read_etc(etc)
    return [*examine_access(read, listener=LISTENER), *examine_configuration(read, listener=LISTENER)]


def without(properties: object, name: str) -> dict[str, str]:
    assert isinstance(properties, dict)
    return {key: value for key, value in properties.items() if key != name}


def test_of_settings_as_they_should_be_nothing_is_found(tmp_path: Path) -> None:
    """What the tests' own governed Trino is started with."""
    assert found(tmp_path) == []


@pytest.mark.parametrize(
    ("name", "fact", "grade"),
    [
        ("opa.policy.row-filters-uri", "nobody's rows are filtered", Grade.WRONG),
        ("opa.policy.uri", "who may do what is not asked", Grade.WRONG),
        ("opa.policy.batched-uri", "lists are asked table by table, which takes as many requests", Grade.WARNING),
    ],
)
def test_a_uri_that_is_not_set_is_found_with_its_line(tmp_path: Path, name: str, fact: str, grade: Grade) -> None:
    """Trino says nothing of it."""
    (finding,) = found(tmp_path, access=without(ACCESS, name))

    assert finding == Finding(
        check="access-control",
        fact=f"{name} is not set: {fact}",
        grade=grade,
        change=f"{name}={ACCESS[name]}",
        where="access-control.properties",
    )


def test_without_either_uri_of_masks_nobody_is_masked(tmp_path: Path) -> None:
    """With the single one, they are, one request a column."""
    batch, single = "opa.policy.batch-column-masking-uri", "opa.policy.column-masking-uri"

    (none,) = found(tmp_path / "none", access=without(without(ACCESS, batch), single))
    (slow,) = found(tmp_path / "slow", access=without(ACCESS, batch))

    assert (none.grade, none.fact) == (Grade.WRONG, f"{batch} is not set: nobody's columns are masked")
    assert (slow.grade, slow.change) == (Grade.WARNING, f"{batch}={ACCESS[batch]}")


def test_a_uri_that_leads_elsewhere_is_wrong(tmp_path: Path) -> None:
    """Somebody else's answers are not this policy."""
    (finding,) = found(tmp_path, access={**ACCESS, "opa.policy.row-filters-uri": "http://127.0.0.1:1/open"})

    assert finding.fact == "opa.policy.row-filters-uri does not lead to this registry"
    assert finding.grade is Grade.WRONG


def test_without_access_control_everybody_may_read_everything(tmp_path: Path) -> None:
    """The whole file is the line to write."""
    (finding,) = found(tmp_path, access={})

    assert finding.fact == "Trino asks nobody who may do what: everybody may read everything"
    assert finding.change.splitlines()[0] == "access-control.name=opa"
    assert len(finding.change.splitlines()) == 5


@pytest.mark.parametrize(
    ("name", "value", "grade"),
    [
        ("opa.allow-permission-management-operations", "true", Grade.WRONG),
        ("opa.http-client.max-requests-queued-per-destination", "1024", Grade.WARNING),
        ("opa.http-client.max-connections-per-server", "many", Grade.WARNING),
        ("opa.http-client.request-timeout", "", Grade.WARNING),
    ],
)
def test_a_limit_of_trinos_client_that_is_too_low_is_found(tmp_path: Path, name: str, value: str, grade: Grade) -> None:
    """Each was met: docs/trino-policy.md."""
    (finding,) = found(tmp_path, access={**ACCESS, name: value})

    assert (finding.grade, finding.change.partition("=")[0]) == (grade, name)


def test_columns_that_are_not_hidden_are_named_by_an_error(tmp_path: Path) -> None:
    """SELECT * then names what is hidden."""
    (finding,) = found(tmp_path, config=without(CONFIG, "hide-inaccessible-columns"))

    assert (finding.check, finding.change) == ("hidden-columns", "hide-inaccessible-columns=true")


@pytest.mark.parametrize(
    ("events", "fact"),
    [
        ({}, "Trino tells nobody of its queries: what it applied is not proven"),
        (
            http_events("http://127.0.0.1:1/x"),
            "Trino tells its queries to somebody else: what it applied is not proven",
        ),
    ],
)
def test_a_trino_that_tells_us_no_query_is_found(tmp_path: Path, events: dict[str, str], fact: str) -> None:
    """Without events there is no proof."""
    (finding,) = found(tmp_path, events=events)

    assert (finding.fact, finding.grade) == (fact, Grade.WRONG)
    assert f"http-event-listener.connect-ingest-uri={LISTENER}/v1/events" in finding.change.splitlines()


def test_a_trino_that_sends_no_event_again_is_found(tmp_path: Path) -> None:
    """That is how Trino 476 is without a word on it: a registry that restarts loses events."""
    retries = "http-event-listener.connect-retry-count"

    (finding,) = found(tmp_path, events=without(http_events(f"{LISTENER}/v1/events"), retries))

    assert (finding.grade, finding.change) == (Grade.WARNING, f"{retries}=10")


def test_a_secret_that_is_spelled_out_is_found_and_not_told(tmp_path: Path) -> None:
    """Whoever queries the catalog is shown it by Trino."""
    (finding,) = found(tmp_path, catalog={**POSTGRES, "connection-password": "CANARY"})

    assert "CANARY" not in repr(finding)
    assert finding.change == "connection-password=${ENV:LAKE_CONNECTION_PASSWORD}"
    assert finding.where == "catalog/lake.properties"


def test_files_are_read_as_java_reads_them(tmp_path: Path) -> None:
    """Escapes, continued lines, and colons for equals signs."""
    (tmp_path / "config.properties").write_text(
        "# a comment\nhide-inaccessible-columns : \\\n   tr\\u0075e\n", encoding="iso-8859-1"
    )

    assert read_etc(tmp_path).config.get("hide-inaccessible-columns") == "true"


def test_a_folder_that_is_none_of_trinos_is_told(tmp_path: Path) -> None:
    """With what to do."""
    with pytest.raises(SettingsInvalid) as caught:
        read_etc(tmp_path)

    assert caught.value.message.endswith("is not Trino's folder of settings: it has no config.properties")
