"""What `settings.yml` says of a Trino that this registry governs. Without the section, there is none.

trino:
  url: https://trino.example:8443        # its coordinator
  user: hms-dta                          # as whom the registry logs in there; the owner of its views
  password: ${TRINO_PASSWORD}            # or password_file: a reference, never the password
  ca: /etc/hms-dta/trino-ca.pem          # whom its certificate is checked by, where the system's do not do
  evaluator: hms-dta-evaluator           # nobody logs in as it: row filters and masks are evaluated under this name
  etc: /etc/trino                        # its folder of settings, where this machine has it
  etc_there: /etc/trino                  # where Trino itself has it, if not at the same place
  tables: /var/trino/hms-dta             # a folder of the coordinator's own, for tables over S3; it may write there
  canary: ana                            # whom the doctor asks for; by default whom the policy filters and masks
  catalogs: files                        # how sources become catalogs: files (by default), or statements
  groups: trusted                        # Trino's groups give roles as roles.yml says; ignored by default
  impersonators: [superset]              # users that may ask as somebody else; by default nobody
  scratch: scratch                       # a catalog in which people make tables, each in a schema of their own
  key_table: hms_keys.hms.keys           # (name, k): where Trino reads the key of `link` masks
  opa:                                   # where Trino asks who may do what
    host: 127.0.0.1                      # beyond loopback, only with the three files below
    port: 7780
    certificate: registry.pem
    key: registry-key.pem
    client_ca: trino-ca.pem              # whose certificates a Trino must present
    names: [registry]                    # what Trino calls it by, besides its host
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path, PurePosixPath
from typing import Final

from hms_registry.domain.names import TrinoName, check_source_name, split_name
from hms_registry.errors import SettingsInvalid
from hms_registry.services.outward_urls import is_here, may_be_called
from hms_registry.services.secret_references import holds_secret, resolve_secrets
from hms_registry.services.settings_file import read_password, read_settings
from hms_registry.services.yaml_file import Fields

_HINT: Final = "e.g. trino: {url: 'https://trino.example:8443', etc: /etc/trino}, see docs/trino.md"
_PASSWORD: Final = "write a reference, e.g. password: ${TRINO_PASSWORD}, or name a password_file"
_FIELDS: Final = (
    "url", "user", "password", "password_file", "ca", "evaluator", "etc", "etc_there", "tables", "catalogs", "groups",
    "impersonators", "canary", "scratch", "key_table", "opa",
)  # fmt: skip
_USER: Final = "hms-dta"
_EVALUATOR: Final = "hms-dta-evaluator"
_FILES: Final = ("certificate", "key", "client_ca")


class CatalogsBy(StrEnum):
    """How sources become catalogs of Trino."""

    FILES = "files"
    STATEMENTS = "statements"


@dataclass(frozen=True, slots=True, kw_only=True)
class OpaListener:
    """Where Trino asks: it presents no credential there, so that only loopback or its certificate vouch for it.

    Attributes:
        certificate, key, client_ca: PEM files; all three, or none on loopback.
        names: hosts that Trino may call it by, besides its own; in lower case.
    """

    host: str = "127.0.0.1"
    port: int = 7780
    certificate: Path | None = None
    key: Path | None = None
    client_ca: Path | None = None
    names: frozenset[str] = frozenset()

    @property
    def url(self) -> str:
        """What Trino's `opa.policy.*` begin with."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.certificate else 'http'}://{host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrinoSettings:
    """One Trino.

    Attributes:
        url: of its coordinator.
        user: as whom the registry logs in; it owns the views that the registry makes.
        evaluator: under whom row filters and masks are evaluated; nobody may log in as it.
        password: what it logs in with, with its secret, held in memory only; None = it presents none.
        ca: PEM file of those who vouch for the coordinator; None = the system's.
        etc: its folder of settings; None = this machine does not have it.
        etc_there: where Trino itself has that folder.
        tables: a folder of the coordinator's, in which it keeps the tables that the registry makes; None = none.
        trusts_groups: the groups that Trino tells of a person count, as an identity provider's do.
        impersonators: users that may ask as other people; the registry's own may.
        canary: the person that the doctor asks for; None = it chooses one.
        scratch: a catalog in which people may make tables, each in a schema of their own; None = nobody may.
        key_table: where Trino has the key of `link` masks; None = nowhere.
    """

    url: str
    user: str = _USER
    evaluator: str = _EVALUATOR
    password: str | None = field(default=None, repr=False)
    ca: Path | None = None
    etc: Path | None = None
    etc_there: PurePosixPath | None = None
    tables: PurePosixPath | None = None
    catalogs: CatalogsBy = CatalogsBy.FILES
    trusts_groups: bool = False
    impersonators: frozenset[str] = frozenset()
    canary: str | None = None
    scratch: str | None = None
    key_table: TrinoName | None = None
    opa: OpaListener = OpaListener()


