"""What every command shares: the home folder, and who is asking."""

from __future__ import annotations

import getpass
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from hms_registry.bootstrap import Registry
    from hms_registry.domain.principals import Principal
    from hms_registry.domain.sources import Source

AsWho = Annotated[
    str | None, typer.Option("--as", metavar="WHO", help="A person or role of roles.yml; without it, your login name.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]

NEWS = 10
"""Exit code of a command that did its work and tells of something to act on."""


@dataclass(frozen=True, slots=True)
class Home:
    """The home folder, before anything is opened."""

    path: Path

    @contextmanager
    def registry(self) -> Iterator[Registry]:
        """Open the registry for one command."""
        from hms_registry.bootstrap import Registry

        with Registry.open(self.path) as registry:
            yield registry


def home_of(context: typer.Context) -> Home:
    """The home folder that the command line names."""
    home = context.obj
    assert isinstance(home, Home)
    return home


def wanted_sources(registry: Registry, names: Sequence[str] | None) -> list[Source]:
    """Return the sources of these names, all without any, in the order of sources.yml.

    Raises:
        SourceNotFound: one is not described there.
        SettingsInvalid: none is described at all.
    """
    from difflib import get_close_matches

    from hms_registry.errors import SettingsInvalid, SourceNotFound

    if not registry.sources:
        raise SettingsInvalid("sources.yml describes no source", hint="name a store there: docs/sources.md")
    for name in sorted(set(names or ()) - registry.sources.keys()):
        near = get_close_matches(name, registry.sources, n=1)
        hint = f"did you mean {near[0]}?" if near else f"sources.yml has {', '.join(registry.sources)}"
        raise SourceNotFound(f"no source is called {name}", hint=hint)
    return [source for name, source in registry.sources.items() if not names or name in names]


def principal(registry: Registry, who: str | None) -> Principal:
    """Who asks. `--as` is for whoever may read the store's own files, and is audited by what is then done.

    Raises:
        AuthenticationFailed: the policy knows no such person.
    """
    login = login_name()
    return replace(registry.principal(who or login), asked_by=login)


@contextmanager
def audited(registry: Registry, asker: Principal, action: str) -> Iterator[dict[str, str]]:
    """Record one read of the catalogue, whether it was answered or denied.

    Yields:
        what the entry tells besides who, when and under which rights: counts, and names that were asked for.
    """
    from hms_registry.errors import NotFound

    detail = {"fingerprint": registry.decisions().fingerprint(asker), "asked_by": asker.asked_by}
    try:
        yield detail
    except NotFound:
        registry.record(principal=asker, action=action, outcome="denied", detail=detail)
        raise
    registry.record(principal=asker, action=action, outcome="allowed", detail=detail)


def login_name() -> str:
    """Who is logged in: by LOGNAME, or by the system's own records; a numeric user without any is `uid-N`."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid-{os.getuid()}"
