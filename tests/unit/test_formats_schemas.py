"""The one Arrow type of each Trino type: two files of the same columns have the same columns."""

from __future__ import annotations

import pyarrow as pa
import pytest

from hms_formats.schemas import plain_type

INNER = pa.list_(pa.field("element", pa.int64()))


@pytest.mark.parametrize(
    ("wrapped", "plain"),
    [
        (INNER, "list<item: int64>"),
        (pa.list_(pa.field("bag", pa.int64(), nullable=False)), "list<item: int64>"),
        (pa.large_list(pa.field("x", pa.int64())), "list<item: int64>"),
        (pa.struct([("s", INNER)]), "struct<s: list<item: int64>>"),
        (pa.map_(pa.string(), INNER), "map<string, list<item: int64>>"),
        (pa.map_(pa.string(), pa.int64(), keys_sorted=True), "map<string, int64>"),
    ],
)
def test_a_nested_type_is_spelled_alike_whatever_its_writer_called_its_parts(wrapped: pa.DataType, plain: str) -> None:
    """Arrow calls lists equal whose items have other names: what is kept by equality must not tell them apart."""
    assert str(plain_type(wrapped)) == plain
