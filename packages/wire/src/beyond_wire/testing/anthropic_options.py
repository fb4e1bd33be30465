"""Requests whose options matter, with the exact body and betas that Anthropic Messages must get for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from beyond_wire.testing.anthropic_golden import (
    ADAPTIVE,
    BUDGET,
    FINE_GRAINED,
    INTERLEAVED,
    MARK,
    NOW,
    NOW_SENT,
    READ,
    READ_SENT,
    option,
    words,
)
from beyond_wire.types import NamedTool, Thinking

if TYPE_CHECKING:
    from beyond_wire.testing.fixture import Fields

_EAGER: Fields = {"eager_input_streaming": True}
_HOUR: Fields = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}
_OFF: Fields = {"thinking": {"type": "disabled"}}
_BOTH = (READ, NOW)
_BOTH_SENT = [READ_SENT, NOW_SENT | MARK]
_EFFORT_BUDGETS = (("minimal", 1024), ("low", 2048), ("medium", 8192), ("high", 16384), ("xhigh", 16384))
_EFFORT_WORDS = (("minimal", "low"), ("low", "low"), ("medium", "medium"), ("high", "high"), ("xhigh", "xhigh"))


def _enabled(budget: int) -> Fields:
    return {"thinking": {"type": "enabled", "budget_tokens": budget}}


def _adaptive(effort: str | None = None) -> Fields:
    return {"thinking": {"type": "adaptive"}, **({} if effort is None else {"output_config": {"effort": effort}})}


_CACHE = (
    option(
        "cache-marks",
        system="Be kind.",
        tools=_BOTH,
        sent={"system": [words("Be kind.") | MARK], "tools": _BOTH_SENT},
        betas=FINE_GRAINED,
    ),
    option(
        "cache-not-wanted",
        system="Be kind.",
        tools=_BOTH,
        no_cache=True,
        cache_long=True,
        mark={},
        sent={"system": [words("Be kind.")], "tools": [READ_SENT, NOW_SENT]},
        betas=FINE_GRAINED,
    ),
    option(
        "cache-long",
        model=ADAPTIVE,
        system="Be kind.",
        tools=_BOTH,
        cache_long=True,
        mark=_HOUR,
        sent={
            "system": [words("Be kind.") | _HOUR],
            "tools": [READ_SENT | _EAGER, NOW_SENT | _EAGER | _HOUR],
            **_OFF,
        },
    ),
    option("cache-long-not-supported", model=BUDGET, cache_long=True, sent=_OFF, betas=INTERLEAVED),
    option("blank-system", system=" \n"),
)

_TOOLS = (
    option("eager-tools", model=ADAPTIVE, tools=(READ,), sent={"tools": [READ_SENT | _EAGER | MARK], **_OFF}),
    option(
        "both-betas",
        model=BUDGET,
        tools=(READ,),
        sent={"tools": [READ_SENT | MARK], **_OFF},
        betas=f"{INTERLEAVED},{FINE_GRAINED}",
    ),
    *[
        option(
            f"tool-choice-{choice}",
            tools=_BOTH,
            tool_choice=choice,
            sent={"tools": _BOTH_SENT, "tool_choice": {"type": word}},
            betas=FINE_GRAINED,
        )
        for choice, word in (("auto", "auto"), ("none", "none"), ("required", "any"))
    ],
    option(
        "tool-choice-of-one",
        tools=_BOTH,
        tool_choice=NamedTool(name="now"),
        sent={"tools": _BOTH_SENT, "tool_choice": {"type": "tool", "name": "now"}},
        betas=FINE_GRAINED,
    ),
    option("tool-choice-without-tools", tool_choice="auto"),
)

_THINKING = (
    option("budget-off", model=BUDGET, temperature=0.5, sent={**_OFF, "temperature": 0.5}, betas=INTERLEAVED),
    option(
        "budget",
        model=BUDGET,
        thinking=Thinking(budget_tokens=2_000, display="omitted"),
        reasoning_effort="high",
        temperature=0.5,
        sent={"thinking": {"type": "enabled", "budget_tokens": 2_000, "display": "omitted"}},
        betas=INTERLEAVED,
    ),
    option(
        "budget-lowered", model=BUDGET, thinking=Thinking(budget_tokens=4_000), sent=_enabled(2_976), betas=INTERLEAVED
    ),
    option(
        "budget-that-just-fits",
        model=BUDGET,
        thinking=Thinking(budget_tokens=3_999),
        sent=_enabled(3_999),
        betas=INTERLEAVED,
    ),
    option(
        "budget-too-small",
        model=BUDGET,
        thinking=Thinking(budget_tokens=1_023),
        temperature=0.5,
        sent={"temperature": 0.5},
        betas=INTERLEAVED,
    ),
    option(
        "budget-without-room", model=BUDGET, thinking=Thinking(budget_tokens=9_000), max_tokens=2_047, betas=INTERLEAVED
    ),
    *[
        option(
            f"budget-of-effort-{effort}",
            model=BUDGET,
            reasoning_effort=effort,
            max_tokens=32_000,
            sent=_enabled(budget),
            betas=INTERLEAVED,
        )
        for effort, budget in _EFFORT_BUDGETS
    ],
    option("adaptive-off", model=ADAPTIVE, temperature=0.5, sent={**_OFF, "temperature": 0.5}),
    option("adaptive-cannot-be-off", model=ADAPTIVE, caps={"can_disable": False}),
    option("adaptive-without-effort", model=ADAPTIVE, thinking=Thinking(budget_tokens=2_000), sent=_adaptive()),
    option(
        "adaptive-with-display",
        model=ADAPTIVE,
        thinking=Thinking(budget_tokens=2_000, display="summarized"),
        reasoning_effort="medium",
        temperature=0.5,
        sent={"thinking": {"type": "adaptive", "display": "summarized"}, "output_config": {"effort": "medium"}},
    ),
    *[
        option(f"adaptive-effort-{effort}", model=ADAPTIVE, reasoning_effort=effort, sent=_adaptive(word))
        for effort, word in _EFFORT_WORDS
    ],
    option("adaptive-xhigh-is-max", model="claude-opus-4-6", reasoning_effort="xhigh", sent=_adaptive("max")),
    option("adaptive-xhigh-is-high", model="claude-sonnet-4-6", reasoning_effort="xhigh", sent=_adaptive("high")),
    option("thinking-not-known", thinking=Thinking(budget_tokens=2_000), reasoning_effort="high"),
    option(
        "effort-alone",
        caps={"thinking": "effort", "efforts": ("low", "high"), "temperature": False},
        reasoning_effort="medium",
        temperature=0.5,
        sent={"output_config": {"effort": "low"}},
    ),
)

OPTIONS = (
    *_CACHE,
    *_TOOLS,
    *_THINKING,
    option("temperature", temperature=1, sent={"temperature": 1}),
    option("temperature-rejected", caps={"temperature": False}, temperature=0.5),
    option("no-stream", stream=False),
    option("user", user_id="u-1", sent={"metadata": {"user_id": "u-1"}}),
    option(
        "every-option",
        model=BUDGET,
        system="Be kind.",
        tools=(READ,),
        thinking=Thinking(budget_tokens=2_000),
        reasoning_effort="low",
        tool_choice="auto",
        temperature=0.5,
        cache_key="k",
        cache_long=True,
        user_id="u-1",
        reasoning_summary="auto",
        service_tier="flex",
        stream=False,
        sent={
            "system": [words("Be kind.") | MARK],
            "tools": [READ_SENT | MARK],
            **_enabled(2_000),
            "tool_choice": {"type": "auto"},
            "metadata": {"user_id": "u-1"},
        },
        betas=f"{INTERLEAVED},{FINE_GRAINED}",
    ),
)
"""Options of a request to models of each kind."""
