"""The log of a server: one JSON object a line, or text for people."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import Final, Literal

LogStyle = Literal["json", "text"]

_LOGGERS: Final = ("uvicorn", "hms_registry", "apscheduler")


class JsonLines(logging.Formatter):
    """Writes a record as one line of JSON in ASCII: no text in it can begin a line of its own."""

    def format(self, record: logging.LogRecord) -> str:
        """Write when, how grave, who and what; of a request also its own fields."""
        told: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        told |= getattr(record, "request", {})
        if record.exc_info:
            told["exception"] = self.formatException(record.exc_info)
        return json.dumps(told)


def logging_config(style: LogStyle) -> dict[str, object]:
    """Return the configuration of the standard library's logging: everything goes to stderr, in one style."""
    formatter: dict[str, object] = {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}
    if style == "json":
        formatter = {"()": JsonLines}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": formatter},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
        "loggers": {name: {"handlers": ["stderr"], "level": "INFO", "propagate": False} for name in _LOGGERS},
    }
