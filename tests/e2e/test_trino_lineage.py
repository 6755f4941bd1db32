"""A real Trino tells of what it wrote: a table made by a query over two catalogs is lineage of its columns at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from threading import Thread

import pytest
import uvicorn
from anyio.from_thread import start_blocking_portal

from hms_registry.app import make_app
from hms_registry.bootstrap import Registry, now
from hms_registry.domain.columns import PrivacyTier
from hms_registry.domain.datasets import DatasetState
from hms_registry.domain.names import Address
from hms_registry.domain.runs import RunState
from hms_registry.domain.sources import Source
from hms_registry.http.metrics import Metrics
from hms_registry.ports.tokens import IssuedToken
from hms_registry.services.openlineage.settings import OpenLineageSettings
from hms_registry.services.remembered import digest_of
from hms_registry.services.trino_settings import OpaListener
from hms_registry.trino_listener import TrinoListener
from services.trino import LINEAGE_TOKEN, Trino
from serving import eventually
from trino_world import ROLES, SERVICE, SETTINGS, Described, registry_of

pytestmark = pytest.mark.slow

CATALOG: Described = {
    "ollake.tiny.nation": (
        PrivacyTier.PUBLIC,
        frozenset(),
        {"nationkey": ("bigint", ""), "name": ("varchar(25)", ""), "regionkey": ("bigint", "")},
    ),
    "olcdc.tiny.region": (
        PrivacyTier.RESTRICTED,
        frozenset(),
        {"regionkey": ("bigint", ""), "name": ("varchar(25)", "")},
    ),
}
POLICY = 'allow(p: Principal, _, _: Dataset) if "steward" in p.roles;'
SENDER = "  scheduler: {description: Sends events}\n"
MADE = "olscratch.sam.made"
QUERY = f"""
CREATE TABLE {MADE} AS
SELECT n.name AS nation, upper(r.name) AS region, n.nationkey + r.regionkey AS both, 1 AS one
FROM ollake.tiny.nation n JOIN olcdc.tiny.region r ON n.regionkey = r.regionkey"""


@contextmanager
def served(registry: Registry, port: int) -> Iterator[None]:
    """Serve a registry's app at a port."""
    server = uvicorn.Server(uvicorn.Config(make_app(registry), host="127.0.0.1", port=port, log_level="warning"))
    thread = Thread(target=server.run)
    thread.start()
    try:
        yield
    finally:
        server.should_exit = True
        thread.join()


@contextmanager
def governing(registry: Registry, port: int) -> Iterator[None]:
    """Answer a Trino at a port."""
    listener = TrinoListener(registry, OpaListener(port=port), metrics=Metrics(registry))
    with start_blocking_portal() as portal:
        portal.call(listener.start)
        try:
            yield
        finally:
            portal.call(listener.stop)


@pytest.fixture
def registry() -> Iterator[Registry]:
    """One whose sources are catalogs of Trino, that of scratch tables too, and that takes Trino's events."""
    roles = ROLES.replace("roles:\n", f"roles:\n{SENDER}", 1).replace(
        "people:\n", "people:\n  trino: {roles: [scheduler]}\n"
    )
    settings = replace(SETTINGS, scratch="olscratch")
    with registry_of(policy=POLICY, roles=roles, settings=settings, described=CATALOG) as registry:
        names = ("ollake", "olcdc", "olscratch")
        registry.described = tuple(Source(name=name, kind="postgres", url="postgresql://db/x") for name in names)
        registry.openlineage = OpenLineageSettings(roles=frozenset({"scheduler"}))
        token = IssuedToken(
            id="trino", digest=digest_of(LINEAGE_TOKEN), subject="trino", made_at=now(), ends_at=now() + timedelta(1)
        )
        with registry.catalogue.unit(writes=True) as uow:
            for source in registry.described:
                uow.sources.put(source)
            uow.bearer_tokens.add([token])
            uow.commit()
        yield registry


def test_a_table_made_in_trino_is_column_lineage_across_catalogs(governed_trino: Trino, registry: Registry) -> None:
    """Each column comes from those that it is computed of; the table is known, and its labels are the strictest."""
    trino = governed_trino
    assert trino.registry_port is not None and trino.lineage_port is not None
    catalogs = {"ollake": "tpch", "olcdc": "tpch", "olscratch": "memory"}
    with governing(registry, trino.registry_port), served(registry, trino.lineage_port):
        for name, connector in catalogs.items():
            trino.create_catalog(name, {"connector.name": connector}, user=SERVICE)
        try:
            trino.ask("CREATE SCHEMA olscratch.sam", user="sam")
            trino.ask(QUERY, user="sam")
            eventually(lambda: bool(edges_into(registry, MADE)), seconds=60)
        finally:
            for name in catalogs:
                trino.drop_catalog(name, user=SERVICE)

    assert {edge for edge in edges_into(registry, MADE) if edge[2] is not None} == {
        ("ollake.tiny.nation", "name", "nation"), ("olcdc.tiny.region", "name", "region"),
        ("ollake.tiny.nation", "nationkey", "both"), ("olcdc.tiny.region", "regionkey", "both"),
    }  # fmt: skip
    visible = registry.decisions().visibility(registry.principal("sam"))
    with registry.catalogue.unit() as uow:
        made = uow.datasets.find(Address.parse(MADE))
        assert made is not None
        (run,) = uow.runs.latest(visible=visible, limit=10)
    assert (made.state, made.labels.privacy_tier) == (DatasetState.STATED, PrivacyTier.RESTRICTED)
    assert [column.name for column in made.columns] == ["nation", "region", "both", "one"]
    assert (run.state, [each.dataset_id for each in run.outputs]) == (RunState.COMPLETE, [made.id])


def edges_into(registry: Registry, name: str) -> set[tuple[str, str | None, str | None]]:
    """What a dataset comes from as far as it is known: upstream, its column, and the column."""
    with registry.catalogue.unit() as uow:
        mine = uow.datasets.find(Address.parse(name))
        if mine is None:
            return set()
        edges = [each.edge for each in uow.edges.around(mine.id) if each.edge.downstream == mine.id]
        names = {each.id: str(each.address) for each in uow.datasets.get_many([edge.upstream for edge in edges])}
    return {(names[edge.upstream], edge.upstream_column, edge.downstream_column) for edge in edges}
