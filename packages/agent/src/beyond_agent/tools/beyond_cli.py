"""fork, sync and logs: the tools of Beyond's own apps, each one call of the program `beyond`.

They are listed whether or not the program is there, since the list must not depend on the machine: without it each call
says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from beyond_agent.seams import Command
from beyond_agent.tools.paths import reason, resolve
from beyond_agent.tools.terminal_text import TerminalText
from beyond_agent.tools.text import MOST_BYTES, MOST_LINES, size_text
from beyond_agent_core.errors import ExecutionFailed, InvalidInput

if TYPE_CHECKING:
    from beyond_agent.seams import Workplace
    from beyond_agent_core.tools import ToolContext

PROGRAM: Final = "beyond"
TIMEOUT_S: Final = 120.0
"""Seconds that a call may take (agent contract, fork, sync and logs)."""


class ForkTool:
    """Branches an app."""

    name = "fork"
    description = "Fork a Beyond app: a copy of it to try changes on."
    exclusive = True
    read_only = False

    def __init__(self, place: Workplace) -> None:
        self._place = place
        self.input_schema: dict[str, Any] = {
            "type": "object",
            "properties": {
                "app": {"type": "string", "description": "App to fork."},
                "name": {"type": "string", "description": "Name of the fork."},
            },
            "required": ["app"],
        }

    async def run(self, given: dict[str, Any], context: ToolContext) -> str:
        """Run `beyond fork`. Raises InvalidInput, ExecutionFailed."""
        del context
        return await _beyond(self._place, "fork", given["app"], *_option("name", given))


class SyncTool:
    """Pushes the files of a directory to its app."""

    name = "sync"
    description = "Sync a directory to its Beyond app."
    exclusive = True
    read_only = False

    def __init__(self, place: Workplace) -> None:
        self._place = place
        self.input_schema: dict[str, Any] = {
            "type": "object",
            "properties": {"path": {"type": "string", "description": "Directory, by default the current one."}},
        }

    async def run(self, given: dict[str, Any], context: ToolContext) -> str:
        """Run `beyond sync`. Raises InvalidInput, ExecutionFailed."""
        del context
        path: str | None = given.get("path")
        if path is None:
            return await _beyond(self._place, "sync")
        # Relative to the same directory for the program, which knows nothing of the other ways to write a path.
        plain = not path.startswith(("~", "@", "file://"))
        return await _beyond(self._place, "sync", path if plain else resolve(path, self._place.cwd))


class LogsTool:
    """Shows what apps have logged."""

    name = "logs"
    description = "Show logs of Beyond apps."
    read_only = True

    def __init__(self, place: Workplace) -> None:
        self._place = place
        self.input_schema: dict[str, Any] = {
            "type": "object",
            "properties": {
                "app": {"type": "string", "description": "Only of this app."},
                "query": {"type": "string", "description": "Only what matches."},
            },
        }

    async def run(self, given: dict[str, Any], context: ToolContext) -> str:
        """Run `beyond logs`. Raises InvalidInput, ExecutionFailed."""
        del context
        return await _beyond(
            self._place, "logs", *_option("app", given), *_option("query", given), rest="narrow it by app and query"
        )


class _Head:
    """Text of an output up to the bound of a tool; of what comes behind it is only known that there is some."""

    def __init__(self) -> None:
        self._terminal = TerminalText()
        self._kept = bytearray()
        self._more = False

    def take(self, piece: bytes) -> None:
        if len(self._kept) > MOST_BYTES:
            self._more = True
        else:
            self._kept += self._terminal.feed(piece)

    def text(self, most_bytes: int, most_lines: int, rest: str) -> str:
        """Return whole lines within these bounds, right-trimmed.

        Where some are missing, a notice within the bounds says so, and `rest`.
        """
        self._kept += self._terminal.end()
        whole = bytes(self._kept if self._more else self._kept.rstrip())
        if len(whole) <= most_bytes and whole.count(b"\n") < most_lines:
            return whole.decode()
        bound = size_text(MOST_BYTES) if len(whole) > most_bytes else f"{MOST_LINES} lines"
        notice = f"\n\n[output truncated at {bound}; {rest}]"
        room = most_bytes - len(notice)
        lines = whole[: room + 1].split(b"\n")
        if len(whole) > room:
            # A first line that is alone too long is shown as far as it may be.
            lines = lines[:-1] or [lines[0][:room]]
        text = b"\n".join(lines[: most_lines - 2]).decode("utf-8", "ignore")
        return f"{text.rstrip()}{notice}"


def _option(name: str, given: dict[str, Any]) -> tuple[str, ...]:
    value: str | None = given.get(name)
    return () if value is None else (f"--{name}", value)


def _joined(stdout: _Head, stderr: bytes, rest: str) -> str:
    """Return both outputs, within the bounds together; errors, which are short and matter, keep up to half of them."""
    head = _Head()
    head.take(stderr)
    errors = head.text(MOST_BYTES // 2, MOST_LINES // 2, rest)
    behind = f"\n{errors}" if errors else ""
    first = stdout.text(MOST_BYTES - len(behind.encode()), MOST_LINES - behind.count("\n"), rest)
    return f"{first}{behind}" if first else errors


async def _beyond(place: Workplace, *arguments: str, rest: str = "the rest is not kept") -> str:
    """Return what the program says. Raises InvalidInput for what it cannot be given, ExecutionFailed where it fails."""
    for argument in arguments:
        try:
            passable = b"\0" not in argument.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError:
            passable = False
        if not passable:
            raise InvalidInput(f"no program can be given {argument!r}")
    stdout = _Head()
    command = Command(argv=(PROGRAM, *arguments), cwd=place.cwd, timeout=TIMEOUT_S)
    try:
        finished = await place.runner.run(command, stdout.take)
    except FileNotFoundError as error:
        # The same error says that there is no such cwd.
        if error.filename not in (None, PROGRAM):
            raise ExecutionFailed(f"{error.filename}: {reason(error)}") from error
        raise ExecutionFailed(f"the program `{PROGRAM}` was not found on PATH") from None
    except OSError as error:
        raise ExecutionFailed(f"`{PROGRAM}`: {reason(error)}") from error
    text = _joined(stdout, finished.stderr, rest)
    if finished.timed_out:
        raise ExecutionFailed(f"`{PROGRAM}` timed out")
    if finished.signal is not None:
        raise ExecutionFailed(f"`{PROGRAM}` was killed")
    if finished.code != 0:
        raise ExecutionFailed(f"`{PROGRAM}` exited {finished.code}: {text}")
    return text or "(no output)"
