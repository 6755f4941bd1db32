"""What comes from what: chains, wide fans, a hub, a few cycles, and subjects that keep to themselves.

The derived datasets are dealt with in groups of 32 neighbours. One group in four is a chain, each from the one before;
one takes all of its own from one table; the others take what they like of the same subject. What is dealt beyond one
edge each goes to one of the group by half: a wide view.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from random import Random
from typing import Final

from hms_registry.seeding.landscape import AGENCIES, HUB, Landscape, Stretch

GROUP: Final = 32
_CHAIN, _FAN, _ABROAD = 0, 1, 3
_STYLES: Final = 4
_CYCLES: Final = 50
_SHAPE: Final = 1


class Shape:
    """The edges of one landscape."""

    def __init__(self, landscape: Landscape) -> None:
        self._landscape = landscape
        self._plan = landscape.plan
        self._derived = self._plan.datasets - landscape.first_derived

    def upstreams(self, stretch: Stretch, number: int) -> list[int]:
        """Return what a dataset comes from, as many as are dealt to it."""
        count = self._dealt(number)
        if not count:
            return []
        chance = self._plan.chance(number, _SHAPE)
        found: dict[int, None] = {}
        wanted = chain(
            self._structure(stretch, number), self._alike(stretch, number, chance, 4 * count), range(number - 1, -1, -1)
        )
        for each in wanted:
            if each != number:
                found[each] = None
            if len(found) == count:
                break
        return list(found)

    def before(self, number: int) -> int:
        """Return how many edges the datasets before this one have; exact at the first of each group."""
        return self._plan.edges * min(max(0, number - self._landscape.first_derived), self._derived) // self._derived

    def _dealt(self, number: int) -> int:
        """Return how many edges end at a dataset."""
        index = number - self._landscape.first_derived
        if index < 0:
            return 0
        start = index // GROUP * GROUP
        size = min(GROUP, self._derived - start)
        first = self._landscape.first_derived + start
        return deal(self.before(first + size) - self.before(first), size, most=first, wide=start // GROUP * 7 % size)[
            index - start
        ]

    def _structure(self, stretch: Stretch, number: int) -> Iterator[int]:
        """Yield what a dataset comes from for the shape's sake, the most important first."""
        landscape, position = self._landscape, number - stretch.first
        group, member = divmod(position, GROUP)
        style = group % _STYLES
        is_hubs = stretch.layer == 2 and stretch.agency is AGENCIES[0]
        if style == _CHAIN and member:
            yield number - 1
            return
        if is_hubs:
            yield HUB
        if style == _CHAIN and group // _STYLES % _CYCLES == 0 and position + 2 < stretch.size:
            yield number + 2
        if style == _FAN:
            lower = landscape.below(stretch, layer=stretch.layer - 1)
            block = lower.block(stretch.subject_of(number))
            if block:
                yield block[group * 31 % len(block)]
        if style == _ABROAD and stretch.layer == 2 and member % 16 == 0:
            abroad = landscape.stretches[len(AGENCIES) + (AGENCIES.index(stretch.agency) + 1) % len(AGENCIES)]
            if abroad.size:
                block = abroad.block(stretch.subject_of(number) % abroad.subjects)
                yield block[group % len(block)] if block else abroad.first

    def _alike(self, stretch: Stretch, number: int, chance: Random, tries: int) -> Iterator[int]:
        """Yield datasets of the same subject in the layers below."""
        for _ in range(tries):
            layer = stretch.layer - 1 if stretch.layer == 1 or chance.random() < 0.8 else 0
            block = self._landscape.below(stretch, layer=layer).block(stretch.subject_of(number))
            if block:
                yield block[int(chance.random() * len(block))]


def deal(edges: int, size: int, *, most: int, wide: int) -> list[int]:
    """Deal edges among the members of a group: one each, half of the rest to one of them, the others evenly.

    Args:
        most: that one of them can have.
    """
    dealt = [1 if at < edges else 0 for at in range(size)]
    rest = max(0, edges - size)
    half = max(0, min(rest // 2, most - 2 - rest // size))
    dealt[wide] += half
    share, over = divmod(rest - half, size)
    return [each + share + (at < over) for at, each in enumerate(dealt)]
