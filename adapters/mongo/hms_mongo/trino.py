"""The same server as a catalog of Trino: its mongodb connector, which writes its guesses into the store itself."""

from __future__ import annotations

from urllib.parse import quote, urlencode

from hms_mongo.config import MongoConfig
from hms_mongo.listing import TRINOS_OWN
from hms_registry.ports.trino import NotFederated, TrinoCatalog, Twins


def trino_catalog(config: MongoConfig) -> TrinoCatalog | NotFederated:
    """Return the catalog, if the owner of the store consents to what Trino writes there.

    https://trino.io/docs/476/connector/mongodb.html
    """
    if not config.trino_may_write:
        return NotFederated(
            reason=f"Trino writes a collection {TRINOS_OWN} into each database that it reads, "
            "and the owner did not consent",
            hint="if they do: options: {trino_schema: allowed}, with an account that may write that collection",
        )
    asked = dict(config.driver)
    if config.user:
        asked["authSource"] = asked.get("authSource", config.database or "admin")
    secret = f":{config.password}" if config.password else ""
    account = f"{quote(config.user, safe='')}{secret}@" if config.user else ""
    query = f"?{urlencode(asked, quote_via=quote)}" if asked else ""
    scheme = "mongodb+srv" if config.is_srv else "mongodb"
    return TrinoCatalog(
        connector="mongodb",
        properties={
            "mongodb.connection-url": f"{scheme}://{account}{','.join(config.hosts)}/{query}",
            "mongodb.schema-collection": TRINOS_OWN,
            "mongodb.case-insensitive-name-matching": "true",
            "mongodb.connection-timeout": f"{config.connect_timeout_s * 1000:.0f}",
        },
        url_secrets=frozenset({config.password} if config.password else ()),
        twins=Twins.UNREADABLE,
    )
