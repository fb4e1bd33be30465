"""Requests whose options matter, with the exact body and headers that Responses must get for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from beyond_wire.testing.responses_golden import (
    ALWAYS,
    INCLUDE,
    NOW,
    NOW_SENT,
    READ,
    READ_SENT,
    SWITCHED,
    option,
)
from beyond_wire.types import NamedTool, Thinking

if TYPE_CHECKING:
    from beyond_wire.testing.fixture import Fields
    from beyond_wire.testing.recorded import RecordedRequest

_OFF: Fields = {"reasoning": {"effort": "none"}}
_BOTH = (READ, NOW)
_BOTH_SENT = [READ_SENT, NOW_SENT]


def _thinks(effort: str, summary: str = "auto") -> Fields:
    return {"reasoning": {"effort": effort, "summary": summary}, **INCLUDE}


_REASONING = (
    option("thinking-unset-and-can-be-off", model=SWITCHED, sent=_OFF),
    option("thinking-unset-and-cannot-be-off", model=ALWAYS, sent=INCLUDE),
    option("thinking-of-a-model-that-does-not", reasoning_effort="high", reasoning_summary="auto"),
    *[
        option(f"effort-{model}-{asked}", model=model, reasoning_effort=asked, sent=_thinks(sent))
        for model, asked, sent in (
            (ALWAYS, "minimal", "minimal"),
            (ALWAYS, "low", "low"),
            (ALWAYS, "medium", "medium"),
            (ALWAYS, "high", "high"),
            (ALWAYS, "xhigh", "high"),
            (SWITCHED, "minimal", "low"),
            (SWITCHED, "xhigh", "high"),
            ("gpt-5.2", "xhigh", "xhigh"),
            ("o3", "minimal", "low"),
        )
    ],
    option(
        "effort-in-another-word",
        model="gpt-5.2",
        caps={"xhigh_word": "max"},
        reasoning_effort="xhigh",
        sent=_thinks("max"),
    ),
    option(
        "summary-and-effort",
        model=ALWAYS,
        reasoning_effort="low",
        reasoning_summary="detailed",
        sent=_thinks("low", "detailed"),
    ),
    option("summary-alone", model=SWITCHED, reasoning_summary="concise", sent=_thinks("medium", "concise")),
    option("budget-alone", model=SWITCHED, thinking=Thinking(budget_tokens=2_000), sent=_thinks("medium")),
    option(
        "levels-unknown",
        model=ALWAYS,
        caps={"efforts": ()},
        reasoning_effort="low",
        sent={"reasoning": {"summary": "auto"}, **INCLUDE},
    ),
)

_TOOLS = (
    option("tools", tools=_BOTH, sent={"tools": _BOTH_SENT}),
    *[
        option(
            f"tool-choice-{choice}", tools=_BOTH, tool_choice=choice, sent={"tools": _BOTH_SENT, "tool_choice": choice}
        )
        for choice in ("auto", "none", "required")
    ],
    option(
        "tool-choice-by-name",
        tools=_BOTH,
        tool_choice=NamedTool(name="now"),
        sent={"tools": _BOTH_SENT, "tool_choice": {"type": "function", "name": "now"}},
    ),
    option("tool-choice-without-tools", tool_choice="required"),
)

_SYSTEM = (
    option("system", system="Be kind.", system_sent=({"role": "system", "content": "Be kind."},)),
    option(
        "system-of-a-model-that-thinks",
        model=ALWAYS,
        system="Be kind.",
        system_sent=({"role": "developer", "content": "Be kind."},),
        sent=INCLUDE,
    ),
    option("system-blank", system=" \n"),
)

_CACHE = (
    option(
        "cache-key",
        cache_key="session 1",
        sent={"prompt_cache_key": "session 1"},
        headers={"session_id": "session 1", "x-client-request-id": "session 1"},
    ),
    option(
        "cache-key-long",
        cache_key="k" * 70,
        sent={"prompt_cache_key": "k" * 64},
        headers={"session_id": "k" * 70, "x-client-request-id": "k" * 70},
    ),
    option("cache-key-empty", cache_key=""),
    option("cache-not-wanted", model=SWITCHED, cache_key="k", cache_long=True, no_cache=True, sent=_OFF),
    option("cache-long", model=SWITCHED, cache_long=True, sent={"prompt_cache_retention": "24h", **_OFF}),
    option("cache-long-not-supported", cache_long=True),
)

_REST = (
    option("not-streamed", stream=False),
    option("temperature", temperature=0.5, sent={"temperature": 0.5}),
    option("temperature-rejected", model=SWITCHED, temperature=0.5, sent=_OFF),
    *[
        option(f"service-tier-{tier}", service_tier=tier, sent={"service_tier": tier})
        for tier in ("auto", "default", "flex", "priority")
    ],
    option("user-is-not-sent", user_id="u1"),
    option(
        "every-option",
        model=ALWAYS,
        caps={"temperature": True},
        system="Be kind.",
        system_sent=({"role": "developer", "content": "Be kind."},),
        tools=_BOTH,
        tool_choice="auto",
        temperature=1.0,
        service_tier="flex",
        cache_key="k",
        cache_long=True,
        reasoning_effort="high",
        reasoning_summary="concise",
        user_id="u1",
        thinking=Thinking(budget_tokens=1_024, display="summarized"),
        sent={
            "tools": _BOTH_SENT,
            "tool_choice": "auto",
            "temperature": 1.0,
            "service_tier": "flex",
            "prompt_cache_key": "k",
            "prompt_cache_retention": "24h",
            **_thinks("high", "concise"),
        },
        headers={"session_id": "k", "x-client-request-id": "k"},
    ),
    option(
        "model-of-another-vendor",
        caps={"thinking": "adaptive", "efforts": ("low",)},
        system="Be kind.",
        system_sent=({"role": "system", "content": "Be kind."},),
        sent=INCLUDE,
    ),
)

OPTIONS: tuple[RecordedRequest, ...] = (*_REASONING, *_TOOLS, *_SYSTEM, *_CACHE, *_REST)
"""Every request, names unique."""
