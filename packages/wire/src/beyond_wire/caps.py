"""What models can do, as one table, and which dialect an id speaks.

A row is found by the longest prefix of what follows the last `/`, so that `anthropic/claude-opus-4-8` and a dated
id find the row of their family. An unknown model gets the conservative row. Callers override single fields of a row by
`msgspec.structs.replace`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from beyond_wire.types import EFFORTS, Caps

if TYPE_CHECKING:
    from collections.abc import Mapping

    from beyond_wire.types import DialectName

UNKNOWN = Caps()
"""Row of a model that no prefix matches."""

_LOW_TO_HIGH = EFFORTS[1:4]
_LOW_TO_XHIGH = EFFORTS[1:]
_CLAUDE_3 = Caps(window=200_000, max_output=4_096, vision=True)
# An effort asked of a budget model becomes a budget, so it has every level.
_BUDGET = replace(_CLAUDE_3, max_output=64_000, thinking="budget", efforts=EFFORTS, can_disable=True)
_ADAPTIVE = Caps(
    window=1_000_000,
    max_output=128_000,
    thinking="adaptive",
    efforts=_LOW_TO_XHIGH,
    can_disable=True,
    vision=True,
    long_cache=True,
    eager_tools=True,
)
_GPT_5 = Caps(
    window=400_000,
    max_output=128_000,
    output_field="max_completion_tokens",
    thinking="effort",
    efforts=EFFORTS[:4],
    vision=True,
    long_cache=True,
    temperature=False,
)
# From 5.1 on `none` takes the place of `minimal`; 5.1 itself stops at `high`.
_GPT_5_LATER = replace(_GPT_5, efforts=_LOW_TO_XHIGH, can_disable=True)
_O_SERIES = replace(_GPT_5, window=200_000, max_output=100_000, efforts=_LOW_TO_HIGH, long_cache=False)

ROWS: Mapping[str, Caps] = {
    "claude-opus-4-6": replace(_ADAPTIVE, xhigh_word="max"),
    "claude-opus-4-7": _ADAPTIVE,
    "claude-opus-4-8": _ADAPTIVE,
    "claude-sonnet-5": _ADAPTIVE,
    "claude-fable-5": _ADAPTIVE,
    "claude-sonnet-4-6": replace(_ADAPTIVE, max_output=64_000, efforts=_LOW_TO_HIGH),
    "claude-sonnet-4": _BUDGET,
    "claude-haiku-4": _BUDGET,
    "claude-opus-4-5": _BUDGET,
    "claude-3-7": _BUDGET,
    "claude-opus-4": replace(_BUDGET, max_output=32_000),
    "claude-3-5": replace(_CLAUDE_3, max_output=8_192),
    "claude-3-haiku": _CLAUDE_3,
    "claude-3-opus": _CLAUDE_3,
    "claude-3-sonnet": _CLAUDE_3,
    "gpt-5": _GPT_5,
    "gpt-5.": _GPT_5_LATER,
    "gpt-5.1": replace(_GPT_5_LATER, efforts=_LOW_TO_HIGH),
    "gpt-4.1": Caps(window=1_047_576, max_output=32_768, vision=True),
    "gpt-4o": Caps(window=128_000, max_output=16_384, vision=True),
    "o1": _O_SERIES,
    "o3": _O_SERIES,
    "o4": _O_SERIES,
}
"""Abilities by id prefix (wire contract, capabilities and dialect choice). `dialect` is filled in by `caps_for`."""

_RESPONSES_PREFIXES = ("gpt-4", "gpt-5", "o1", "o3", "o4")


def caps_for(model: str) -> Caps:
    """Abilities of `model`, with the dialect its id suggests; the row of an unknown model when nothing matches."""
    name = model.rpartition("/")[2]
    prefix = max((prefix for prefix in ROWS if name.startswith(prefix)), key=len, default=None)
    return (UNKNOWN if prefix is None else ROWS[prefix]).spoken(dialect_name(model))


def dialect_name(model: str) -> DialectName:
    """Name of the dialect that `model` is asked in.

    An id that starts with `claude` or contains `anthropic` is Anthropic, an OpenAI id without a slash is Responses,
    everything else Chat (wire contract, capabilities and dialect choice).
    """
    if model.startswith("claude") or "anthropic" in model:
        return "anthropic"
    if "/" not in model and model.startswith(_RESPONSES_PREFIXES):
        return "responses"
    return "chat"
