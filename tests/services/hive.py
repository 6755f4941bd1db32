"""A Hive of the tests' own: metastore and HiveServer2 4.0.1 on loopback, tables in a folder or on the S3 server.

They come from Maven Central, archive by archive, and run on JDK 17. What hms_hive is tried with is made by the
metastore's own calls, which take milliseconds; HiveServer2 starts where a test asks it something.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from services.hive_program import environment, installed, java, write_site
from services.hive_tables import HiveDatabase, open_client
from services.running import Running, free_port, is_listening, start_process
from services.seaweedfs import SeaweedServer
from services.tcp_proxy import Proxy


@dataclass(slots=True, kw_only=True)
class HiveMetastore:
    """The running metastore; makes databases.

    Attributes:
        folder: where its databases keep their tables.
        seaweed: the S3 server whose buckets it may use as `s3a://`.
    """

    running: Running
    port: int
    folder: Path
    seaweed: SeaweedServer
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def emptied(self) -> HiveDatabase:
        """Make a new, empty database, and leave it: to drop a thousand tables takes minutes."""
        name = f"test_{os.getpid()}_{next(self._numbers)}"
        place = self.folder / "warehouse" / name
        place.mkdir(parents=True)
        made = HiveDatabase(name=name, folder=place, port=self.port, client=open_client(self.port))
        made.create()
        return made

    @contextmanager
    def database(self) -> Iterator[HiveDatabase]:
        """Give a new, empty database; it is removed at the end with all that is in it."""
        made = self.emptied()
        try:
            yield made
        finally:
            made.remove()
            made.client.close()
            shutil.rmtree(made.folder, ignore_errors=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class HiveServer:
    """The running HiveServer2 over a metastore.

    Attributes:
        link: its way to the metastore, which a test may break; None = it goes there straight.
    """

    running: Running
    port: int
    metastore: HiveMetastore
    link: Proxy | None = None

    @contextmanager
    def without_metastore(self) -> Iterator[None]:
        """Keep it from its metastore."""
        assert self.link is not None
        self.link.is_dead = True
        self.link.hang_up()
        try:
            yield
        finally:
            self.link.is_dead = False


def start_metastore(folder: Path, seaweed: SeaweedServer, *, port: int | None = None) -> HiveMetastore:
    """Start a metastore with its data under *folder*, or those left there; at *port*, or a free one.

    Raises:
        ServiceMissing: it is not here and cannot be fetched; the text says what is needed.
        ServiceFailed: it did not start.
    """
    home, port = installed(), port or free_port()
    if not (folder / "metastore_db").exists():
        shutil.rmtree(folder / "metastore_db.new", ignore_errors=True)
        shutil.copytree(home / "metastore_db", folder / "metastore_db.new")
        (folder / "metastore_db.new").rename(folder / "metastore_db")
    write_site(folder, "core-site.xml", storage(seaweed.endpoint))
    settings = {
        "metastore.thrift.bind.host": "127.0.0.1",
        "metastore.thrift.uris": f"thrift://127.0.0.1:{port}",
        "metastore.warehouse.dir": (folder / "managed").as_uri(),
        "metastore.warehouse.external.dir": (folder / "warehouse").as_uri(),
        "metastore.task.threads.always": "org.apache.hadoop.hive.metastore.events.EventCleanerTask",
        "metastore.expression.proxy": "org.apache.hadoop.hive.metastore.DefaultPartitionExpressionProxy",
        "javax.jdo.option.ConnectionDriverName": "org.apache.derby.jdbc.EmbeddedDriver",
        "javax.jdo.option.ConnectionURL": f"jdbc:derby:;databaseName={folder / 'metastore_db'}",
    }
    write_site(folder, "metastore-site.xml", settings)
    main = ["org.apache.hadoop.hive.metastore.HiveMetaStore", "-p", str(port)]
    running = start_process(
        [*java(folder, home, megabytes=256), *main],
        url=f"thrift://127.0.0.1:{port}",
        log=folder / "metastore.log",
        cwd=folder,
        env=environment(home, seaweed.secret),
        timeout_s=120,
        is_ready=lambda: is_listening(port),
    )
    return HiveMetastore(running=running, port=port, folder=folder, seaweed=seaweed)


def start_server(
    folder: Path, metastore: HiveMetastore, *, port: int | None = None, link: Proxy | None = None
) -> HiveServer:
    """Start a HiveServer2 that takes anybody's word for who they are; at *port*, or a free one.

    Args:
        link: a way to the metastore that a test may break.

    Raises:
        ServiceMissing, ServiceFailed
    """
    home, port = installed(), port or free_port()
    write_site(folder, "core-site.xml", storage(metastore.seaweed.endpoint))
    settings = {
        "hive.metastore.uris": metastore.running.url if link is None else f"thrift://127.0.0.1:{link.port}",
        "hive.server2.enable.doAs": "false",
        "hive.server2.authentication": "NONE",
        "hive.server2.thrift.bind.host": "127.0.0.1",
        "hive.server2.thrift.port": str(port),
        "hive.server2.webui.port": "0",
        "hive.execution.engine": "tez",
        "hive.server2.tez.initialize.default.sessions": "false",
        "tez.local.mode": "true",
        "tez.ignore.lib.uris": "true",
        "tez.runtime.optimize.local.fetch": "true",
        "tez.staging-dir": str(folder / "tez"),
        "hive.tez.container.size": "256",
        "hive.exec.scratchdir": str(folder / "scratch"),
        "hive.exec.local.scratchdir": str(folder / "tmp"),
        "hive.downloaded.resources.dir": str(folder / "tmp" / "resources"),
        "hive.server2.logging.operation.enabled": "false",
        "hive.support.concurrency": "false",
        "hive.txn.manager": "org.apache.hadoop.hive.ql.lockmgr.DummyTxnManager",
        "hive.security.authorization.enabled": "false",
        "hive.notification.event.poll.interval": "0s",
        "hive.server2.materializedviews.registry.impl": "DUMMY",
        "hive.query.results.cache.enabled": "false",
        "hive.exec.dynamic.partition.mode": "nonstrict",
        "hive.metastore.client.capability.check": "false",
    }
    write_site(folder, "hive-site.xml", settings)
    running = start_process(
        [*java(folder, home, megabytes=768), "org.apache.hive.service.server.HiveServer2"],
        url=f"hive://tester@127.0.0.1:{port}",
        log=folder / "hiveserver2.log",
        cwd=folder,
        env=environment(home, metastore.seaweed.secret),
        timeout_s=180,
        is_ready=lambda: is_listening(port),
    )
    return HiveServer(running=running, port=port, metastore=metastore, link=link)


def storage(endpoint: str) -> dict[str, str]:
    """Return what core-site.xml says of the places where tables lie."""
    return {
        "fs.defaultFS": "file:///",
        "fs.s3.impl": "org.apache.hadoop.fs.s3a.S3AFileSystem",
        "fs.s3a.endpoint": endpoint,
        "fs.s3a.path.style.access": "true",
        "fs.s3a.connection.ssl.enabled": "false",
        "fs.s3a.endpoint.region": "us-east-1",
        # Hive hides keys that are settings from its own tasks.
        "fs.s3a.aws.credentials.provider": "com.amazonaws.auth.EnvironmentVariableCredentialsProvider",
    }
