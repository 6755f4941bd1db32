"""Versions of Hive tables, through either way into Hive: what changes a schema makes exactly one, and no other any."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass

import pyarrow as pa
import pytest

from hive_crawling import adapter_of, registry
from hms_hive import HiveAdapter, HiveConfig
from hms_registry.domain.datasets import DatasetRef
from hms_registry.errors import ScanFailed
from hms_registry.ports.adapter import ScanRequest
from services.hive import HiveServer
from services.hive_tables import HiveDatabase
from truth import Change, assert_versions

COLUMNS = {"id": "int", "name": "varchar(20)", "note": "varchar(20)", "crew": "struct<a:int>"}


@dataclass(frozen=True)
class Tables:
    """The tables of a database, and how to change them as Hive's own statements do."""

    database: HiveDatabase

    def fill(self) -> None:
        for name in ("port", "other"):
            self.database.add(name, COLUMNS)
        self.database.add("log", {"at": "timestamp"}, keys={"dt": "string"})
        self.database.add("ports", {"id": "int"}, view=self._sql("id"))

    def columns(self, columns: Mapping[str, str], *, comments: Mapping[str, str] | None = None) -> None:
        """ALTER TABLE port REPLACE COLUMNS."""
        self.database.alter("port", self.database.table("port", columns, comments=comments))

    def told(self, table: str, **parameters: str) -> None:
        """ALTER TABLE SET TBLPROPERTIES."""
        changed = self.database.get(table)
        changed.parameters = {**changed.parameters, **parameters}
        self.database.alter(table, changed)

    def owned(self, by: str) -> None:
        changed = self.database.get("port")
        changed.owner = by
        self.database.alter("port", changed)

    def view(self, columns: Mapping[str, str], asked: str) -> None:
        """ALTER VIEW ports AS."""
        self.database.alter("ports", self.database.table("ports", columns, view=self._sql(asked)))

    def rename(self, former: str, name: str) -> None:
        changed = self.database.get(former)
        changed.tableName = name
        self.database.alter(former, changed)

    def remake(self, name: str, columns: Mapping[str, str], **stated: object) -> None:
        self.database.drop(name)
        self.database.add(name, columns, **stated)

    def _sql(self, asked: str) -> str:
        return f"SELECT {asked} FROM `{self.database.name}`.`port`"


def changes(tables: Tables) -> list[Change]:
    """The changes; each meets what those before left."""
    database, at = tables.database, COLUMNS
    wide = {**at, "id": "bigint"}
    more = {**wide, "opened": "date"}
    renamed = {"number": "bigint", **{name: kind for name, kind in more.items() if name != "id"}}
    ordered = {name: renamed[name] for name in ("number", "note", "name", "crew", "opened")}
    fewer = {name: kind for name, kind in ordered.items() if name != "opened"}
    text = {**fewer, "name": "string"}
    inside = {**text, "crew": "struct<a:int,b:string>"}
    odd = {**inside, "crew": "uniontype<int,string>"}

    def columns(name: str, wanted: Mapping[str, str], versions: str = "port") -> Change:
        return Change(lambda: tables.columns(wanted), name, versions)

    def does(name: str, make: Callable[[], object], versions: str = "") -> Change:
        return Change(make, name, versions)

    return [
        does("nothing", lambda: None),
        # rows, as Hive tells of them
        does("rows", lambda: tables.told("port", numRows="7", totalSize="900", transient_lastDdlTime="1700000123")),
        does("fewer rows", lambda: tables.told("port", numRows="0", totalSize="0")),
        does("a partition", lambda: database.add_partitions("log", [["a"], ["b"]])),
        does("a partition less", lambda: database.client.drop_partition(database.name, "log", ["a"], False)),
        does("a partition elsewhere", lambda: database.add_partitions("log", [["c"]], places=["file:///tmp/else"])),
        # what no reader of a table meets
        does("a comment on the table", lambda: tables.told("port", comment="harbours")),
        does("a parameter", lambda: tables.told("port", retention="7")),
        does("an owner", lambda: tables.owned("somebody")),
        does("a comment on a column", lambda: tables.columns(at, comments={"id": "the number"})),
        does("another place", lambda: database.alter("port", database.table("port", at, location="file:///tmp/moved"))),
        does("another format", lambda: database.alter("port", database.table("port", at, stored_as="orc"))),
        # columns
        columns("a wider type", wide),
        columns("a column more", more),
        columns("a column renamed", renamed),
        columns("columns in another order", ordered),
        columns("columns fewer", fewer),
        columns("a longer text", {**fewer, "name": "varchar(30)"}),
        columns("a text without an end", text),
        columns("a field more inside", inside),
        does("made anew, of a type that we know as text", lambda: tables.remake("port", odd, stored_as="text"), "port"),
        does("made anew in capitals", lambda: tables.remake("port", _capital(odd), stored_as="text")),
        # partition keys
        does("the last column becomes a key", lambda: tables.remake("other", _without_crew(), keys=_crew()), "other"),
        does("made anew as it was", lambda: tables.remake("other", _without_crew(), keys=_crew())),
        does("a key of another type", lambda: tables.remake("other", _without_crew(), keys={"crew": "int"}), "other"),
        # views
        does("a view that asks otherwise", lambda: tables.view({"id": "int"}, "id + 1 AS id")),
        does("a view of other columns", lambda: tables.view({"id": "int", "n": "string"}, "id, name AS n"), "ports"),
        # coming and going
        does("a table more", lambda: database.add("fresh", {"a": "int"}), "fresh"),
        does("renamed", lambda: tables.rename("fresh", "fresher"), "fresher"),
        does("gone after the second look", lambda: None),
        does("dropped", lambda: database.drop("fresher")),
        does("dropped, seen twice", lambda: None),
        does("back as it was", lambda: database.add("fresher", {"a": "int"})),
        does("made anew as another", lambda: tables.remake("fresher", {"a": "bigint"}), "fresher"),
        does("a view in the place of a table", lambda: tables.remake("fresher", {"a": "bigint"}, view="SELECT 1 AS a")),
    ]  # fmt: skip


