"""A job for a person: text as it streams, a line a tool with its time and outcome, diffs, and a spinner while it works.

The answer goes to stdout, all else to stderr, so that the two can still be told apart. The spinner is there only while
no text streams: two writers on one line would tear it. Colours are the terminal's own sixteen, which its theme makes
readable on light and dark. This is the only module that imports rich.
"""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, TextIO, cast

import msgspec
from rich.console import Console, Group
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from beyond_agent.job.output import Messages, inert
from beyond_agent.job.show_calls import Call, body_of, heading
from beyond_agent_core.events import (
    AgentEnd,
    CompactionStart,
    Failed,
    Streamed,
    ToolEnd,
    ToolProgress,
    ToolStart,
    TurnEnd,
    TurnRetry,
    TurnStart,
)
from beyond_wire.types import TextDelta, TextFinal

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from beyond_agent.job.output import Output
    from beyond_agent.job.show import Ending
    from beyond_agent_core.events import AgentEvent

REFRESH_HZ: Final = 10


class _Drawn(Messages):
    """Stderr as the file of a console: a terminal that was closed meanwhile must not end a run in disorder."""

    encoding = sys.stderr.encoding

    def __init__(self) -> None:
        super().__init__(2)

    def write(self, text: str) -> None:
        """Write what was drawn, whose controls are the console's own."""
        self.write_bytes(text.encode(self.encoding, "replace"))

    def flush(self) -> None:
        """Do nothing: all is written at once."""

    def isatty(self) -> bool:
        """Say yes: this is shown on a terminal only."""
        return True


class TerminalShow:
    """`out` is stdout; `console` draws on stderr; `clock` gives monotonic seconds.

    With `payload_only` text is drawn beside the rest, and stdout has the structured answer alone.
    """

    def __init__(
        self,
        out: Output,
        console: Console | None = None,
        *,
        final: bool = False,
        payload_only: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._out = out
        self._console = console or Console(file=cast("TextIO", _Drawn()), highlight=False)
        self._final = final
        self._payload_only = payload_only
        self._clock = clock
        self._live: Live | None = None
        self._doing = ""
        self._since = clock()
        self._running: dict[str, Call] = {}
        self._text: list[str] = []
        self._last = ""

    def session(self, session_id: str, model: str, cwd: str) -> None:
        """Say who works where; the session is named at the end, when it is there to go on with."""
        del session_id
        self._console.print(Text(f"{model} in {cwd}", "dim"))

    def tell(self, event: AgentEvent) -> None:
        """Draw what happened."""
        match event:
            case Streamed(event=TextDelta(text=text)):
                self._print(text)
            case Streamed(event=TextFinal(text=text)) if not self._text:
                self._print(text)
            case TurnStart():
                self._text.clear()
                self._wait("thinking")
            case TurnRetry():
                self._retry(event)
            case TurnEnd():
                if self._text and event.stop_reason != "error":
                    self._last = "".join(self._text)
                self._rest()
            case ToolStart() | ToolProgress() | ToolEnd():
                self._call(event)
            case CompactionStart():
                self._wait("making the history smaller")
            case Failed() if event.error_code != "cancelled":
                self._say(Text(f"error: {event.message}", "bold red"))
            case AgentEnd():
                self._rest()
                if event.outcome in {"refused", "cancelled"}:
                    self._say(Text(f"[{event.outcome}]", "yellow"))
            case _:
                pass

    def notice(self, text: str) -> None:
        """Draw a line that is neither answer nor event."""
        self._say(Text(f"[{text}]", "yellow"))

    def payload(self, value: Any) -> None:
        """Print the structured answer."""
        self._rest()
        self._out.write_bytes(msgspec.json.encode(value) + b"\n")

    @contextmanager
    def aside(self) -> Generator[None]:
        """Leave the terminal to a question."""
        self._rest()
        try:
            yield
        finally:
            self._wait(self._doing)

    def ended(self, ending: Ending) -> None:
        """Say what the job took, and how its session goes on."""
        self._rest()
        if self._final and self._last:
            self._out.write(self._last)
            self._out.end_line()
        self._say(Text(ending.line, "dim"))
        if ending.session is not None:
            self._say(Text(f"[session {ending.session}; {ending.again} goes on with it]", "dim"))

    # -- text

    def _print(self, text: str) -> None:
        self._text.append(text)
        if self._final:
            return
        self._rest(end_line=False)
        if self._payload_only:
            self._console.print(Text(inert(text)), end="")
        else:
            self._out.write(text)

    def _retry(self, retry: TurnRetry) -> None:
        self._say(Text(f"[retrying in {retry.delay_ms / 1000:.1f} s: {retry.message}]", "yellow"))
        if self._text:
            self._say(Text("[the text since the last tool is void]", "yellow"))
        self._text.clear()
        self._wait("thinking")

    # -- calls

    def _call(self, event: ToolStart | ToolProgress | ToolEnd) -> None:
        match event:
            case ToolStart():
                self._running[event.id] = Call(event.name, event.input, self._clock())
                self._wait("working")
            case ToolProgress():
                if event.id in self._running:
                    self._running[event.id].snapshot = event.snapshot
            case ToolEnd():
                call = self._running.pop(event.id, None)
                if call is not None:
                    self._finished(call, event)

    def _finished(self, call: Call, event: ToolEnd) -> None:
        took = self._clock() - call.since
        mark, style = ("✗", "red") if event.is_error else ("✓", "green")
        line = Text.assemble((mark, style), " ", heading(call), (f"  {took:.1f}s", "dim"))
        self._say(line)
        for text in body_of(event):
            self._say(text)
        if not self._running:
            self._rest()

    # -- the live part

    def _wait(self, doing: str) -> None:
        """Show a spinner from now on."""
        if doing != self._doing or self._live is None:
            self._since = self._clock()
        self._doing = doing
        if self._live is None:
            self._end_line()
            self._live = Live(
                get_renderable=self._drawn, console=self._console, transient=True, refresh_per_second=REFRESH_HZ
            )
            self._live.start()
            # A process that is stopped, killed or interrupted twice shows no cursor again that it has hidden.
            self._console.show_cursor()

    def _rest(self, *, end_line: bool = True) -> None:
        """Show no spinner."""
        if self._live is not None:
            self._live.stop()
            self._live = None
        if end_line:
            self._end_line()

    def _drawn(self) -> Group:
        """Return a line for each running call and below it the last that it put out; else what is waited for."""
        now = self._clock()
        rows: list[Spinner | Text] = []
        for call in tuple(self._running.values()):
            rows.append(self._spinner(heading(call), now - call.since))
            said = call.snapshot.rstrip().rpartition("\n")[2]
            rows += [self._fitting(Text(f"    {said}", "dim"))] if said else []
        return Group(*(rows or [self._spinner(Text(self._doing), now - self._since)]))

    def _spinner(self, line: Text, seconds: float) -> Spinner:
        return Spinner("dots", text=self._fitting(Text.assemble(line, (f"  {seconds:.0f}s", "dim"))), style="cyan")

    def _fitting(self, line: Text) -> Text:
        line.plain = inert(line.plain, "·")
        line.truncate(max(10, self._console.width - 3), overflow="ellipsis")
        return line

    def _say(self, line: Text) -> None:
        self._end_line()
        line.plain = inert(line.plain, "·")
        self._console.print(line, soft_wrap=True)

    def _end_line(self) -> None:
        self._out.end_line()
