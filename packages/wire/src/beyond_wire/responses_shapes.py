"""What Responses sends, as types: the events of a stream, the items of an output, and a whole answer.

Names are short words for the wire's own; each tag says which one. An item stays JSON text at first, because a reasoning
item is replayed as it came; so do parts that may be of any type, such as usage and errors. `responses_read` decodes
them.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import msgspec

NULL = msgspec.Raw(b"null")
"""JSON text of a field that is absent."""


class Part(msgspec.Struct, gc=False):
    """One part of a message, of a summary or of reasoning; values are unchecked."""

    text: Any = None
    refusal: Any = None


class Message(msgspec.Struct, gc=False, tag="message"):
    """What the model says, as it opens or whole."""

    id: Any = None
    phase: Any = None
    content: list[Part] | None = None


class Call(msgspec.Struct, gc=False, kw_only=True, tag="function_call"):
    """A call of a function, as it opens or whole. Results cite `call_id`; `id` is the item's own."""

    name: str
    call_id: str | None = None
    id: str | None = None
    arguments: str | None = None


class Reasoning(msgspec.Struct, gc=False, tag="reasoning"):
    """Reasoning, as it opens or whole. `source` is the item's JSON text, filled in by the reader."""

    summary: list[Part] | None = None
    content: list[Part] | None = None
    source: Any = None


Item: TypeAlias = Message | Call | Reasoning


class Reply(msgspec.Struct, gc=False, kw_only=True):
    """The response around its output."""

    error: msgspec.Raw = NULL
    incomplete_details: msgspec.Raw = NULL
    usage: msgspec.Raw = NULL


class Details(msgspec.Struct, gc=False):
    """Why a response is incomplete."""

    reason: Any = None


class _Event(msgspec.Struct, gc=False, kw_only=True):
    error: Any = None


class _Whole(_Event, gc=False, kw_only=True):
    response: Reply
    usage: msgspec.Raw = NULL


class Created(_Whole, gc=False, kw_only=True, tag="response.created"):
    """The answer begins."""


class Going(_Whole, gc=False, kw_only=True, tag="response.in_progress"):
    """The answer goes on."""


class Completed(_Whole, gc=False, kw_only=True, tag="response.completed"):
    """The answer is complete."""


class Incomplete(_Whole, gc=False, kw_only=True, tag="response.incomplete"):
    """The answer was ended early."""


class Failed(_Whole, gc=False, kw_only=True, tag="response.failed"):
    """There will be no answer."""


class Opened(_Event, gc=False, kw_only=True, tag="response.output_item.added"):
    """An item begins."""

    output_index: int
    item: msgspec.Raw


class Closed(_Event, gc=False, kw_only=True, tag="response.output_item.done"):
    """An item is complete."""

    output_index: int
    item: msgspec.Raw


class _More(_Event, gc=False, kw_only=True):
    output_index: int
    delta: str


class TextMore(_More, gc=False, kw_only=True, tag="response.output_text.delta"):
    """More text."""


class RefusalMore(_More, gc=False, kw_only=True, tag="response.refusal.delta"):
    """More of the words of a refusal."""


class ArgumentsMore(_More, gc=False, kw_only=True, tag="response.function_call_arguments.delta"):
    """More of a call's argument text."""


class ArgumentsWhole(_Event, gc=False, kw_only=True, tag="response.function_call_arguments.done"):
    """All of a call's argument text."""

    output_index: int
    arguments: str


class SummaryMore(_More, gc=False, kw_only=True, tag="response.reasoning_summary_text.delta"):
    """More of a summary of reasoning."""


class ThoughtMore(_More, gc=False, kw_only=True, tag="response.reasoning_text.delta"):
    """More of reasoning itself, which open models show."""


class SummaryPartEnd(_Event, gc=False, kw_only=True, tag="response.reasoning_summary_part.done"):
    """A part of a summary is complete."""

    output_index: int


Event: TypeAlias = (
    Created
    | Going
    | Completed
    | Incomplete
    | Failed
    | Opened
    | Closed
    | TextMore
    | RefusalMore
    | ArgumentsMore
    | ArgumentsWhole
    | SummaryMore
    | ThoughtMore
    | SummaryPartEnd
)


class Answer(Reply, gc=False, kw_only=True):
    """A whole response; its output is decoded item by item."""

    object: Literal["response"]
    status: Any = None
    output: list[msgspec.Raw]
