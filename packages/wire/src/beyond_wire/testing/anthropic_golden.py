"""Short ways to write down a request and the body that Anthropic Messages must get for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from beyond_wire.caps import caps_for
from beyond_wire.testing.recorded import RecordedRequest
from beyond_wire.types import ImageSource, Message, ModelRequest, TextBlock, ToolDef

if TYPE_CHECKING:
    from beyond_wire.testing.fixture import Fields

OLD = "claude-3-5-haiku-20241022"
"""Model that does not think."""

BUDGET = "claude-sonnet-4-5-20250929"
"""Model that thinks by a budget."""

ADAPTIVE = "claude-opus-4-8"
"""Model that thinks adaptively."""

INTERLEAVED = "interleaved-thinking-2025-05-14"
FINE_GRAINED = "fine-grained-tool-streaming-2025-05-14"

MARK: Fields = {"cache_control": {"type": "ephemeral"}}
"""What a cache breakpoint adds to its object."""

PNG = ImageSource(media_type="image/png", data="AAEC")
PNG_SENT: Fields = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAEC"}}

READ = ToolDef(
    name="read", description="Read a file.", input_schema={"type": "object", "properties": {"b": {}, "a": {}}}
)
READ_SENT: Fields = {
    "name": "read",
    "description": "Read a file.",
    "input_schema": {"type": "object", "properties": {"b": {}, "a": {}}},
}
NOW = ToolDef(name="now", description="Tell the time.", input_schema={"type": "object"})
NOW_SENT: Fields = {"name": "now", "description": "Tell the time.", "input_schema": {"type": "object"}}


def golden(
    name: str,
    messages: tuple[Message, ...],
    messages_sent: list[Fields],
    *,
    model: str = OLD,
    caps: Fields | None = None,
    sent: Fields | None = None,
    betas: str | None = None,
    **options: Any,
) -> RecordedRequest:
    """Return a request of `messages` with `options`; `caps` changes the model's row, `sent` is what follows them."""
    options.setdefault("max_tokens", 4_000)
    request = ModelRequest(model=model, messages=messages, **options)
    return RecordedRequest(
        name=name,
        request=request,
        caps=msgspec.structs.replace(caps_for(model), **(caps or {})),
        body={
            "model": model,
            "max_tokens": request.max_tokens,
            "stream": request.stream,
            "messages": messages_sent,
            **(sent or {}),
        },
        headers={"anthropic-version": "2023-06-01", **({} if betas is None else {"anthropic-beta": betas})},
    )


def words(text: str) -> Fields:
    """Return a text block as it is sent."""
    return {"type": "text", "text": text}


def marked(text: str) -> Fields:
    """Return a text block with a cache breakpoint."""
    return words(text) | MARK


def asks(*content: Fields) -> Fields:
    """Return a user message as it is sent."""
    return {"role": "user", "content": list(content)}


def says(*content: Fields) -> Fields:
    """Return an assistant message as it is sent."""
    return {"role": "assistant", "content": list(content)}


def option(
    name: str, *, sent: Fields | None = None, mark: Fields | None = None, betas: str | None = None, **options: Any
) -> RecordedRequest:
    """Return a request of one short message, whose breakpoint is `mark`."""
    hi = (Message(role="user", content=(TextBlock(text="Hi"),)),)
    return golden(name, hi, [asks(words("Hi") | (MARK if mark is None else mark))], sent=sent, betas=betas, **options)
