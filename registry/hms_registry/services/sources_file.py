"""sources.yml: the stores an agency describes once; secrets come by `${ENV}` reference and are never kept.

    sources:
      cdc:
        url: sqlite:///cdc.db                # a relative path starts at the folder of sources.yml
        agency: HHS:CDC
        privacy_tier: PUBLIC
      lake:
        url: postgresql://reader:${LAKE_PASSWORD}@db.example/lake

`read_sources` keeps URLs as written. Whoever opens a source calls `opened_url`, which fills in the references
and makes a relative path absolute; its result is held in memory only.
"""

from __future__ import annotations

import os.path
import re
from collections.abc import Mapping
from pathlib import Path

from hms_registry.domain.names import check_source_name
from hms_registry.domain.sources import Source
from hms_registry.errors import SettingsInvalid
from hms_registry.services.manifest import privacy_tier, tags
from hms_registry.services.secret_references import has_bad_reference, holds_secret, resolve_secrets
from hms_registry.services.yaml_file import Fields, read_fields
from hms_registry.services.yaml_tree import Scalar, tellable

_FIELDS = (
    "url", "kind", "agency", "owner", "registry_id", "options", "include", "exclude", "tags", "privacy_tier",
    "max_removed_fraction", "profile",
)  # fmt: skip
__all__ = ["absolute_url", "opened_url", "read_sources", "resolve_secrets"]

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_KIND_OF_SCHEME = {
    "file": "files",
    "mongodb": "mongo",
    "mongodb+srv": "mongo",
    "postgresql": "postgres",
    "thrift": "hive",
}
_FRACTION = re.compile(r"0?\.[0-9]+|[01](\.0+)?")
_LOCAL = frozenset({"file", "files", "sqlite"})
_URL_HINT = "say where the store is, e.g. url: sqlite:///cdc.db"


def read_sources(path: Path) -> list[Source]:
    """Read sources.yml: its sources in the order written, `${ENV}` references unresolved.

    Raises:
        SettingsInvalid: with file, line and field of the first mistake, and the next step.
    """
    top = read_fields(path)
    top.only(("sources",))
    sources = top.fields("sources", hint="write one `name: {url: ...}` a source")
    if sources is None:
        return []
    return [_source(sources, name) for name in sources.mapping.entries]


def _source(sources: Fields, name: str) -> Source:
    try:
        check_source_name(name)
    except SettingsInvalid as exc:
        fact = f"{tellable(name)} cannot name a source"
        raise sources.wrong(sources.line(name), "", fact, hint=exc.hint) from None
    fields = sources.fields(name, hint="write `name: {url: ...}`")
    if fields is None:
        raise sources.wrong(sources.line(name), name, "it says nothing", hint=_URL_HINT)
    fields.only(_FIELDS)
    url = fields.required("url", hint=_URL_HINT)
    _refuse_literal_secret(fields, "url", url)
    return Source(
        name=name,
        kind=_kind(fields, url),
        url=url,
        agency=fields.text("agency") or "",
        owner=fields.text("owner") or "",
        registry_id=fields.text("registry_id") or "local",
        options=_options(fields),
        include=fields.texts("include", hint="write a list of patterns, e.g. ['locks.*']") or (),
        exclude=fields.texts("exclude", hint="write a list of patterns, e.g. ['*.tmp_*']") or (),
        tags=tags(fields) or frozenset(),
        privacy_tier=privacy_tier(fields),
        max_removed_fraction=_fraction(fields, "max_removed_fraction", default=0.5),
        profile=fields.flag("profile"),
    )


def _kind(fields: Fields, url: str) -> str:
    stated = fields.text("kind", hint="name the adapter, e.g. kind: sqlite")
    if stated is not None:
        return stated
    scheme = _SCHEME.match(url)
    if scheme is None:
        hint = "write a URL such as sqlite:///cdc.db or file:lake, or add kind: files"
        raise fields.wrong(fields.line("url"), "url", "it has no scheme that would name the adapter", hint=hint)
    name = scheme[1].lower()
    return _KIND_OF_SCHEME.get(name, name)


def _fraction(fields: Fields, name: str, *, default: float) -> float:
    hint = "write a part of the whole, from 0 (nothing) to 1 (all), e.g. 0.5"
    text = fields.text(name, hint=hint)
    if text is None:
        return default
    if not _FRACTION.fullmatch(text):
        raise fields.wrong(fields.line(name), name, "it is not a part of the whole", hint=hint)
    return float(text)


def _options(fields: Fields) -> dict[str, str]:
    options = fields.fields("options", hint="write one `name: value` an option")
    if options is None:
        return {}
    result = {}
    for name, (line, node) in options.mapping.entries.items():
        if not isinstance(node, Scalar):
            raise options.wrong(line, name, "it is not one text", hint="write one `name: value` an option")
        if not node.is_null:
            _refuse_literal_secret(options, name, node.text)
            result[name] = node.text
    return result


def _refuse_literal_secret(fields: Fields, name: str, value: str) -> None:
    if has_bad_reference(value):
        raise fields.wrong(
            fields.line(name), name, "a ${ in it is not a reference", hint="write ${NAME}, letters and _"
        )
    if holds_secret(value, name=name):
        hint = "put it into the environment and refer to it, e.g. ${CDC_PASSWORD}"
        raise fields.wrong(fields.line(name), name, "it holds a secret in plain text", hint=hint)


def opened_url(source: Source, *, folder: Path, environ: Mapping[str, str]) -> str:
    """Return the URL to open *source* with: references filled in, a relative path taken from *folder*.

    Args:
        folder: where sources.yml lies.

    Raises:
        SettingsInvalid: a variable is not set.
    """
    return absolute_url(resolve_secrets(source.url, environ), folder=folder)


def absolute_url(url: str, *, folder: Path) -> str:
    """Make the path of a local URL absolute; any other URL is returned as it is.

    Relative are `sqlite:///cdc.db` (as in SQLAlchemy; `sqlite:////srv/cdc.db` is absolute), `file:lake` and
    `lake` without a scheme; absolute are `file:///srv/lake` and `/srv/lake`.
    """
    scheme = _SCHEME.match(url)
    if scheme is None:
        return _joined(folder, url)
    name, rest = scheme[1].lower(), url[scheme.end() :]
    if name not in _LOCAL:
        return url
    if rest.startswith("///"):
        rest = rest[3:] if name == "sqlite" else rest[2:]
    prefix = f"{scheme[0]}///" if name == "sqlite" else f"{scheme[0]}//"
    return prefix + _joined(folder, rest)


def _joined(folder: Path, path: str) -> str:
    bare, mark, query = path.partition("?")
    return os.path.normpath(folder.absolute() / bare) + mark + query
