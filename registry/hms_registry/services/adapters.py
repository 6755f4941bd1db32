"""Adapters by entry point: built-in ones come in by the same door as a stranger's."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Self

from hms_registry.domain.sources import Source
from hms_registry.errors import AdapterNotFound, NotInstalled, SourceNotFound
from hms_registry.ports.adapter import Adapter
from hms_registry.services.secret_references import keep_secrets, referred_to, spelled_secrets, withhold_secrets
from hms_registry.services.sources_file import absolute_url, opened_url, resolve_secrets

GROUP = "hms_dta.adapters"


def adapter_kinds() -> dict[str, EntryPoint]:
    """Return the installed adapters by kind."""
    return dict(_kinds_on(tuple(sys.path)))


@lru_cache(maxsize=8)
def _kinds_on(_path: tuple[str, ...]) -> Mapping[str, EntryPoint]:
    """Look once for each state of the path: every query opens adapters, and each look reads all that is installed."""
    return {point.name: point for point in entry_points(group=GROUP)}


def load_adapter(kind: str) -> type[Adapter]:
    """Load the class of an adapter.

    Raises:
        AdapterNotFound: none of that kind is installed.
        NotInstalled: its driver is missing.
    """
    kinds = adapter_kinds()
    if kind not in kinds:
        raise AdapterNotFound(
            f"no adapter answers to {kind!r}", hint=f"installed: {', '.join(sorted(kinds))}; see docs/adapters.md"
        )
    try:
        loaded: type[Adapter] = kinds[kind].load()
    except ImportError as exc:
        raise NotInstalled(
            f"{kind} support is not installed: {exc.name} is missing", hint=f"pip install 'hms-dta[{kind}]'"
        ) from exc
    return loaded


def modules_of(kinds: Iterable[str]) -> tuple[str, ...]:
    """Return the modules that adapters of these kinds are in, as far as they are installed."""
    installed = adapter_kinds()
    return tuple(sorted({installed[kind].module for kind in kinds if kind in installed}))


@dataclass(frozen=True, slots=True, kw_only=True)
class AdapterFactory:
    """Opens adapters by the name of their source; crosses to a query's child process, as `only` makes it.

    Attributes:
        sources: by name, `${ENV}` references unresolved.
        environ: what those references resolve to; never printed.
        folder: where sources.yml lies; its relative paths start there.
    """

    sources: Mapping[str, Source]
    environ: Mapping[str, str] = field(repr=False)
    folder: str
    _secrets: dict[str, dict[str, str]] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __call__(self, name: str) -> Adapter:
        """Make the adapter of a source. It connects when it is asked something.

        Raises:
            SourceNotFound, AdapterNotFound, NotInstalled
            SettingsInvalid: its URL, an option or a variable is wrong.
        """
        source = self._source(name)
        adapter = load_adapter(source.kind)
        options = {key: resolve_secrets(value, self.environ) for key, value in source.options.items()}
        url = opened_url(source, folder=Path(self.folder), environ=self.environ)
        config = adapter.config.from_url(source=name, url=url, options=options)
        return adapter(config)

    def for_trino(self, name: str) -> Adapter:
        """Make the adapter of a source as it is asked for its catalog of Trino: each secret is Trino's reference to it.

        Raises:
            SourceNotFound, AdapterNotFound, NotInstalled
            SettingsInvalid: its URL, an option or a variable is wrong, or a variable is more than a secret.
        """
        source = self._source(name)
        adapter = load_adapter(source.kind)
        options = {key: keep_secrets(value, self.environ, name=key) for key, value in source.options.items()}
        url = absolute_url(keep_secrets(source.url, self.environ), folder=Path(self.folder))
        return adapter(adapter.config.from_url(source=name, url=url, options=options))

    def _source(self, name: str) -> Source:
        if name not in self.sources:
            raise SourceNotFound(f"no source is called {name}", hint="describe it in sources.yml, then hms-dta crawl")
        return self.sources[name]

    def only(self, names: Collection[str]) -> Self:
        """Return one for these sources, which knows their secrets and no others."""
        sources = {name: source for name, source in self.sources.items() if name in names}
        texts = [text for source in sources.values() for text in (source.url, *source.options.values())]
        needed = set().union(*map(referred_to, texts))
        environ = {name: value for name, value in self.environ.items() if name in needed}
        return replace(self, sources=sources, environ=environ)

    def withheld(self, name: str, text: str) -> str:
        """Return *text* that the adapter of a source made, with its settings' secrets as `${NAME}` again."""
        secrets = self._secrets.get(name)
        if secrets is None:  # a crawl asks for every dataset
            source = self.sources[name]
            secrets = spelled_secrets([source.url, *source.options.values()], environ=self.environ)
            self._secrets[name] = secrets
        return withhold_secrets(text, secrets)
