"""One request over the transport, and what came of it; its key must show nowhere."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import pytest

from beyond_agent_core.transport import TransportFailed
from beyond_wire.types import ModelRequest, TextDelta, user

if TYPE_CHECKING:
    from beyond_agent_core.client import HttpTransport
    from beyond_agent_core.errors import RunFault

KEY = "k3y-0f-no-known-shape"


def key() -> str:
    """Credentials."""
    return KEY


def request(model: str = "claude-opus-4-8", text: str = "hi", **more: Any) -> ModelRequest:
    """A request of one message."""
    return ModelRequest(model=model, messages=(user(text),), max_tokens=100, **more)


async def text_of(transport: HttpTransport, asked: ModelRequest | None = None) -> str:
    """The text of an answer."""
    async with aclosing(transport.stream(asked or request())) as events:
        return "".join([event.text async for event in events if isinstance(event, TextDelta)])


async def fault_of(transport: HttpTransport, asked: ModelRequest | None = None) -> RunFault:
    """How an attempt fails."""
    with pytest.raises(TransportFailed) as raised:
        await text_of(transport, asked)
    assert KEY not in f"{raised.value!r} {raised.value.fault!r} {raised.value.__cause__!r} {transport!r}"
    return raised.value.fault
