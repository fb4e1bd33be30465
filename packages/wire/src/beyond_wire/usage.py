"""Token counts as a provider reported them, and how each dialect spells them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

import msgspec

from beyond_wire.envelope import decode_envelope, model_of
from beyond_wire.json_scan import last_usage_object

if TYPE_CHECKING:
    from beyond_wire.envelope import Envelope, Usage
    from beyond_wire.types import TokenUsage

Family: TypeAlias = Literal["openai", "anthropic"]
"""Family of a wire format: `openai` is Chat Completions and Responses, `anthropic` is Messages."""

MAX_COUNT = 10**12
"""Largest believable count, in tokens: a million times the largest context window sold. Above it a count is unknown."""

_ANTHROPIC_TYPES = ("message", "message_start", "message_delta")  # a tuple: the type on the wire may be unhashable


class UsageFacts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one answer cost, in tokens; None is unknown, which is not zero.

    `wire` says how counts contain each other. `openai`: input includes cached, output includes reasoning. `anthropic`:
    input excludes cache reads and writes. In both, `cache_write_1h_tokens` is a part of `cache_write_tokens` and
    `reasoning_tokens` a part of `output_tokens`.
    """

    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_tokens: int | None = None
    cache_write_tokens: int | None = None
    cache_write_1h_tokens: int | None = None
    reasoning_tokens: int | None = None
    wire: Family

    def over(self, older: UsageFacts | None) -> UsageFacts:
        """Return these facts, with the unknown ones taken from `older`: counts are cumulative, the last known wins."""
        if older is None:
            return self
        return UsageFacts(
            input_tokens=_first(self.input_tokens, older.input_tokens),
            output_tokens=_first(self.output_tokens, older.output_tokens),
            cache_read_tokens=_first(self.cache_read_tokens, older.cache_read_tokens),
            cache_write_tokens=_first(self.cache_write_tokens, older.cache_write_tokens),
            cache_write_1h_tokens=_first(self.cache_write_1h_tokens, older.cache_write_1h_tokens),
            reasoning_tokens=_first(self.reasoning_tokens, older.reasoning_tokens),
            wire=self.wire,
        )

    def to_token_usage(self) -> TokenUsage:
        """Return these facts as the counts of a turn: input uncached and never below 0, the unknown 0."""
        # The gateway meters and never asks for this: it does not pay for the vocabulary of turns.
        from beyond_wire.types import TokenUsage  # noqa: PLC0415 - see above

        cached = self.cache_read_tokens or 0
        inputs = self.input_tokens or 0
        for_an_hour = self.cache_write_1h_tokens or 0
        return TokenUsage(
            input_tokens=max(0, inputs - cached) if self.wire == "openai" else inputs,
            output_tokens=self.output_tokens or 0,
            cache_read_tokens=cached,
            # A part is no more than the whole, though a provider may tell the part alone.
            cache_write_tokens=max(self.cache_write_tokens or 0, for_an_hour),
            cache_write_1h_tokens=for_an_hour,
            reasoning_tokens=self.reasoning_tokens or 0,
        )


def usage_from_body(dialect: Family, body: bytes, *, truncated: bool = False) -> UsageFacts | None:
    """Usage of a whole JSON answer, or None when it reports none in this dialect.

    With `truncated`, `body` is only the end of a longer answer, cut anywhere: then the last complete `"usage"` object
    in it counts. Raises nothing, whatever the bytes.
    """
    read = openai_facts if dialect == "openai" else anthropic_facts
    if truncated:
        return last_usage_object(body, read)
    return facts_and_model(dialect, body)[0]


def facts_and_model(dialect: Family, body: bytes) -> tuple[UsageFacts | None, str | None]:
    """Usage and model of a whole JSON answer, each None where it has none, for the price of one decode.

    The same answers as `usage_from_body` and `model_from_body` give. Raises nothing, whatever the bytes.
    """
    envelope = decode_envelope(body)
    if envelope is None:
        return None, None
    if dialect == "openai":
        facts = openai_envelope_facts(envelope)
    else:
        # An Anthropic answer has no `object`; all of OpenAI's have one.
        facts = anthropic_facts(envelope.usage) if envelope.object is None else None
    return facts, model_of(envelope)


