"""The same Hive as a catalog of Trino: its hive connector over the metastore, reading the files itself."""

from __future__ import annotations

from hms_hive.config import HiveConfig, Lake
from hms_registry.ports.trino import NotFederated, TrinoCatalog


def trino_catalog(config: HiveConfig) -> TrinoCatalog | NotFederated:
    """Return the catalog: Trino asks no HiveServer2, so that there has to be a metastore.

    https://trino.io/docs/476/connector/hive.html
    """
    metastore = config.metastore
    if metastore is None:
        return NotFederated(
            reason="Trino reads a Hive by its metastore, and none is named",
            hint="options: {metastore: thrift://HOST:9083}",
        )
    host = f"[{metastore.host}]" if ":" in metastore.host else metastore.host
    tls = {"hive.metastore.thrift.client.ssl.enabled": "true"} if metastore.is_tls else {}
    if metastore.is_tls and metastore.ca_file:
        tls["hive.metastore.thrift.client.ssl.trust-certificate"] = metastore.ca_file
    return TrinoCatalog(
        connector="hive",
        properties={
            "hive.metastore": "thrift",
            "hive.metastore.uri": f"thrift://{host}:{metastore.port}",
            **tls,
            "hive.metastore.thrift.client.connect-timeout": f"{config.connect_timeout_s:g}s",
            # Moments have six digits here, and are read in UTC.
            "hive.timestamp-precision": "MICROSECONDS",
            "hive.parquet.time-zone": "UTC",
            "hive.orc.time-zone": "UTC",
            # A view of Hive's is read with the rights of whoever asks, not of whoever made it in Hive.
            "hive.hive-views.enabled": "true",
            "hive.hive-views.run-as-invoker": "true",
            **_storage(config.lake),
        },
    )


def _storage(lake: Lake) -> dict[str, str]:
    """Return how files are reached: those of HDFS and of folders by Hadoop's client, those of S3 by Trino's own."""
    found = {"fs.hadoop.enabled": "true", "fs.native-s3.enabled": "true"}
    if lake.endpoint:
        found |= {"s3.endpoint": lake.endpoint, "s3.path-style-access": "true"}
    found["s3.region"] = lake.region or "us-east-1"
    if lake.access_key:
        found |= {"s3.aws-access-key": lake.access_key, "s3.aws-secret-key": lake.secret_key}
    return found
