"""Crawls on a schedule: the first at once, each after the other, and another process's crawl is no reason to end."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from datetime import timedelta
from pathlib import Path

import pytest

from command import HMS_DTA
from hms_registry.bootstrap import Registry, now
from hms_registry.errors import SettingsInvalid
from hms_registry.schedule import interval, repeat
from serving import eventually, make_shop


@pytest.mark.parametrize(("text", "seconds"), [("10s", 10), ("15m", 900), ("2h", 7200), ("1d", 86_400), ("0010s", 10)])
def test_an_interval_is_a_number_and_a_unit(text: str, seconds: int) -> None:
    """As `token create --for` takes it, and seconds."""
    assert interval(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "15", "m", "9s", "0d", "-5m", "1.5h", "15 m", "99999m", "٣٠m"])
def test_what_is_no_interval_is_refused(text: str) -> None:
    """Less than ten seconds is a mistake."""
    with pytest.raises(SettingsInvalid) as caught:
        interval(text)

    assert caught.value.message == f"{text!r} is not how often to crawl"


def test_a_job_is_repeated_and_never_runs_beside_itself() -> None:
    """Though it takes longer than the span, and what it raises does not end the schedule."""
    runs: list[bool] = []
    running = threading.Lock()

    def job() -> None:
        runs.append(running.acquire(blocking=False))
        threading.Event().wait(0.05)
        running.release()
        if len(runs) == 3:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        repeat(job, span=timedelta(milliseconds=5))

    assert runs == [True] * 3


def test_crawl_every_goes_on_beside_another_crawl(tmp_path: Path) -> None:
    """A source that another process crawls is told as such; the others are crawled."""
    make_shop(tmp_path)
    with Registry.open(tmp_path) as registry, registry.catalogue.unit(writes=True) as uow:
        uow.crawls.start("shop", now=now(), lease_s=3600)
        uow.commit()
    log = tmp_path / "crawls.txt"
    with log.open("wb") as out:
        process = subprocess.Popen([str(HMS_DTA), "crawl", "--every", "1d"], cwd=tmp_path, stdout=out, stderr=out)
    try:
        eventually(lambda: "shop is being crawled since" in log.read_text(), seconds=60, told=log.read_text)
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 130
    finally:
        process.kill()
    assert "clinic: unchanged" in log.read_text()
