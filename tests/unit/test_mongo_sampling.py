"""The fixed points of a sample: three, within the range, and where they were while the range grows."""

from __future__ import annotations

import pytest
from bson import ObjectId
from hypothesis import given
from hypothesis import strategies as st

from hms_mongo.sampling import POINTS, points

_NUMBERS = st.integers(min_value=-(2**62), max_value=2**62)


@given(_NUMBERS, st.integers(min_value=8, max_value=2**62))
def test_there_are_three_points_in_any_range_of_numbers(lowest: int, width: int) -> None:
    """In order, above the lowest and not above the highest; so the cost of a sample does not depend on the range."""
    found = points(lowest, lowest + width)

    assert len(found) == POINTS
    assert sorted(set(found)) == found  # type: ignore[type-var] # integers
    assert all(lowest < each <= lowest + width for each in found)  # type: ignore[operator] # likewise


@given(_NUMBERS, st.integers(min_value=64, max_value=2**40))
def test_points_are_round_numbers(lowest: int, width: int) -> None:
    """Each is a multiple of the power of two that leaves a handful of them: growth moves them seldom."""
    found = points(lowest, lowest + width)

    step = 1 << (width // 16).bit_length() - 1
    assert all(each % step == 0 for each in found)  # type: ignore[operator] # integers


def test_growing_by_a_little_moves_no_point() -> None:
    """What was sampled between the ends is sampled again."""
    assert points(0, 1_000_000) == points(0, 1_000_001) == points(0, 1_040_000)


def test_object_ids_have_points_by_their_second() -> None:
    """Between the first and the last."""
    first, last = ObjectId("650000000000000000000000"), ObjectId("660000000000000000000000")

    found = points(first, last)

    assert len(found) == POINTS
    assert all(isinstance(each, ObjectId) and first < each <= last for each in found)


@pytest.mark.parametrize("pair", [("a", "z"), (True, False), (1, "z"), (5, 5), (9, 1), (None, None), (1.5, 2.5)])
def test_what_has_no_distance_has_no_points(pair: tuple[object, object]) -> None:
    """Texts, flags, mixed types, an empty or turned range."""
    assert points(*pair) == []
