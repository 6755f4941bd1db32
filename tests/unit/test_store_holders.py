"""Who holds a lease: a process that is gone for sure gives way, whatever cannot be told is taken to be alive."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator

import pytest

from hms_registry.store.holders import has_ended, name_of, this_process


@pytest.fixture
def other() -> Iterator[subprocess.Popen[bytes]]:
    """A process that waits."""
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as process:
        yield process
        process.kill()


def named(process: subprocess.Popen[bytes]) -> str:
    name = name_of(process.pid)
    assert name is not None
    return name


def test_a_process_has_ended_when_it_was_killed_and_not_before(other: subprocess.Popen[bytes]) -> None:
    """Nobody but the system is asked."""
    name = named(other)
    before = has_ended(name)

    other.kill()
    other.wait()

    assert (before, has_ended(name), name_of(other.pid)) == (False, True, None)


def test_a_pid_that_was_used_again_is_another_process(other: subprocess.Popen[bytes]) -> None:
    """It began at another time."""
    words = named(other).split(" ")

    assert has_ended(" ".join([*words[:-1], str(int(words[-1]) - 1)]))


@pytest.mark.parametrize("at", [0, 1], ids=["another boot or machine", "another namespace"])
def test_a_process_elsewhere_is_taken_to_be_alive(at: int) -> None:
    """Though nobody here has its pid."""
    name = this_process()
    assert name is not None
    words = [*name.split(" ")[:2], str(2**22 + 1), "1"]  # no Linux has so large a pid
    here = " ".join(words)
    words[at] = "elsewhere"

    assert (has_ended(here), has_ended(" ".join(words))) == (True, False)


@pytest.mark.parametrize("told", [None, "", "x", "a b c d", "a b c d e"])
def test_what_says_nothing_of_a_process_is_taken_to_be_alive(told: str | None) -> None:
    """Catalogues of before, and systems that have no words for it."""
    assert not has_ended(told)


def test_this_process_is_alive() -> None:
    """As long as it asks."""
    assert not has_ended(this_process())
    assert str(os.getpid()) in (this_process() or "").split(" ")
