"""Findings of a doctor: how things are, and where they are not well, the line to change."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Grade(StrEnum):
    """How a finding is to be taken. WRONG: something is open, or does not work; WARNING: it may come to that."""

    WELL = "well"
    WARNING = "warning"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        check: what was looked at, a word of docs/doctor.md.
        change: the line to write, or the command to run; empty where all is well.
        where: the file that the line belongs into, or empty.
    """

    check: str
    fact: str
    grade: Grade = Grade.WELL
    change: str = ""
    where: str = ""

    @property
    def is_well(self) -> bool:
        """Whether nobody needs to do anything."""
        return self.grade is Grade.WELL

    def as_dict(self) -> dict[str, str]:
        """Return it as plain values."""
        return {
            "check": self.check,
            "grade": self.grade.value,
            "fact": self.fact,
            "change": self.change,
            "where": self.where,
        }
