"""settings.yml: what of a registry itself is not as it is by default: where its catalogue lies, who vouches for its
 callers, who may register over HTTP, where answers are kept and spans go, and its webhooks.

    catalogue:
      url: postgresql://hms:${CATALOGUE_PASSWORD}@db.example/hms     # by default .hms-dta/catalogue.db
      password_file: /run/secrets/catalogue                          # in place of the reference
    ingest:
      roles: [steward]                                               # may register over HTTP; by default nobody may
    tracing:
      endpoint: http://127.0.0.1:4318/v1/traces                      # spans of requests go there; by default nowhere

The environment variable HMS_DTA_CATALOGUE holds a URL that goes before the file's. What stands under
`webhooks` is told in `services.webhooks`, under `identity` in `services.identity_settings`, under `cache` in
`services.cache_settings`, under `graphql` in `services.graphql_settings`, under `trino` in `services.trino_settings`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from hms_registry.errors import SettingsInvalid
from hms_registry.services.secret_references import has_bad_reference, holds_secret, resolve_secrets
from hms_registry.services.sources_file import absolute_url
from hms_registry.services.yaml_file import Fields, read_fields

VARIABLE = "HMS_DTA_CATALOGUE"
_WHOLE = re.compile(r"\$\{[A-Za-z_][A-Za-z0-9_]*\}\Z")
_TRACING = "e.g. tracing: {endpoint: http://127.0.0.1:4318/v1/traces}"
_HINT = "e.g. url: postgresql://hms:${CATALOGUE_PASSWORD}@db.example/hms"


def catalogue_url(home: Path, environ: Mapping[str, str]) -> str:
    """Return where the catalogue of a home folder lies, with its secret; it is held in memory only.

    Raises:
        SettingsInvalid: with file, line and field of the first mistake, and the next step; never with a secret.
    """
    if environ.get(VARIABLE):
        return absolute_url(environ[VARIABLE], folder=home)
    stated = _stated(home)
    if stated is None:
        return f"sqlite:///{home}/.hms-dta/catalogue.db"
    return absolute_url(secret_url(stated, home=home, environ=environ, hint=_HINT), folder=home)


def secret_url(fields: Fields, *, home: Path, environ: Mapping[str, str], hint: str) -> str:
    """Return the URL that *fields* state as `url`, with its secret, by reference or from their `password_file`.

    Args:
        hint: an example of such a URL.

    Raises:
        SettingsInvalid
    """
    url = fields.required("url", hint=hint)
    _check(fields, url, hint=hint)
    if not _WHOLE.match(url):
        # What a reference stands for is one part of the URL, whatever it holds.
        environ = {name: quote(value, safe="") for name, value in environ.items()}
    return _with_password(resolve_secrets(url, environ), fields, home=home)


def read_settings(home: Path) -> Fields | None:
    """Read the settings of a home folder; None if it has none.

    Raises:
        SettingsInvalid
    """
    path = home / "settings.yml"
    if not path.exists():
        return None
    top = read_fields(path)
    top.only(("cache", "catalogue", "graphql", "identity", "ingest", "openlineage", "tracing", "trino", "webhooks"))
    return top


def ingest_roles(home: Path) -> frozenset[str]:
    """Return the roles that may register datasets over HTTP; without a word on it, none.

    Raises:
        SettingsInvalid
    """
    top = read_settings(home)
    fields = None if top is None else top.fields("ingest", hint="e.g. ingest: {roles: [steward]}")
    if fields is None:
        return frozenset()
    fields.only(("roles",))
    return frozenset(fields.texts("roles", hint="write role names, e.g. roles: [steward]") or ())


def tracing_endpoint(home: Path) -> str | None:
    """Return the URL that spans of requests are sent to; None if there is none.

    Raises:
        SettingsInvalid
    """
    top = read_settings(home)
    fields = None if top is None else top.fields("tracing", hint=_TRACING)
    if fields is None:
        return None
    fields.only(("endpoint",))
    endpoint = fields.required("endpoint", hint=_TRACING)
    line = fields.line("endpoint")
    if holds_secret(endpoint):
        raise fields.wrong(line, "endpoint", "it holds a secret", hint="put it into OTEL_EXPORTER_OTLP_HEADERS")
    if not endpoint.startswith(("http://", "https://")):
        raise fields.wrong(line, "endpoint", "it is no http:// or https:// URL", hint=_TRACING)
    return endpoint


def _stated(home: Path) -> Fields | None:
    top = read_settings(home)
    fields = None if top is None else top.fields("catalogue", hint=_HINT)
    if fields is not None:
        fields.only(("url", "password_file"))
    return fields


def _check(fields: Fields, url: str, *, hint: str) -> None:
    line = fields.line("url")
    if has_bad_reference(url):
        raise fields.wrong(line, "url", "a ${ in it is not a reference", hint="write ${NAME}, letters and _")
    if holds_secret(url):
        raise fields.wrong(line, "url", "it holds a secret in plain text", hint=f"{hint}, or name a password_file")


def read_password(fields: Fields, *, home: Path) -> str | None:
    """Return the password in the file that *fields* name as `password_file`; None if they name none.

    Raises:
        SettingsInvalid: the file cannot be read, or is empty.
    """
    named = fields.text("password_file")
    if named is None:
        return None
    try:
        password = (home / named).read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError):
        fact = "the file that it names cannot be read as text"
        raise fields.wrong(
            fields.line("password_file"), "password_file", fact, hint="check the path and its rights"
        ) from None
    if not password:
        raise SettingsInvalid(f"the password_file of the {fields.path} is empty", hint="put the password into it")
    return password


def _with_password(url: str, fields: Fields, *, home: Path) -> str:
    password = read_password(fields, home=home)
    return url if password is None else f"{url}{'&' if '?' in url else '?'}password={quote(password, safe='')}"
