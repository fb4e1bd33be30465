"""What the tools reach the machine through: files and programs. Nothing else in the tools touches either.

A harness that works elsewhere (a container, another host, an editor's buffers) gives its own; tests give fakes.
Contract: agent contract, seams and performance.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FileKind: TypeAlias = Literal["file", "directory", "other"]
"""`other` is a device, a FIFO or a socket: reading one could block for ever."""


class FileInfo(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What is known of a path, behind its symlinks; `size` is bytes, `stamp` changes whenever the content may have."""

    kind: FileKind
    size: int
    mode: int
    stamp: tuple[int, ...]


class Entry(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One name in a directory. `link` says that the name itself is a symlink; `kind` is what it leads to."""

    name: str
    kind: FileKind
    link: bool = False


class FileSystem(Protocol):
    """The files of one machine. Paths are absolute strings; odd bytes in names are surrogate escapes.

    All methods may block, so tools call them in a worker thread; all raise OSError.
    """

    def info(self, path: str) -> FileInfo:
        """Say what a path is, symlinks followed."""
        ...

    def canonical(self, path: str) -> str:
        """Return the path with every symlink resolved; the end of it need not exist."""
        ...

    def read(self, path: str, at_most: int | None = None) -> bytes:
        """Return the first bytes of a regular file. Raises OSError for anything else, without blocking."""
        ...

    def replace(self, path: str, content: bytes, *, expected: FileInfo | None = None) -> None:
        """Put `content` in the place of a file, or make one: the old content or the new, never a mix.

        Mode and owner stay, a symlink's target is written. Raises FileChanged where the file is no more the `expected`.
        """
        ...

    def make_directories(self, path: str) -> None:
        """Make a directory and its parents; nothing where it is there."""
        ...

    def entries(self, path: str) -> Iterator[Entry]:
        """Yield what is in a directory, in no order."""
        ...


class FileChanged(OSError):  # noqa: N818 - it says what happened
    """A file is not what it was when it was read."""


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """A program to run. `merge` puts stderr into stdout in order of arrival; `timeout` is seconds.

    `env` replaces the environment, None is the agent's own without its keys.
    """

    argv: Sequence[str]
    cwd: str
    env: Mapping[str, str] | None = None
    timeout: float | None = None
    merge: bool = False


class Finished(msgspec.Struct, frozen=True, kw_only=True):
    """How a program ended: by itself with `code`, by `signal`, or because its time was up.

    `stderr` is what it said there, its first 64 KiB, where that was not merged.
    """

    code: int | None = None
    signal: int | None = None
    timed_out: bool = False
    stderr: bytes = b""


class CommandRunner(Protocol):
    """Starts programs, each in a process group of its own of which nothing is left after the call, however it ends."""

    async def run(self, command: Command, output: Callable[[bytes], object]) -> Finished:
        """Run a program to its end and give its stdout to `output` in pieces as it comes.

        A cancelled call ends the program and raises CancelledError after the last piece. `output` may return an
        awaitable, which is waited for before more is read. Raises OSError where the program cannot be started.
        """
        ...


class SpillFile(Protocol):
    """One file that grows; `written` bytes are in it."""

    path: str
    written: int

    def write(self, piece: bytes) -> None:
        """Add to it. Raises OSError."""
        ...

    def close(self) -> None:
        """End it."""
        ...


class SpillFolder(Protocol):
    """Makes files, readable by their owner only, for output that is too long to show."""

    def open(self, stem: str) -> SpillFile:
        """Make a file whose name begins so. Raises OSError."""
        ...


class Workplace(msgspec.Struct, frozen=True, kw_only=True):
    """Where the tools of one session work. `cwd` is absolute; `spill` makes files for output that is too long.

    `shell` is the program that runs bash's commands, None to find one; `bash_timeout` is seconds.
    """

    cwd: str
    files: FileSystem
    runner: CommandRunner
    spill: SpillFolder
    shell: str | None = None
    bash_timeout: float = 120.0