def read_trino_settings(home: Path, environ: Mapping[str, str]) -> TrinoSettings | None:
    """Read the Trino of a home folder; None if it names none.

    Raises:
        SettingsInvalid: with file, line and field of the first mistake, and the next step; never with a secret.
    """
    top = read_settings(home)
    fields = None if top is None else top.fields("trino", hint=_HINT)
    if fields is None:
        return None
    fields.only(_FIELDS)
    stated = TrinoSettings(
        url=_url(fields),
        user=fields.text("user") or _USER,
        evaluator=fields.text("evaluator") or _EVALUATOR,
        password=_password(fields, home=home, environ=environ),
        ca=_file(fields, "ca", home=home),
        etc=_file(fields, "etc", home=home),
        etc_there=_there(fields, "etc_there") or _here(fields, home=home),
        tables=_there(fields, "tables"),
        catalogs=_catalogs(fields),
        trusts_groups=_trusts_groups(fields),
        impersonators=frozenset(fields.texts("impersonators", hint="user names, e.g. impersonators: [superset]") or ()),
        canary=fields.text("canary"),
        scratch=_scratch(fields),
        key_table=_key_table(fields),
        opa=_listener(fields, home=home),
    )
    if stated.user.casefold() == stated.evaluator.casefold():
        fact = "it is the user that the registry logs in as"
        raise fields.wrong(fields.line("evaluator"), "evaluator", fact, hint="leave it out, or name another")
    return stated


def _url(fields: Fields) -> str:
    url = fields.required("url", hint=_HINT)
    if not may_be_called(url) or "${" in url or holds_secret(url):
        fact = "it is not https://HOST:PORT, without user and secret"
        raise fields.wrong(fields.line("url"), "url", fact, hint="http is for 127.0.0.1 and localhost only")
    return url.rstrip("/")


def _password(fields: Fields, *, home: Path, environ: Mapping[str, str]) -> str | None:
    password, in_file = fields.text("password", hint=_PASSWORD), read_password(fields, home=home)
    if password is None:
        return in_file
    if holds_secret(password, name="password"):
        raise fields.wrong(fields.line("password"), "password", "it is spelled out", hint=_PASSWORD)
    if in_file is not None:
        fact = "a password_file is named as well"
        raise fields.wrong(fields.line("password"), "password", fact, hint="leave one of them out")
    return resolve_secrets(password, environ)


def _file(fields: Fields, name: str, *, home: Path) -> Path | None:
    named = fields.text(name, hint="write the path of a file or folder")
    return None if named is None else home / named


def _here(fields: Fields, *, home: Path) -> PurePosixPath | None:
    found = _file(fields, "etc", home=home)
    return None if found is None else PurePosixPath(found.absolute())


def _there(fields: Fields, name: str) -> PurePosixPath | None:
    """Read a path as Trino's machine has it."""
    named = fields.text(name, hint="write the path of a folder")
    if named is None:
        return None
    path = PurePosixPath(named)
    if not path.is_absolute() or ".." in path.parts or "${" in named:
        raise fields.wrong(fields.line(name), name, "it is no absolute path", hint="e.g. /var/trino/hms-dta")
    return path


def _catalogs(fields: Fields) -> CatalogsBy:
    named = fields.text("catalogs") or CatalogsBy.FILES
    try:
        return CatalogsBy(named)
    except ValueError:
        fact = "it is neither files nor statements"
        raise fields.wrong(
            fields.line("catalogs"), "catalogs", fact, hint="files: under etc/catalog; statements: CREATE CATALOG"
        ) from None


def _trusts_groups(fields: Fields) -> bool:
    named = fields.text("groups") or "ignored"
    if named not in ("trusted", "ignored"):
        fact = "it is neither trusted nor ignored"
        hint = "trusted: roles.yml says what Trino's groups give; ignored: they give nothing"
        raise fields.wrong(fields.line("groups"), "groups", fact, hint=hint)
    return named == "trusted"


def _scratch(fields: Fields) -> str | None:
    named = fields.text("scratch")
    if named is None:
        return None
    try:
        return check_source_name(named)
    except SettingsInvalid as error:
        raise fields.wrong(fields.line("scratch"), "scratch", "it cannot name a catalog", hint=error.hint) from None


def _key_table(fields: Fields) -> TrinoName | None:
    named = fields.text("key_table")
    if named is None:
        return None
    try:
        parts = split_name(named)
    except SettingsInvalid:
        parts = ()
    if len(parts) != 3 or named != named.lower():
        fact = "it is not catalog.schema.table in lower case"
        raise fields.wrong(fields.line("key_table"), "key_table", fact, hint="e.g. key_table: hms_keys.hms.keys")
    return TrinoName(*parts)


def _listener(fields: Fields, *, home: Path) -> OpaListener:
    named = fields.fields("opa", hint="e.g. opa: {port: 7780}")
    if named is None:
        return OpaListener()
    named.only(("host", "port", "names", *_FILES))
    files = {name: path for name in _FILES if (path := _file(named, name, home=home)) is not None}
    names = frozenset(each.lower() for each in named.texts("names", hint="host names, e.g. names: [registry]") or ())
    host = named.text("host") or OpaListener().host
    listener = OpaListener(host=host, port=_port(named), names=names, **files)
    if (files or not is_here(listener.host)) and len(files) < len(_FILES):
        missing = next(name for name in _FILES if name not in files)
        fact = "it is missing, and Trino presents nothing else that it is known by"
        hint = "name certificate, key and client_ca" if files else "name all three files, or listen on 127.0.0.1"
        raise named.wrong(named.line(missing), missing, fact, hint=hint)
    return listener


def _port(named: Fields) -> int:
    stated = named.text("port")
    if stated is None:
        return OpaListener().port
    if not (stated.isascii() and stated.isdecimal() and 0 < int(stated) < 65_536):
        raise named.wrong(named.line("port"), "port", "it is no port", hint="a whole number up to 65535, e.g. 7780")
    return int(stated)
