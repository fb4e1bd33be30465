"""Requests for reasoning and with every setting, with the exact body each is on Chat Completions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from beyond_wire.caps import caps_for
from beyond_wire.testing.chat_golden import (
    HI_SENT,
    NO_TOOLS,
    PLAIN,
    THINKER,
    WEATHER,
    WEATHER_SENT,
    calls_sent,
    golden,
    result,
    result_sent,
    use_sent,
    used,
)
from beyond_wire.types import (
    Message,
    RedactedThinkingBlock,
    TextBlock,
    Thinking,
    ThinkingBlock,
    ToolUseBlock,
    assistant,
    tool_results,
    user,
)

if TYPE_CHECKING:
    from beyond_wire.testing.recorded import RecordedRequest

THINKING_REQUESTS: tuple[RecordedRequest, ...] = (
    *(
        golden(
            f"reasoning-replayed-as-{field}",
            (user("Hi"), assistant([ThinkingBlock(thinking="Hm.", signature=field), TextBlock(text="Hello!")])),
            [HI_SENT, {"role": "assistant", "content": "Hello!", field: "Hm."}],
        )
        for field in ("reasoning_content", "reasoning", "reasoning_text")
    ),
    golden(
        "reasoning-before-calls",
        (
            user("Hi"),
            assistant(
                [
                    ThinkingBlock(thinking="One.", signature="reasoning"),
                    ThinkingBlock(thinking="Two.", signature="reasoning"),
                    used("call_a"),
                ]
            ),
            tool_results([result("call_a", "ok")]),
        ),
        [
            HI_SENT,
            {
                "role": "assistant",
                "content": None,
                "reasoning": "One.\n\nTwo.",
                "tool_calls": [use_sent("call_a")],
            },
            result_sent("call_a", "ok"),
        ],
        options=NO_TOOLS,
    ),
    golden(
        "reasoning-alone",
        (user("Hi"), assistant([ThinkingBlock(thinking="Hm.", signature="reasoning")])),
        [HI_SENT, {"role": "assistant", "content": "(no content)", "reasoning": "Hm."}],
    ),
    golden(
        "thinking-of-other-dialects",
        (
            user("Hi"),
            assistant(
                [
                    ThinkingBlock(thinking="Hm."),
                    ThinkingBlock(thinking="So.", signature="EqQBCgIYAhIM"),
                    ThinkingBlock(thinking="", signature='{"type":"reasoning"}'),
                    RedactedThinkingBlock(data="EmwKAhgB"),
                    TextBlock(text="Hello!"),
                ]
            ),
        ),
        [HI_SENT, {"role": "assistant", "content": "Hm.\n\nSo.\n\nHello!"}],
    ),
    golden(
        "redacted-thinking-alone",
        (user("Hi"), assistant([RedactedThinkingBlock(data="EmwKAhgB")]), user("Bye")),
        [HI_SENT, {"role": "assistant", "content": "(no content)"}, {"role": "user", "content": "Bye"}],
    ),
    golden(
        "turn-of-another-model",
        (
            user("Hi"),
            Message(
                role="assistant",
                model_id="claude-opus-4-8",
                content=(
                    ThinkingBlock(thinking="Hm.", signature="EqQBCgIYAhIM"),
                    RedactedThinkingBlock(data="EmwKAhgB"),
                    TextBlock(text="Hello!", id="msg_1", phase="commentary"),
                    ToolUseBlock(id="toolu_01", name="weather", input={}, thought_signature="sig"),
                ),
            ),
            tool_results([result("toolu_01", "ok")]),
        ),
        [
            HI_SENT,
            calls_sent(use_sent("toolu_01"), content="Hm.\n\nHello!"),
            result_sent("toolu_01", "ok"),
        ],
        options=NO_TOOLS,
    ),
    *(
        golden(
            f"effort-{asked}-of-{name}",
            (user("Hi"),),
            [HI_SENT],
            model=model,
            limit=limit,
            effort=sent,
            reasoning_effort=asked,
            temperature=0.5,
            options={} if limit != "max_tokens" else {"temperature": 0.5},
        )
        for name, model, limit, asked, sent in (
            ("gpt-5", "gpt-5", "max_completion_tokens", "xhigh", "high"),
            ("gpt-5", "gpt-5", "max_completion_tokens", "minimal", "minimal"),
            ("gpt-5.2", "openai/gpt-5.2", "max_completion_tokens", "xhigh", "xhigh"),
            ("o3", "o3", "max_completion_tokens", "minimal", "low"),
            ("one-that-has-none", PLAIN, "max_tokens", "high", None),
        )
    ),
    golden(
        "effort-of-a-model-with-words-of-its-own",
        (user("Hi"),),
        [HI_SENT],
        caps=replace(caps_for(PLAIN), thinking="effort", efforts=("low", "xhigh"), xhigh_word="max"),
        effort="max",
        reasoning_effort="xhigh",
    ),
    golden("budget", (user("Hi"),), [HI_SENT], thinking=Thinking(budget_tokens=2_000, display="summarized")),
)
"""Reasoning replayed and asked for."""

OPTION_REQUESTS: tuple[RecordedRequest, ...] = (
    golden("temperature", (user("Hi"),), [HI_SENT], temperature=0.0, options={"temperature": 0.0}),
    golden(
        "cache",
        (user("Hi"),),
        [HI_SENT],
        model=THINKER,
        limit="max_completion_tokens",
        cache_key="k" * 70,
        cache_long=True,
        options={"prompt_cache_key": "k" * 64, "prompt_cache_retention": "24h"},
    ),
    golden(
        "cache-long-where-there-is-none",
        (user("Hi"),),
        [HI_SENT],
        cache_key="thread-1",
        cache_long=True,
        options={"prompt_cache_key": "thread-1"},
    ),
    golden(
        "cache-refused",
        (user("Hi"),),
        [HI_SENT],
        model=THINKER,
        limit="max_completion_tokens",
        cache_key="thread-1",
        cache_long=True,
        no_cache=True,
    ),
    golden("cache-key-empty", (user("Hi"),), [HI_SENT], cache_key=""),
    golden(
        "all-options",
        (user("Hi"),),
        [{"role": "system", "content": "Be brief."}, HI_SENT],
        caps=replace(caps_for(PLAIN), thinking="budget", efforts=("low", "high"), long_cache=True),
        effort="low",
        system="Be brief.",
        tools=(WEATHER,),
        tool_choice="auto",
        temperature=0.25,
        reasoning_effort="medium",
        reasoning_summary="auto",
        service_tier="flex",
        user_id="user-1",
        cache_key="thread-1",
        cache_long=True,
        options={
            "temperature": 0.25,
            "prompt_cache_key": "thread-1",
            "prompt_cache_retention": "24h",
            "tools": [WEATHER_SENT],
            "tool_choice": "auto",
        },
    ),
)
"""Settings."""
