"""Tokens of an identity provider over HTTP: whom they are believed to be of, and everything that is not believed."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from joserfc.jwk import ECKey

from hms_policies.bundles import make_bundle
from hms_registry.app import make_app
from hms_registry.bootstrap import Registry, now
from hms_registry.services.tokens import create_token
from in_process import InProcess
from issuer import Issuer, issuing, part, rsa_key, signed

ME = "{ me { subject groups roles agency clearance purpose } }"
ROLES = """
roles:
  analyst: {clearance: PUBLIC}
  responder: {clearance: PII-SAFE, agency: "HHS:CDC"}
  steward: {clearance: RESTRICTED}
people:
  ana@bts.dot.example: {roles: [analyst], agency: DOT, purpose: planning, groups: [bts]}
  steward@x: {}
groups:
  flu-team: [responder]
  bts: []
"""
HOUR = timedelta(hours=1)
CLAIMS = "claims: {groups: [realm, groups], agency: org, purpose: why}"


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A catalogue with a policy, and nothing else; no test here writes into it."""
    home = tmp_path_factory.mktemp("policy")
    (home / "sources.yml").write_text("sources: {}\n")
    with Registry.open(home) as registry, registry.catalogue.unit(writes=True) as uow:
        uow.bundles.publish(make_bundle({"roles.yml": ROLES}, author="olga"))
        uow.commit()
    return home / ".hms-dta" / "catalogue.db"


@contextmanager
def house(catalogue: Path, issuer: Issuer, folder: Path, more: str = CLAIMS) -> Iterator[InProcess]:
    """A registry whose settings name the issuer."""
    folder.mkdir(exist_ok=True)
    (folder / "sources.yml").write_text("sources: {}\n")
    (folder / "settings.yml").write_text(
        f"catalogue: {{url: 'sqlite:///{catalogue}'}}\n"
        f"identity:\n  oidc:\n    issuer: {issuer.url}\n    audience: hms-dta\n    {more}\n"
    )
    with Registry.open(folder) as registry:
        yield InProcess(make_app(registry))


@pytest.fixture(scope="module")
def shared(catalogue: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Issuer, InProcess]]:
    """An issuer and a registry that no test changes."""
    with issuing() as issuer, house(catalogue, issuer, tmp_path_factory.mktemp("shared")) as client:
        yield issuer, client


@pytest.fixture(scope="module")
def attacker() -> Iterator[Issuer]:
    """Another server with keys of its own; nobody here ever asks it."""
    with issuing() as issuer:
        issuer.keys = {"one": rsa_key("attacker")}
        yield issuer
        assert issuer.asked == []


def me(client: InProcess, token: str) -> tuple[int, dict]:
    answer = client.post("/graphql", json={"query": ME}, headers={"Authorization": f"Bearer {token}"})
    body = answer.json()
    return answer.status_code, body["data"]["me"] if "data" in body else body["error"]


def test_a_person_of_roles_yml_is_what_it_states(shared: tuple[Issuer, InProcess]) -> None:
    """Roles, clearance and agency are roles.yml's, whatever the provider says; groups are of both; it says what for."""
    issuer, client = shared
    token = issuer.token(realm={"groups": ["flu-team", "steward"]}, org="EVIL", why="outbreak")

    assert me(client, token) == (200, {
        "subject": "ana@bts.dot.example", "groups": ["bts", "flu-team", "steward"], "roles": ["analyst", "responder"],
        "agency": "DOT", "clearance": "PII_SAFE", "purpose": "outbreak",
    })  # fmt: skip


def test_without_a_purpose_in_the_token_it_is_that_of_roles_yml(shared: tuple[Issuer, InProcess]) -> None:
    """As at every other door."""
    issuer, client = shared

    assert me(client, issuer.token())[1]["purpose"] == "planning"


