"""Secrets in settings: only `${ENV}` references, found where somebody wrote one out instead."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import quote

from hms_registry.errors import SettingsInvalid

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_SECRET_NAME = re.compile(
    r"pass$|passwd$|password$|passphrase$|pwd$|secret|token|credential|(access|account|api|private)_?key", re.IGNORECASE
)
_QUERY_PAIR = re.compile(r"[?&;]([^=&;]+)=([^&;]*)")


def holds_secret(value: str, *, name: str = "") -> bool:
    """Say whether *value* (of a setting called *name*) spells out what looks like a secret."""
    secrets = [value] if _SECRET_NAME.search(name) else []
    rest = value[scheme.end() :] if (scheme := _SCHEME.match(value)) else value
    if rest.startswith("//") and not rest.startswith("///") and "@" in rest:
        # To the last @: a password may hold any character, also those that end the authority of a proper URL.
        _user, _colon, password = rest[2:].rpartition("@")[0].partition(":")
        secrets.append(password)
    secrets += [found for key, found in _QUERY_PAIR.findall(value) if _SECRET_NAME.search(key)]
    return any(_REFERENCE.sub("", secret) for secret in secrets)


def has_bad_reference(text: str) -> bool:
    """Say whether *text* holds a `${` that does not begin a reference."""
    return "${" in _REFERENCE.sub("", text)


def referred_to(text: str) -> set[str]:
    """Return the names of the variables that *text* refers to."""
    return set(_REFERENCE.findall(text))


def resolve_secrets(text: str, environ: Mapping[str, str]) -> str:
    """Fill in each `${NAME}` of *text* from *environ*.

    Raises:
        SettingsInvalid: a variable is not set (the message names it), or a `${` is not a reference.
    """
    if has_bad_reference(text):
        raise SettingsInvalid("a ${ in a source's settings is not a reference", hint="write ${NAME}, letters and _")
    missing = sorted({name for name in _REFERENCE.findall(text) if name not in environ})
    if missing:
        raise SettingsInvalid(
            f"the environment variable {missing[0]} is not set", hint=f"export {missing[0]}=... and try again"
        )
    return _REFERENCE.sub(lambda reference: environ[reference[1]], text)


def keep_secrets(text: str, environ: Mapping[str, str], *, name: str = "") -> str:
    """Return *text* (of a setting called *name*) with its secrets as Trino's references, `${ENV:NAME}`, and all other
    references filled in.

    Raises:
        SettingsInvalid: a variable is not set, or holds a secret and more than it.
    """
    spans = [(0, len(text))] if _SECRET_NAME.search(name) else list(_secret_spans(text))
    filled = ""
    seen = 0
    for reference in _REFERENCE.finditer(text):
        is_secret = any(start <= reference.start() < end for start, end in spans)
        value = f"${{ENV:{reference[1]}}}" if is_secret else resolve_secrets(reference[0], environ)
        if not is_secret and ("${" in value or holds_secret(value)):
            raise SettingsInvalid(
                f"the variable {reference[1]} holds a secret and more than it, and Trino must not be told it",
                hint="refer to the password by a variable of its own, e.g. postgresql://reader:${LAKE_PASSWORD}@...",
            )
        filled += text[seen : reference.start()] + value
        seen = reference.end()
    return filled + text[seen:]


def _secret_spans(text: str) -> Iterator[tuple[int, int]]:
    """Yield from where to where a URL spells a secret."""
    start = scheme.end() + 2 if (scheme := _SCHEME.match(text)) else 2
    at = text.rfind("@")
    if text[start - 2 : start] == "//" and at > start and (colon := text.find(":", start, at)) > 0:
        yield colon, at
    for pair in _QUERY_PAIR.finditer(text):
        if _SECRET_NAME.search(pair[1]):
            yield pair.span(2)


def spelled_secrets(written: Iterable[str], *, environ: Mapping[str, str]) -> dict[str, str]:
    """Return what the references in *written* resolve to, as it is and as it stands in a URL, each with its reference.

    A value of less than four characters is no secret, and would be found everywhere.
    """
    names = {name for each in written for name in _REFERENCE.findall(each)}
    values = {name: environ[name] for name in names if len(environ.get(name, "")) >= 4}
    longest_first = sorted(values.items(), key=lambda item: -len(item[1]))
    return {
        spelled: f"${{{name}}}"
        for name, value in longest_first
        for spelled in (value, quote(value), quote(value, safe=""))
    }


def withhold_secrets(text: str, secrets: Mapping[str, str]) -> str:
    """Return *text* with each of `spelled_secrets` put back as its reference."""
    for spelled, reference in secrets.items():
        text = text.replace(spelled, reference)
    return text
