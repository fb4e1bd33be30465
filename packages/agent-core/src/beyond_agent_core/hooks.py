"""The hook seam: what a harness may look at, replace or stop in a run, without being able to unbalance it.

A hook is a plain function or a coroutine function, and is cancelled with the run. One that fails is logged and counts
as absent, but for `before_tool_call`: a gate that fails is shut.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import msgspec

if TYPE_CHECKING:
    from beyond_agent_core.session import Session
    from beyond_agent_core.tools import ToolOutput
    from beyond_wire.types import Message, ModelRequest

T = TypeVar("T")
Maybe: TypeAlias = T | Awaitable[T]
"""A value, now or later."""

LOG = logging.getLogger("beyond_agent_core")


class Hooks(msgspec.Struct, frozen=True, kw_only=True):
    """What is called in the course of a run; all of them optional.

    - `before_tool_call(name, input, session)` returns a reason that blocks the call, or None; it is blocked too where
      the hook raises
    - `after_tool_call(name, input, output)` returns an output whose text, images and error mark replace the tool's
    - `on_assistant_message(message)` sees each answer that was complete
    - `should_stop_after_turn(session)` returns whether the run ends before its next model call, after tool rounds
    - `before_provider_request(request)` returns a request that is sent instead
    - `before_provider_payload(body)` returns bytes that are sent instead; for transports to call
    - `after_provider_response(status, headers)` sees the head of an answer; for transports to call
    """

    before_tool_call: "Callable[[str, dict[str, Any], Session], Maybe[str | None]] | None" = None
    after_tool_call: "Callable[[str, dict[str, Any], ToolOutput], Maybe[ToolOutput | None]] | None" = None
    on_assistant_message: "Callable[[Message], Maybe[object]] | None" = None
    should_stop_after_turn: "Callable[[Session], Maybe[bool]] | None" = None
    before_provider_request: "Callable[[ModelRequest], Maybe[ModelRequest | None]] | None" = None
    before_provider_payload: Callable[[bytes], Maybe[bytes | None]] | None = None
    after_provider_response: Callable[[int, Mapping[str, str]], Maybe[object]] | None = None
