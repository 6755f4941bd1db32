"""The same bucket as a catalog of Trino: its hive connector without a Hive, the registry's datasets as its tables."""

from __future__ import annotations

from hms_registry.ports.trino import NotFederated, TrinoCatalog
from hms_s3.config import S3Config


def trino_catalog(config: S3Config) -> TrinoCatalog | NotFederated:
    """Return the catalog, whose tables are kept in a folder of Trino's.

    https://trino.io/docs/476/object-storage/metastores.html
    """
    keys = config.keys
    if keys.is_anonymous:
        return NotFederated(
            reason="Trino asks no bucket without a key", hint="give it a key that may read what anybody may"
        )
    if keys.token:
        return NotFederated(reason="Trino takes no session token", hint="give it a key of its own")
    found = {
        "hive.metastore": "file",
        "hive.metastore.catalog.dir": f"local:///{config.source}",
        "fs.native-local.enabled": "true",
        "fs.native-s3.enabled": "true",
        "s3.region": config.region or "us-east-1",
        "s3.path-style-access": "true" if config.is_path_style else "false",
        # Parquet of today holds nanoseconds; what has fewer digits is cast by a view.
        "hive.timestamp-precision": "NANOSECONDS",
        "hive.parquet.time-zone": "UTC",
        # The registry makes what is there, and nothing is written into the bucket.
        "hive.non-managed-table-writes-enabled": "false",
        "hive.recursive-directories": "false",
    }
    if config.endpoint:
        found["s3.endpoint"] = config.endpoint
    if keys.access:
        found |= {"s3.aws-access-key": keys.access, "s3.aws-secret-key": keys.secret}
    return TrinoCatalog(connector="hive", properties=found, folder_property="local.location")