def test_somebody_whom_only_the_provider_knows_has_what_their_groups_give(shared: tuple[Issuer, InProcess]) -> None:
    """And the agency that the provider says, where roles.yml states none of the person."""
    issuer, client = shared
    token = issuer.token(sub="new@cdc", realm={"groups": ["flu-team"]}, org="HHS:ASPR")

    assert me(client, token) == (200, {
        "subject": "new@cdc", "groups": ["flu-team"], "roles": ["responder"], "agency": "HHS:ASPR",
        "clearance": "PII_SAFE", "purpose": "",
    })  # fmt: skip


@pytest.mark.parametrize("subject", ["steward", "analyst", "nobody@x"])
def test_a_subject_is_never_a_role_by_its_name(shared: tuple[Issuer, InProcess], subject: str) -> None:
    """Who may choose their name at the provider chooses no role here; nor by a group that is called like one."""
    issuer, client = shared

    status, error = me(client, issuer.token(sub=subject, realm={"groups": ["steward", "analyst"]}))

    assert (status, error["message"]) == (401, "you have no role in the published policy")


def test_a_claim_that_settings_do_not_name_is_not_believed(catalogue: Path, tmp_path: Path) -> None:
    """Groups, agency and purpose are read where settings.yml says, and nowhere else."""
    with issuing() as issuer, house(catalogue, issuer, tmp_path, more="") as client:
        said = me(client, issuer.token(groups=["flu-team"], agency="EVIL", purpose="outbreak", roles=["steward"]))[1]

    assert (said["groups"], said["roles"], said["agency"], said["purpose"]) == (["bts"], ["analyst"], "DOT", "planning")


def test_a_clearance_of_the_provider_is_not_believed(shared: tuple[Issuer, InProcess]) -> None:
    """It is roles.yml's alone."""
    issuer, client = shared

    assert me(client, issuer.token(clearance="RESTRICTED", roles=["steward"]))[1]["clearance"] == "PUBLIC"


def test_the_registrys_own_tokens_are_good_beside(catalogue: Path, tmp_path: Path) -> None:
    """With a provider that is not even asked."""
    with issuing() as issuer, house(catalogue, issuer, tmp_path) as client:
        registry = client.app.state.registry
        token, _ = create_token(catalogue=registry.catalogue, subject="analyst", lasts=HOUR, now=now())

        assert me(client, token)[1]["subject"] == "role:analyst"
    assert issuer.asked == []


def hs256(key: bytes, issuer: Issuer) -> str:
    body = f"{part({'alg': 'HS256', 'kid': 'one'})}.{part(issuer.claims())}"
    return f"{body}.{part(hmac.new(key, body.encode(), hashlib.sha256).digest())}"


def unsigned(issuer: Issuer, algorithm: str, signature: str = "") -> str:
    return f"{part({'alg': algorithm, 'kid': 'one'})}.{part(issuer.claims())}.{signature}"


def at_header(issuer: Issuer, **header: object) -> str:
    return signed({"alg": "RS256", "kid": "one", **header}, issuer.claims(), issuer.keys["one"])


def text(issuer: Issuer, header: str, claims: str) -> str:
    """Signed over the very bytes."""
    return signed(header, claims, issuer.keys["one"])


