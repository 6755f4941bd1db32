"""The identity provider in settings.yml: read whole, or an error; nobody is let in by half of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from command import hms
from hms_registry.errors import SettingsInvalid
from hms_registry.services.identity_settings import Claims, OidcSettings, read_oidc
from issuer import issuing

WHOLE = "issuer: https://login.example, audience: hms-dta"


def read(folder: Path, text: str) -> OidcSettings | None:
    (folder / "settings.yml").write_text(text)
    return read_oidc(folder)


def test_without_an_identity_provider_there_is_none(tmp_path: Path) -> None:
    """No file, and a file that says other things."""
    assert read_oidc(tmp_path) is None
    assert read(tmp_path, "catalogue: {url: 'sqlite:///x.db'}\n") is None


def test_what_is_not_said_is_the_strictest(tmp_path: Path) -> None:
    """RS256 alone, the provider's own name of a person, and no other claim."""
    assert read(tmp_path, f"identity: {{oidc: {{{WHOLE}}}}}\n") == OidcSettings(
        issuer="https://login.example",
        audience="hms-dta",
        jwks_url="",
        algorithms=("RS256",),
        claims=Claims(subject=("sub",), groups=(), agency=(), purpose=()),
    )


def test_a_claim_may_be_nested(tmp_path: Path) -> None:
    """As a path of names, none of which is taken apart."""
    found = read(tmp_path, f"identity: {{oidc: {{{WHOLE}, claims: {{groups: [a, 'b.c'], agency: 'https://x/y'}}}}}}\n")

    assert found is not None
    assert (found.claims.groups, found.claims.agency) == (("a", "b.c"), ("https://x/y",))


BROKEN = {
    "identity:\n": "1: identity: it says nothing",
    "identity: {}\n": "1: identity: it says nothing",
    "identity: {oidc: }\n": "1: identity.oidc: it says nothing",
    "identity: {oidc: {}}\n": "1: identity.oidc: it says nothing",
    "identity: {saml: {}}\n": "1: identity: 'saml' is not a field here",
    "identity: on\n": "1: identity: it is a text, not a mapping",
    "identity: {oidc: {issuer: https://login.example}}\n": "1: identity.oidc.audience: it is missing",
    "identity: {oidc: {audience: hms-dta}}\n": "1: identity.oidc.issuer: it is missing",
    "identity: {oidc: {issuer: https://login.example, audience: ''}}\n": "1: identity.oidc.audience: it is empty",
    "identity: {oidc: {issuer: 'http://login.example', audience: x}}\n": "1: identity.oidc.issuer: it is not",
    "identity: {oidc: {issuer: 'https://u:p@login.example', audience: x}}\n": "1: identity.oidc.issuer: it is not",
    "identity: {oidc: {issuer: 'https://login.example?x=1', audience: x}}\n": "1: identity.oidc.issuer: an issuer",
    "identity: {oidc: {issuer: '${ISSUER}', audience: x}}\n": "1: identity.oidc.issuer: it is not",
    f"identity: {{oidc: {{{WHOLE}, jwks_url: 'file:///k'}}}}\n": "1: identity.oidc.jwks_url: it is not https://HOST",
    f"identity: {{oidc: {{{WHOLE}, algorithms: [none]}}}}\n": "1: identity.oidc.algorithms: one of them is",
    f"identity: {{oidc: {{{WHOLE}, algorithms: [RS256, HS256]}}}}\n": "1: identity.oidc.algorithms: one of them is no",
    f"identity: {{oidc: {{{WHOLE}, algorithms: []}}}}\n": "1: identity.oidc.algorithms: it is empty",
    f"identity: {{oidc: {{{WHOLE}, algorithms: RS256}}}}\n": "1: identity.oidc.algorithms: it is a text, not a list",
    f"identity: {{oidc: {{{WHOLE}, claims: }}}}\n": "1: identity.oidc.claims: it says nothing",
    f"identity: {{oidc: {{{WHOLE}, claims: {{subject: }}}}}}\n": "1: identity.oidc.claims.subject: it says nothing",
    f"identity: {{oidc: {{{WHOLE}, claims: {{groups: []}}}}}}\n": "1: identity.oidc.claims.groups: it says nothing",
    f"identity: {{oidc: {{{WHOLE}, claims: {{clearance: c}}}}}}\n": "1: identity.oidc.claims: 'clearance' is",
    f"identity: {{oidc: {{{WHOLE}, client_secret: x}}}}\n": "1: identity.oidc: 'client_secret' is not a field here",
}


