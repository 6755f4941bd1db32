"""`python -m stack up|down [FOLDER]`: what `make up` and `make down` run."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from stack import ROOT
from stack.down import down
from stack.keeper import keep
from stack.up import up

_DOES = {"up": up, "down": down, "keep": keep}


def main() -> int:
    """Do what was asked; 130 = interrupted, and nothing is left running."""
    parser = argparse.ArgumentParser(prog="python -m stack", description=__doc__)
    parser.add_argument("what", choices=("up", "down", "keep"))
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT / ".stack")
    asked = parser.parse_args()
    try:
        return _DOES[asked.what](asked.folder.resolve())
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
