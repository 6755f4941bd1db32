"""What is chosen once for a stack and kept: its ports, so that the registered places stay, and its secrets."""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from services.running import free_port

STORES = ("postgres", "s3", "mongo", "metastore", "hiveserver2", "redis")
BUCKET = "cdc-flu"


def servers() -> tuple[str, ...]:
    """Return what is started; WITHOUT_TRINO=1 leaves out Trino, which needs the newest Java and starts slowest."""
    return STORES if os.environ.get("WITHOUT_TRINO") else (*STORES, "trino")


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """Ports of loopback by server, and passwords by what they are of."""

    ports: dict[str, int]
    secrets: dict[str, str]

    @classmethod
    def of(cls, folder: Path) -> Self:
        """Read it, or choose. `chosen.json` may be edited between two starts, but for the password of postgres."""
        path = folder / "chosen.json"
        kept = cls(**json.loads(path.read_text(encoding="utf-8"))) if path.exists() else cls(ports={}, secrets={})
        chosen = cls(
            ports={name: kept.ports.get(name) or free_port() for name in (*STORES, "trino", "registry_for_trino")},
            secrets={
                name: kept.secrets.get(name) or secrets.token_hex(12)
                for name in ("postgres", "catalogue", "lake", "s3")
            },
        )
        if chosen == kept:
            return kept
        path.touch(mode=0o600)
        path.write_text(json.dumps(asdict(chosen), indent=2) + "\n", encoding="utf-8")
        return chosen

    def url(self, server: str) -> str:
        """Return where a server listens."""
        scheme = {
            "s3": "http",
            "trino": "http",
            "postgres": "postgresql",
            "mongo": "mongodb",
            "metastore": "thrift",
        }.get(server, server)
        return f"{'hive' if server == 'hiveserver2' else scheme}://127.0.0.1:{self.ports[server]}"

    def reading(self) -> dict[str, str]:
        """Return what the home's files ask of the environment."""
        return {
            "CATALOGUE_PASSWORD": self.secrets["catalogue"],
            "LAKE_PASSWORD": self.secrets["lake"],
            "CDC_ACCESS_KEY": "cdc-reader",
            "CDC_SECRET_KEY": self.secrets["s3"],
        }
