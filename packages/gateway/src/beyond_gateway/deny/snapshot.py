"""The deny-set on disk, so that a restarted gateway denies before NATS answers. A pure cache: used, never trusted.

What is torn, corrupt, of another bucket or of another version is reported and left aside, and a scan brings the truth.
Written to a file of its own beside it, synced and renamed, in a thread: a reader finds the old one or the new one, and
no request waits. Taking a million entries out of a set takes 100 ms, so that is done a few thousand at a time, and
again from the start when a change came between.
"""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING, Final

from beyond_gateway.deny.entries import DenySet
from beyond_gateway.deny.snapshot_format import Damaged, append, columns_of, decode, encode, parts_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from beyond_gateway.deny.snapshot_format import Columns
    from beyond_gateway.deny.stream import Mark
    from beyond_gateway.log import Log

QUIET_S: Final = 1.0
"""Seconds from a change to its snapshot: a burst is written once."""
PER_ENTRY_S: Final = 30e-6
"""Seconds more for each entry: half a minute for a million, whose file is 8 MB."""
SLICE: Final = 5_000
"""Entries taken without giving the loop a turn: about 1 ms."""
TRIES: Final = 5
"""Attempts to take a set between two changes before it is taken in one piece."""


async def taken(denied: DenySet) -> Columns:
    """Return the columns of a set that may change meanwhile, as they are at one time, without holding up the loop."""
    for _ in range(TRIES):
        changes = denied.changes
        columns = columns_of(DenySet())
        with suppress(RuntimeError):  # a set that grows or shrinks under its iterator says so
            for entries, place in parts_of(denied):
                iterator = iter(entries)
                while piece := list(islice(iterator, SLICE)):
                    append(columns, place, piece, denied)
                    await asyncio.sleep(0)
        if changes == denied.changes:
            return columns
    return columns_of(denied)


class Snapshot:
    """One file. `writes` is for one worker of several, which all read it."""

    def __init__(self, path: Path, bucket: str, *, writes: bool) -> None:
        self._path = path
        self._bucket = bucket
        self._writes = writes
        self._failing = False

    def load(self, log: Log) -> tuple[DenySet, Mark | None] | None:
        """Deny-set and resume point from the file; None, with a warning but where there is no file, if it has none."""
        try:
            return decode(self._path.read_bytes(), self._bucket)
        except FileNotFoundError:
            return None
        except OSError as error:
            log.warning("snapshot cannot be read", path=str(self._path), reason=error.strerror)
        except Damaged as error:
            log.warning("snapshot is not used", path=str(self._path), reason=str(error))
        return None

    async def keep(self, denied: DenySet, mark: Callable[[], Mark | None], log: Log) -> None:
        """Write the set a little after each change, until cancelled; then write it a last time if it changed."""
        if not self._writes:
            return
        written = denied.changes
        try:
            while True:
                await asyncio.sleep(QUIET_S + PER_ENTRY_S * len(denied))
                if denied.changes == written:
                    continue
                written = denied.changes
                # Before the entries: what they hold is at least what the mark says.
                point = mark()
                pieces = encode(await taken(denied), self._bucket, denied.revision, point)
                await asyncio.to_thread(self._write, pieces, log)
                del pieces
        finally:
            if denied.changes != written:
                self._write(encode(columns_of(denied), self._bucket, denied.revision, mark()), log)

    def _write(self, pieces: Sequence[bytes | memoryview], log: Log) -> None:
        try:
            write(self._path, pieces)
            self._failing = False
        except OSError as error:
            if not self._failing:
                log.warning("snapshot cannot be written", path=str(self._path), reason=error.strerror)
            self._failing = True


def write(path: Path, pieces: Sequence[bytes | memoryview]) -> None:
    """Put the pieces at `path`, 0600, whole or not at all, also after a crash. Blocks; raises OSError."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.writelines(pieces)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError:
        with suppress(OSError):
            beside.unlink()
        raise
