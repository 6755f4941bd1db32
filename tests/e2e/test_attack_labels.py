"""Attacks on labels: an owner who renames, redefines or restates what a steward labelled, by malice or by accident."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from hms_crawler import crawl_all
from hms_crawler.report import Report
from hms_policies import load_bundle
from hms_registry.bootstrap import Registry, make_home, now
from hms_registry.domain.datasets import Dataset
from hms_registry.domain.decisions import Decision, Mask
from hms_registry.domain.names import Address
from hms_registry.domain.principals import Principal
from hms_registry.errors import HmsError
from hms_registry.services.ingest import ingest
from hms_registry.services.manifest import parse_manifest

POLICY = """\
allow(principal: Principal, action, dataset: Dataset) if
    "analyst" in principal.roles and dataset.privacy_tier < RESTRICTED and action in ["find", "read"];
allow(principal: Principal, action, _: Dataset) if "steward" in principal.roles and action in ["find", "read"];
mask(principal: Principal, column: Column, "null") if
    "secret" in column.tags and not "steward" in principal.roles;
mask(principal: Principal, column: Column, "redact") if
    column.name = "codename" and not "steward" in principal.roles;
"""
ROLES = "roles:\n  analyst: {clearance: PUBLIC}\n  steward: {clearance: RESTRICTED}\n"
PATIENTS = """\
name: patients
source: {location}
privacy_tier: PII-SAFE
schema:
  - week: varchar
  - ssn: {{tags: [secret]}}
  - codename: varchar
"""
SCHEMA = """
CREATE TABLE patients (week TEXT, ssn TEXT, codename TEXT, notes TEXT);
INSERT INTO patients VALUES ('w1', 'raw-ssn', 'raw-name', 'n');
CREATE TABLE flu (week TEXT, cases TEXT);
INSERT INTO flu VALUES ('w1', '3');
CREATE VIEW weekly AS SELECT week, codename AS cases FROM (SELECT week, 'n' AS codename FROM patients);
"""


@dataclass
class Attacked:
    """A registry of one database and one lake, and what an owner of these does to it."""

    home: Path
    registry: Registry

    def sql(self, script: str) -> None:
        """Change the database behind the registry's back."""
        with sqlite3.connect(self.home / "db.sqlite") as store:
            store.executescript(script)
        store.close()

    def crawl(self) -> list[Report]:
        """Crawl everything."""
        registry = self.registry
        return list(
            crawl_all(
                list(registry.sources.values()), open_adapter=registry.adapters, catalogue=registry.catalogue, clock=now
            )
        )

    def ingest(self, text: str) -> None:
        """Ingest a manifest as a steward does."""
        registry = self.registry
        ingest(
            parse_manifest(text, name="m"),
            beside=self.home,
            sources=list(registry.sources.values()),
            open_adapter=registry.adapters,
            catalogue=registry.catalogue,
            principal=Principal(subject="steward", auth_method="local"),
            now=now(),
        )

    def table(self, name: str) -> str:
        """The location of a table of the database."""
        return f"sqlite:///{self.home}/db.sqlite#{name}"

    def publish(self, policy: str = POLICY) -> None:
        """Put a policy in force."""
        folder = self.home / "attack-policies"
        folder.mkdir(exist_ok=True)
        (folder / "p.polar").write_text(policy)
        (folder / "roles.yml").write_text(ROLES)
        with self.registry.catalogue.unit(writes=True) as uow:
            uow.bundles.publish(load_bundle(folder, author="steward"))
            uow.commit()

    def dataset(self, *address: str) -> Dataset:
        """A dataset as it is now."""
        with self.registry.catalogue.unit() as uow:
            found = uow.datasets.find(Address(*address))
        assert found is not None
        return found

    def decide(self, *address: str, who: str = "analyst") -> Decision:
        """What somebody may do with it."""
        return self.registry.decisions().decide(self.registry.principal(who), self.dataset(*address).labels)

    def ask(self, sql: str, *, who: str = "analyst") -> list[dict[str, object]]:
        """Ask as somebody."""
        with self.registry.sql.ask(sql, principal=self.registry.principal(who)) as answer:
            return [row for batch in answer for row in batch.to_pylist()]


