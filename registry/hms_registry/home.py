"""A home folder as `init` makes it: what a person then fills in."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Final


def make_home(home: Path, *, steward: str) -> list[Path]:
    """Make a home folder: a commented sources.yml, and a starter policy with *steward* as its steward.

    Returns:
        the files that were made; those that exist are left as they are.
    """
    import hms_policies

    starter = Path(hms_policies.__file__).parent / "starter"
    made = []
    home.mkdir(parents=True, exist_ok=True)
    (home / ".hms-dta").mkdir(mode=0o700, exist_ok=True)
    sources = home / "sources.yml"
    if not sources.exists():
        sources.write_text(_SOURCES, encoding="utf-8")
        made.append(sources)
    if not (home / "policies").exists():
        shutil.copytree(starter, home / "policies")
        roles = home / "policies" / "roles.yml"
        roles.write_text(roles.read_text(encoding="utf-8").replace("STEWARD", _yaml_text(steward)), encoding="utf-8")
        made += sorted(path for path in (home / "policies").rglob("*") if path.is_file())
    return made


def _yaml_text(text: str) -> str:
    """Quote *text* for YAML, whose double-quoted texts are those of JSON: a login name may be `123`, `no` or `a: b`."""
    return json.dumps(text, ensure_ascii=False)


_SOURCES: Final = """\
# The stores to look into. A name is the catalog in SQL; a secret comes by ${ENV} reference, never in plain text.
# A relative path starts at this folder. See docs/sources.md.
sources: {}
#  lake:
#    url: file:lake                 # a folder of Parquet, CSV or JSON-lines files
#    agency: DOT:BTS
#    privacy_tier: PUBLIC           # for what nobody labelled; without it: RESTRICTED
#  cdc:
#    url: postgresql://hms_dta:${CDC_PASSWORD}@db.example:5432/cdc
#    agency: HHS:CDC
#  flu:
#    url: s3://cdc-flu/weekly
#    options: {region: us-east-1, access_key: "${FLU_ACCESS_KEY}", secret_key: "${FLU_SECRET_KEY}"}
"""
