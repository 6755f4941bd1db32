"""The key of a search document: databases return keys in order, so their order is the rank, and a key alone tells whose
document it is and who may see it."""

from __future__ import annotations

from typing import Final

REACH_BITS: Final = 28
NUMBER_BITS: Final = 28
MOST: Final = (1 << REACH_BITS) - 1
"""The greatest reach, and the greatest dataset number."""

GONE: Final = 0
"""The reach of what is gone: nobody has it."""

DEPRECATED: Final = 1 << 62
"""What is not to be used any more has a key from here on: it comes last."""

_LONGEST: Final = 63


def key_of(*, name: str, number: int, reach_id: int, is_deprecated: bool = False) -> int:
    """Return a key: what is in use first, of it short names of tables, of these the ones that were registered first."""
    if number > MOST or reach_id > MOST:
        raise OverflowError(f"a catalogue holds {MOST:,} datasets and as many ways to see them")
    rank = min(len(name), _LONGEST) << REACH_BITS + NUMBER_BITS
    return (DEPRECATED if is_deprecated else 0) | rank | number << REACH_BITS | reach_id


def number_of(key: int) -> int:
    """Return the dataset number of a key."""
    return key >> REACH_BITS & MOST


def reach_of(key: int) -> int:
    """Return the reach of a key."""
    return key & MOST
