"""What a job tells whoever started it: text for a pipe, JSON lines for a program, a display for a person."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from beyond_wire.types import TokenUsage

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from beyond_agent_core.events import AgentEvent


class Ending(msgspec.Struct, frozen=True, kw_only=True):
    """What a job took: model turns and tokens over all its tasks.

    `session` is the id under which it is stored, if it is, and `again` the flag that goes on with that.
    """

    steps: int = 0
    usage: TokenUsage = TokenUsage()
    session: str | None = None
    again: str = "-c"

    @property
    def line(self) -> str:
        """The last line on stderr (agent contract, run); the tokens in count cached ones too."""
        used = self.usage
        taken = used.input_tokens + used.cache_read_tokens + used.cache_write_tokens
        return f"[done in {self.steps} step(s); {taken} in / {used.output_tokens} out tokens]"


class Show(Protocol):
    """Told all of a job in order. Its methods raise OutputClosed where nobody reads stdout any more."""

    def session(self, session_id: str, model: str, cwd: str) -> None:
        """The job begins."""
        ...

    def tell(self, event: AgentEvent) -> None:
        """Something happened in a run."""
        ...

    def notice(self, text: str) -> None:
        """Tell a person something that is neither answer nor event."""
        ...

    def payload(self, value: Any) -> None:
        """Give the structured answer."""
        ...

    def aside(self) -> AbstractContextManager[object]:
        """Leave the terminal to a question while the context is entered."""
        ...

    def ended(self, ending: Ending) -> None:
        """The job is over."""
        ...
