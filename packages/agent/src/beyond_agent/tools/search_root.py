"""Where a search begins: a folder, or for grep one file in it. And a thread to search in, which ends when told."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from beyond_agent.tools.paths import existing, reason, resolve
from beyond_agent_core.errors import ExecutionFailed, InvalidInput

if TYPE_CHECKING:
    from collections.abc import Callable

    from beyond_agent.seams import FileInfo, Workplace

T = TypeVar("T")


class SearchRoot(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A folder without symlinks in its path, and of what is in it only the file `name`, unless that is None.

    `shown` is what the file is called in results.
    """

    folder: str
    name: str | None = None
    shown: str = ""


def found_path(given: dict[str, Any], place: Workplace) -> tuple[str, FileInfo]:
    """Return the path that a call names, the session's folder for none, and what it is. Raises InvalidInput."""
    path = given.get("path", ".")
    resolve(path, place.cwd)
    try:
        return existing(path, place)
    except InvalidInput:
        raise InvalidInput(f"Path not found: {path}") from None
    except OSError as error:
        raise ExecutionFailed(f"{path}: {reason(error)}") from error


def folder_of(given: dict[str, Any], place: Workplace) -> str:
    """Return the folder that a call names. Raises InvalidInput where it names something else."""
    path, info = found_path(given, place)
    if info.kind != "directory":
        raise InvalidInput(f"Not a directory: {given.get('path', '.')}")
    return path


def search_root(given: dict[str, Any], place: Workplace) -> SearchRoot:
    """Return where a call searches. Raises InvalidInput for what is neither a folder nor a file."""
    path, info = found_path(given, place)
    real = place.files.canonical(path)
    if info.kind == "directory":
        return SearchRoot(folder=real)
    if info.kind != "file":
        raise InvalidInput(f"Neither a file nor a directory: {given.get('path', '.')}")
    folder, _, name = real.rpartition("/")
    return SearchRoot(folder=folder or "/", name=name, shown=path.rstrip("/").rpartition("/")[2])


async def in_thread(work: Callable[[Callable[[], bool]], T]) -> T:
    """Return what `work` returns, from a thread; it is given what tells it that nobody waits any more."""
    over = threading.Event()
    try:
        return await asyncio.to_thread(work, over.is_set)
    finally:
        over.set()
