"""Command lines by argparse, with abbreviations off and faults of one line that are raised."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, NoReturn

from beyond_agent.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable


class Parser(argparse.ArgumentParser):
    """argparse that raises. `tasks` says that words beside the flags are tasks."""

    tasks = False

    def error(self, message: str) -> NoReturn:
        """Raise UsageError."""
        raise UsageError(f"{message}; see {self.prog} --help")


def parse(
    command: str, does: str, argv: list[str], add: Callable[[argparse.ArgumentParser], object]
) -> argparse.Namespace:
    """Return the arguments of a small command; `add` says which there are. Raises UsageError."""
    parser = Parser(prog=f"beyond-ai-agent {command}", description=does, allow_abbrev=False)
    add(parser)
    return parser.parse_args(argv)
