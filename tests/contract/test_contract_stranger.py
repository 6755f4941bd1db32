"""A stranger's adapter is found by its entry point alone, and keeps the contract."""

from __future__ import annotations

import importlib
import json
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path
from urllib.parse import quote

import pytest

from hms_registry.ports.adapter import Adapter
from hms_registry.testing import ODD_NAMES, SAMPLE_ROWS, SAMPLE_SCHEMA, AdapterContract

STRANGER = Path(__file__).parents[1] / "stranger"
_TYPES = {"int64": "bigint", "string": "varchar", "double": "double", "date32[day]": "date"}


@pytest.fixture(scope="module", autouse=True)
def _installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Put the package on the path with the metadata that an installer writes from its pyproject.toml."""
    project = tomllib.loads((STRANGER / "pyproject.toml").read_text())["project"]
    site = tmp_path_factory.mktemp("site")
    info = site / f"tide_adapter-{project['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    lines = [
        f"[{group}]\n" + "\n".join(f"{name} = {value}" for name, value in points.items())
        for group, points in project["entry-points"].items()
    ]
    (info / "entry_points.txt").write_text("\n".join(lines))
    added = [str(site), str(STRANGER)]
    sys.path[:0] = added
    importlib.invalidate_caches()
    yield
    for path in added:
        sys.path.remove(path)
    sys.modules.pop("tide_adapter", None)
    importlib.invalidate_caches()


def test_the_stranger_is_found_by_its_entry_point() -> None:
    """Its kind is listed beside the built-in ones, and loads."""
    found = {point.name: point for point in entry_points(group="hms_dta.adapters")}

    assert found["tide"].load().kind == "tide"


class TestTide(AdapterContract):
    """The stranger's adapter."""

    odd_names = ODD_NAMES

    @property
    def adapter(self) -> type[Adapter]:  # type: ignore[override] # known once its entry point is loaded
        """The class behind the entry point."""
        loaded: type[Adapter] = entry_points(group="hms_dta.adapters")["tide"].load()
        return loaded

    def make(self, folder: Path) -> None:
        rows = [
            [str(cell) if name == "passed_on" and cell else cell for name, cell in row.items()] for row in SAMPLE_ROWS
        ]
        self._write(folder, "passages", {field.name: _TYPES[str(field.type)] for field in SAMPLE_SCHEMA}, rows)

    def _write(self, folder: Path, name: str, columns: dict[str, str], rows: list[list[object]]) -> None:
        (folder / f"{quote(name, safe=' ')}.json").write_text(json.dumps({"columns": columns, "rows": rows}))

    def url(self, folder: Path) -> str:
        return f"tide://{folder}"

    def sample_name(self) -> tuple[str, str]:
        return "tides", "passages"

    def add_table(self, folder: Path, name: str) -> str:
        self._write(folder, name, {"a": "bigint"}, [[1]])
        return name

    def change_schema(self, folder: Path) -> None:
        self._write(folder, "passages", {"id": "bigint"}, [[1]])

    def drop(self, folder: Path) -> None:
        (folder / "passages.json").unlink()

    def dead_url(self, folder: Path, canary: str) -> str:
        return f"tide://{folder}/{canary}"
