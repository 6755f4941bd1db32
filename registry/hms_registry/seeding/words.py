"""The vocabulary: few words that are everywhere, and very many that hardly anybody writes (Zipf's law)."""

from __future__ import annotations

from functools import lru_cache
from random import Random
from typing import Final

COMMON: Final = tuple(
    """weekly county state annual report monthly survey station daily estimate federal region total program
    national facility river public record count coastal harbor vessel cargo lock passage tonnage barge freight port
    terminal bridge rail airport flight delay passenger truck highway transit pipeline safety inspection incident
    accident permit license operator carrier route waterway channel dredge buoy tide current wind wave storm flood
    rainfall snow drought temperature humidity pressure gauge discharge reservoir aquifer groundwater sediment
    nitrate phosphate salinity oxygen turbidity ozone particulate emission stack plume sample laboratory assay
    detection surveillance outbreak influenza vaccine dose hospital admission bed ventilator clinic patient symptom
    diagnosis mortality birth cause overdose opioid prescription recall device label adverse allergy food produce
    dairy poultry cattle crop maize wheat soybean cotton yield acreage harvest irrigation fertilizer pesticide soil
    forest timber wildfire burn habitat species fishery landing catch quota tagging migration earthquake epicenter
    magnitude fault landslide volcano elevation shoreline parcel zoning housing rent tenure income poverty household
    census tract block population migration commuting employment wage payroll occupation industry injury claim
    unemployment price index consumer producer energy electricity generation outage grid demand solar turbine nuclear
    uranium coal petroleum refinery crude gasoline inventory import export tariff customs manifest container
    declaration shelter disaster relief grant award recipient contractor invoice budget ledger audit school
    enrollment teacher graduation library broadband tower spectrum""".split()
)
"""Ordered: the first are in half of all descriptions, the last in one of hundreds."""

_SYLLABLES: Final = tuple(onset + vowel for onset in "b d f g k l m n p r s t v z w sh".split() for vowel in "aeio")
_THREE: Final = len(_SYLLABLES) ** 3
_STRIDE: Final = 7_919
"""Odd, so that no two ranks have one name."""


@lru_cache(maxsize=100_000)
def word(rank: int) -> str:
    """Return the word of a rank, from 0: those that are known by heart, then names of places nobody has been to."""
    if rank < len(COMMON):
        return COMMON[rank]
    size = 3 if rank < _THREE else 4
    left = rank * _STRIDE % len(_SYLLABLES) ** size
    made = ""
    for _ in range(size):
        left, at = divmod(left, len(_SYLLABLES))
        made += _SYLLABLES[at]
    return made


class Vocabulary:
    """Words for a catalogue of some size: the larger it is, the more words are in a few datasets only."""

    def __init__(self, datasets: int) -> None:
        self.size = 2_000 + datasets // 2

    def draw(self, chance: Random, count: int) -> list[str]:
        """Draw words; one of rank r comes about as often as 1/(r + 1)."""
        return [word(int(self.size ** chance.random()) - 1) for _ in range(count)]


def known_word(chance: Random) -> str:
    """Draw a word that is known by heart, likewise."""
    return COMMON[int(len(COMMON) ** chance.random()) - 1]
