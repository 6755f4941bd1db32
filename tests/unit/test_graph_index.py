"""The index of edges: kept in a file that is mapped and never believed by name, and current with every commit."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from hms_registry.domain.datasets import DatasetId
from hms_registry.domain.edges import EdgeKind
from hms_registry.domain.walks import FOLLOWED, Walk
from hms_registry.ports.catalogue import Catalogue
from hms_registry.store import open_catalogue
from hms_registry.store.graph import graph_file
from hms_registry.store.graph.arrays import Arrays, Columns
from hms_registry.store.graph.snapshot import Snapshot
from hms_registry.store.graph.walking import bits_of, levels, path
from statements import statements
from store_samples import described, everything, link, register


def opened(folder: Path) -> Catalogue:
    return open_catalogue(f"sqlite:///{folder}/c.db", graph_file=folder / "lineage.index")


def reached(catalogue: Catalogue, start: DatasetId, direction: str = "down") -> list[DatasetId]:
    visible = everything(catalogue)
    walk = Walk(start=start, direction="up" if direction == "up" else "down")
    with catalogue.unit() as uow:
        return [each.dataset_id for each in uow.walks.reach(walk, visible=visible, first=99).page]


@pytest.fixture
def ids(tmp_path: Path) -> list[DatasetId]:
    """Four datasets, the second from the first, and a file of that."""
    catalogue = opened(tmp_path)
    made = [each.dataset_id for each in register(catalogue, *map(described, "abcd"))]
    link(catalogue, made[0], made[1], ("id", "id"))
    assert reached(catalogue, made[0]) == [made[1]]
    catalogue.close()
    return made


def test_the_file_is_mapped_and_not_made_anew(ids: list[DatasetId], tmp_path: Path) -> None:
    """The next process reads no edge out of the catalogue, and leaves the file as it is."""
    before = (tmp_path / "lineage.index").stat()  # who reads it moves the time of access
    catalogue = opened(tmp_path)

    with statements(catalogue) as seen:
        assert reached(catalogue, ids[0]) == [ids[1]]

    assert not [each for each in seen if "FROM edges" in each]
    after = (tmp_path / "lineage.index").stat()
    assert (after.st_ino, after.st_size, after.st_mtime_ns) == (before.st_ino, before.st_size, before.st_mtime_ns)
    assert before.st_mode & 0o077 == 0
    catalogue.close()


def test_what_is_written_meanwhile_is_read_beside_it(ids: list[DatasetId], tmp_path: Path) -> None:
    """Edges that came and went since, by this process and by another one, are there with the next unit."""
    catalogue, other = opened(tmp_path), opened(tmp_path)
    link(other, ids[1], ids[2])

    assert reached(catalogue, ids[0]) == [ids[1], ids[2]]
    with other.unit(writes=True) as uow:
        uow.edges.replace(ids[1], origin=f"view of {ids[0]}", edges=[])
        uow.commit()
    assert reached(catalogue, ids[0]) == []
    assert reached(catalogue, ids[2], "up") == [ids[1]]
    catalogue.close()
    other.close()


def test_a_unit_that_began_before_a_write_sees_what_was(ids: list[DatasetId], tmp_path: Path) -> None:
    """Its snapshot of the catalogue and that of the index are one, also where a later one is known already."""
    catalogue = opened(tmp_path)
    visible = everything(catalogue)
    with catalogue.unit() as uow:
        assert uow.epoch() == 2
        for end in ids[2:]:
            link(catalogue, ids[1], end)
            reached(catalogue, ids[0])

        found = uow.walks.reach(Walk(start=ids[0], direction="down"), visible=visible, first=9)

    assert [each.dataset_id for each in found.page] == [ids[1]]
    catalogue.close()


def test_a_unit_that_writes_sees_its_own(ids: list[DatasetId], tmp_path: Path) -> None:
    """And nobody else does before it is committed, nor after it was not."""
    catalogue = opened(tmp_path)
    visible = everything(catalogue)
    with catalogue.unit(writes=True) as uow:
        uow.edges.replace(ids[1], origin=f"view of {ids[0]}", edges=[])
        assert uow.walks.reach(Walk(start=ids[0], direction="down"), visible=visible, first=9).total == 0
        assert reached(catalogue, ids[0]) == [ids[1]]

    assert reached(catalogue, ids[0]) == [ids[1]]
    catalogue.close()


@pytest.mark.parametrize("at", [0, 9, 60, 700, -1])
def test_a_file_that_is_not_whole_is_written_anew(ids: list[DatasetId], tmp_path: Path, at: int) -> None:
    """One bit of it, or its end, is enough."""
    file = tmp_path / "lineage.index"
    whole = file.read_bytes()
    broken = bytearray(whole)
    broken[at] ^= 1
    for content in (bytes(broken), whole[:at], b""):
        file.write_bytes(content)
        assert graph_file.read(file) is None or content == whole
        catalogue = opened(tmp_path)
        assert reached(catalogue, ids[0]) == [ids[1]]
        catalogue.close()
        kept = graph_file.read(file)
        assert kept is not None and kept.epoch == 2


def test_the_file_of_a_backup_that_went_on_is_not_believed(ids: list[DatasetId], tmp_path: Path) -> None:
    """The same epochs, other edges: the marks tell one from the other, in the file and in a process that runs on."""
    database = tmp_path / "c.db"
    backup = shutil.copy(database, tmp_path / "backup.db")
    catalogue = opened(tmp_path)
    link(catalogue, ids[0], ids[2])
    (tmp_path / "lineage.index").unlink()
    assert reached(catalogue, ids[0]) == [ids[1], ids[2]]
    with_three = (tmp_path / "lineage.index").read_bytes()
    catalogue.close()
    for leftover in tmp_path.glob("c.db*"):
        leftover.unlink()
    shutil.copy(backup, database)
    catalogue = opened(tmp_path)

    link(catalogue, ids[1], ids[3])

    assert (tmp_path / "lineage.index").read_bytes() == with_three
    assert reached(catalogue, ids[0]) == [ids[1], ids[3]]
    catalogue.close()


def test_a_folder_that_cannot_be_written_costs_the_file_only(tmp_path: Path) -> None:
    """Walks answer out of memory."""
    catalogue = open_catalogue(f"sqlite:///{tmp_path}/c.db", graph_file=tmp_path / "nowhere" / "lineage.index")
    one, other = (each.dataset_id for each in register(catalogue, *map(described, "ab")))
    link(catalogue, one, other)

    assert reached(catalogue, one) == [other]
    catalogue.close()


_WRITER = """
import sys
from pathlib import Path
from hms_registry.store.graph import graph_file
file = Path(sys.argv[1])
kept = graph_file.read(file)
print("ready", flush=True)
while True:
    graph_file.write(file, kept)
