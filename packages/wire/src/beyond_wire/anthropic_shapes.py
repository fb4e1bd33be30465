"""What Anthropic sends, as types: the events of a stream and the message of a whole answer, with what is read of them.

Names are short words for the wire's own; each tag says which one. `anthropic_read` decodes them.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import msgspec

from beyond_wire.envelope import Usage

_EMPTY = msgspec.Raw(b"{}")


class Text(msgspec.Struct, gc=False, tag="text"):
    """A text block as it opens, or whole."""

    text: str = ""


class Thought(msgspec.Struct, gc=False, tag="thinking"):
    """A thinking block as it opens, or whole."""

    thinking: str = ""
    signature: str = ""


class Redacted(msgspec.Struct, gc=False, tag="redacted_thinking"):
    """A block of encrypted thinking, always whole."""

    data: str = ""


class Call(msgspec.Struct, gc=False, tag="tool_use"):
    """A tool call. `input` is `{}` as it opens in a stream, and the arguments, as their JSON text, when it is whole."""

    id: str
    name: str
    input: msgspec.Raw = _EMPTY


class TextMore(msgspec.Struct, gc=False, tag="text_delta"):
    """More text."""

    text: str


class ThoughtMore(msgspec.Struct, gc=False, tag="thinking_delta"):
    """More thinking."""

    thinking: str


class SignatureMore(msgspec.Struct, gc=False, tag="signature_delta"):
    """More of a thinking block's signature."""

    signature: str


class InputMore(msgspec.Struct, gc=False, tag="input_json_delta"):
    """More of a call's argument text."""

    partial_json: str


class CitationMore(msgspec.Struct, gc=False, tag="citations_delta"):
    """A source of cited text, which nobody here reads; known so that streams full of them are read at full speed."""


Block: TypeAlias = Text | Thought | Redacted | Call
Delta: TypeAlias = TextMore | ThoughtMore | SignatureMore | InputMore | CitationMore


class Stop(msgspec.Struct, gc=False):
    """How an answer ended; values are unchecked."""

    stop_reason: Any = None
    stop_details: Any = None


class Start(msgspec.Struct, gc=False):
    """The message before its content."""

    usage: Usage | None = None


class _Event(msgspec.Struct, gc=False, kw_only=True):
    error: Any = None


class Started(_Event, gc=False, kw_only=True, tag="message_start"):
    """The answer begins."""

    message: Start | None = None


class Opened(_Event, gc=False, kw_only=True, tag="content_block_start"):
    """A block begins; None is a block of a kind that is skipped."""

    index: int
    content_block: Block | None


class Grown(_Event, gc=False, kw_only=True, tag="content_block_delta"):
    """A block goes on."""

    index: int
    delta: Delta


class Closed(_Event, gc=False, kw_only=True, tag="content_block_stop"):
    """A block is complete."""

    index: int


class Ended(_Event, gc=False, kw_only=True, tag="message_delta"):
    """The message has ended: its stop reason and its usage."""

    delta: Stop | None = None
    usage: Usage | None = None


class Done(_Event, gc=False, kw_only=True, tag="message_stop"):
    """The answer is complete."""


class Ping(_Event, gc=False, kw_only=True, tag="ping"):
    """Nothing."""


Event: TypeAlias = Started | Opened | Grown | Closed | Ended | Done | Ping


class Answer(Stop, gc=False, kw_only=True):
    """A whole message; its content is decoded block by block."""

    type: Literal["message"]  # a tag may be missing, this may not
    content: list[msgspec.Raw]
