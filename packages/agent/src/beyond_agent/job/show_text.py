"""A job in a pipe: stdout gets the assistant's text and nothing else, stderr one line for whatever else is worth it."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, Final

import msgspec

from beyond_agent_core.events import AgentEnd, Failed, Streamed, ToolStart, TurnEnd, TurnRetry, TurnStart
from beyond_wire.types import TextDelta, TextFinal

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from beyond_agent.job.output import Output
    from beyond_agent.job.show import Ending
    from beyond_agent_core.events import AgentEvent

VOID: Final = "[retrying: the text since the last tool is void]"
"""Exact text (agent contract, run)."""


class TextShow:
    """`out` is stdout, `err` is stderr; with `final` only the last message is printed, when the job is over.

    `payload_only` keeps stdout for a structured answer: text goes to stderr then.
    """

    def __init__(self, out: Output, err: Output, *, final: bool = False, payload_only: bool = False) -> None:
        self._payloads = out
        self._out = err if payload_only else out
        self._err = err
        self._final = final
        self._text: list[str] = []
        self._last = ""

    def session(self, session_id: str, model: str, cwd: str) -> None:
        """Say nothing: a script wants the answer."""

    def tell(self, event: AgentEvent) -> None:
        """Print text as it comes, and a line for each call."""
        match event:
            case Streamed(event=TextDelta(text=text)):
                self._print(text)
            case Streamed(event=TextFinal(text=text)) if not self._text:
                self._print(text)
            case TurnStart():
                self._text.clear()
            case TurnEnd():
                self._end_turn(void=event.stop_reason == "error")
            case TurnRetry():
                self._retry(event)
            case ToolStart():
                self._say(f"[tool: {event.name}]")
            case Failed() if event.error_code != "cancelled":
                self._say(f"error: {event.message}")
            case AgentEnd(outcome="refused" | "cancelled"):
                self._say(f"[{event.outcome}]")
            case _:
                pass

    def notice(self, text: str) -> None:
        """Print a line on stderr."""
        self._say(f"[{text}]")

    def payload(self, value: Any) -> None:
        """Print the structured answer as the one line of stdout."""
        self._payloads.write_bytes(msgspec.json.encode(value) + b"\n")

    def aside(self) -> AbstractContextManager[object]:
        """Nothing is in the way of a question."""
        return nullcontext()

    def ended(self, ending: Ending) -> None:
        """Print the last message where only that was asked for, and what the job took."""
        if self._final and self._last:
            self._out.write(self._last)
            self._out.end_line()
        self._say(ending.line)

    def _print(self, text: str) -> None:
        self._text.append(text)
        if not self._final:
            self._out.write(text)

    def _end_turn(self, *, void: bool) -> None:
        if self._text and not void:
            self._last = "".join(self._text)
        self._out.end_line()

    def _retry(self, retry: TurnRetry) -> None:
        self._out.end_line()
        if self._text and not self._final:
            self._say(VOID)
        else:
            self._say(f"[retrying in {retry.delay_ms / 1000:.1f} s: {retry.message}]")
        self._text.clear()

    def _say(self, line: str) -> None:
        self._out.end_line()
        self._err.write(line + "\n")