@pytest.fixture
def attacked(tmp_path: Path) -> Iterator[Attacked]:
    """A labelled registry under a published policy."""
    make_home(tmp_path, steward="steward")
    (tmp_path / "lake/own").mkdir(parents=True)
    (tmp_path / "sources.yml").write_text(
        "sources:\n"
        "  db: {url: 'sqlite:///db.sqlite', privacy_tier: PUBLIC}\n"
        "  lake: {url: 'file:lake', privacy_tier: PUBLIC}\n"
    )
    with Registry.open(tmp_path) as registry:
        made = Attacked(tmp_path, registry)
        made.sql(SCHEMA)
        made.publish()
        made.crawl()
        made.ingest(PATIENTS.format(location=made.table("patients")))
        made.crawl()
        yield made


def test_a_column_that_takes_the_place_of_a_labelled_one_is_masked_like_it(attacked: Attacked) -> None:
    """`ssn` renamed to `s`: no label names `s`, so what followed to `ssn` follows to it until a manifest says more."""
    attacked.sql("ALTER TABLE patients RENAME COLUMN ssn TO s; ALTER TABLE patients RENAME COLUMN codename TO c;")

    attacked.crawl()

    decision = attacked.decide("db", "public", "patients")
    assert (decision.mask("s"), decision.mask("c"), decision.mask("week")) == (Mask.NULL, Mask.NULL, Mask.NONE)
    assert attacked.ask("SELECT week, s, c FROM db.public.patients") == [{"week": "w1", "s": None, "c": None}]


def test_a_view_over_a_renamed_column_is_masked_like_it(attacked: Attacked) -> None:
    """What follows to the renamed column follows on to what derives from it."""
    attacked.sql("ALTER TABLE patients RENAME COLUMN ssn TO s; CREATE VIEW v AS SELECT s AS innocent FROM patients;")

    attacked.crawl()

    assert attacked.decide("db", "public", "v").mask("innocent") is Mask.NULL


def test_a_new_manifest_ends_what_followed_from_a_lost_column(attacked: Attacked) -> None:
    """Once a steward states the new column, nothing is treated like the old one."""
    attacked.sql("ALTER TABLE patients RENAME COLUMN ssn TO s;")
    attacked.crawl()

    attacked.ingest(PATIENTS.format(location=attacked.table("patients")).replace("ssn", "s"))

    decision = attacked.decide("db", "public", "patients")
    assert (decision.mask("s"), decision.mask("notes")) == (Mask.NULL, Mask.NONE)


def test_a_stricter_manifest_holds_though_the_data_changed_with_it(attacked: Attacked) -> None:
    """A manifest beside data and the data itself change at once: the labels are the new manifest's."""
    own = attacked.home / "lake/own"
    (own / "t.csv").write_text("week,ssn\nw1,1\n")
    (own / "t.manifest.yml").write_text("name: t\nsource: t.csv\nprivacy_tier: PUBLIC\n")
    attacked.crawl()
    (own / "t.csv").write_text("week,ssn\nw1,1\nw2,2\n")
    (own / "t.manifest.yml").write_text("name: t\nsource: t.csv\nprivacy_tier: RESTRICTED\n")

    attacked.crawl()

    assert (
        attacked.decide("lake", "own", "t")
        == attacked.registry.decisions().decide(
            attacked.registry.principal("analyst"), attacked.dataset("db", "public", "patients").labels
        )
        or not attacked.decide("lake", "own", "t").may_find
    )


def test_a_view_that_was_redefined_since_the_crawl_is_not_read(attacked: Attacked) -> None:
    """Its labels are those of what it was: it is read again once a crawl has seen what it is."""
    assert attacked.ask("SELECT cases FROM db.public.weekly") == [{"cases": "n"}]
    attacked.sql("DROP VIEW weekly; CREATE VIEW weekly AS SELECT week, ssn AS cases FROM patients;")

    with pytest.raises(HmsError) as raised:
        attacked.ask("SELECT cases FROM db.public.weekly")

    assert "crawl db again" in raised.value.hint


def test_a_view_over_a_view_that_was_redefined_is_not_read(attacked: Attacked) -> None:
    """The same, one view further down."""
    attacked.sql("CREATE VIEW top AS SELECT cases FROM weekly;")
    attacked.crawl()
    attacked.sql("DROP VIEW weekly; CREATE VIEW weekly AS SELECT week, ssn AS cases FROM patients;")

    with pytest.raises(HmsError) as raised:
        attacked.ask("SELECT cases FROM db.public.top")

    assert "crawl db again" in raised.value.hint


