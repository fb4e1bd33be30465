"""What a job is asked: arguments, files that they name, and standard input, as prompts in their order.

Standard input beside a task is waited for only two seconds: it may be an idle pipe that was inherited, and must not
hang the job. Contract: agent contract, run.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Final, NamedTuple

from beyond_agent.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from beyond_wire.types import ImageSource

MOST_FILE: Final = 1024 * 1024
"""Bytes of a text file (agent contract, run)."""
MOST_IMAGE: Final = 64 * 1024 * 1024
"""Bytes that are read of an image, which is scaled to fit a request."""
MOST_STDIN: Final = 10 * 1024 * 1024
"""Bytes of standard input, the same section."""
STDIN_WAIT_S: Final = 2.0
"""Seconds until the first byte or the end of standard input, the same section."""
NO_TASK: Final = 'no task: say what to do, as in beyond-ai-agent run "fix the failing test", or pipe it in'


class Asked(NamedTuple):
    """One prompt."""

    text: str
    images: tuple[ImageSource, ...] = ()


class Stdin(NamedTuple):
    """Standard input as it is found; `wait_s` is how long its first byte or end may take beside a task."""

    descriptor: int = 0
    wait_s: float = STDIN_WAIT_S

    @property
    def piped(self) -> bool:
        """Whether it is there and no terminal."""
        try:
            os.fstat(self.descriptor)
        except OSError:
            return False
        return not os.isatty(self.descriptor)


def gather(
    words: Sequence[str],
    stdin: Stdin,
    *,
    cwd: str,
    expand: Callable[[str], str] = str,
    leave_stdin: bool = False,
) -> tuple[list[Asked], list[str]]:
    """Return the prompts, at least one, and notices about what was left out. Raises UsageError.

    `expand` makes of a task what it stands for.
    """
    notices: list[str] = []
    tasks: list[str] = []
    files: list[str] = []
    images: list[ImageSource] = []
    for word in words:
        if word == "-":
            continue
        if word.startswith("@") and not word.startswith("@@"):
            text, image = _attached(word[1:], cwd)
            files += [text] if text else []
            images += [image] if image else []
        else:
            tasks.append(word[1:] if word.startswith("@@") else word)
    if any(not task.strip() for task in tasks):
        raise UsageError("TASK: an empty one was given; say what to do")
    piped = "" if leave_stdin and "-" not in words else _piped(stdin, notices, asked="-" in words, beside=bool(tasks))
    if not tasks and not piped.strip():
        raise UsageError(NO_TASK)
    first = [piped, *files, expand(tasks[0])] if tasks else [*files, expand(piped)]
    text = "\n\n".join(part for part in first if part.strip())
    return [Asked(text, tuple(images)), *(Asked(expand(task)) for task in tasks[1:])], notices


def _piped(stdin: Stdin, notices: list[str], *, asked: bool, beside: bool) -> str:
    """Return what is in standard input; nothing where it is a terminal, unless that was asked for."""
    if not (asked or stdin.piped):
        return ""
    if beside and not asked and not _ready(stdin):
        notices.append(
            f"standard input is left out: nothing came in {stdin.wait_s:g} s; - waits for it, --no-stdin does not look"
        )
        return ""
    try:
        content = _read(stdin.descriptor, MOST_STDIN)
    except OSError as error:
        raise UsageError(f"standard input cannot be read: {error.strerror}; --no-stdin leaves it alone") from None
    if len(content) > MOST_STDIN:
        raise UsageError("standard input is above 10 MiB; write it to a file and name that in the task")
    return content.decode("utf-8", "replace").removeprefix("\ufeff")


def _ready(stdin: Stdin) -> bool:
    from select import select  # noqa: PLC0415 - most jobs have no pipe

    try:
        return bool(select([stdin.descriptor], [], [], stdin.wait_s)[0])
    except (OSError, ValueError):
        return True


def _read(descriptor: int, most: int) -> bytes:
    pieces: list[bytes] = []
    size = 0
    while size <= most and (piece := os.read(descriptor, 1 << 16)):
        pieces.append(piece)
        size += len(piece)
    return b"".join(pieces)


def _attached(name: str, cwd: str) -> tuple[str | None, ImageSource | None]:
    """Return a file as text for the prompt, or as an image. Raises UsageError."""
    from beyond_agent.tools.images import HEAD_BYTES, media_type_of  # noqa: PLC0415 - most jobs name no file
    from beyond_agent.tools.text import BinaryContent, decode  # noqa: PLC0415 - as above

    path = os.path.join(cwd, os.path.expanduser(name))  # noqa: PTH111, PTH118 - paths are text here
    content = _content(path, name)
    media_type = media_type_of(content[:HEAD_BYTES])
    if media_type is not None:
        return _image(content, media_type, name)
    if len(content) > MOST_FILE:
        raise UsageError(f"@{name}: is above 1 MiB; name it in the task and let the model read it")
    try:
        text = decode(content).text
    except BinaryContent:
        raise UsageError(f"@{name}: is neither text nor an image that models see") from None
    ended = text if text.endswith("\n") else text + "\n"
    return f'<file name="{name}">\n{ended}</file>', None


def _image(content: bytes, media_type: str, name: str) -> tuple[str, ImageSource | None]:
    from beyond_agent.tools.images import attached  # noqa: PLC0415 - as above

    made = attached(content, media_type, len(content), vision=True)
    if not made.images:
        raise UsageError(f"@{name}: {made.text}")
    return f'<file name="{name}">\n{made.text}\n</file>', made.images[0]


def _content(path: str, name: str) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise UsageError(f"@{name}: {error.strerror}; a word that begins with @ is written @@") from None
    try:
        kind = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(kind):
            raise UsageError(f"@{name}: is {'a directory' if stat.S_ISDIR(kind) else 'no regular file'}; name a file")
        return _read(descriptor, MOST_IMAGE)
    except OSError as error:
        raise UsageError(f"@{name}: {error.strerror}") from None
    finally:
        os.close(descriptor)