"""


def test_killed_while_writing_leaves_a_whole_file(ids: list[DatasetId], tmp_path: Path) -> None:
    """Several times, two at once, wherever they were; the next one writes over what they left."""
    file = tmp_path / "lineage.index"
    for _ in range(2):
        writers = [
            subprocess.Popen([sys.executable, "-c", _WRITER, str(file)], stdout=subprocess.PIPE) for _ in range(2)
        ]
        for each in writers:
            assert each.stdout is not None and each.stdout.readline() == b"ready\n"
        for each in writers:
            os.kill(each.pid, signal.SIGKILL)
            each.communicate()

        kept = graph_file.read(file)
        assert kept is not None and kept.arrays.number_of(ids[3]) is not None
        assert graph_file.write(file, kept)
    assert sorted(each.name for each in tmp_path.glob("lineage*")) == ["lineage.index"]


def graph(upstream: np.ndarray, downstream: np.ndarray, size: int) -> Snapshot:
    none = np.zeros(len(upstream), dtype=np.int32)
    rows = Columns(upstream.astype(np.int32), downstream.astype(np.int32), none, none, none.astype(np.uint8))
    arrays = Arrays.of(
        rows,
        numbers=np.arange(size, dtype=np.int32),
        ids=[b"%d" % at for at in range(size)],
        classes=np.ones(size, dtype=np.int32),
        names=[],
    )
    return Snapshot(arrays, 1, "")


BITS = bits_of(FOLLOWED)


def test_a_chain_a_star_a_cycle_and_a_loop_are_walked_exactly() -> None:
    """100,000 steps, 1,000,000 neighbours, and ends where it began: nothing is missed, met twice, or too deep."""
    size = 100_000
    chain = graph(np.arange(size - 1), np.arange(1, size), size)
    found = levels(chain, 0, way="down", bits=BITS, depth=None)
    assert np.array_equal(found.numbers, np.arange(1, size)) and np.array_equal(found.depths, np.arange(1, size))
    assert path(chain, size - 1, 0, way="up", bits=BITS, depth=None) == list(range(size - 1, -1, -1))
    assert len(levels(chain, 0, way="down", bits=BITS, depth=10).numbers) == 10

    ring = graph(np.array([0, 1, 2, 2]), np.array([1, 2, 0, 2]), 3)
    assert levels(ring, 2, way="down", bits=BITS, depth=None).numbers.tolist() == [0, 1]
    assert levels(ring, 1, way="up", bits=bits_of([EdgeKind.REFERENCES]), depth=None).numbers.tolist() == []

    size = 1_000_001
    star = graph(np.zeros(size - 1), np.arange(1, size), size)
    found = levels(star, 0, way="down", bits=BITS, depth=None)
    assert np.array_equal(found.numbers, np.arange(1, size)) and found.depths.max() == 1
    assert levels(star, 7, way="up", bits=BITS, depth=None).numbers.tolist() == [0]


def test_hubs_of_hubs_are_met_once() -> None:
    """A wide level after a short one, and another short one after that, in order."""
    fan = np.arange(1, 1001)
    upstream = np.concatenate([np.zeros(1000), np.repeat(fan, 2), np.full(1, 1500)])
    downstream = np.concatenate([fan, np.stack([np.full(1000, 1500), 2000 - fan], axis=1).ravel(), [1501]])
    found = levels(graph(upstream, downstream, 2001), 0, way="down", bits=BITS, depth=None)

    assert found.numbers.tolist() == [*range(1, 1001), *range(1001, 2000)]
    assert np.bincount(found.depths).tolist() == [0, 1000, 999]