def test_a_table_that_became_a_view_is_not_read(attacked: Attacked) -> None:
    """A public table is dropped, and a view over patients takes its name."""
    attacked.sql("DROP TABLE flu; CREATE VIEW flu AS SELECT week, ssn AS cases FROM patients;")

    with pytest.raises(HmsError) as raised:
        attacked.ask("SELECT cases FROM db.public.flu")

    assert "crawl db again" in raised.value.hint


_DECLASSIFIED = {
    "dataset": "name: weekly\nsource: {location}\nprivacy_tier: PUBLIC\ndeclassify: true\n",
    "column": "name: weekly\nsource: {location}\nschema: [{{cases: {{declassify: true}}}}]\n",
}


@pytest.mark.parametrize("what", _DECLASSIFIED)
def test_a_declassified_view_that_is_defined_anew_is_not_declassified(attacked: Attacked, what: str) -> None:
    """A steward declassified counts; the owner puts names in their place, under the same columns."""
    manifest = _DECLASSIFIED[what].format(location=attacked.table("weekly"))
    attacked.ingest(manifest)
    assert attacked.decide("db", "public", "weekly").mask("cases") is Mask.NONE
    attacked.sql("DROP VIEW weekly; CREATE VIEW weekly AS SELECT week, ssn AS cases FROM patients;")

    attacked.crawl()

    assert attacked.decide("db", "public", "weekly").mask("cases") is Mask.NULL
    assert any("defined anew" in finding for finding in attacked.dataset("db", "public", "weekly").findings)
    attacked.ingest(manifest)
    assert attacked.decide("db", "public", "weekly").mask("cases") is Mask.NONE


def test_a_manifest_beside_data_declassifies_nothing(attacked: Attacked) -> None:
    """Whoever may write to a store is no steward: the crawl says so, and keeps the rest of the manifest."""
    own = attacked.home / "lake/own"
    (own / "t.csv").write_text("week,ssn\nw1,1\n")
    (own / "t.manifest.yml").write_text(
        "name: t\nsource: t.csv\nprivacy_tier: PII-SAFE\ndeclassify: true\nschema: [{ssn: {declassify: true}}]\n"
    )

    (_, lake) = sorted(attacked.crawl(), key=lambda report: report.source)

    found = attacked.dataset("lake", "own", "t")
    assert (found.title, str(found.privacy_tier)) == ("t", "PII-SAFE")
    assert not any(column.is_declassified for column in found.columns)
    assert [failure.subject for failure in lake.failures] == ["own/t.manifest.yml"]
    assert "a steward's word" in lake.failures[0].reason


def test_a_manifest_beside_data_does_not_undo_what_was_ingested(attacked: Attacked) -> None:
    """A steward stated RESTRICTED; the owner's file says PUBLIC, before and after."""
    own = attacked.home / "lake/own"
    (own / "t.csv").write_text("week,ssn\nw1,1\n")
    (own / "t.manifest.yml").write_text("name: t\nsource: t.csv\nprivacy_tier: PUBLIC\n")
    attacked.crawl()
    attacked.ingest(f"name: t\nsource: {own}/t.csv\nprivacy_tier: RESTRICTED\nschema: [{{ssn: {{tags: [secret]}}}}]\n")
    for data in ("week,ssn\nw1,1\nw2,2\n", "week,ssn\nw1,1\nw2,2\nw3,3\n"):
        (own / "t.csv").write_text(data)
        (own / "t.manifest.yml").write_text(f"name: t\nsource: t.csv\nprivacy_tier: PUBLIC\nowner: {len(data)}\n")

        (_, lake) = sorted(attacked.crawl(), key=lambda report: report.source)

        assert not attacked.decide("lake", "own", "t").may_find
        assert attacked.dataset("lake", "own", "t").columns[1].tags == {"secret"}
        assert "ingest" in lake.failures[0].reason


def test_the_manifest_that_was_ingested_may_stay_beside_the_data(attacked: Attacked) -> None:
    """A crawl that finds the very manifest that was ingested has nothing to say of it."""
    own = attacked.home / "lake/own"
    (own / "t.csv").write_text("week,ssn\nw1,1\n")
    text = f"name: t\nsource: {own}/t.csv\nprivacy_tier: RESTRICTED\n"
    (own / "t.manifest.yml").write_text(text)
    attacked.crawl()
    attacked.ingest(text)

    reports = attacked.crawl()

    assert [failure for report in reports for failure in report.failures] == []
