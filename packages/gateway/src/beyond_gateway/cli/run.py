"""`beyond-ai run`: serve what a configuration says until a signal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from beyond_gateway.host.start import Source, start

if TYPE_CHECKING:
    from pathlib import Path


def run(config_path: Path | None) -> int:
    """Serve; return 0 after a clean stop, 1 where usage rows could not be written. Raises OperatorError."""
    return start(Source(config_path))
