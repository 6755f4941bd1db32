"""What differs between two schemas, and what of it breaks a reader: the rules of docs/history.md, each once."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hms_registry.domain.changes import Change, ChangeKind, Grade
from hms_registry.domain.columns import ARRAY, Column, ColumnPath
from hms_registry.domain.datasets import ForeignKey
from hms_registry.domain.names import Address
from hms_registry.services.schema_changes import Schema, changes_between
from store_samples import column

ID, TONNES = column("id"), column("tonnes", "double")
TO_LOCKS = ForeignKey(columns=("lock",), target=Address("lake", "locks", "T%"), target_columns=("id",))
NAME = Column(path=ColumnPath.of("crew", ARRAY, "name"), trino_type="varchar")


def of(*columns: Column, key: tuple[str, ...] = (), foreign: tuple[ForeignKey, ...] = ()) -> Schema:
    return Schema(columns=columns, primary_key=key, foreign_keys=foreign)


SENTENCES = [
    (of(ID), of(ID, TONNES), "compatible: column added: tonnes (double)"),
    (of(ID, TONNES), of(ID), "breaking: column removed: tonnes (double)"),
    (of(ID, NAME), of(ID), "breaking: column removed: crew[].name (varchar)"),
    (of(ID), of(replace(ID, native_type="id_domain")), "compatible: native type changed: id (id_domain)"),
    (of(ID), of(replace(ID, is_nullable=False)), "compatible: nulls excluded: id"),
    (of(replace(ID, is_nullable=False)), of(ID), "breaking: nulls allowed: id"),
    (of(ID), of(replace(ID, is_partition_key=True)), "compatible: partition key changed: id"),
    (of(ID, TONNES), of(TONNES, ID), "compatible: order changed: columns"),
    (of(ID), of(ID, key=("id",)), "compatible: primary key changed: primary key (id)"),
    (of(ID, key=("id",)), of(ID), "breaking: primary key changed: primary key (id)"),
    (of(ID, key=("id",)), of(ID, key=("id", "no")), "breaking: primary key changed: primary key: id -> id, no"),
    (of(ID), of(ID, foreign=(TO_LOCKS,)), 'compatible: foreign key added: lock (lake.locks."T%" (id))'),
    (of(ID, foreign=(TO_LOCKS,)), of(ID), 'breaking: foreign key removed: lock (lake.locks."T%" (id))'),
]


@pytest.mark.parametrize(("before", "after", "told"), SENTENCES, ids=[each[2] for each in SENTENCES])
def test_each_difference_is_one_sentence_with_its_grade(before: Schema, after: Schema, told: str) -> None:
    """What differs is told once, with how grave it is."""
    found = changes_between(before, after)

    assert [f"{change.grade}: {change}" for change in found] == [told]


WIDER = [
    ("tinyint", "bigint"), ("smallint", "integer"), ("real", "double"), ("unknown", "date"),
    ("decimal(9,2)", "decimal(12,2)"), ("varchar(10)", "varchar(20)"), ("varchar(10)", "varchar"),
    ("timestamp(3)", "timestamp(6)"), ("time(0) with time zone", "time(3) with time zone"),
    ("array(integer)", "array(bigint)"), ("map(varchar(3), real)", "map(varchar, double)"),
    ("row(a integer)", "row(b date, a bigint)"), ("row(integer)", "row(bigint)"),
]  # fmt: skip
OTHER = [
    ("bigint", "integer"), ("bigint", "double"), ("integer", "decimal(12,0)"), ("double", "real"),
    ("decimal(9,2)", "decimal(12,3)"), ("decimal(12,2)", "decimal(9,2)"), ("varchar", "varchar(20)"),
    ("varchar(20)", "varchar(10)"), ("char(3)", "char(5)"), ("timestamp(6)", "timestamp(3)"),
    ("timestamp(3)", "timestamp(3) with time zone"), ("date", "timestamp(6)"), ("array(bigint)", "array(integer)"),
    ("row(a integer)", "row(b integer)"), ("row(integer)", "row(integer, integer)"), ("date", "no type at all"),
    ("boolean", "integer"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("before", "after", "grade"),
    [(*each, Grade.COMPATIBLE) for each in WIDER] + [(*each, Grade.BREAKING) for each in OTHER],
)
def test_a_type_that_holds_every_value_as_it_was_is_compatible(before: str, after: str, grade: Grade) -> None:
    """Any other type breaks who reads it."""
    found = changes_between(of(column("x", before)), of(column("x", after)))

    kind = ChangeKind.TYPE_CHANGED
    assert found == (Change(kind=kind, subject="x", grade=grade, before=before, after=after),)


def test_equal_schemas_have_no_changes() -> None:
    """Nothing is told of what is as it was."""
    schema = of(ID, TONNES, key=("id",), foreign=(TO_LOCKS,))

    assert changes_between(schema, schema) == ()


def test_the_gravest_change_is_the_grade() -> None:
    """One that breaks is enough."""
    changes = changes_between(of(ID, TONNES), of(ID, column("flag")))

    assert [change.grade for change in changes] == [Grade.BREAKING, Grade.COMPATIBLE]
    assert Grade.of(changes) is Grade.BREAKING
