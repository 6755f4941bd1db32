"""What Trino is told of catalogs, as text: files of properties, statements, and the file that tells twins apart."""

from __future__ import annotations

import json
import re

from hypothesis import given
from hypothesis import strategies as st

from hms_federation.trino.catalogs.text import MARK, create_catalog, literal, names_file, properties_file
from hms_registry.domain.names import Address, TrinoName, assign_lower

_TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)


def test_a_file_of_properties_begins_with_our_mark_and_names_its_connector() -> None:
    """It is known again by its first line, and its properties are in order."""
    text = properties_file("postgresql", {"b": "${ENV:LAKE_PASSWORD}", "a": "x y"})

    assert text == f"{MARK}\nconnector.name=postgresql\na=x y\nb=${{ENV:LAKE_PASSWORD}}\n"


@given(_TEXTS)
def test_a_property_is_what_java_reads(value: str) -> None:
    """Whatever a value holds, Java's rules for such a file give it back, and it stays on its line in ASCII."""
    text = properties_file("c", {"key": value})

    assert text.isascii() and text.count("\n") == 3
    (line,) = (each for each in text.splitlines() if each.startswith("key="))
    assert _read(line.removeprefix("key=")) == value


@given(_TEXTS)
def test_a_text_is_one_literal(text: str) -> None:
    """A quote in a text ends nothing."""
    assert re.fullmatch(r"'(?:[^']|'')*'", literal(text), re.DOTALL)
    assert literal(text)[1:-1].replace("''", "'") == text


def test_a_statement_quotes_names_and_texts() -> None:
    """What comes from settings is a text of the statement, and no part of it."""
    made = create_catalog("lake", "postgresql", {"connection-url": "it's", "connection-password": "${ENV:P}"})

    assert made == (
        'CREATE CATALOG "lake" USING postgresql WITH'
        " (\"connection-password\" = '${ENV:P}', \"connection-url\" = 'it''s')"
    )


def test_twins_are_all_named_and_what_is_plain_is_not() -> None:
    """Of names that differ in their case each is in the file; a name that is lower-case and alone is not."""
    named = [
        (Address("lake", "coll", "Upper"), TrinoName("lake", "coll", "upper__1")),
        (Address("lake", "coll", "upper"), TrinoName("lake", "coll", "upper")),
        (Address("lake", "coll", "plain"), TrinoName("lake", "coll", "plain")),
        (Address("lake", "COLL", "Only"), TrinoName("lake", "coll__2", "only")),
    ]

    told = json.loads(names_file(named))

    assert told == {
        "schemas": [
            {"remoteSchema": "COLL", "mapping": "coll__2"},
            {"remoteSchema": "coll", "mapping": "coll"},
        ],
        "tables": [
            {"remoteSchema": "COLL", "remoteTable": "Only", "mapping": "only"},
            {"remoteSchema": "coll", "remoteTable": "Upper", "mapping": "upper__1"},
            {"remoteSchema": "coll", "remoteTable": "upper", "mapping": "upper"},
        ],
    }


@given(st.sets(st.text("aAbB_é\u0130ß.'\"$ ", min_size=1, max_size=4), min_size=1, max_size=8))
def test_every_name_has_one_way_in_trino(tables: set[str]) -> None:
    """A name that is not in the file is its own lower case, and nobody else's."""
    placed = assign_lower(tables)
    told = json.loads(names_file((Address("lake", "s", each), TrinoName("lake", "s", placed[each])) for each in tables))

    ways = {each["remoteTable"]: each["mapping"] for each in told["tables"]}

    assert {each: ways.get(each, each.lower()) for each in tables} == placed
    assert len(set(placed.values())) == len(tables)


def _read(value: str) -> str:
    """Read a value as java.util.Properties does: https://docs.oracle.com/en/java/javase/25/docs/api (load)."""
    value = value.lstrip(" \t\f")
    escapes = {"t": "\t", "n": "\n", "r": "\r", "f": "\f"}

    def plain(found: re.Match[str]) -> str:
        return chr(int(found[1], 16)) if found[1] else escapes.get(found[2], found[2])

    units = re.sub(r"\\(?:u([0-9a-f]{4})|(.))", plain, value)
    return units.encode("utf-16", "surrogatepass").decode("utf-16")
