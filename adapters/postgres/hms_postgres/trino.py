"""The same database as a catalog of Trino: its postgresql connector, set to read what this adapter reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import quote, urlencode

from hms_postgres.config import PostgresConfig
from hms_registry.ports.trino import NotFederated, TrinoCatalog, Twins

_READS: Final[Mapping[str, str]] = {
    # Else a table "Upper" is listed and cannot be read, and of "Upper" and "upper" the one is taken for the other.
    "case-insensitive-name-matching": "true",
    "case-insensitive-name-matching.config-file.refresh-period": "10s",
    # A column without a type of Trino's is text, as it is here, and not absent.
    "unsupported-type-handling": "CONVERT_TO_VARCHAR",
    "jdbc-types-mapped-to-varchar": "timetz",
    "postgresql.array-mapping": "AS_ARRAY",
}


def trino_catalog(config: PostgresConfig) -> TrinoCatalog | NotFederated:
    """Return the catalog, with the account that reads rows.

    https://trino.io/docs/476/connector/postgresql.html
    """
    if not config.reader.user:
        return NotFederated(
            reason="its URL names no user, and Trino takes none from the environment",
            hint="write postgresql://USER:${PASSWORD}@HOST:5432/DATABASE",
        )
    password = {"connection-password": config.reader.password} if config.reader.password else {}
    return TrinoCatalog(
        connector="postgresql",
        properties={"connection-url": _url(config), "connection-user": config.reader.user, **password, **_READS},
        twins=Twins.MAPPED,
        names_property="case-insensitive-name-matching.config-file",
    )


def _url(config: PostgresConfig) -> str:
    host = f"[{config.host}]" if ":" in config.host else config.host
    # The registry's account may write by mistake of its owner: its sessions in Trino may not.
    asked = {
        **config.ssl,
        "ApplicationName": "hms-dta",
        "connectTimeout": str(config.connect_timeout_s),
        "readOnly": "true",
        "readOnlyMode": "always",
    }
    return (
        f"jdbc:postgresql://{host}:{config.port}/{quote(config.database, safe='')}?{urlencode(asked, quote_via=quote)}"
    )
