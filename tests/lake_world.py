"""One database that both engines read: a registry over it, and a catalog of Trino's with the registry's name for it."""

from __future__ import annotations

import os
from pathlib import Path

from governed import crawl_sources, publish_policies
from hms_registry.bootstrap import Registry
from services.postgres import PASSWORD, Database
from services.trino import Trino

LAKE = "lake"
SERVICE = "hms-dta"
"""As whom catalogs are made: a governed Trino lets nobody else."""

PEOPLE = {"olga": "steward", "nora": "nurse", "ana": "analyst", "bob": "clerk"}
"""By name their role: olga sees everything as it is, the others what the masks and filters below leave."""

MASKS = {
    # by role: column to mask
    "nurse": {"phone": "partial", "born": "year-of-date", "note": "redact"},
    "analyst": {"phone": "null", "born": "null", "name": "redact", "amount": "null", "weight": "null", "at": "null"},
    "clerk": {"name": "partial", "note": "null", "seen": "null"},
}
DENIED = {"nurse": (), "analyst": ("note",), "clerk": ("phone", "born")}
FILTERS = {
    "nurse": {"patients": "ward IN ('A', 'B')", "visits": "cost IS NULL OR cost < 500"},
    "analyst": {"visits": "seen >= DATE '2024-01-15'"},
    "clerk": {"patients": "phone LIKE '%5%' OR phone IS NULL", "visits": "patient <> 3 AND cost + 1 > 10"},
}

TABLES = """
CREATE TABLE patients (id int PRIMARY KEY, name varchar(20), phone text, ward varchar(2), born date, weight double
  precision, note text);
INSERT INTO patients VALUES
  (1, 'Ada Ruiz', '555-0101', 'A', '1980-02-29', 61.5, 'stable'),
  (2, 'Bo Chen', '555-0102', 'B', '1991-12-31', 80.25, NULL),
  (3, 'Cy Łuć', NULL, 'A', NULL, NULL, ''),
  (4, 'Di Ojo', '499-7788', 'C', '2000-01-01', 1e300, 'it''s "fine"'),
  (5, NULL, '555-0105', NULL, '1969-12-31', 70.0, 'naïve 😀'),
  (6, 'Ed Fox', '555-0101', 'B', '1980-02-29', -0.0, 'stable'),
  (7, 'ada ruiz', '12', 'a', '2024-01-31', 61.5, '  padded ');
CREATE TABLE visits (id bigint PRIMARY KEY, patient int, seen date, at timestamp(3), amount numeric(12,2),
  cost int, is_urgent boolean);
INSERT INTO visits SELECT n, n % 8, DATE '2024-01-01' + (n * 3 % 60)::int,
  TIMESTAMP '2024-01-01 00:00:00' + n * INTERVAL '7 hours 13 seconds 250 milliseconds',
  CASE WHEN n % 5 = 0 THEN NULL ELSE (n * 37 % 1000) / 4.0 END,
  CASE WHEN n % 7 = 0 THEN NULL ELSE n * 53 % 700 END, CASE n % 3 WHEN 0 THEN true WHEN 1 THEN false END
  FROM generate_series(1, 40) AS n;
CREATE TABLE odd (x double precision);
INSERT INTO odd VALUES ('NaN'), (2), (0), (NULL)
"""


def make_world(home: Path, *, database: Database, trino: Trino) -> Registry:
    """Fill an empty database, make a home over it, and have Trino read it under the same name."""
    database.execute(*TABLES.split(";\n"))
    (home / "policies").mkdir(parents=True)
    (home / "policies" / "rules.polar").write_text(_rules(), encoding="utf-8")
    (home / "policies" / "roles.yml").write_text(_roles(), encoding="utf-8")
    url = f"postgresql://postgres:${{LAKE_PASSWORD}}@127.0.0.1:{database.port}/{database.name}"
    (home / "sources.yml").write_text(f"sources:\n  {LAKE}: {{url: '{url}'}}\n", encoding="utf-8")
    opa = f", opa: {{port: {trino.registry_port}}}" if trino.registry_port is not None else ""
    (home / "settings.yml").write_text(f"trino: {{url: '{trino.url}'{opa}}}\n", encoding="utf-8")
    registry = Registry(home, environ={**os.environ, "LAKE_PASSWORD": PASSWORD})
    publish_policies(registry)
    recrawl(registry)
    return registry


def recrawl(registry: Registry) -> None:
    """Crawl its sources again."""
    (report,) = crawl_sources(registry)
    assert report.is_ok, report


def add_catalog(trino: Trino, database: Database) -> None:
    """Make the database a catalog, as `hms-dta trino sync` words it."""
    trino.drop_catalog(LAKE, user=SERVICE)
    trino.create_catalog(
        LAKE,
        {
            "connector.name": "postgresql",
            "connection-url": f"jdbc:postgresql://127.0.0.1:{database.port}/{database.name}",
            "connection-user": "postgres",
            "connection-password": "${ENV:LAKE_PASSWORD}",
            "case-insensitive-name-matching": "true",
            "unsupported-type-handling": "IGNORE",
        },
        user=SERVICE,
    )


def _rules() -> str:
    lines = ["allow(_: Principal, _, _: Dataset);"]
    for role, masks in MASKS.items():
        who = f'"{role}" in principal.roles'
        for column, mask in masks.items():
            lines.append(f'mask(principal: Principal, column: Column, "{mask}") if {who} and column.name = "{column}";')
        for column in DENIED[role]:
            lines.append(f'deny(principal: Principal, "read", column: Column) if {who} and column.name = "{column}";')
        for table, text in FILTERS[role].items():
            named = f'dataset.name = "{LAKE}.public.{table}"'
            lines.append(f'row_filter(principal: Principal, dataset: Dataset, "{text}") if {who} and {named};')
    return "\n".join(lines) + "\n"


def _roles() -> str:
    roles = "".join(f"  {role}: {{clearance: RESTRICTED}}\n" for role in PEOPLE.values())
    people = "".join(f"  {person}: {{roles: [{role}]}}\n" for person, role in PEOPLE.items())
    return f"roles:\n{roles}people:\n{people}"
