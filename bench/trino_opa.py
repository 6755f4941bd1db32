"""What Trino asks, answered by us and by a real OPA server that was told the same rules and the same datasets."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING

from bench.figures import Figure, require_equal
from bench.lists import long_list
from bench.stores import Workshop
from bench.timing import cpu_now_ms, hms_dta, interleaved, median_ms
from services.installing import cache_folder
from services.running import ServiceMissing, free_port, is_listening

if TYPE_CHECKING:
    from hms_registry.bootstrap import Registry

RELEASE = "1.22.2"
WHO = "ana@bts.dot.example"
RULES = Path(__file__).with_suffix(".rego")
LARGE, LARGEST = 10_000, 100_000
Ask = Callable[[str, bytes], object]


def answers(workshop: Workshop) -> Iterator[Figure]:
    """Lists of tables in the service, and over HTTP beside OPA; one question over HTTP beside OPA."""
    from hms_registry.services.trino_settings import TrinoSettings

    with long_list(workshop) as registry:
        registry.trino_settings = TrinoSettings(url="http://127.0.0.1:8080")
        tables = _tables(registry)
        yield from _in_the_service(registry, tables)
        listed, single = _list(tables[:LARGE]), _single(tables)
        home = workshop.folder / "lists"
        with _opa(_known(registry), folder=workshop.folder) as theirs, _serving(home) as ours:
            one = interleaved(
                lambda: [ours("allow", each) for each in single],
                lambda: [theirs("allow", each) for each in single],
                runs=15,
                what="whether tables may be read",
            )
            many = interleaved(
                lambda: ours("batch", listed), lambda: theirs("batch", listed), runs=9, what="which tables may be found"
            )
    yield Figure(
        name="trino-opa",
        what=f"{len(single)} single questions over one connection, beside OPA {RELEASE} with the same rules",
        ours=one.ours_ms,
        limit=one.limit_ms,
        factor=1.5,
        note=f"{one.cpu_ms / len(single):.2f} ms each of the asker's processor",
    )
    yield Figure(
        name="trino-opa",
        what=f"a list of {LARGE:,} tables over HTTP, beside the same OPA",
        ours=many.ours_ms,
        limit=many.limit_ms,
        factor=0.2,
    )


def _in_the_service(registry: Registry, tables: list[dict[str, str]]) -> Iterator[Figure]:
    from hms_federation.trino.opa.asked import read_asked

    def decided(body: bytes) -> object:
        return registry.trino.access.batch(read_asked(body)).result

    large, largest = _list(tables[:LARGE]), _list((tables * (LARGEST // len(tables)))[:LARGEST])
    require_equal(isinstance(decided(large), list), True, "a list")
    at_large = median_ms(lambda: decided(large), runs=31)
    at_largest = median_ms(lambda: decided(largest), runs=7)
    had_ms = cpu_now_ms()
    for _ in range(10):
        decided(large)
    cpu = f"{(cpu_now_ms() - had_ms) / 10:.1f} ms of processor"
    yield Figure(
        name="trino-opa", what=f"a list of {LARGE:,} tables in the service", ours=at_large, allowance=10, note=cpu
    )
    yield Figure(
        name="trino-opa",
        what=f"a list of {LARGEST:,} tables in the service, beside that of {LARGE:,}",
        ours=at_largest,
        limit=at_large,
        factor=12,
    )


def _tables(registry: Registry) -> list[dict[str, str]]:
    with registry.catalogue.unit() as uow:
        names = [each.trino_name for each in uow.datasets.iter()]
    return [{"catalogName": each.catalog, "schemaName": each.schema, "tableName": each.table} for each in names]


def _asked(operation: str, **action: object) -> bytes:
    context = {"identity": {"user": WHO, "groups": []}, "softwareStack": {"trinoVersion": "476"}}
    return json.dumps({"input": {"context": context, "action": {"operation": operation, **action}}}).encode()


def _list(tables: list[dict[str, str]]) -> bytes:
    return _asked("FilterTables", filterResources=[{"table": each} for each in tables])


def _single(tables: list[dict[str, str]]) -> list[bytes]:
    columns = ["day", "reading", "vessel"]
    return [
        _asked("SelectFromColumns", resource={"table": {**each, "columns": columns}}) for each in tables[:: LARGE // 50]
    ]


def _known(registry: Registry) -> dict[str, object]:
    """What OPA is told: the datasets with what the rules read of them, and the person."""
    datasets: dict[str, dict[str, dict[str, object]]] = {}
    with registry.catalogue.unit() as uow:
        for each in uow.datasets.iter():
            name, labels = each.trino_name, each.labels
            known = {"tier": int(labels.privacy_tier), "tags": sorted(labels.tags)}
            known["columns"] = [column.name for column in each.columns]
            datasets.setdefault(name.catalog, {}).setdefault(name.schema, {})[name.table] = known
    who = registry.principal(WHO)
    return {"datasets": datasets, "people": {WHO: {"roles": sorted(who.roles), "clearance": int(who.clearance)}}}


@contextmanager
def _opa(known: dict[str, object], *, folder: Path) -> Iterator[Ask]:
    """Serve the rules by OPA."""
    data, port = folder / "opa.json", free_port()
    data.write_text(json.dumps(known), encoding="utf-8")
    address = f"127.0.0.1:{port}"
    command = [str(_program()), "run", "--server", "--addr", address, "--log-level", "error", str(RULES), str(data)]
    with _started(command, port) as ask:
        yield ask


@contextmanager
def _serving(home: Path) -> Iterator[Ask]:
    """Serve a home in a process of its own, with a port at which Trino asks."""
    port, settings = free_port(), home / "settings.yml"
    settings.write_text(f"trino: {{url: 'http://127.0.0.1:8080', opa: {{port: {port}}}}}\n", encoding="utf-8")
    try:
        with _started(hms_dta("--home", str(home), "serve", "--port", str(free_port())), port) as ask:
            yield ask
    finally:
        settings.unlink()


@contextmanager
def _started(command: list[str], port: int) -> Iterator[Ask]:
    log = subprocess.DEVNULL
    server = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    try:
        deadline = time.monotonic() + 60
        while not is_listening(port) and time.monotonic() < deadline:
            time.sleep(0.05)
        with closing(HTTPConnection("127.0.0.1", port, timeout=60)) as connection:

            def ask(door: str, body: bytes) -> object:
                headers = {"Content-Type": "application/json"}
                connection.request("POST", f"/v1/data/trino/{door}", body, headers)
                answer = connection.getresponse()
                told = answer.read()
                if answer.status != 200:
                    raise RuntimeError(f"{command[0]} answered {answer.status}: {told[:300]!r}")
                result: object = json.loads(told)["result"]
                return result

            yield ask
    finally:
        server.terminate()
        server.wait(timeout=20)


def _program() -> Path:
    """Return OPA's program, made by Go the first time and kept.

    Raises:
        ServiceMissing: there is no Go, or it could not make it.
    """
    folder = cache_folder() / f"opa-{RELEASE}"
    if not (folder / "opa").exists():
        go = shutil.which("go")
        if go is None:
            raise ServiceMissing("OPA is compared with, and needs Go to be made: https://go.dev/doc/install")
        print(f"making OPA {RELEASE} ...", file=sys.stderr, flush=True)
        module = f"github.com/open-policy-agent/opa@v{RELEASE}"
        environ = {**os.environ, "GOBIN": str(folder), "GOFLAGS": "-modcacherw"}
        made = subprocess.run([go, "install", module], env=environ, capture_output=True, encoding="utf-8", check=False)
        if made.returncode != 0:
            raise ServiceMissing(f"Go could not make OPA: {made.stderr[-300:]}")
    return folder / "opa"
