"""roles.yml: who is who. One place states which of group, role and person counts.

Precedence:
1. A principal's roles are `people: SUBJECT: roles` plus the roles that `groups` gives for each of their groups. An
   identity provider's groups never are roles by themselves.
2. Their clearance is what `people` states; else the highest of their roles'; else PUBLIC.
3. Their agency is what `people` states; else the only one that their roles name; else empty.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from hms_policies.yaml_text import read_yaml
from hms_registry.domain.columns import PrivacyTier
from hms_registry.domain.principals import Principal
from hms_registry.errors import AuthenticationFailed, PolicyInvalid, SettingsInvalid
from hms_registry.ports.catalogue import Bundle

FILE = "roles.yml"


def _tier(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return PrivacyTier.parse(value)
    except SettingsInvalid as error:
        raise ValueError(f"it is none of {error.hint.removeprefix('use ')}") from None


def _absent(value: object) -> object:
    return {} if value is None else value


Tier = Annotated[PrivacyTier, BeforeValidator(_tier)]


class Role(BaseModel):
    """What a role stands for."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    description: str = ""
    clearance: Tier = PrivacyTier.PUBLIC
    agency: str = ""


class Person(BaseModel):
    """A person or service."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    roles: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    agency: str = ""
    clearance: Tier | None = None
    purpose: str = ""


class Roles(BaseModel):
    """The whole file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    roles: Annotated[dict[str, Annotated[Role, BeforeValidator(_absent)]], BeforeValidator(_absent)] = Field(
        default_factory=dict
    )
    people: Annotated[dict[str, Annotated[Person, BeforeValidator(_absent)]], BeforeValidator(_absent)] = Field(
        default_factory=dict
    )
    groups: Annotated[dict[str, tuple[str, ...]], BeforeValidator(_absent)] = Field(default_factory=dict)


def parse_roles(text: str) -> Roles:
    """Read roles.yml.

    Raises:
        PolicyInvalid: naming line and field.
    """
    tree = read_yaml(text, file=FILE)
    try:
        found = Roles.model_validate(tree)
    except ValidationError as error:
        first = error.errors()[0]
        path = [step for step in first["loc"] if not str(step).startswith(("function-", "nullable"))]
        said = "it is not a field here" if first["type"] == "extra_forbidden" else first["msg"]
        raise PolicyInvalid(
            f"{FILE}:{tree.line_of(path)}: {'.'.join(map(str, path))}: {said.removeprefix('Value error, ')}",
            hint="roles.yml has roles, people and groups; see policies/README.md",
        ) from None
    for place, given in _given_roles(found):
        for role in given:
            if role not in found.roles:
                raise PolicyInvalid(
                    f"{FILE}:{tree.line_of(place)}: {'.'.join(place)}: there is no role {role}",
                    hint=f"add it under roles: in {FILE}, or use one of {', '.join(sorted(found.roles)) or 'none yet'}",
                )
    return found


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
    return parse_roles(bundle.files.get(FILE, ""))


def known_names(bundle: Bundle) -> tuple[str, ...]:
    """Return everybody that `resolve_principal` knows: `role:NAME` for each role, then people, sorted."""
    roles = roles_of(bundle)
    return (*(f"role:{name}" for name in sorted(roles.roles)), *sorted(roles.people))


def resolve_principal(bundle: Bundle, who: str, *, auth_method: str = "local") -> Principal:
    """Return who somebody is: a person of roles.yml, else a role by its name or as `role:NAME`.

    Raises:
        AuthenticationFailed: roles.yml knows neither.
        PolicyInvalid: roles.yml is wrong.
    """
    roles = roles_of(bundle)
    person = roles.people.get(who)
    if person is not None:
        return _principal(roles, who, person, auth_method)
    name = who.removeprefix("role:")
    if name in roles.roles:
        return _principal(roles, f"role:{name}", Person(roles=(name,)), auth_method)
    raise AuthenticationFailed(
        f"{who} is no person and no role of the published policy",
        hint=f"add them under people: in {FILE}, then hms-dta policy publish",
    )


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
