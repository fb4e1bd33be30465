"""Files for output that is too long to show: one folder a process, its owner's alone, swept by later processes.

The names hold random bits and the folder is made, never found, so nobody who may write to the temporary directory can
put a link in the way. What a crash leaves behind, and what resumed sessions no more need, goes after a week.
"""

from __future__ import annotations

import os
import re
import stat
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_BYTES: Final = 1024 * 1024 * 1024
"""Bytes of a file, behind which it takes no more (agent contract, bash)."""
KEPT_S: Final = 7 * 24 * 3600.0
"""Seconds that a folder is kept after its last change (agent contract, commands and places)."""
_FOLDER: Final = re.compile(r"beyond-ai-[0-9a-f]{16}")


class Spill:
    """One file of a folder. It takes `most_bytes`; what is written beyond is left out, and `written` tells."""

    def __init__(self, path: str, most_bytes: int = MOST_BYTES) -> None:
        self.path = path
        self.written = 0
        self._most_bytes = most_bytes
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        self._descriptor: int | None = os.open(path, flags, 0o600)

    def write(self, piece: bytes) -> None:
        """Add to it, as far as there is room. Raises OSError, ValueError when it is closed."""
        if self._descriptor is None:
            raise ValueError("the file is closed")
        rest = memoryview(piece)[: self._most_bytes - self.written]
        while rest:
            count = os.write(self._descriptor, rest)
            self.written += count
            rest = rest[count:]

    def close(self) -> None:
        """End it; a second time does nothing."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)


class Spills:
    """The SpillFolder of this process, under `root` or else the temporary directory; it is made when first needed.

    `now` gives seconds of wall time since 1970, as the stamps of files do. Methods may block on a slow disk.
    """

    def __init__(
        self, root: str | None = None, *, most_bytes: int = MOST_BYTES, now: Callable[[], float] | None = None
    ) -> None:
        self._root = root
        self._most_bytes = most_bytes
        self._now = now or _wall_time
        self._folder: str | None = None

    def open(self, stem: str) -> Spill:
        """Make a file whose name begins so. Raises OSError that names what could not be made."""
        name = f"{stem}-{os.urandom(8).hex()}.log"
        if self._folder is not None:
            # A sweep of another process may have taken the folder of one that was silent for long.
            with suppress(FileNotFoundError):
                return Spill(f"{self._folder}/{name}", self._most_bytes)
        self._folder = self._made()
        return Spill(f"{self._folder}/{name}", self._most_bytes)

    def _made(self) -> str:
        root = os.path.abspath(self._root or os.environ.get("TMPDIR") or "/tmp")  # noqa: S108, PTH100 - the folder in it is private; a Path would cost its import
        sweep(root, self._now() - KEPT_S)
        folder = f"{root}/beyond-ai-{os.urandom(8).hex()}"
        os.mkdir(folder, 0o700)  # noqa: PTH102 - as above
        return folder


def sweep(root: str, before: float) -> None:
    """Remove this user's folders of spilled output that were last changed `before`, in seconds since 1970."""
    with suppress(OSError), os.scandir(root) as found:
        for entry in found:
            if _FOLDER.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False):
                with suppress(OSError):
                    _remove_if_old(entry.path, before)


def _remove_if_old(folder: str, before: float) -> None:
    held = os.lstat(folder)
    if held.st_uid != os.geteuid() or held.st_mtime >= before:
        return
    with os.scandir(folder) as found:
        files = [(entry.path, entry.stat(follow_symlinks=False)) for entry in found]
    if any(not stat.S_ISREG(file.st_mode) or file.st_mtime >= before for _, file in files):
        return
    for path, _ in files:
        os.unlink(path)  # noqa: PTH108 - as above
    os.rmdir(folder)  # noqa: PTH106 - as above


def _wall_time() -> float:
    return datetime.now(UTC).timestamp()
