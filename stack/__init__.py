"""Every store on this machine, with the demo's data in it, for people: the servers are those of the tests."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# The servers are those of the tests, whose imports start at tests/, as in pytest's own setting.
sys.path.append(str(ROOT / "tests"))
