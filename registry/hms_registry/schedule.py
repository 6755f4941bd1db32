"""What a running registry does again and again: crawls, telling webhooks, looking for what Trino did not tell. The
clock is APScheduler's.

A job that is late runs once and not as often as it was missed, and no job runs beside itself; two processes are kept
apart by the leases in the catalogue. A crawl is a process of its own: its memory, and its time on the interpreter's
lock, are not the server's.
"""

from __future__ import annotations

import logging
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from threading import Event
from typing import TYPE_CHECKING, Final, Self

from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.schedulers.blocking import BlockingScheduler

from hms_registry.errors import HmsError, SettingsInvalid

if TYPE_CHECKING:
    from hms_registry.bootstrap import Registry
    from hms_registry.services.webhooks import Webhook

logger = logging.getLogger(__name__)

DELIVERY_S: Final = 2.0
"""How often a server looks whether something happened that a webhook was not told."""

SWEEP_S: Final = 30.0
"""How often a server that governs a Trino looks for queries of which no end was told."""

_SPAN = re.compile(r"([0-9]{1,4})([smhd])\Z")
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_SHORTEST: Final = timedelta(seconds=10)
_DEFAULTS: Final = {"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
_COMMAND: Final = "from hms_registry.cli import main; main()"


def interval(text: str) -> timedelta:
    """Read how often: `30s`, `15m`, `2h`, `1d`.

    Raises:
        SettingsInvalid: it is none, or less than ten seconds.
    """
    match = _SPAN.match(text)
    span = timedelta(**{_UNITS[match[2]]: int(match[1])}) if match else timedelta()
    if span < _SHORTEST:
        raise SettingsInvalid(f"{text!r} is not how often to crawl", hint="e.g. --every 15m, 2h or 1d; at least 10s")
    return span


def repeat(job: Callable[[], None], *, span: timedelta) -> None:
    """Run *job* now and again after each *span*, in this process, until it is interrupted."""
    scheduler = BlockingScheduler(timezone=UTC, job_defaults=_DEFAULTS)
    scheduler.add_job(job, "interval", seconds=span.total_seconds(), next_run_time=datetime.now(UTC))
    scheduler.start()


class Background:
    """The jobs of a server; they run while the block does."""

    def __init__(self, registry: Registry, *, crawl_every: timedelta | None) -> None:
        self._registry = registry
        self._crawl_every = crawl_every
        self._stop = Event()
        self._told: dict[str, int] = {}
        self._crawl: subprocess.Popen[bytes] | None = None
        self._scheduler = BackgroundScheduler(timezone=UTC, job_defaults=_DEFAULTS, daemon=True)

    def __enter__(self) -> Self:
        now = datetime.now(UTC)
        for webhook in self._registry.webhooks:
            self._scheduler.add_job(
                self._deliver, "interval", seconds=DELIVERY_S, args=(webhook,), next_run_time=now, id=webhook.name
            )
        if self._crawl_every is not None:
            seconds = self._crawl_every.total_seconds()
            self._scheduler.add_job(self._crawl_all, "interval", seconds=seconds, next_run_time=now)
        if self._registry.trino_settings is not None:
            self._scheduler.add_job(self._sweep, "interval", seconds=SWEEP_S, args=(now,))
        if self._scheduler.get_jobs():
            self._scheduler.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        if self._crawl is not None and self._crawl.poll() is None:
            self._crawl.terminate()
        if self._scheduler.running:
            self._scheduler.shutdown(wait=True)

    def _deliver(self, webhook: Webhook) -> None:
        try:
            with self._registry.catalogue.unit() as uow:
                epoch = uow.epoch()
            if self._told.get(webhook.name) == epoch:
                return
            done = self._registry.deliver(webhook, stop=self._stop)
        except HmsError as error:
            logger.warning("webhook %s: %s: %s", webhook.name, error.code, error.message)
            return
        if done.error:
            logger.warning("webhook %s: %s", webhook.name, done.error)
        elif not done.is_elsewhere:
            self._told[webhook.name] = epoch

    def _sweep(self, since: datetime) -> None:
        try:
            self._registry.trino.sweep(since=since)
        except HmsError as error:
            logger.warning("the queries of Trino: %s: %s", error.code, error.message)

    def _crawl_all(self) -> None:
        home = self._registry.home
        if home is not None and not self._stop.is_set():
            command = [sys.executable, "-c", _COMMAND, "--home", str(home), "crawl"]
            self._crawl = subprocess.Popen(command, stdin=subprocess.DEVNULL)  # what it prints goes where ours does
            self._crawl.wait()
