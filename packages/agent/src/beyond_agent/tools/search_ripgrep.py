"""ripgrep: where the program is, how it walks a tree, how it is run.

What it walks is said in full, so that no file of settings and no default of another version changes an answer: dotfiles
are searched, `.git` is not, .gitignore holds in and out of repositories, that of each folder above included, and no
other list of what to ignore does.
"""

from __future__ import annotations

import os
import re
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec

from beyond_agent.seams import Command
from beyond_agent_core.errors import ExecutionFailed

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from beyond_agent.seams import CommandRunner

    Locate = Callable[[], Sequence[str]]

T = TypeVar("T")

WALK: Final = (
    "--no-config",
    "--no-ignore-messages",
    "--hidden",
    "--no-follow",
    "--no-require-git",
    "--no-ignore-dot",
    "--no-ignore-exclude",
    "--no-ignore-global",
    "--color=never",
    "--null",
    "--glob=!.git",
)
_NAME: Final = "rg"
_FAULTY: Final = 2
"""The exit code that says an error happened; what was found is printed all the same."""
_UNREADABLE: Final = (b"rg: ./", b"./")
"""How a line on stderr begins that tells of something below the root; others tell of a rule of a folder above."""


class Ended(msgspec.Struct, frozen=True, gc=False):
    """How ripgrep ended: `faulty` with an error, `unreadable` with that of a file or folder."""

    faulty: bool = False
    unreadable: bool = False


_VERSION: Final = re.compile(rb"ripgrep (\d+)\.")
_LEAST_VERSION: Final = 15
"""Versions before read some rules of folders above the root otherwise, and refuse `\\/` and `\\<`."""


class Enough(Exception):  # noqa: N818 - it says what happened
    """What was printed answers the question, and the program need not go on."""


def installed() -> Sequence[str]:
    """Return the path of `rg` on PATH and of the one that the ripgrep distribution put beside the interpreter.

    Either may not be there, and where they are the same there is one.
    """
    found = (next(filter(_runnable, places), None) for places in (_on_path(), _of_distribution()))
    return list({os.path.realpath(each): each for each in found if each is not None}.values())


class Chosen:
    """Which ripgrep a tool runs: the first that there is, unless it is old and there is another; else Python."""

    def __init__(self, locate: Locate) -> None:
        self._locate = locate
        self._known: dict[tuple[str, ...], str] = {}

    async def program(self, runner: CommandRunner) -> str | None:
        """Return its path, None for no ripgrep; a version is asked once."""
        candidates = tuple(self._locate())
        if len(candidates) < 2:
            return candidates[0] if candidates else None
        if candidates not in self._known:
            self._known[candidates] = candidates[1 if await _is_old(runner, candidates[0]) else 0]
        return self._known[candidates]

    async def search(
        self,
        runner: CommandRunner,
        by_ripgrep: Callable[[str], Awaitable[T | None]],
        by_python: Callable[[Callable[[], bool]], T],
    ) -> T:
        """Return what ripgrep answers, or else Python: without a ripgrep, or where it gives None or cannot be started.

        The one is given the program's path; the other runs in a thread, and is given what tells it to stop.
        """
        program = await self.program(runner)
        if program is not None:
            try:
                found = await by_ripgrep(program)
            except OSError:
                # Removed meanwhile, or made for another machine.
                found = None
            if found is not None:
                return found
        from beyond_agent.tools.search_root import in_thread  # noqa: PLC0415 - the first request need not wait for it

        return await in_thread(by_python)


async def run_ripgrep(runner: CommandRunner, argv: Sequence[str], cwd: str, output: Callable[[bytes], object]) -> Ended:
    """Run it on `./` in a folder; return how it ended, no error where `output` raised Enough.

    Raises ExecutionFailed where it did not end by itself, OSError where it cannot be started.
    """
    try:
        finished = await runner.run(Command(argv=argv, cwd=cwd), output)
    except Enough:
        return Ended()
    if finished.code in (0, 1):
        return Ended()
    if finished.code == _FAULTY:
        return Ended(faulty=True, unreadable=any(map(_tells_of_a_file, finished.stderr.split(b"\n"))))
    if finished.signal is not None:
        raise ExecutionFailed(f"ripgrep was killed by signal {finished.signal}")
    raise ExecutionFailed(f"ripgrep exited {finished.code}: {finished.stderr.decode('utf-8', 'replace').strip()}")


async def complaint(runner: CommandRunner, argv: Sequence[str]) -> str | None:
    """Return what ripgrep has against a pattern, None for nothing: the argv is run on a file of nothing."""
    finished = await runner.run(Command(argv=(*argv, os.devnull), cwd="/"), _nothing)
    if finished.code != _FAULTY:
        return None
    return finished.stderr.decode("utf-8", "replace").strip().removeprefix("rg: ")


async def _is_old(runner: CommandRunner, program: str) -> bool:
    printed = bytearray()
    try:
        await runner.run(Command(argv=(program, "--version"), cwd="/"), printed.extend)
    except OSError:
        return True
    found = _VERSION.match(printed)
    return found is not None and int(found[1]) < _LEAST_VERSION


def _tells_of_a_file(line: bytes) -> bool:
    return line.startswith(_UNREADABLE)


def _nothing(piece: bytes) -> None:
    del piece


def _on_path() -> list[str]:
    return [f"{folder}/{_NAME}" for folder in os.environ.get("PATH", "").split(os.pathsep) if folder.startswith("/")]


def _of_distribution() -> list[str]:
    # The scripts of an environment stand beside its interpreter, and those of a user's own elsewhere.
    beside = os.path.join(os.path.dirname(sys.executable), _NAME)  # noqa: PTH118, PTH120 - paths are text here
    places = [beside, os.path.join(sys.prefix, "bin", _NAME)]  # noqa: PTH118 - as above
    if not any(map(_runnable, places)):
        from importlib.metadata import PackageNotFoundError, files  # noqa: PLC0415 - seldom needed, and slow

        with suppress(PackageNotFoundError):
            places += [str(each.locate()) for each in files("ripgrep") or () if each.name == _NAME]
    return places


def _runnable(path: str) -> bool:
    return os.path.isfile(path) and os.access(path, os.X_OK)  # noqa: PTH113 - as above
