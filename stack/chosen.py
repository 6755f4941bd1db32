"""What is chosen once for a stack and kept: its ports, so that the registered places stay, and its secrets."""

from __future__ import annotations

import json
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from services.running import free_port

SERVERS = ("postgres", "s3", "mongo", "metastore", "hiveserver2", "redis")
BUCKET = "cdc-flu"


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """Ports of loopback by server, and passwords by what they are of."""

    ports: dict[str, int]
    secrets: dict[str, str]

    @classmethod
    def of(cls, folder: Path) -> Self:
        """Read it, or choose. `chosen.json` may be edited between two starts, but for the password of postgres."""
        path = folder / "chosen.json"
        if path.exists():
            return cls(**json.loads(path.read_text(encoding="utf-8")))
        chosen = cls(
            ports={name: free_port() for name in SERVERS},
            secrets={name: secrets.token_hex(12) for name in ("postgres", "catalogue", "lake", "s3")},
        )
        path.touch(mode=0o600)
        path.write_text(json.dumps(asdict(chosen), indent=2) + "\n", encoding="utf-8")
        return chosen

    def url(self, server: str) -> str:
        """Return where a server listens."""
        scheme = {"s3": "http", "postgres": "postgresql", "mongo": "mongodb", "metastore": "thrift"}.get(server, server)
        return f"{'hive' if server == 'hiveserver2' else scheme}://127.0.0.1:{self.ports[server]}"