def _capital(columns: Mapping[str, str]) -> Mapping[str, str]:
    return {name.upper(): kind for name, kind in columns.items()}


def _without_crew() -> Mapping[str, str]:
    return {name: kind for name, kind in COLUMNS.items() if name != "crew"}


def _crew() -> Mapping[str, str]:
    return {"crew": COLUMNS["crew"]}


def test_each_change_of_a_table_makes_one_version_or_none(hive_database: HiveDatabase) -> None:
    """Through the metastore, crawled after each."""
    tables = Tables(hive_database)
    tables.fill()

    _assert_versions(tables, hive_database.metastore)


@pytest.mark.slow
def test_each_change_makes_as_many_through_hiveserver2(hive_database: HiveDatabase, hive_server: HiveServer) -> None:
    """Through HiveServer2 alone, which describes each table at each crawl."""
    tables = Tables(hive_database)
    tables.fill()

    _assert_versions(tables, hive_server.running.url, describe_all="true", connections="1")


def _assert_versions(tables: Tables, server: str, **options: str) -> None:
    config = HiveConfig.from_url(source="truth", url=f"{server}/{tables.database.name}", options=options)
    assert_versions(changes(tables), kind="hive", open_adapter=lambda: HiveAdapter(config))


@pytest.mark.slow
def test_what_hiveserver2_does_not_list_is_found_by_describing_all(
    hive_database: HiveDatabase, hive_server: HiveServer
) -> None:
    """Columns stay and the last becomes a key: it is not read, not seen by a plain crawl, and one version otherwise."""
    url = f"{hive_server.running.url}/{hive_database.name}"
    hive_database.add("other", COLUMNS)
    with registry() as crawled, closing(adapter_of(url)) as adapter:
        crawled.crawl(url)
        known = crawled.datasets()["other"]
        ref = DatasetRef(address=known.address, locator=known.locator)
        Tables(hive_database).remake("other", _without_crew(), keys=_crew())
        request = ScanRequest(ref=ref, columns=("id",), schema=pa.schema([("id", pa.int32())]))

        with pytest.raises(ScanFailed, match="altered since it was registered") as refused:
            adapter.scan(request)
        versions = []
        for options in ({}, {"describe_all": "true"}, {}):
            assert crawled.crawl(url, **options).is_ok
            versions.append(crawled.datasets()["other"].version)

    assert refused.value.hint == "crawl src again; if it stays so, once with the option describe_all"
    assert versions == [1, 2, 2]
