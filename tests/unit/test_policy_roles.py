"""Who is who, by roles.yml."""

from __future__ import annotations

import pytest

from hms_policies import known_names, resolve_principal
from hms_registry.domain.columns import PrivacyTier
from hms_registry.domain.principals import Principal
from hms_registry.errors import AuthenticationFailed, PolicyInvalid
from policy_samples import bundle_of

ROLES = """
roles:
  analyst: {clearance: PII-SAFE, agency: dot}
  steward: {clearance: RESTRICTED, agency: cdc}
  plain:
people:
  ana: {roles: [analyst], groups: [stewards, unheard-of], purpose: review}
  bo: {roles: [analyst], clearance: PUBLIC}
groups:
  stewards: [steward]
"""


def test_a_person_has_their_own_roles_and_those_of_their_groups() -> None:
    """The clearance is the highest of the roles; two roles' agencies are no agency."""
    assert resolve_principal(bundle_of("", roles=ROLES), "ana", auth_method="token") == Principal(
        subject="ana",
        groups=frozenset({"stewards", "unheard-of"}),
        roles=frozenset({"analyst", "steward"}),
        clearance=PrivacyTier.RESTRICTED,
        purpose="review",
        auth_method="token",
    )


def test_a_stated_clearance_counts_instead_of_the_roles() -> None:
    """Also where it is lower."""
    assert resolve_principal(bundle_of("", roles=ROLES), "bo").clearance is PrivacyTier.PUBLIC


@pytest.mark.parametrize("who", ["analyst", "role:analyst"])
def test_a_role_can_stand_for_somebody(who: str) -> None:
    """Its subject says that only the role is known."""
    found = resolve_principal(bundle_of("", roles=ROLES), who)

    assert (found.subject, found.agency, found.clearance) == ("role:analyst", "dot", PrivacyTier.PII_SAFE)


def test_nobody_else_is_known() -> None:
    """The hint says which file to edit, and lists nobody."""
    with pytest.raises(AuthenticationFailed) as failed:
        resolve_principal(bundle_of("", roles=ROLES), "eve")

    assert failed.value.message == "eve is no person and no role of the published policy"
    assert failed.value.hint == "add them under people: in roles.yml, then hms-dta policy publish"


def test_known_names_are_roles_and_people() -> None:
    """Everybody a diff asks for."""
    assert known_names(bundle_of("", roles=ROLES)) == ("role:analyst", "role:plain", "role:steward", "ana", "bo")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("roles:\n  a: {clearance: SECRET}\n", "roles.yml:2: roles.a.clearance: it is none of PUBLIC, PII-SAFE or"),
        ("roles:\n  a: {}\npeople:\n  x:\n    rolls: [a]\n", "roles.yml:5: people.x.rolls: it is not a field here"),
        ("people:\n  x: {roles: [a]}\n", "roles.yml:2: people.x.roles: there is no role a"),
        ("groups:\n  x: [a]\n", "roles.yml:2: groups.x: there is no role a"),
        ("roles: [a]\n", "roles.yml:1: roles: it is not a mapping"),
        ("roles:\n  a: x\n", "roles.yml:2: roles.a: it is not a mapping"),
        ("roles:\n  a: {agency: [x]}\n", "roles.yml:2: roles.a.agency: it is not a text"),
        ("roles:\n  a: {clearance: }\n", "roles.yml:2: roles.a.clearance: it is not a text"),
        ("people:\n  x:\n    groups: g\n", "roles.yml:3: people.x.groups: it is not a list of texts"),
        ("people:\n  x:\n    groups: [g, {}]\n", "roles.yml:3: people.x.groups.1: it is not a text"),
        ("groups:\n  x:\n", "roles.yml:2: groups.x: it is not a list of texts"),
        ("teams: {}\n", "roles.yml:1: teams: it is not a field here"),
        ("- a\n", "roles.yml:1: it is not a mapping"),
        ("roles:\n  a: &x {}\n  b: *x\n", "roles.yml: a YAML alias (*name) is refused"),
        ("roles:\n  a: {}\n  a: {}\n", "roles.yml:3: a key is given twice, or is not a text"),
        ("roles: {\n", "roles.yml:2: this is not YAML: "),
        ("a: " + "[" * 50 + "]" * 50, "roles.yml:1: it is nested too deeply"),
        ("roles: !!python/object/apply:os.system [x]\n", "roles.yml:1: roles: it is not a mapping"),
    ],
)
def test_a_mistake_in_roles_names_line_and_field(text: str, message: str) -> None:
    """The file is data: nothing in it is run or expanded."""
    with pytest.raises(PolicyInvalid) as refused:
        bundle_of("", roles=text)

    assert refused.value.message.startswith(message)