@pytest.mark.parametrize("text", BROKEN)
def test_what_is_broken_or_incomplete_is_told_by_its_line(tmp_path: Path, text: str) -> None:
    """With the field and a next step."""
    with pytest.raises(SettingsInvalid) as told:
        read(tmp_path, text)

    assert told.value.message.startswith(f"{tmp_path}/settings.yml:{BROKEN[text]}")
    assert told.value.hint


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home; each test writes its settings anew."""
    made = tmp_path_factory.mktemp("home")
    assert hms(made, "init").code == 0
    return made


@pytest.mark.parametrize("text", ["identity:\n", "identity: {oidc: {issuer: https://login.example}}\n"])
def test_a_server_does_not_start_on_broken_settings(home: Path, text: str) -> None:
    """It would let nobody in, or everybody, and neither is what was meant."""
    (home / "settings.yml").write_text(text)

    done = hms(home, "serve", "--port", "0")

    assert done.code == 2
    assert "settings.yml:1: identity" in done.err


def test_a_server_does_not_start_without_its_identity_provider(home: Path) -> None:
    """An address with a mistake in it looks the same."""
    with issuing() as issuer:
        url = issuer.url
    (home / "settings.yml").write_text(f"identity: {{oidc: {{issuer: '{url}', audience: x}}}}\n")

    done = hms(home, "serve", "--port", "0")

    assert (done.code, done.err.splitlines()[0]) == (
        2,
        "error: the identity provider could not be asked (ConnectError)",
    )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--host", "192.0.2.1"], "192.0.2.1 is reachable from other machines"),
        (["--host", "0.0.0.0"], "0.0.0.0 is reachable from other machines"),
        (["--host", "::"], ":: is reachable from other machines"),
        (["--public-name", "registry.example"], "a public name is for other machines"),
    ],
)
def test_beyond_loopback_nothing_is_served_without_an_identity_provider(
    home: Path, options: list[str], said: str
) -> None:
    """Tokens of the registry's own are not enough for that."""
    (home / "settings.yml").unlink(missing_ok=True)

    done = hms(home, "serve", "--port", "0", *options)

    assert (done.code, done.err.splitlines()[0]) == (2, f"error: {said}")


def test_a_server_on_every_address_needs_a_name(home: Path) -> None:
    """Else the check of the Host header would let nobody in."""
    (home / "settings.yml").write_text(f"identity: {{oidc: {{{WHOLE}}}}}\n")

    done = hms(home, "serve", "--port", "0", "--host", "0.0.0.0")

    assert done.code == 2
    assert done.err.splitlines()[0] == "error: a server on every address has no name that callers may use"


def test_a_missing_library_is_told_with_what_installs_it(tmp_path: Path) -> None:
    """Who names no identity provider needs none."""
    (tmp_path / "sources.yml").write_text("sources: {}\n")
    (tmp_path / "settings.yml").write_text(f"identity: {{oidc: {{{WHOLE}}}}}\n")
    program = "import sys; sys.modules['joserfc'] = None; from hms_registry.cli import main; main()"

    done = subprocess.run(
        [sys.executable, "-c", program, "--home", str(tmp_path), "serve"],
        capture_output=True,
        encoding="utf-8",
        check=False,
    )

    assert (done.returncode, done.stderr) == (
        1,
        "error: OpenID Connect is not installed: joserfc is missing\n  hint: pip install 'hms-dta[oidc]'\n",
    )
