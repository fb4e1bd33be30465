"""What every section is told: how long, how often, on which cores, and where to keep files."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PYTHON = sys.executable


@dataclass(frozen=True, slots=True)
class Setting:
    """`seconds` is the length of one load run at 32 connections; `side_seconds` of one at 1 or 128."""

    runs: int
    seconds: float
    proxy_core: int
    load_core: int
    tmp: Path

    @property
    def side_seconds(self) -> float:
        """A third, as the figures at 32 connections are the ones with targets."""
        return self.seconds / 3


def progress(text: str) -> None:
    """Say on stderr what the next seconds are spent on; stdout holds the tables only."""
    print(f"  … {text}", file=sys.stderr, flush=True)
