"""Short ways to write down a request and the body that Responses must get for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from beyond_wire.caps import caps_for
from beyond_wire.testing.recorded import RecordedRequest
from beyond_wire.types import ImageSource, Message, ModelRequest, TextBlock, ToolDef

if TYPE_CHECKING:
    from beyond_wire.testing.fixture import Fields

PLAIN = "gpt-4o"
"""Model that does not think."""

ALWAYS = "gpt-5"
"""Model that always thinks."""

SWITCHED = "gpt-5.1"
"""Model that thinks when asked to."""

INCLUDE: Fields = {"include": ["reasoning.encrypted_content"]}

PNG = ImageSource(media_type="image/png", data="AAEC")
PNG_SENT: Fields = {"type": "input_image", "detail": "auto", "image_url": "data:image/png;base64,AAEC"}

READ = ToolDef(
    name="read", description="Read a file.", input_schema={"type": "object", "properties": {"b": {}, "a": {}}}
)
READ_SENT: Fields = {
    "type": "function",
    "name": "read",
    "description": "Read a file.",
    "parameters": {"type": "object", "properties": {"b": {}, "a": {}}},
}
NOW = ToolDef(name="now", description="Tell the time.", input_schema={"type": "object"})
NOW_SENT: Fields = {
    "type": "function",
    "name": "now",
    "description": "Tell the time.",
    "parameters": {"type": "object"},
}


def golden(
    name: str,
    messages: tuple[Message, ...],
    items: list[Fields | msgspec.Raw],
    *,
    model: str = PLAIN,
    caps: Fields | None = None,
    sent: Fields | None = None,
    headers: dict[str, str] | None = None,
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
            "input": items,
            "stream": request.stream,
            "store": False,
            "max_output_tokens": request.max_tokens,
            **(sent or {}),
        },
        headers=headers or {},
    )


def words(text: str) -> Fields:
    """Return a text of the user as it is sent."""
    return {"type": "input_text", "text": text}


def asks(*content: Fields) -> Fields:
    """Return a user's item as it is sent."""
    return {"role": "user", "content": list(content)}


def says(text: str, id: str, phase: str | None = None) -> Fields:  # noqa: A002 - the wire's word
    """Return a text of the assistant as it is sent."""
    return {
        "type": "message",
        "role": "assistant",
        "status": "completed",
        "id": id,
        **({} if phase is None else {"phase": phase}),
        "content": [{"type": "output_text", "text": text}],
    }


def called(call_id: str, arguments: str = "{}", *, item_id: str | None = None) -> Fields:
    """Return a call of `read` as it is sent."""
    own = {} if item_id is None else {"id": item_id}
    return {"type": "function_call", **own, "call_id": call_id, "name": "read", "arguments": arguments}


def output(call_id: str, content: str | list[Fields]) -> Fields:
    """Return a result as it is sent."""
    return {"type": "function_call_output", "call_id": call_id, "output": content}


def option(name: str, *, system_sent: tuple[Fields, ...] = (), **options: Any) -> RecordedRequest:
    """Return a request of one short message."""
    return golden(
        name, (Message(role="user", content=(TextBlock(text="Hi"),)),), [*system_sent, asks(words("Hi"))], **options
    )
