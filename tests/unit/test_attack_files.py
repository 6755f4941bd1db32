"""Attacks on a lake by somebody who may write to a folder of it: links, pipes, swapped files and hostile manifests."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from hms_files.adapter import FilesAdapter
from hms_files.config import FilesConfig
from hms_registry.domain.crawls import Failure
from hms_registry.domain.datasets import DatasetRef
from hms_registry.errors import LocationOutsideSource, ScanFailed
from hms_registry.ports.adapter import ManifestText, ScanRequest, Scope

SECRET = "SECRET-4711"  # a value that must not come out


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    """A lake: an attacker's folder, somebody else's, and a file outside."""
    root = tmp_path / "lake"
    (root / "own").mkdir(parents=True)
    (root / "theirs").mkdir()
    (root / "own/t.csv").write_text("a,b\n1,2\n")
    (root / "theirs/secret.csv").write_text(f"a,b\n1,{SECRET}\n")
    (tmp_path / "outside.csv").write_text(f"a,b\n1,{SECRET}\n")
    return root


def _adapter(lake: Path) -> FilesAdapter:
    return FilesAdapter(FilesConfig.from_url(source="lake", url=f"file:{lake}", options={}))


def _refs(lake: Path) -> dict[str, DatasetRef]:
    found = _adapter(lake).discover(Scope())
    return {f"{each.address.schema}.{each.address.table}": each for each in found if isinstance(each, DatasetRef)}


def _read(lake: Path, ref: DatasetRef) -> list[dict[str, object]]:
    schema = pa.schema([("a", pa.string()), ("b", pa.string())])
    request = ScanRequest(ref=ref, columns=("a", "b"), schema=schema, deadline_s=5)
    return _adapter(lake).scan(request).open_reader().read_all().to_pylist()


def _link_out(lake: Path) -> None:
    (lake / "own/t.csv").unlink()
    (lake / "own/t.csv").symlink_to(lake.parent / "outside.csv")


def _link_to_theirs(lake: Path) -> None:
    (lake / "own/t.csv").unlink()
    (lake / "own/t.csv").symlink_to("../theirs/secret.csv")


def _link_of_the_folder(lake: Path) -> None:
    (lake / "own").rename(lake / "moved")
    (lake / "theirs/t.csv").write_text(f"a,b\n1,{SECRET}\n")
    (lake / "own").symlink_to("theirs")


def _pipe(lake: Path) -> None:
    (lake / "own/t.csv").unlink()
    os.mkfifo(lake / "own/t.csv")


def _device(lake: Path) -> None:
    (lake / "own/t.csv").unlink()
    (lake / "own/t.csv").symlink_to("/dev/zero")


def _directory(lake: Path) -> None:
    (lake / "own/t.csv").unlink()
    (lake / "own/t.csv").mkdir()


@pytest.mark.parametrize("swap", [_link_out, _link_to_theirs, _link_of_the_folder, _pipe, _device, _directory])
@pytest.mark.parametrize("when", ["before planning", "before reading"])
def test_a_file_that_was_swapped_after_the_crawl_is_not_read(
    lake: Path, swap: Callable[[Path], None], when: str
) -> None:
    """What takes the place of a file is neither followed nor waited for."""
    ref = _refs(lake)["own.t"]
    schema = pa.schema([("a", pa.string()), ("b", pa.string())])
    request = ScanRequest(ref=ref, columns=("a", "b"), schema=schema, deadline_s=5)
    started = time.monotonic()

    with pytest.raises((LocationOutsideSource, ScanFailed)):
        if when == "before planning":
            swap(lake)
        scan = _adapter(lake).scan(request)
        if when == "before reading":
            swap(lake)
        rows = scan.open_reader().read_all()
        if not rows.num_rows:
            raise ScanFailed("nothing was read")

    assert time.monotonic() - started < 15


@pytest.mark.parametrize(
    "target", ["../theirs/secret.csv", "../../outside.csv", "/dev/zero", "/proc/self/environ", "x"]
)
def test_a_link_to_what_its_folder_does_not_hold_is_no_dataset(lake: Path, target: str) -> None:
    """Else whoever may write one folder would read every other, under labels of their own."""
    (lake / "own/alias.csv").symlink_to(target)

    assert set(_refs(lake)) == {"own.t", "theirs.secret"}


def test_a_link_within_its_folder_is_a_dataset(lake: Path) -> None:
    """`latest.csv` may point at the newest file beside it."""
    (lake / "own/latest.csv").symlink_to("t.csv")

    assert _read(lake, _refs(lake)["own.latest"]) == [{"a": "1", "b": "2"}]


def test_pipes_sockets_and_devices_are_passed_by(lake: Path) -> None:
    """A crawl opens no pipe: it would wait for ever."""
    os.mkfifo(lake / "own/pipe.csv")
    (lake / "own/zero.csv").symlink_to("/dev/zero")

    assert set(_refs(lake)) == {"own.t", "theirs.secret"}


def test_a_tree_of_folders_without_end_is_a_failure_of_that_folder(lake: Path) -> None:
    """Folders nested deeper than the process can follow cost themselves, not the crawl."""
    at = os.open(lake / "own", os.O_RDONLY)
    for _ in range(150):
        os.mkdir("d", dir_fd=at)
        below = os.open("d", os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = below
    os.close(at)

    found = list(_adapter(lake).discover(Scope()))

    names = {each.address.table for each in found if isinstance(each, DatasetRef)}
    assert names >= {"t", "secret"}
    assert any(isinstance(each, Failure) for each in found)


_CLAIMS = {
    "a relative path": "../theirs/secret.csv",
    "an absolute path": "{lake}/theirs/secret.csv",
    "a URL": "file://{lake}/theirs/secret.csv",
    "a path that turns around": "x/../../theirs/secret.csv",
}


@pytest.mark.parametrize("how", _CLAIMS)
def test_a_manifest_says_nothing_of_what_lies_elsewhere(lake: Path, how: str) -> None:
    """Whoever may write one folder cannot label, and so open, what lies in another."""
    claim = _CLAIMS[how].format(lake=lake)
    (lake / "own/a.manifest.yml").write_text(f"name: mine\nsource: {claim}\nprivacy_tier: PUBLIC\n")

    (found,) = _adapter(lake).manifests(Scope())

    assert isinstance(found, ManifestText)
    assert found.ref is None


@pytest.mark.parametrize("where", ["theirs/m.manifest.yml", "m.manifest.yml"])
def test_a_manifest_speaks_for_its_folder_and_below(lake: Path, where: str) -> None:
    """The manifest beside the data, and one further up."""
    claim = "secret.csv" if "/" in where else "theirs/secret.csv"
    (lake / where).write_text(f"name: mine\nsource: {claim}\n")

    (found,) = _adapter(lake).manifests(Scope())

    assert isinstance(found, ManifestText)
    assert found.ref is not None
    assert found.ref.address.table == "secret"


_BOMB = "a0: &a0 {k: v}\n" + "".join(
    f"a{at}: &a{at} {{<<: [{', '.join([f'*a{at - 1}'] * 10)}]}}\n" for at in range(1, 12)
)
_MANIFESTS = {
    "merged without end": _BOMB,
    "nested without end": "a: " + "[" * 100_000 + "]" * 100_000 + "\n",
    "a day that is none": "d: 2024-13-45\n",
    "a time that is none": "d: 2024-12-25 99:99:99\n",
    "a number without end": "d: " + "9" * 100_000 + "\n",
    "a tag": "d: !!python/object/apply:os.system ['true']\n",
    "a key that is a list": "? [a]\n: b\n",
}


@pytest.mark.parametrize("what", _MANIFESTS)
@pytest.mark.parametrize("order", ["before", "after"])
def test_a_hostile_manifest_costs_only_itself(lake: Path, what: str, order: str) -> None:
    """Its `source` is found, or not, without building what the rest of it says."""
    source = "source: t.csv\n"
    text = _MANIFESTS[what] + source if order == "before" else source + _MANIFESTS[what]
    (lake / "own/a.manifest.yml").write_text(text)
    started = time.monotonic()

    found = list(_adapter(lake).manifests(Scope()))

    assert len(found) == 1
    assert time.monotonic() - started < 15


def test_a_manifest_that_grew_after_it_was_listed_is_read_within_its_bound(lake: Path) -> None:
    """A manifest of a gigabyte is refused by its size, before it is read."""
    with (lake / "own/a.manifest.yml").open("wb") as file:
        file.truncate(1 << 30)

    (found,) = _adapter(lake).manifests(Scope())

    assert found == Failure(subject="own/a.manifest.yml", reason="it is larger than 256 KiB: no manifest is")
