"""Speed, measured: each figure beside a limit that is measured in the same run, both sides' answers compared."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# The servers are those of the tests, whose imports start at tests/, as in pytest's own setting.
sys.path.append(str(ROOT / "tests"))