GOOD_HEADER = '{"alg": "RS256", "kid": "one"}'
Forged = Callable[[Issuer], str]
FORGED: dict[str, dict[str, Forged]] = {
    "its algorithm is not one of settings.yml": {
        "alg none": lambda i: unsigned(i, "none"),
        "alg None": lambda i: unsigned(i, "None"),
        "alg none with a signature": lambda i: unsigned(i, "none", i.token().rsplit(".")[2]),
        "alg empty": lambda i: unsigned(i, ""),
        "no alg": lambda i: text(i, '{"kid": "one"}', json.dumps(i.claims())),
        "alg a list": lambda i: text(i, '{"alg": ["RS256"], "kid": "one"}', json.dumps(i.claims())),
        "HS256 by the public key in PEM": lambda i: hs256(i.keys["one"].as_pem(private=False), i),
        "HS256 by the modulus": lambda i: hs256(str(i.keys["one"].as_dict(private=False)["n"]).encode(), i),
        "HS256 by the set of keys": lambda i: hs256(json.dumps(i.jwks).encode(), i),
        "HS256 by nothing": lambda i: hs256(b"", i),
        "an algorithm that settings do not name": lambda i: i.token(header={"alg": "RS512"}),
        "another algorithm with the right key": lambda i: i.token(header={"alg": "PS256"}),
    },
    "its signature or its form is wrong": {
        "another's key under our name": lambda i: signed(
            {"alg": "RS256", "kid": "one"}, i.claims(), rsa_key("attacker")
        ),
        "no signature": lambda i: i.token().rpartition(".")[0] + ".",
        "half a signature": lambda i: i.token()[:-100],
        "a changed claim": lambda i: ".".join(
            (i.token().split(".")[0], part(i.claims(sub="steward@x")), i.token().split(".")[2])
        ),
        "exp NaN": lambda i: text(i, GOOD_HEADER, json.dumps(i.claims(exp=float("nan")))),
        "exp Infinity": lambda i: text(i, GOOD_HEADER, json.dumps(i.claims(exp=float("inf")))),
        "sub twice": lambda i: text(i, GOOD_HEADER, json.dumps(i.claims())[:-1] + ', "sub": "steward@x"}'),
        "claims no object": lambda i: text(i, GOOD_HEADER, "[]"),
        "claims deep": lambda i: text(i, GOOD_HEADER, "[" * 6000),
        "claims no JSON": lambda i: text(i, GOOD_HEADER, "ana"),
    },
    "the provider publishes no key of that name": {
        "kid unknown": lambda i: at_header(i, kid="two"),
        "kid a path": lambda i: at_header(i, kid="../../../../dev/null"),
        "kid a file": lambda i: at_header(i, kid="/etc/passwd"),
        "kid a URL": lambda i: at_header(i, kid=f"{i.url}/certs"),
        "kid SQL": lambda i: at_header(i, kid="' OR 1=1 --"),
    },
    "it names no key": {
        "kid empty": lambda i: at_header(i, kid=""),
        "kid a number": lambda i: at_header(i, kid=1),
        "kid null": lambda i: at_header(i, kid=None),
        "kid long": lambda i: at_header(i, kid="k" * 4000),
        "no kid": lambda i: text(i, '{"alg": "RS256"}', json.dumps(i.claims())),
    },
    "it lasts for more than a year": {
        "exp in a thousand years": lambda i: i.token(exp=32_503_680_000),
        "exp beyond every number": lambda i: text(i, GOOD_HEADER, json.dumps(i.claims(exp=10**400))),
    },
    "it has expired": {
        "expired": lambda i: i.token(exp=int(time.time()) - 3600),
        "exp negative": lambda i: i.token(exp=-1),
    },
    "of issuer, audience and times, exp is missing or wrong": {
        "exp missing": lambda i: i.token(exp=None),
        "exp a text": lambda i: i.token(exp="2999-01-01"),
        "exp true": lambda i: i.token(exp=True),
    },
    "of issuer, audience and times, nbf is missing or wrong": {
        "not before the future": lambda i: i.token(nbf=int(time.time()) + 3600),
    },
    "of issuer, audience and times, iat is missing or wrong": {
        "issued in the future": lambda i: i.token(iat=int(time.time()) + 3600),
    },
    "of issuer, audience and times, aud is missing or wrong": {
        "another audience": lambda i: i.token(aud="hms-dta-admin"),
        "no audience": lambda i: i.token(aud=None),
        "other audiences": lambda i: i.token(aud=["a", "b"]),
        "an audience of another case": lambda i: i.token(aud="HMS-DTA"),
    },
    "of issuer, audience and times, iss is missing or wrong": {
        "another issuer": lambda i: i.token(iss="https://login.evil.example"),
        "nearly the issuer": lambda i: i.token(iss=i.url + "/"),
        "no issuer": lambda i: i.token(iss=None),
        "issuers": lambda i: i.token(iss=[i.url]),
    },
    "it names nobody, or somebody oddly": {
        "no subject": lambda i: i.token(sub=None),
        "subject empty": lambda i: i.token(sub=""),
        "subject a role": lambda i: i.token(sub="role:steward"),
        "subject of two lines": lambda i: i.token(sub="ana\nroot"),
    },
    "of issuer, audience and times, sub is missing or wrong": {
        "subject a number": lambda i: i.token(sub=7),
    },
    "a claim that is read is no short text": {
        "subject long": lambda i: i.token(sub="a" * 300),
    },
    "its groups are no list of texts": {
        "groups a text": lambda i: i.token(realm={"groups": "flu-team"}),
        "groups of numbers": lambda i: i.token(realm={"groups": [1]}),
    },
    "it is good only for who proves to hold a key, which is not asked here": {
        "bound to a key": lambda i: i.token(cnf={"jkt": "x"}),
    },
    "its header is no JSON object": {
        "alg twice": lambda i: text(i, '{"alg": "none", "alg": "RS256", "kid": "one"}', json.dumps(i.claims())),
        "header deep": lambda i: f"{part('[' * 6000)}.{part(i.claims())}.x",
        "header no object": lambda i: f"{part('[]')}.{part(i.claims())}.x",
        "header no JSON": lambda i: f"AAAA.{part(i.claims())}.x",
    },
    "it has extensions that must be understood": {
        "crit": lambda i: at_header(i, crit=["b64"], b64=True),
    },
    "it is too long": {
        "too long": lambda i: i.token(more="x" * 20_000),
        "a megabyte": lambda i: i.token(more="x" * (1 << 20)),
    },
}
"""By the reason that the log tells."""


