"""The demo's home in a test's own folder: its stores built, its policies in force, its sources crawled."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

from governed import crawl_sources, publish_policies
from hms_registry.bootstrap import Registry

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"


def loaded(name: str) -> ModuleType:
    """Import one of the examples' programs."""
    spec = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def make_demo_home(home: Path, *, profiled: bool = False) -> Path:
    """Do what the demo does before its first question, without typing it.

    Args:
        profiled: its sources tell of their values.
    """
    loaded("build_demo").build(home)
    if profiled:
        sources = home / "sources.yml"
        text = sources.read_text(encoding="utf-8")
        sources.write_text(text.replace("    agency:", "    profile: true\n    agency:"), encoding="utf-8")
    with Registry.open(home) as registry:
        publish_policies(registry)
        crawl_sources(registry)
    return home
