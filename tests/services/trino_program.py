"""Trino's programs: the server, its command line and its JDBC driver, fetched from Maven Central once and checked.

The server's archive is 821 MB with every plugin, and its files are hard links of each other across the plugins: it is
unpacked whole, and what no test asks for is thrown away with the archive.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tarfile
from pathlib import Path

from services.installing import cache_folder, one_at_a_time
from services.jdks import jdk
from services.running import ServiceMissing, ends_with_us, tail

RELEASE = "476"
JAVA = 24
"""It runs on this and newer."""

PLUGINS = frozenset({
    "geospatial",  # PostgreSQL's connector loads its types
    "hive",
    "http-event-listener",
    "memory",
    "mongodb",
    "opa",
    "openlineage",
    "password-authenticators",
    "postgresql",
    "tpch",
})  # fmt: skip

_GET = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1"
_INSTALL_S = 1800


def installed() -> Path:
    """Return the server's folder, made by the first who asks.

    Raises:
        ServiceMissing: it cannot be fetched; the text says what is needed.
    """
    home = _home()
    with one_at_a_time("trino"):
        if not home.exists():
            fetched = home.with_name(f"{home.name}.fetched")
            archive = _fetch(f"io.trino:trino-server:{RELEASE}:tar.gz", fetched)
            unpack(archive, home)
            shutil.rmtree(fetched)
    return home


def is_fetched() -> bool:
    """Say whether it is on this machine: to fetch it takes minutes."""
    return _home().exists()


def unpack(archive: Path, home: Path) -> None:
    """Make the server's folder of its archive: whole, or not at all."""
    made = home.with_name(f"{home.name}.new")
    shutil.rmtree(made, ignore_errors=True)
    with tarfile.open(archive) as packed:
        packed.extractall(made, filter="data")
    (top,) = made.iterdir()
    for plugin in (top / "plugin").iterdir():
        if plugin.name not in PLUGINS:
            shutil.rmtree(plugin)
    top.rename(home)
    made.rmdir()


def command_line() -> Path:
    """Return Trino's own command line, an archive that Java runs.

    Raises:
        ServiceMissing: it cannot be fetched.
    """
    # Without the classifier it is its classes alone, which nothing runs.
    return _archive(f"io.trino:trino-cli:{RELEASE}:jar:executable")


def jdbc_driver() -> Path:
    """Return the archive of the JDBC driver.

    Raises:
        ServiceMissing: it cannot be fetched.
    """
    return _archive(f"io.trino:trino-jdbc:{RELEASE}")


def java(folder: Path, *, megabytes: int) -> list[str]:
    """Return the words that begin the server's command, its Java's first.

    Raises:
        ServiceMissing: no Java here is new enough.
    """
    return [
        *ends_with_us(),
        str(jdk(at_least=JAVA) / "bin" / "java"),
        f"-Xmx{megabytes}m",
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",  # it is started for minutes: what is compiled well is compiled for nobody
        "-XX:+ExitOnOutOfMemoryError",
        f"-XX:SharedArchiveFile={kept_classes()}",
        "-XX:+AutoCreateSharedArchive",  # written by the first that ends
        "-Xlog:cds=off",
        "--enable-native-access=ALL-UNNAMED",
        "--sun-misc-unsafe-memory-access=allow",
        "-Dfile.encoding=UTF-8",
        "-Djdk.attach.allowAttachSelf=true",
        f"-Djava.io.tmpdir={folder}",
    ]


def kept_classes() -> Path:
    """Return where its classes are kept as Java has them in memory: with them it starts for two thirds of the work."""
    release = hashlib.sha256((jdk(at_least=JAVA) / "release").read_bytes()).hexdigest()[:12]
    return cache_folder() / f"trino-{RELEASE}-{release}.jsa"


def _home() -> Path:
    return cache_folder() / f"trino-{RELEASE}"


def _archive(artifact: str) -> Path:
    """Return an archive, fetched by the first who asks."""
    _, name, release, *_kind = artifact.split(":")
    folder = cache_folder() / f"{name}-{release}"
    with one_at_a_time(name):
        if not folder.exists():
            fetched = folder.with_name(f"{folder.name}.fetched")
            archive = _fetch(artifact, fetched)
            made = folder.with_name(f"{folder.name}.new")
            made.mkdir(exist_ok=True)
            archive.rename(made / archive.name)
            made.rename(folder)
            shutil.rmtree(fetched)
    (kept,) = folder.iterdir()
    return kept


def _fetch(artifact: str, folder: Path) -> Path:
    """Have Maven fetch an archive into a folder, and refuse it where its published sum does not fit.

    Maven's own repository is another folder there: nobody wants the archive twice.
    """
    if shutil.which("mvn") is None:
        raise ServiceMissing("Trino comes from Maven Central, and there is no mvn: apt-get install maven")
    folder.mkdir(exist_ok=True)
    log, into = folder / "install.log", folder / "archive"
    words = [f"{_GET}:copy", f"-Dartifact={artifact}", f"-DoutputDirectory={into}"]
    with log.open("ab") as sink:
        done = subprocess.run(
            ["mvn", "-B", "-q", "--strict-checksums", f"-Dmaven.repo.local={folder / 'repository'}", *words],
            stdout=sink, stderr=sink, timeout=_INSTALL_S, check=False,
        )  # fmt: skip
    if done.returncode != 0:
        raise ServiceMissing(f"{artifact} could not be fetched (mvn failed):\n{tail(log)}")
    (archive,) = into.iterdir()
    return archive
