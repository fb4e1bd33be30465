"""What holds of every session between runs: it can be sent as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from beyond_wire.types import ToolResultBlock, tool_uses

if TYPE_CHECKING:
    from beyond_agent_core.session import Session


def assert_fit(session: Session) -> None:
    """Raise AssertionError where a call has no result, a result no call, or results are out of order."""
    messages = session.messages
    for at, message in enumerate(messages):
        results = [block.tool_use_id for block in message.content if isinstance(block, ToolResultBlock)]
        before = messages[at - 1] if at else None
        called = [call.id for call in tool_uses(before)] if before is not None and before.role == "assistant" else []
        assert results == called, f"message {at} has results of {results} for calls {called}"
    if messages and messages[-1].role == "assistant":
        assert not list(tool_uses(messages[-1])), "the last message calls tools, and there is no result"
