"""How the tests are shared out among the processes that run them: a file is one process's, and long files go first.

Hive's servers and Trino run on Java and take longer to start than most files to run, and one Trino asks one registry at
a time: whatever asks them is one share. What is quick comes last, so that no process ends long before the other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from xdist.remote import Producer
    from xdist.scheduler import Scheduling

ASKS_JAVA = ("hive", "trino", "four_stores", "rights_taken", "same_data", "servers_killed")
"""What the name of a file holds whose tests ask Hive's servers or Trino: who shares out knows no more than names, and
`test_shares` holds the names to what is in the files."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Bring forward the files with a slow test, whatever else shuffled them."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: (share_of(item.nodeid) != "java", item.path not in slow))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Scheduling | None:
    """Share out by files, with those that ask a server on Java as one."""
    if config.getvalue("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    class Shares(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return share_of(nodeid)

    return Shares(config, log)


def share_of(nodeid: str) -> str:
    """Return what a test is run together with."""
    file = nodeid.partition("::")[0]
    return "java" if any(word in file.rpartition("/")[2] for word in ASKS_JAVA) else file
