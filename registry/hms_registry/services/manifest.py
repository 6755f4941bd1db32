"""Manifests: what a person states of a dataset, read from the YAML that lies beside the data."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from pathlib import Path

from hms_registry.domain.columns import PrivacyTier, StorageTier
from hms_registry.domain.manifests import Manifest, ManifestColumn
from hms_registry.errors import SettingsInvalid
from hms_registry.services.secret_references import holds_secret
from hms_registry.services.yaml_file import Fields, parse_fields, read_fields
from hms_registry.services.yaml_tree import Listing, Mapping, Node, Scalar

_FIELDS = (
    "name", "source", "owner", "license", "description", "schema", "tags", "tier", "privacy_tier", "declassify",
)  # fmt: skip
_COLUMN_FIELDS = ("type", "description", "unit", "scale", "tags", "privacy_tier", "declassify")
_COLUMN_HINT = "write `- column: type`, or `- column: {type: ..., unit: ...}`"
_UNIT = re.compile(r"[!-~]{1,64}\Z")  # UCUM codes are printable ASCII without spaces: https://ucum.org/ucum


def read_manifest(path: Path) -> Manifest:
    """Read a manifest.

    Raises:
        SettingsInvalid: with file, line and field of the first mistake, and the next step.
    """
    return _manifest(read_fields(path))


def parse_manifest(text: str, *, name: str) -> Manifest:
    """Read a manifest that an adapter found beside its data; *name* is for the error texts.

    Raises:
        SettingsInvalid: as `read_manifest`.
    """
    return _manifest(parse_fields(text, file=name))


def _manifest(fields: Fields) -> Manifest:
    fields.only(_FIELDS)
    return Manifest(
        name=fields.required("name", hint="give the dataset a title, e.g. name: seaway_lock_passages_2024"),
        source=_location(fields),
        owner=fields.text("owner"),
        license=fields.text("license"),
        description=fields.text("description"),
        tags=tags(fields),
        storage_tier=_storage_tier(fields),
        privacy_tier=privacy_tier(fields),
        is_declassified=fields.flag("declassify"),
        columns=_columns(fields),
    )


def _location(fields: Fields) -> str:
    source = fields.required("source", hint="say where the data lies, e.g. source: lake/passages.csv")
    if holds_secret(source):
        hint = "the location is shown to everyone who may find the dataset; credentials belong into sources.yml"
        raise fields.wrong(fields.line("source"), "source", "it holds a secret", hint=hint)
    return source


def _columns(fields: Fields) -> tuple[ManifestColumn, ...]:
    found = fields.find("schema")
    if found is None:
        return ()
    line, node = found
    if not isinstance(node, Listing):
        raise fields.wrong(line, "schema", "it is not a list of columns", hint=_COLUMN_HINT)
    columns: dict[str, ManifestColumn] = {}
    for item in node.items:
        if not isinstance(item, Mapping) or len(item.entries) != 1:
            raise fields.wrong(item.line, "schema", "an entry is not one column", hint=_COLUMN_HINT)
        ((name, (at, stated)),) = item.entries.items()
        if not name.strip() or "\0" in name:
            raise fields.wrong(at, "schema", "a column has no name", hint=_COLUMN_HINT)
        if name in columns:
            raise fields.wrong(at, "schema", f"the column {name!r} is there twice", hint="keep one of them")
        columns[name] = _column(fields.file, name, at, stated)
    return tuple(columns.values())


def _column(file: str, name: str, line: int, node: Node) -> ManifestColumn:
    if isinstance(node, Scalar):
        node = Mapping(line, {"type": (node.line, node)})
    fields = Fields(file, f"schema.{name}", node if isinstance(node, Mapping) else Mapping(line))
    if not isinstance(node, Mapping):
        raise fields.wrong(line, "", "it is a list", hint=_COLUMN_HINT)
    fields.only(_COLUMN_FIELDS)
    return ManifestColumn(
        name=name,
        trino_type=_trino_type(fields),
        description=fields.text("description"),
        unit=_unit(fields),
        scale=_scale(fields),
        tags=tags(fields),
        privacy_tier=privacy_tier(fields),
        is_declassified=fields.flag("declassify"),
    )


def _trino_type(fields: Fields) -> str | None:
    text = fields.text("type", hint="write one type, e.g. decimal(12,2)")
    if text is None:
        return None
    from hms_registry.services.trino_types import canonical

    try:
        return canonical(text)
    except SettingsInvalid as exc:
        raise fields.wrong(fields.line("type"), "type", "it is not a type of Trino", hint=exc.hint) from None


def _unit(fields: Fields) -> str | None:
    hint = "write a UCUM code in quotes, e.g. unit: '[ston_av]': bare brackets are a list in YAML"
    text = fields.text("unit", hint=hint)
    if text is not None and not _UNIT.match(text):
        raise fields.wrong(fields.line("unit"), "unit", "it is not a UCUM code", hint=hint)
    return text


def _scale(fields: Fields) -> Decimal | None:
    hint = "write the factor from a stored value to the unit, e.g. scale: 1000"
    text = fields.text("scale", hint=hint)
    if text is None:
        return None
    try:
        scale = Decimal(text)
    except InvalidOperation:
        raise fields.wrong(fields.line("scale"), "scale", "it is not a number", hint=hint) from None
    if not scale.is_finite() or scale == 0 or abs(scale.adjusted()) > 30:
        raise fields.wrong(fields.line("scale"), "scale", "it is not a usable factor", hint=hint)
    return scale


def tags(fields: Fields) -> frozenset[str] | None:
    """Return the tags stated; None if there is no such field.

    Raises:
        SettingsInvalid: it is not a list of words.
    """
    hint = "write a list of words, e.g. tags: [shipping, seaway, 2024]"
    words = fields.texts("tags", hint=hint)
    if words is None:
        return None
    if any(len(word) > 200 or not word.isprintable() for word in words):
        raise fields.wrong(fields.line("tags"), "tags", "a tag is too long, or more than one line", hint=hint)
    return frozenset(words)


def _storage_tier(fields: Fields) -> StorageTier | None:
    text = fields.text("tier", hint="use hot, warm or cold")
    if text is None:
        return None
    try:
        return StorageTier.parse(text.strip())
    except SettingsInvalid as exc:
        raise fields.wrong(fields.line("tier"), "tier", "it is not a storage tier", hint=exc.hint) from None


def privacy_tier(fields: Fields, name: str = "privacy_tier") -> PrivacyTier | None:
    """Return the privacy tier in a field; None if it is absent.

    Raises:
        SettingsInvalid: it is none of the three.
    """
    text = fields.text(name, hint="use PUBLIC, PII-SAFE or RESTRICTED")
    if text is None:
        return None
    try:
        return PrivacyTier.parse(text)
    except SettingsInvalid as exc:
        raise fields.wrong(fields.line(name), name, "it is not a privacy tier", hint=exc.hint) from None
