"""What Chat Completions sends, as types: a chunk of a stream and a whole answer, with what is read of them.

A chunk has no kind: all of them are one struct whose fields are mostly absent. Values that only some providers send,
and in whatever type, are unchecked here and looked at where they are used, so that a stranger's field never costs an
answer.
"""

from __future__ import annotations

from typing import Any, Final, Literal

import msgspec

from beyond_wire.envelope import Inner, Usage

REASONING_FIELDS: Final = ("reasoning_content", "reasoning", "reasoning_text")
"""Names under which providers send reasoning; the first that is not empty counts (wire contract, Chat)."""


class Part(msgspec.Struct, gc=False):
    """One part of a content that is a list."""

    type: Any = None
    text: Any = None


class Function(msgspec.Struct, gc=False):
    """Name of the function that is called, and more of its argument text."""

    name: str | None = None
    arguments: str | None = None


class CallPiece(msgspec.Struct, gc=False):
    """A piece of the call at `index`; `id` and the name come with the first piece of a call, or with all of them."""

    index: int | None = None
    id: str | None = None
    function: Function | None = None


class Delta(msgspec.Struct, gc=False):
    """More of the message, or the whole of it. `function_call` is what calls were before there could be several."""

    content: str | list[Part] | None = None
    reasoning_content: Any = None
    reasoning: Any = None
    reasoning_text: Any = None
    refusal: Any = None
    tool_calls: list[CallPiece] | None = None
    function_call: Function | None = None


class PlainChoice(msgspec.Struct, gc=False, kw_only=True):
    """One of the answers asked for; only the first, at index 0, is read."""

    index: int | None = None
    delta: Delta | None = None
    finish_reason: str | None = None


class Choice(PlainChoice, gc=False, kw_only=True):
    """A choice with the usage that Moonshot puts there."""

    usage: Usage | None = None


class Chunk(msgspec.Struct, gc=False, kw_only=True):
    """One event of a stream. `choices` may be empty anywhere; `x_groq` is where Groq puts usage and errors."""

    choices: list[Choice] | None = None
    usage: Usage | None = None
    error: Any = None
    type: Any = None
    x_groq: Inner | None = None


class TextDelta(msgspec.Struct, gc=False):
    """A delta that is text, and nothing else that is read."""

    content: str
    reasoning_content: None = None
    reasoning: None = None
    reasoning_text: None = None
    refusal: None = None
    tool_calls: None = None
    function_call: None = None


class TextChoice(msgspec.Struct, gc=False, kw_only=True):
    """A choice whose delta is only text."""

    delta: TextDelta
    index: Literal[0] = 0
    finish_reason: Literal[""] | None = None
    usage: None = None


class TextChunk(msgspec.Struct, gc=False, kw_only=True):
    """A chunk of one choice, which is only text: a field that must be looked at does not fit its type here.

    Nearly all chunks are such. To have the decoder refuse the others is cheaper than to look at every field afterwards.
    Usage fits, because some providers send it on every chunk.
    """

    choices: tuple[TextChoice]
    usage: Usage | None = None
    error: None = None
    type: None = None
    x_groq: None = None


class WholeChoice(msgspec.Struct, gc=False, kw_only=True):
    """One of the answers of a body that is not streamed."""

    message: Delta
    index: int | None = None
    finish_reason: str | None = None


class Answer(msgspec.Struct, gc=False, kw_only=True):
    """A body that is not streamed."""

    choices: list[WholeChoice]
