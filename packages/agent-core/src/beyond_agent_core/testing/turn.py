"""Entries of a model's script, by what they are: `turn.text("hi")`, `turn.tool_call("read", path="a")`, `turn.stall()`.

from beyond_agent_core.testing import ScriptedTransport, turn
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from beyond_agent_core.errors import RunFault
from beyond_agent_core.testing import turns
from beyond_agent_core.testing.scripted import Broken

if TYPE_CHECKING:
    from collections.abc import Callable

    from beyond_agent_core.testing.scripted import Entry
    from beyond_wire.types import ModelRequest, Turn

_HALF = "an answer of which not all arrives"
OVERLOADED = RunFault(code="provider_error", message="overloaded", transient=True, started=True)


def text(said: str) -> Turn:
    """Return an answer of text."""
    return turns.says(said)


def tool_call(name: str, /, **arguments: Any) -> Turn:
    """Return an answer that calls one tool."""
    return turns.calls((name, arguments))


def calls(*named: tuple[str, dict[str, Any]], said: str = "") -> Turn:
    """Return an answer that calls several tools, after `said`."""
    return turns.calls(*named, text=said)


def refusal(said: str = "I cannot help with that.") -> Turn:
    """Return a refusal."""
    return turns.refuses(said)


def max_tokens(said: str = "", *named: tuple[str, dict[str, Any]]) -> Turn:
    """Return an answer that was cut at its token limit, behind text and complete calls."""
    return turns.calls(*named, text=said, stop="max_tokens")


def fail(fault: RunFault = OVERLOADED, *, after: int = 0) -> Broken:
    """Return an answer of which `after` events arrive, and then `fault`."""
    return Broken(turn=turns.says(_HALF), after=after, fault=fault)


def stall(*, after: int = 0) -> Broken:
    """Return an answer of which `after` events arrive, and then nothing, for ever."""
    return Broken(turn=turns.says(_HALF), after=after)


def from_request(make: Callable[[ModelRequest], Turn | RunFault | Broken]) -> Entry:
    """Return an entry that is made of the request it answers."""
    return make
