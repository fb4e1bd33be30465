"""Arguments of the small commands, by argparse, with faults of one line that are raised."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, NoReturn

from beyond_agent.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}; see {self.prog} --help")


def parse(
    command: str, does: str, argv: list[str], add: Callable[[argparse.ArgumentParser], object]
) -> argparse.Namespace:
    """Return the arguments of `command`; `add` says which there are. Raises UsageError."""
    parser = _Parser(prog=f"beyond-ai-agent {command}", description=does, allow_abbrev=False)
    add(parser)
    return parser.parse_args(argv)
