"""What `settings.yml` says of events of OpenLineage. Without the section nobody may send any.

openlineage:
  roles: [scheduler]                     # who may send events
  namespaces:                            # stores that jobs know under another address than sources.yml does
    "postgres://prod-db.internal:5432": cdc
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from hms_registry.services.settings_file import read_settings
from hms_registry.services.yaml_file import Fields

_HINT: Final = "e.g. openlineage: {roles: [scheduler]}, see docs/openlineage.md"
_NAMESPACES: Final = "write one `namespace: source` a line"


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenLineageSettings:
    """Attributes:
    roles: who may send events.
    namespaces: sources by namespaces that jobs use for them.
    """

    roles: frozenset[str] = frozenset()
    namespaces: Mapping[str, str] = field(default_factory=dict)


def openlineage_settings(home: Path) -> OpenLineageSettings:
    """Return what is said of events.

    Raises:
        SettingsInvalid
    """
    top = read_settings(home)
    fields = None if top is None else top.fields("openlineage", hint=_HINT)
    if fields is None:
        return OpenLineageSettings()
    fields.only(("roles", "namespaces"))
    roles = fields.texts("roles", hint="write role names, e.g. roles: [scheduler]") or ()
    stated = fields.fields("namespaces", hint=_NAMESPACES)
    return OpenLineageSettings(roles=frozenset(roles), namespaces={} if stated is None else _namespaces(stated))


def _namespaces(stated: Fields) -> dict[str, str]:
    return {name: stated.required(name, hint=_NAMESPACES) for name in stated.mapping.entries}
