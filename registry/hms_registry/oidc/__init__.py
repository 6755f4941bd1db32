"""Bearer tokens of an OpenID Connect provider: JWTs, judged by the keys that it publishes. The only place with joserfc.

`documents` are fetched within bounds, `keys` are kept and rotated, `judging` believes a token or not, and `tokens`
makes of it somebody whom roles.yml knows. Why this library, and what is refused: docs/decisions/0015.
"""

from __future__ import annotations

from importlib.util import find_spec

from hms_registry.errors import NotInstalled

for _name in ("httpx", "joserfc"):
    if find_spec(_name) is None:
        raise NotInstalled(f"OpenID Connect is not installed: {_name} is missing", hint="pip install 'hms-dta[oidc]'")