@pytest.mark.parametrize(("why", "name"), [(why, name) for why, those in FORGED.items() for name in those])
def test_what_is_not_to_be_believed_is_401_and_says_nothing_of_why(
    shared: tuple[Issuer, InProcess], why: str, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Each answer is the same, and the log has one line of it with nothing of the token."""
    issuer, client = shared
    token = FORGED[why][name](issuer)

    with caplog.at_level(logging.INFO):
        answer = client.post("/graphql", json={"query": ME}, headers={"Authorization": f"Bearer {token}"})

    told = {
        "code": "authentication-failed",
        "message": "the token is not accepted",
        "hint": "get a new one from the identity provider",
    }
    assert (answer.status_code, answer.json()) == (401, {"error": told})
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    (line,) = [record.getMessage() for record in caplog.records if "is refused" in record.getMessage()]
    assert line == f"a token of the identity provider is refused: {why}"


def test_what_says_where_its_key_is_is_not_followed(shared: tuple[Issuer, InProcess], attacker: Issuer) -> None:
    """Neither an address nor a key in the token counts, whoever signed; beside a right signature they do no harm."""
    issuer, client = shared
    own = rsa_key("attacker")
    pointers: list[dict[str, object]] = [
        {"jku": f"{attacker.url}/certs"},
        {"x5u": f"{attacker.url}/certs"},
        {"jwk": own.as_dict(private=False)},
        {"x5c": ["AAAA"]},
    ]

    forged = [signed({"alg": "RS256", "kid": "one", **each}, issuer.claims(), own) for each in pointers]
    signed_by_issuer = [at_header(issuer, **each) for each in pointers]

    assert [me(client, each)[0] for each in forged] == [401] * 4
    assert [me(client, each)[0] for each in signed_by_issuer] == [200] * 4


@pytest.mark.parametrize("token", ["a.b", "a.b.c.d.e", "e30", "a b.c.d", "..", "ä.b.c"])
def test_what_is_no_token_by_its_look_is_nobodys(shared: tuple[Issuer, InProcess], token: str) -> None:
    """It is 401 as everything else."""
    answer = shared[1].ask(
        "POST", "/graphql", json={"query": ME}, headers=[("Authorization", f"Bearer {token}".encode())]
    )

    assert (answer.status_code, answer.json()["error"]["message"]) == (401, "this needs a bearer token")


def test_a_key_is_good_for_its_own_algorithm_alone(catalogue: Path, tmp_path: Path) -> None:
    """Also where settings name several: of another kind, or of another algorithm than its provider says."""
    more = "algorithms: [RS256, PS256, ES256]"
    with issuing() as issuer, house(catalogue, issuer, tmp_path, more=more) as client:
        issuer.keys = {"rsa": rsa_key("one"), "ec": ECKey.generate_key("P-256")}
        listed = issuer.jwks["keys"]
        assert isinstance(listed, list)
        issuer.published = {"keys": [*listed, {**listed[0], "kid": "stated", "alg": "RS256"}]}

        def status(algorithm: str, kid: str, key: str) -> int:
            return me(client, signed({"alg": algorithm, "kid": kid}, issuer.claims(), issuer.keys[key]))[0]

        good = [status("RS256", "rsa", "rsa"), status("PS256", "rsa", "rsa"), status("ES256", "ec", "ec")]
        stated = [status("RS256", "stated", "rsa"), status("PS256", "stated", "rsa")]
        mixed = [status("ES256", "rsa", "ec"), status("RS256", "ec", "rsa"), status("ES256", "stated", "ec")]

    assert (good, stated, mixed) == ([200] * 3, [200, 401], [401] * 3)


def test_two_good_tokens_are_none(shared: tuple[Issuer, InProcess]) -> None:
    """Which of two headers counts is not for the sender to choose."""
    issuer, client = shared
    headers = [("Authorization", f"Bearer {issuer.token(sub=who)}") for who in ("ana@bts.dot.example", "steward@x")]

    assert client.ask("POST", "/graphql", json={"query": ME}, headers=headers).status_code == 401


def test_one_of_several_audiences_is_enough(shared: tuple[Issuer, InProcess]) -> None:
    """As RFC 7519 has it."""
    issuer, client = shared

    assert me(client, issuer.token(aud=["other", "hms-dta"]))[0] == 200


@pytest.mark.parametrize(("is_verified", "status"), [(True, 200), (False, 401), ("true", 401), (None, 401)])
def test_an_address_counts_where_the_provider_verified_it(
    catalogue: Path, tmp_path: Path, is_verified: object, status: int
) -> None:
    """Else whoever signs up there as somebody is them here."""
    with issuing() as issuer, house(catalogue, issuer, tmp_path, more="claims: {subject: email}") as client:
        token = issuer.token(sub="7", email="ana@bts.dot.example", email_verified=is_verified)

        assert me(client, token)[0] == status


def test_who_loses_their_group_in_roles_yml_loses_it_at_once(tmp_path: Path) -> None:
    """A token of the provider cannot be revoked here, and is worth only what the policy in force gives its holder."""
    home = tmp_path / "policy"
    home.mkdir()
    (home / "sources.yml").write_text("sources: {}\n")
    file = home / ".hms-dta" / "catalogue.db"

    def publish(roles: str) -> None:
        with Registry.open(home) as registry, registry.catalogue.unit(writes=True) as uow:
            uow.bundles.publish(make_bundle({"roles.yml": roles}, author="olga"))
            uow.commit()

    publish(ROLES)
    with issuing() as issuer, house(file, issuer, tmp_path / "house") as client:
        token = issuer.token(sub="new@cdc", realm={"groups": ["flu-team"]})
        before = me(client, token)[0]
        publish(ROLES.replace("flu-team: [responder]", "flu-team: []"))

        assert (before, me(client, token)[0]) == (200, 401)


def test_a_believed_token_is_judged_once_and_ends_all_the_same(catalogue: Path, tmp_path: Path) -> None:
    """What is remembered is who holds it, until when."""
    with issuing() as issuer, house(catalogue, issuer, tmp_path) as client:
        provider = client.app.state.registry.identity_provider
        token = issuer.token()
        assert [me(client, token)[0] for _ in range(3)] == [200] * 3
        remembered = provider._remembered.latest

        assert len(remembered) == 1
        moment = client.app.state.registry.catalogue.moment()
        recognized = provider.recognize(token, moment=moment)
        assert recognized is not None and recognized.subject == "ana@bts.dot.example"
        assert provider.recognize(token, moment=moment._replace(mark="another")) is None
        provider.clock = lambda: now() + 2 * HOUR

        assert me(client, token)[0] == 401
    assert issuer.asked == ["/.well-known/openid-configuration", "/certs"]
