"""How a route says that its answer may be kept. What it says nothing of is not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from fastapi import Request

SCOPE_KEY: Final = "hms_dta.offer"


@dataclass(slots=True)
class Offer:
    """What a route says of its answer.

    Attributes:
        is_made: it may be kept for the state of the catalogue and the rights that it was made under.
        is_personal: for nobody but who asked.
        action, detail: the line of the audit for each further person who gets it.
    """

    is_made: bool = False
    is_personal: bool = True
    action: str = ""
    detail: Mapping[str, str] = field(default_factory=dict)


def offer(request: Request, *, action: str, detail: Mapping[str, str], is_personal: bool) -> None:
    """Say that what is about to be answered may be kept."""
    found = request.scope.get(SCOPE_KEY)
    if isinstance(found, Offer):
        found.is_made, found.is_personal, found.action, found.detail = True, is_personal, action, detail
