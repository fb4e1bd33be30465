"""A job for a program: one line of JSON for the session, then one an event, numbered, each written at once."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import msgspec

from beyond_agent_core.events import encode_event

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from beyond_agent.job.output import Output
    from beyond_agent.job.show import Ending
    from beyond_agent_core.events import AgentEvent


class JsonShow:
    """`out` is stdout; notices go to `err`, because the lines are a program's."""

    def __init__(self, out: Output, err: Output) -> None:
        self._out = out
        self._err = err
        self._seq = 0

    def session(self, session_id: str, model: str, cwd: str) -> None:
        """Write the first line."""
        # Arguments and names of directories may hold bytes that JSON cannot.
        model, cwd = (each.encode("utf-8", "replace").decode() for each in (model, cwd))
        first = {"kind": "session", "id": session_id, "model": model, "cwd": cwd}
        self._out.write_bytes(msgspec.json.encode(first) + b"\n")

    def tell(self, event: AgentEvent) -> None:
        """Write an event with its number."""
        self._seq += 1
        self._out.write_bytes(b'%b,"seq":%d}\n' % (encode_event(event)[:-2], self._seq))

    def notice(self, text: str) -> None:
        """Print a line on stderr."""
        self._err.write(f"[{text}]\n")

    def payload(self, value: Any) -> None:
        """Write the structured answer as the last line."""
        self._out.write_bytes(msgspec.json.encode(value) + b"\n")

    def aside(self) -> AbstractContextManager[object]:
        """Nothing is in the way of a question."""
        return nullcontext()

    def ended(self, ending: Ending) -> None:
        """Print on stderr what the job took."""
        self._err.write(ending.line + "\n")
