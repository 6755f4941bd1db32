"""A server beyond loopback, in a process of its own: it has an identity provider, a name, and nothing else lets in."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest

from issuer import issuing
from serving import make_shop, serving


@pytest.mark.slow
def test_with_an_identity_provider_a_server_listens_on_every_address(tmp_path: Path) -> None:
    """It answers by its name to whom the provider vouches for, also to a newcomer while the provider is down."""
    home = make_shop(tmp_path)
    with ExitStack() as provider:
        issuer = provider.enter_context(issuing())
        (home / "settings.yml").write_text(
            f"identity: {{oidc: {{issuer: '{issuer.url}', audience: hms-dta, claims: {{groups: groups}}}}}}\n"
        )
        first, second, stranger = (
            issuer.token(sub=who, groups=[group])
            for who, group in (("ana", "data-stewards"), ("bo", "data-stewards"), ("eve", "steward"))
        )
        more = ["--host", "0.0.0.0", "--public-name", "registry.example"]
        with serving(home, more=more) as server, server.client() as client:

            def status(token: str, host: str = "registry.example") -> int:
                headers = {"Host": host, "Authorization": f"Bearer {token}"}
                return client.get("/dta/datasets", headers=headers).status_code

            before = [status(first), status(stranger), status(first, host="evil.example")]
            asked = list(issuer.asked)
            provider.close()
            after = [status(second), status(second + "x")]

            log = server.log
    assert (before, after) == ([200, 401, 403], [200, 401])
    assert asked == ["/.well-known/openid-configuration", "/certs"]
    assert "a token of the identity provider is refused: its signature or its form is wrong" in log
    assert not any(piece in log for token in (first, second, stranger) for piece in token.split("."))
