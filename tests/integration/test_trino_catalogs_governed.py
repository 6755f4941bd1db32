"""Catalogs of a governed Trino: the registry makes them under its own policy, and opens nothing behind its views."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from anyio.from_thread import start_blocking_portal
from trino.exceptions import TrinoUserError

from governed import publish_policies
from hms_federation.trino.catalogs import State
from hms_federation.trino.catalogs.tables import RAW
from hms_registry.bootstrap import Registry
from hms_registry.http.metrics import Metrics
from hms_registry.services.trino_settings import OpaListener
from hms_registry.trino_listener import TrinoListener
from services.postgres import Database
from services.seaweedfs import Bucket
from services.trino import Trino
from trino_homes import CatalogHome, bucket_source, emptied_at_the_end, postgres_source, tables_of

pytestmark = pytest.mark.slow

POLICY = """
allow(p: Principal, _, _: Dataset) if "nurse" in p.roles;
mask(p: Principal, c: Column, "redact") if c.name = "patient" and "nurse" in p.roles;
row_filter(p: Principal, d: Dataset, "beds > 1") if d.name = "wards.flu.beds" and "nurse" in p.roles;
"""
ROLES = "roles: {nurse: {clearance: RESTRICTED}}\npeople: {ada: {roles: [nurse]}}\n"
SERVICE = "hms-dta"


@pytest.fixture
def home(tmp_path: Path, governed_trino: Trino) -> Iterator[CatalogHome]:
    """A home whose policy is in force in that Trino, and in whose name catalogs are made there."""
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "all.polar").write_text(POLICY)
    (tmp_path / "policies" / "roles.yml").write_text(ROLES)
    home = CatalogHome(tmp_path, governed_trino, user=SERVICE)
    assert governed_trino.registry_port is not None
    with Registry(tmp_path) as registry, start_blocking_portal() as portal:
        publish_policies(registry)
        settings = OpaListener(port=governed_trino.registry_port)
        listener = TrinoListener(registry, settings, metrics=Metrics(registry))
        portal.call(listener.start)
        try:
            with emptied_at_the_end(home):
                yield home
        finally:
            portal.call(listener.stop)


def test_masks_lie_on_the_view_and_nobody_sees_behind_it(
    home: CatalogHome, bucket: Bucket, governed_trino: Trino
) -> None:
    """The registry makes table and view under its own policy; a person reads the view as it is for them, no more."""
    bucket.put({"lake/flu/beds.csv": b"day,beds,patient\n2024-01-02,1,Ada\n2024-01-03,2,Cem\n"})
    home.describe({"wards": bucket_source(bucket)})
    home.crawl()

    made, again = home.sync()["wards"], home.sync()["wards"]

    assert (tables_of(made), again.tables_present, again.is_ok) == ({"flu.beds": State.MADE}, 1, True)
    ask = governed_trino.ask
    assert ask("SELECT CAST(day AS varchar), beds, patient FROM wards.flu.beds", user="ada") == [
        ("2024-01-03", 2, "***")
    ]
    assert ask("SHOW SCHEMAS FROM wards", user="ada") == [("flu",), ("information_schema",)]
    ((raw,),) = ask(f"SHOW TABLES FROM wards.{RAW}", user=SERVICE)
    for refused in (
        f'SELECT * FROM wards.{RAW}."{raw}"',
        "SHOW CREATE VIEW wards.flu.beds",
        "DROP VIEW wards.flu.beds",
    ):
        with pytest.raises(TrinoUserError) as caught:
            ask(refused, user="ada")
        assert caught.value.error_name in ("PERMISSION_DENIED", "TABLE_NOT_FOUND")


def test_of_twin_columns_the_view_to_make_is_told(
    home: CatalogHome, postgres_database: Database, governed_trino: Trino
) -> None:
    """Of twin columns sync prints the view to make, in which both are read; the table itself is left out."""
    postgres_database.execute("CREATE TABLE ports AS SELECT 1 AS x", 'CREATE TABLE twins AS SELECT 1 AS "A", 2 AS a')
    home.describe({"shapes": postgres_source(postgres_database)})
    home.crawl()

    (told,) = home.sync()["shapes"].tables
    postgres_database.execute(told.hint.removeprefix("in its store: "))
    home.describe({"shapes": {**postgres_source(postgres_database), "exclude": ["public.twins"]}})
    home.crawl()

    assert (told.name, told.state) == ("shapes.public.twins", State.NOT_FEDERATED)
    assert governed_trino.ask("SELECT x FROM shapes.public.ports", user="ada") == [(1,)]
    assert governed_trino.ask("SELECT * FROM shapes.public.twins_in_trino", user="ada") == [(1, 2)]
