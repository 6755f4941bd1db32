"""Times as people write them."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Literal

from hms_registry.errors import SettingsInvalid


def read_time(text: str, *, of_day: Literal["start", "end"]) -> datetime:
    """Read a time, of UTC where it says no zone; or a date: its start, or its end.

    Raises:
        SettingsInvalid: it is neither.
    """
    try:
        if len(text) == len("2026-11-21"):
            start = datetime.combine(date.fromisoformat(text), time(), UTC)
            return start if of_day == "start" else start + timedelta(days=1) - timedelta.resolution
        found = datetime.fromisoformat(text)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        raise SettingsInvalid(f"{text!r} is no time", hint="write 2026-11-21, or 2026-11-21T12:00:00+00:00") from None
