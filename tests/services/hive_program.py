"""The programs of the tests' Hive: fetched from Maven Central once, run on JDK 17 with settings of the tests' own."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from xml.sax.saxutils import escape

from services.installing import cache_folder, one_at_a_time
from services.running import ServiceMissing, ends_with_us, tail
from services.seaweedfs import SECRET

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


def environment(home: Path, secret: str = SECRET) -> dict[str, str]:
    """Return what a program of Hive is given; *secret* is the S3 server's."""
    return {
        **os.environ,
        "AWS_ACCESS_KEY_ID": "admin",
        "AWS_SECRET_ACCESS_KEY": secret,
        "HIVE_HOME": str(home),
        "HADOOP_HOME": str(home),
        "METASTORE_HOME": str(home / "sql"),
    }


def write_site(folder: Path, name: str, settings: Mapping[str, str]) -> None:
    """Write a file of settings, and beside it what is logged."""
    lines = (
        f"<property><name>{escape(key)}</name><value>{escape(value)}</value></property>"
        for key, value in settings.items()
    )
    body = "\n".join(lines)
    (folder / name).write_text(f'<?xml version="1.0"?>\n<configuration>\n{body}\n</configuration>\n')
    (folder / "log4j2.properties").write_text(_LOGGING)


def java(folder: Path, home: Path, *, megabytes: int) -> list[str]:
    """Return the words that begin a command of Java."""
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


def is_fetched() -> bool:
    """Say whether it is on this machine: to fetch it takes minutes."""
    return (_home() / "metastore_db").exists()


def _home() -> Path:
    return cache_folder() / f"hive-{RELEASE}"


def installed() -> Path:
    """Return the folder with all archives and an empty metastore's database, made by the first who asks."""
    home = _home()
    with one_at_a_time("hive"):
        if not is_fetched():
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
    write_site(
        home,
        "metastore-site.xml",
        {"javax.jdo.option.ConnectionDriverName": driver, "javax.jdo.option.ConnectionURL": url},
    )
    tool = "org.apache.hadoop.hive.metastore.tools.schematool.MetastoreSchemaTool"
    _run([*java(home, home, megabytes=256), tool, "-dbType", "derby", "-initSchema"], log, env=environment(home))


def _run(command: list[str], log: Path, *, env: Mapping[str, str] | None = None) -> None:
    with log.open("ab") as sink:
        done = subprocess.run(command, stdout=sink, stderr=sink, env=env, timeout=_INSTALL_S, check=False)
    if done.returncode != 0:
        raise ServiceMissing(f"Hive could not be installed ({command[0]} failed):\n{tail(log)}")
