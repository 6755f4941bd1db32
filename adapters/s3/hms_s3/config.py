"""Settings of the S3 adapter: a bucket and prefix, where it is served, and by which key."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import parse_qsl, unquote, urlsplit

from hms_formats.dialect import TextOptions
from hms_formats.options import TEXT_OPTIONS, text_options
from hms_registry.errors import SettingsInvalid

_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,254}\Z")
_IN_URL = ("endpoint", "region", "path_style")
_OPTIONS = (*_IN_URL, "access_key", "secret_key", "session_token", "anonymous", "prefixes", "connections")
_HINT = "write s3://BUCKET or s3://BUCKET/PREFIX"


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """Credentials; without an access key the environment's own are taken, unless *is_anonymous*."""

    access: str = ""
    secret: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    is_anonymous: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Config:
    """Where the objects are.

    Attributes:
        prefix: empty, or ends with `/`.
        endpoint: URL of a store that is not AWS; empty = AWS.
        region: empty = the environment's, or us-east-1.
        prefixes: below *prefix*: only these are looked into; empty = all.
        connections: requests at once.
    """

    source: str
    bucket: str
    prefix: str = ""
    endpoint: str = ""
    region: str = ""
    is_path_style: bool = False
    keys: Keys = field(default_factory=Keys)
    prefixes: tuple[str, ...] = ()
    connections: int = 16
    text: TextOptions = field(default_factory=TextOptions)

    @classmethod
    def from_url(cls, *, source: str, url: str, options: Mapping[str, str]) -> Self:
        """Build it from `s3://BUCKET/PREFIX?endpoint=...&region=...`; options say the same and more.

        Raises:
            SettingsInvalid: the URL or an option is wrong.
        """
        bucket, prefix, asked = _parsed(source, url)
        unknown = sorted(set(options) - set(_OPTIONS) - set(TEXT_OPTIONS))
        if unknown:
            known = ", ".join((*_OPTIONS, *TEXT_OPTIONS))
            raise SettingsInvalid(f"source {source}: {unknown[0]!r} is no option of s3", hint=f"there are {known}")
        said = {**asked, **options}
        endpoint = _endpoint(source, said.get("endpoint", ""))
        return cls(
            source=source,
            bucket=bucket,
            prefix=prefix,
            endpoint=endpoint,
            region=said.get("region", ""),
            is_path_style=_flag(source, said, "path_style", default=bool(endpoint)),
            keys=_keys(source, said),
            prefixes=_prefixes(said.get("prefixes", "")),
            connections=_connections(source, said.get("connections", "16")),
            text=text_options(source, options),
        )


def _parsed(source: str, url: str) -> tuple[str, str, dict[str, str]]:
    head, mark, query = url.partition("?")
    scheme, _, rest = head.partition("://")
    bucket, _, prefix = rest.partition("/")
    if scheme.lower() != "s3" or "@" in bucket or not _BUCKET.match(bucket):
        raise SettingsInvalid(f"source {source}: its URL names no bucket", hint=_HINT)
    asked = dict(parse_qsl(query, keep_blank_values=True))
    unknown = sorted(set(asked) - set(_IN_URL))
    if unknown or (mark and not asked):
        raise SettingsInvalid(
            f"source {source}: its URL asks for what is not endpoint, region or path_style",
            hint="write anything else, and keys above all, under options",
        )
    prefix = unquote(prefix).strip("/")
    return bucket, f"{prefix}/" if prefix else "", asked


def _endpoint(source: str, endpoint: str) -> str:
    if not endpoint:
        return ""
    parts = urlsplit(endpoint)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/") or "@" in parts.netloc:
        raise SettingsInvalid(
            f"source {source}: the endpoint is not the URL of a server", hint="e.g. https://s3.example.org:9000"
        )
    return f"{parts.scheme}://{parts.netloc}"


def _flag(source: str, said: Mapping[str, str], name: str, *, default: bool) -> bool:
    text = said.get(name, "").strip().lower()
    if text not in ("", "true", "false"):
        raise SettingsInvalid(f"source {source}: {name} is true or false", hint="leave it out if in doubt")
    return text == "true" if text else default


def _keys(source: str, said: Mapping[str, str]) -> Keys:
    access, secret = said.get("access_key", ""), said.get("secret_key", "")
    if bool(access) != bool(secret):
        raise SettingsInvalid(
            f"source {source}: access_key and secret_key go together",
            hint="give both as ${ENV} references, or neither to use the environment's own",
        )
    is_anonymous = _flag(source, said, "anonymous", default=False)
    return Keys(access=access, secret=secret, token=said.get("session_token", ""), is_anonymous=is_anonymous)


def _prefixes(text: str) -> tuple[str, ...]:
    """Return the prefixes, sorted, none below another."""
    kept: list[str] = []
    for each in sorted({f"{name}/" for part in text.split(",") if (name := part.strip().strip("/"))}):
        if not kept or not each.startswith(kept[-1]):
            kept.append(each)
    return tuple(kept)


def _connections(source: str, text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 64:
        raise SettingsInvalid(f"source {source}: connections is a number from 1 to 64", hint="leave it out for 16")
    return int(text)
