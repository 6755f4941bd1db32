"""The Trino of settings.yml: read whole, or an error that names file, line and field, and never a secret."""

from __future__ import annotations

from pathlib import Path

import pytest

from hms_registry.errors import SettingsInvalid
from hms_registry.services.trino_settings import CatalogsBy, OpaListener, TrinoSettings, read_trino_settings

URL = "url: 'https://trino.example:8443'"
ENVIRON = {"TRINO_PASSWORD": "pa$${x}ss"}


def read(folder: Path, text: str) -> TrinoSettings | None:
    (folder / "settings.yml").write_text(text)
    return read_trino_settings(folder, ENVIRON)


def test_without_a_trino_there_is_none(tmp_path: Path) -> None:
    """No file, and a file that says other things."""
    assert read_trino_settings(tmp_path, {}) is None
    assert read(tmp_path, "catalogue: {url: 'sqlite:///x.db'}\n") is None


def test_what_is_not_said_is_for_one_machine(tmp_path: Path) -> None:
    """Trino asks over loopback, catalogs are files, and the registry has a name of its own there."""
    assert read(tmp_path, f"trino: {{{URL}}}\n") == TrinoSettings(
        url="https://trino.example:8443",
        user="hms-dta",
        evaluator="hms-dta-evaluator",
        catalogs=CatalogsBy.FILES,
        opa=OpaListener(host="127.0.0.1", port=7780),
    )


def test_files_lie_beside_the_settings(tmp_path: Path) -> None:
    """A path is the home's, unless it is absolute."""
    listener = "opa: {host: 10.0.0.7, port: 7000, certificate: a.pem, key: b.pem, client_ca: /etc/c.pem}"

    found = read(tmp_path, f"trino: {{{URL}, ca: ca.pem, etc: /etc/trino, {listener}}}\n")

    assert found is not None
    assert (found.ca, found.etc) == (tmp_path / "ca.pem", Path("/etc/trino"))
    assert found.opa == OpaListener(
        host="10.0.0.7",
        port=7000,
        certificate=tmp_path / "a.pem",
        key=tmp_path / "b.pem",
        client_ca=Path("/etc/c.pem"),
    )
    assert found.opa.url == "https://10.0.0.7:7000"


def test_a_password_comes_from_outside_and_is_not_shown(tmp_path: Path) -> None:
    """From a variable, letter for letter, or from a file; never in what is printed of the settings."""
    (tmp_path / "password").write_text("from-a-file\n")

    by_name = read(tmp_path, f"trino: {{{URL}, password: '${{TRINO_PASSWORD}}'}}\n")
    by_file = read(tmp_path, f"trino: {{{URL}, password_file: password}}\n")

    assert by_name is not None
    assert by_file is not None
    assert (by_name.password, by_file.password) == ("pa$${x}ss", "from-a-file")
    assert "pa$" not in repr(by_name)


BROKEN = {
    "trino: {user: x}\n": "1: trino.url: it is missing",
    "trino: {url: 'http://trino.example:8080'}\n": "1: trino.url: it is not https",
    "trino: {url: 'https://me:canary@trino.example'}\n": "1: trino.url: it is not https",
    f"trino: {{{URL}, password: canary}}\n": "1: trino.password: it is spelled out",
    f"trino: {{{URL}, password: 'x${{TRINO_PASSWORD}}canary'}}\n": "1: trino.password: it is spelled out",
    f"trino: {{{URL}, password: '${{UNSET}}'}}\n": "the environment variable UNSET is not set",
    f"trino: {{{URL}, password_file: absent}}\n": "1: trino.password_file: the file that it names cannot be read",
    f"trino: {{{URL}, evaluator: HMS-DTA}}\n": "1: trino.evaluator: it is the user that the registry logs in as",
    f"trino: {{{URL}, catalogs: magic}}\n": "1: trino.catalogs: it is neither files nor statements",
    f"trino: {{{URL}, opa: {{port: 0}}}}\n": "1: trino.opa.port: it is no port",
    f"trino: {{{URL}, opa: {{host: 0.0.0.0}}}}\n": "1: trino.opa.certificate: it is missing",
    f"trino: {{{URL}, opa: {{certificate: a, key: b}}}}\n": "1: trino.opa.client_ca: it is missing",
    f"trino: {{{URL}, opa: {{prot: 1}}}}\n": "is not a field here",
}


@pytest.mark.parametrize(("text", "fact"), BROKEN.items(), ids=BROKEN.values())
def test_a_mistake_is_told_with_its_place(text: str, fact: str, tmp_path: Path) -> None:
    """File, line, field and the next step; what was written there is not repeated."""
    with pytest.raises(SettingsInvalid) as told:
        read(tmp_path, text)

    assert fact in str(told.value)
    assert told.value.hint
    assert "canary" not in f"{told.value} {told.value.hint}"
