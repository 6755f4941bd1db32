"""roles.yml: who is who. One place states which of group, role and person counts.

Precedence:
1. A principal's roles are `people: SUBJECT: roles` plus the roles that `groups` gives for each of their groups. An
   identity provider's groups never are roles by themselves.
2. Their clearance is what `people` states; else the highest of their roles'; else PUBLIC. An identity provider has no
   say in it.
3. Their agency is what `people` states; else what the identity provider says; else the only one that their roles name;
   else empty.
4. Their purpose is what they ask for by their token; else what `people` states; else empty.
5. Whom an identity provider names is a person, and never a role by its name. Who is not under `people` and has no group
   that gives a role is nobody here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

from hms_policies.yaml_text import Mapping, read_yaml
from hms_registry.domain.columns import PrivacyTier
from hms_registry.domain.principals import ClaimedIdentity, Principal
from hms_registry.errors import AuthenticationFailed, PolicyInvalid, SettingsInvalid
from hms_registry.ports.bundles import Bundle

FILE = "roles.yml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """What a role stands for."""

    description: str = ""
    clearance: PrivacyTier = PrivacyTier.PUBLIC
    agency: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A person or service."""

    roles: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    agency: str = ""
    clearance: PrivacyTier | None = None
    purpose: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Roles:
    """The whole file."""

    roles: dict[str, Role] = field(default_factory=dict)
    people: dict[str, Person] = field(default_factory=dict)
    groups: dict[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Part:
    """One mapping of the file, and where it stands.

    Every command that asks who somebody is reads this file: building pydantic's models of it takes fifty times as
    long as reading it.
    """

    tree: Mapping
    path: tuple[str, ...]
    fields: Mapping

    def wrong(self, said: str, *steps: str | int) -> PolicyInvalid:
        path = (*self.path, *steps)
        return PolicyInvalid(
            f"{FILE}:{self.tree.line_of(path)}: {'.'.join(map(str, path))}: {said}",
            hint="roles.yml has roles, people and groups; see policies/README.md",
        )

    def only(self, *names: str) -> None:
        for name in self.fields:
            if name not in names:
                raise self.wrong("it is not a field here", name)

    def part(self, name: str) -> _Part:
        found = self.fields.get(name)
        if found is not None and not isinstance(found, Mapping):
            raise self.wrong("it is not a mapping", name)
        return _Part(self.tree, (*self.path, name), Mapping(self.tree.line) if found is None else found)

    def text(self, name: str) -> str:
        found = self.fields.get(name, "")
        if not isinstance(found, str):
            raise self.wrong("it is not a text", name)
        return found

    def texts(self, name: str) -> tuple[str, ...]:
        found = self.fields.get(name, [])
        if not isinstance(found, list):
            raise self.wrong("it is not a list of texts", name)
        for at, each in enumerate(found):
            if not isinstance(each, str):
                raise self.wrong("it is not a text", name, at)
        return tuple(found)

    def tier(self, name: str) -> PrivacyTier:
        try:
            return PrivacyTier.parse(self.text(name))
        except SettingsInvalid as error:
            raise self.wrong(f"it is none of {error.hint.removeprefix('use ')}", name) from None


def parse_roles(text: str) -> Roles:
    """Read roles.yml.

    Raises:
        PolicyInvalid: naming line and field.
    """
    tree = read_yaml(text, file=FILE)
    whole = _Part(tree, (), tree)
    whole.only("roles", "people", "groups")
    roles, people, groups = whole.part("roles"), whole.part("people"), whole.part("groups")
    found = Roles(
        roles={name: _role(roles.part(name)) for name in roles.fields},
        people={name: _person(people.part(name)) for name in people.fields},
        groups={name: groups.texts(name) for name in groups.fields},
    )
    for place, given in _given_roles(found):
        _check_known(given, place, roles=found.roles, line=tree.line_of(place))
    return found


def _role(part: _Part) -> Role:
    part.only("description", "clearance", "agency")
    clearance = part.tier("clearance") if "clearance" in part.fields else PrivacyTier.PUBLIC
    return Role(description=part.text("description"), clearance=clearance, agency=part.text("agency"))


def _person(part: _Part) -> Person:
    part.only("roles", "groups", "agency", "clearance", "purpose")
    return Person(
        roles=part.texts("roles"),
        groups=part.texts("groups"),
        agency=part.text("agency"),
        clearance=part.tier("clearance") if part.fields.get("clearance") is not None else None,
        purpose=part.text("purpose"),
    )


def _check_known(given: Sequence[str], place: Sequence[str], *, roles: dict[str, Role], line: int) -> None:
    for role in given:
        if role not in roles:
            raise PolicyInvalid(
                f"{FILE}:{line}: {'.'.join(place)}: there is no role {role}",
                hint=f"add it under roles: in {FILE}, or use one of {', '.join(sorted(roles)) or 'none yet'}",
            )


def _given_roles(roles: Roles) -> Iterator[tuple[tuple[str, ...], tuple[str, ...]]]:
    for name, person in roles.people.items():
        yield ("people", name, "roles"), person.roles
    for name, given in roles.groups.items():
        yield ("groups", name), given


def roles_of(bundle: Bundle) -> Roles:
    """Return the roles of a bundle; none if it has no roles.yml.

    Raises:
        PolicyInvalid
    """
    return _parsed(bundle.files.get(FILE, ""))


# One text is asked of again and again: by each caller over HTTP, and by each name of a policy's test.
_parsed = lru_cache(maxsize=8)(parse_roles)


def known_names(bundle: Bundle) -> tuple[str, ...]:
    """Return everybody that `resolve_principal` knows: `role:NAME` for each role, then people, sorted."""
    roles = roles_of(bundle)
    return (*(f"role:{name}" for name in sorted(roles.roles)), *sorted(roles.people))


def resolve_principal(bundle: Bundle, who: str, *, auth_method: str = "local", purpose: str = "") -> Principal:
    """Return who somebody is: a person of roles.yml, else a role by its name or as `role:NAME`.

    Args:
        purpose: what they ask for; empty = what roles.yml states of the person.

    Raises:
        AuthenticationFailed: roles.yml knows neither.
        PolicyInvalid: roles.yml is wrong.
    """
    roles = roles_of(bundle)
    person = roles.people.get(who)
    if person is not None:
        return _principal(roles, who, replace(person, purpose=purpose or person.purpose), auth_method)
    name = who.removeprefix("role:")
    if name in roles.roles:
        return _principal(roles, f"role:{name}", Person(roles=(name,), purpose=purpose), auth_method)
    raise AuthenticationFailed(
        f"{who} is no person and no role of the published policy",
        hint=f"add them under people: in {FILE}, then hms-dta policy publish",
    )


def resolve_claimed(bundle: Bundle, claimed: ClaimedIdentity, *, auth_method: str) -> Principal:
    """Return who somebody is of whom an identity provider says so much.

    Raises:
        AuthenticationFailed: roles.yml gives them no role, neither by name nor by group.
        PolicyInvalid: roles.yml is wrong.
    """
    roles = roles_of(bundle)
    stated = roles.people.get(claimed.subject)
    person = stated or Person()
    known = replace(
        person,
        groups=tuple({*person.groups, *claimed.groups}),
        agency=person.agency or claimed.agency,
        purpose=claimed.purpose or person.purpose,
    )
    principal = _principal(roles, claimed.subject, known, auth_method)
    if stated is None and not principal.roles:
        raise AuthenticationFailed(
            "you have no role in the published policy",
            hint=f"a steward maps one of your groups under groups: in {FILE}, then hms-dta policy publish",
        )
    return principal


def _principal(roles: Roles, subject: str, person: Person, auth_method: str) -> Principal:
    held = set(person.roles)
    for group in person.groups:
        held.update(roles.groups.get(group, ()))
    agencies = {roles.roles[name].agency for name in held} - {""}
    highest = max((roles.roles[name].clearance for name in held), default=PrivacyTier.PUBLIC)
    return Principal(
        subject=subject,
        groups=frozenset(person.groups),
        agency=person.agency or (agencies.pop() if len(agencies) == 1 else ""),
        roles=frozenset(held),
        clearance=highest if person.clearance is None else person.clearance,
        purpose=person.purpose,
        auth_method=auth_method,
    )
