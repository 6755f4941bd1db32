"""A Hive of the tests' own: metastore and HiveServer2 4.0.1 on loopback, tables in a folder or on the S3 server.

They come from Maven Central, archive by archive, and run on JDK 17. What hms_hive is tried with is made by the
metastore's own calls, which take milliseconds; HiveServer2 starts where a test asks it something.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from xml.sax.saxutils import escape

from services.hive_tables import HiveDatabase, open_client
from services.installing import cache_folder, one_at_a_time
from services.running import Running, ServiceMissing, ends_with_us, free_port, is_listening, start_process, tail
from services.seaweedfs import SECRET, SeaweedServer
from services.tcp_proxy import Proxy

RELEASE = "4.0.1"
_POM = Path(__file__).with_name("hive_pom.xml")
_INSTALL_S = 900
_SQL = f"org.apache.hive:hive-standalone-metastore-server:{RELEASE}:tar.gz:bin"
_LOG4J1 = "ch.qos.reload4j:reload4j:1.2.22"
_OPENED = (
    "java.lang", "java.lang.reflect", "java.util", "java.util.concurrent", "java.util.concurrent.atomic",
    "java.util.regex", "java.net", "java.io", "java.nio", "java.time",
)  # fmt: skip
_LOGGING = """status = WARN
appenders = console
appender.console.type = Console
appender.console.name = console
appender.console.target = SYSTEM_ERR
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{ISO8601} %5p %c{2}: %m%n
rootLogger.level = WARN
rootLogger.appenderRefs = root
rootLogger.appenderRef.root.ref = console
"""


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
    home, port = _installed(), port or free_port()
    if not (folder / "metastore_db").exists():
        shutil.copytree(home / "metastore_db", folder / "metastore_db")
    _write_site(folder, "core-site.xml", storage(seaweed.endpoint))
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
    _write_site(folder, "metastore-site.xml", settings)
    main = ["org.apache.hadoop.hive.metastore.HiveMetaStore", "-p", str(port)]
    running = start_process(
        [*_java(folder, home, megabytes=256), *main],
        url=f"thrift://127.0.0.1:{port}",
        log=folder / "metastore.log",
        cwd=folder,
        env=_environment(home, seaweed.secret),
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
    home, port = _installed(), port or free_port()
    _write_site(folder, "core-site.xml", storage(metastore.seaweed.endpoint))
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
    _write_site(folder, "hive-site.xml", settings)
    running = start_process(
        [*_java(folder, home, megabytes=768), "org.apache.hive.service.server.HiveServer2"],
        url=f"hive://tester@127.0.0.1:{port}",
        log=folder / "hiveserver2.log",
        cwd=folder,
        env=_environment(home, metastore.seaweed.secret),
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


def _environment(home: Path, secret: str = SECRET) -> dict[str, str]:
    return {
        **os.environ,
        "AWS_ACCESS_KEY_ID": "admin",
        "AWS_SECRET_ACCESS_KEY": secret,
        "HIVE_HOME": str(home),
        "HADOOP_HOME": str(home),
        "METASTORE_HOME": str(home / "sql"),
    }


def _write_site(folder: Path, name: str, settings: Mapping[str, str]) -> None:
    lines = (
        f"<property><name>{escape(key)}</name><value>{escape(value)}</value></property>"
        for key, value in settings.items()
    )
    body = "\n".join(lines)
    (folder / name).write_text(f'<?xml version="1.0"?>\n<configuration>\n{body}\n</configuration>\n')
    (folder / "log4j2.properties").write_text(_LOGGING)


def _java(folder: Path, home: Path, *, megabytes: int) -> list[str]:
    logging = folder / "log4j2.properties"
    return [
        *ends_with_us(),
        str(_jdk() / "bin" / "java"),
        f"-Xmx{megabytes}m",
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",  # it is started for seconds: what is compiled well is compiled for nobody
        f"-Djava.io.tmpdir={folder}",
        f"-Dderby.stream.error.file={folder / 'derby.log'}",
        f"-Dlog4j.configurationFile={logging}",
        f"-Dlog4j2.configurationFile={logging}",
        *(f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in _OPENED),
        "--add-opens=java.sql/java.sql=ALL-UNNAMED",
        # log4j 1's own classes come after the bridge that stands in for them
        *("-cp", f"{folder}:{home / 'lib'}/*:{home / 'last'}/*"),
    ]


def _jdk() -> Path:
    named = os.environ.get("HMS_DTA_TEST_JDK17")
    found = [Path(named)] if named else sorted(Path("/usr/lib/jvm").glob("*17*"))
    for each in found:
        if (each / "bin" / "java").exists():
            return each
    raise ServiceMissing("Hive 4.0.1 runs on JDK 17: apt-get install openjdk-17-jre-headless, or HMS_DTA_TEST_JDK17")


def _installed() -> Path:
    """Return the folder with all archives and an empty metastore's database, made by the first who asks."""
    home = cache_folder() / f"hive-{RELEASE}"
    with one_at_a_time("hive"):
        if not (home / "metastore_db").exists():
            made = home.with_name(f"{home.name}.new")
            shutil.rmtree(made, ignore_errors=True)
            made.mkdir()
            _fetch(made)
            shutil.rmtree(home, ignore_errors=True)
            made.rename(home)
    return home


def _fetch(home: Path) -> None:
    if shutil.which("mvn") is None:
        raise ServiceMissing("Hive comes from Maven Central, and there is no mvn: apt-get install maven")
    log = home / "install.log"
    get = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1"
    _run(["mvn", "-B", "-q", "-f", str(_POM), f"{get}:copy-dependencies", "-DincludeScope=runtime",
          f"-DoutputDirectory={home / 'lib'}"], log)  # fmt: skip
    for artifact in (_LOG4J1, _SQL):
        _run(["mvn", "-B", "-q", f"{get}:get", "-Dtransitive=false", f"-Dartifact={artifact}"], log)
    _run(["mvn", "-B", "-q", f"{get}:copy", f"-Dartifact={_LOG4J1}", f"-DoutputDirectory={home / 'last'}"], log)
    _run(["mvn", "-B", "-q", f"{get}:copy", f"-Dartifact={_SQL}", f"-DoutputDirectory={home}"], log)
    (packed,) = home.glob("*.tar.gz")
    (home / "sql").mkdir()
    _run(["tar", "-xzf", str(packed), "-C", str(home / "sql"), "--strip-components=1", "--wildcards",
          "*/scripts/*"], log)  # fmt: skip
    packed.unlink()
    _make_database(home, log)


def _make_database(home: Path, log: Path) -> None:
    """Make an empty metastore's database once: each session copies it, which is faster than a thousand statements."""
    url = f"jdbc:derby:;databaseName={home / 'metastore_db'};create=true"
    driver = "org.apache.derby.jdbc.EmbeddedDriver"
    _write_site(
        home,
        "metastore-site.xml",
        {"javax.jdo.option.ConnectionDriverName": driver, "javax.jdo.option.ConnectionURL": url},
    )
    tool = "org.apache.hadoop.hive.metastore.tools.schematool.MetastoreSchemaTool"
    _run([*_java(home, home, megabytes=256), tool, "-dbType", "derby", "-initSchema"], log, env=_environment(home))


def _run(command: list[str], log: Path, *, env: Mapping[str, str] | None = None) -> None:
    with log.open("ab") as sink:
        done = subprocess.run(command, stdout=sink, stderr=sink, env=env, timeout=_INSTALL_S, check=False)
    if done.returncode != 0:
        raise ServiceMissing(f"Hive could not be installed ({command[0]} failed):\n{tail(log)}")
