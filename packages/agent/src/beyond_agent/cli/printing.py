"""Lines of the commands that list something."""

from __future__ import annotations

import sys


def print_line(line: str) -> None:
    """Print UTF-8 whatever the locale says: titles and directories are in any script."""
    sys.stdout.buffer.write(f"{line}\n".encode())
