"""`beyond-ai doctor`: find out before the users do what is wrong with a configuration, its host and its far sides."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from typing import TYPE_CHECKING, Self

from beyond_gateway.config_load import load
from beyond_gateway.doctor import capacity, files, report
from beyond_gateway.doctor.examine import Options, examine
from beyond_gateway.doctor.settings import not_loaded
from beyond_gateway.errors import OperatorError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from typing import TextIO

    from beyond_gateway.redact import Secret


def doctor(config_path: Path | None, *, as_json: bool, timeout_s: float, every: bool) -> int:
    """Print what was found, a line each or one JSON object; return 0, or 1 where anything failed.

    `timeout_s` bounds each check, and they run at the same time; `every` reaches providers without a pool key too.
    """
    secrets: list[Secret] = []
    try:
        config = load(config_path, os.environ)
    except OperatorError as error:
        found = [
            *not_loaded(str(error)),
            *(files.config_file(config_path) if config_path else []),
            capacity.open_files(),
        ]
    else:
        secrets = [key for keys in config.pool_keys.values() for key in keys]
        if config.nats_creds is not None:
            secrets.append(config.nats_creds)
        with Progress(sys.stderr) as progress:
            found = asyncio.run(examine(config, config_path, Options(timeout_s, every), progress.waiting))
    found = report.masked(found, secrets)
    if as_json:
        print(report.as_json(found).decode())
    else:
        print("\n".join(report.lines(found, colour=_colour(sys.stdout))))
    return 0 if report.healthy(found) else 1


class Progress:
    """One line on a terminal about what is waited for, gone when it is over; nothing where nobody watches."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._shown = False

    def waiting(self, names: Sequence[str]) -> None:
        """Show `names` instead of those before."""
        if _obeys(self._stream):
            text = f"waiting for {', '.join(names)}"
            self._put(text[: shutil.get_terminal_size().columns - 1])
            self._shown = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._shown:
            self._put("")

    def _put(self, text: str) -> None:
        # To the first column, the rest of the line erased (ECMA-48, EL).
        self._stream.write(f"\r\x1b[K{text}")
        self._stream.flush()


def _obeys(stream: TextIO) -> bool:
    """Whether it is a terminal that understands control sequences."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def _colour(stream: TextIO) -> bool:
    """Not where NO_COLOR is set and not empty (no-color.org)."""
    return _obeys(stream) and not os.environ.get("NO_COLOR")