def openai_envelope_facts(envelope: Envelope) -> UsageFacts | None:
    """Facts of one body or stream event of Chat Completions or Responses, wherever its provider puts them.

    In order: the root; `response` (Responses events); `choices[0]` (Moonshot); `x_groq` (Groq without include_usage).
    """
    if envelope.type in _ANTHROPIC_TYPES:
        return None
    facts = openai_facts(envelope.usage)
    if facts is None and envelope.response is not None:
        facts = openai_facts(envelope.response.usage)
    if facts is None and envelope.choices:
        facts = openai_facts(envelope.choices[0].usage)
    if facts is None and envelope.x_groq is not None:
        facts = openai_facts(envelope.x_groq.usage)
    return facts


def openai_facts(usage: Usage | None) -> UsageFacts | None:
    """Facts of one OpenAI usage object; None when it knows nothing or speaks Anthropic's dialect.

    Names and rules: gateway contract, usage. xAI reports reasoning outside the completion: seen where total = prompt +
    completion + reasoning, and then added, so that output includes reasoning for every provider.
    """
    if usage is None:
        return None
    if usage.prompt_tokens is not None or usage.completion_tokens is not None:
        inputs, input_details = _count(usage.prompt_tokens), usage.prompt_tokens_details
        outputs, output_details = _count(usage.completion_tokens), usage.completion_tokens_details
    elif not _has_anthropic_marks(usage):
        inputs, input_details = _count(usage.input_tokens), usage.input_tokens_details
        outputs, output_details = _count(usage.output_tokens), usage.output_tokens_details
    else:
        return None
    cached = None if input_details is None else _count(input_details.cached_tokens)
    if cached is None:
        cached = _count(usage.prompt_cache_hit_tokens)  # DeepSeek
    reasoning = None if output_details is None else _count(output_details.reasoning_tokens)
    if inputs is None and outputs is None and cached is None and reasoning is None:
        return None
    if reasoning and inputs is not None and outputs is not None:
        apart = outputs + reasoning
        outputs = apart if usage.total_tokens == inputs + apart else outputs
    return UsageFacts(
        input_tokens=inputs,
        output_tokens=outputs,
        cache_read_tokens=cached,
        reasoning_tokens=reasoning,
        wire="openai",
    )


def anthropic_facts(usage: Usage | None) -> UsageFacts | None:
    """Facts of one Anthropic usage object; None when it knows nothing or speaks OpenAI's dialect."""
    if usage is None or (_has_openai_marks(usage) and not _has_anthropic_marks(usage)):
        return None
    written, output_details = usage.cache_creation, usage.output_tokens_details
    facts = UsageFacts(
        input_tokens=_count(usage.input_tokens),
        output_tokens=_count(usage.output_tokens),
        cache_read_tokens=_count(usage.cache_read_input_tokens),
        cache_write_tokens=_count(usage.cache_creation_input_tokens),
        cache_write_1h_tokens=None if written is None else _count(written.ephemeral_1h_input_tokens),
        reasoning_tokens=None if output_details is None else _count(output_details.thinking_tokens),
        wire="anthropic",
    )
    return None if facts == _NOTHING else facts


_NOTHING = UsageFacts(wire="anthropic")


def _has_anthropic_marks(usage: Usage) -> bool:
    return (
        usage.cache_read_input_tokens is not None
        or usage.cache_creation_input_tokens is not None
        or usage.cache_creation is not None
    )


def _has_openai_marks(usage: Usage) -> bool:
    return (
        usage.prompt_tokens is not None
        or usage.completion_tokens is not None
        or usage.total_tokens is not None
        or usage.input_tokens_details is not None
    )


def _count(value: object) -> int | None:
    # bool is an int to Python, and a float is a number to JSON; neither is a count.
    return value if type(value) is int and 0 <= value <= MAX_COUNT else None


def _first(newer: int | None, older: int | None) -> int | None:
    return older if newer is None else newer
