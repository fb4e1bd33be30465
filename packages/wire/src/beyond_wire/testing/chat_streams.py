"""Streams of Chat Completions, as its many providers send them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from beyond_wire.testing.fixture import DONE, Event, Stream, chat_usage, chunk, openai, sse

if TYPE_CHECKING:
    from beyond_wire.usage import UsageFacts

GPT = "gpt-4o-2024-08-06"


def _chat(name: str, *events: Event, model: str | None = GPT, usage: UsageFacts | None = None) -> Stream:
    return Stream(name=name, dialect="openai", body=sse(*events), model=model, usage=usage)


CHAT_STREAMS: tuple[Stream, ...] = (
    _chat(
        "chat-openai-include-usage",
        chunk(GPT, "Hel", usage=None),
        chunk(GPT, "lo", usage=None),
        chunk(GPT, usage=None),
        chunk(GPT, choices=[], usage=chat_usage(19, 10, cached=4)),
        DONE,
        usage=openai(19, 10, 4, 0),
    ),
    _chat("chat-openai-usage-not-asked", chunk(GPT, "Hel"), chunk(GPT, "lo"), chunk(GPT), DONE),
    _chat("chat-openai-usage-null", chunk(GPT, "Hel", usage=None), chunk(GPT, usage=None), DONE),
    _chat(
        "chat-openai-reasoning-inside",
        chunk("o3-2025-04-16", "4"),
        chunk("o3-2025-04-16", choices=[], usage=chat_usage(30, 500, reasoning=448)),
        DONE,
        model="o3-2025-04-16",
        usage=openai(30, 500, 0, 448),
    ),
    _chat(
        "chat-azure-filter-results-first",
        {
            "choices": [],
            "created": 0,
            "id": "",
            "model": "",
            "object": "",
            "prompt_filter_results": [{"prompt_index": 0}],
        },
        chunk(GPT, "Hi"),
        chunk(GPT, choices=[], usage=chat_usage(8, 2)),
        DONE,
        usage=openai(8, 2, 0, 0),
    ),
    _chat(
        "chat-deepseek-cache-hit",
        chunk("deepseek-chat", "Hi", usage=None),
        chunk(
            "deepseek-chat",
            usage={
                "prompt_tokens": 120,
                "completion_tokens": 9,
                "total_tokens": 129,
                "prompt_cache_hit_tokens": 64,
                "prompt_cache_miss_tokens": 56,
            },
        ),
        DONE,
        model="deepseek-chat",
        usage=openai(120, 9, 64),
    ),
    _chat(
        "chat-deepseek-details-win-over-hit",
        chunk("deepseek-reasoner", usage=chat_usage(120, 9, cached=60, reasoning=5, prompt_cache_hit_tokens=64)),
        DONE,
        model="deepseek-reasoner",
        usage=openai(120, 9, 60, 5),
    ),
    _chat(
        "chat-xai-reasoning-outside",
        chunk("grok-4-0709", "4"),
        chunk("grok-4-0709", choices=[], usage=chat_usage(32, 9, cached=6, reasoning=300, total_tokens=341)),
        DONE,
        model="grok-4-0709",
        usage=openai(32, 309, 6, 300),
    ),
    _chat(
        "chat-xai-no-reasoning",
        chunk("grok-3", usage=chat_usage(32, 9, cached=6)),
        DONE,
        model="grok-3",
        usage=openai(32, 9, 6, 0),
    ),
    _chat(
        "chat-openrouter-comments-and-cost",
        ": OPENROUTER PROCESSING",
        ": OPENROUTER PROCESSING",
        chunk("anthropic/claude-sonnet-4", "Hi", provider="Anthropic"),
        chunk(
            "anthropic/claude-sonnet-4",
            provider="Anthropic",
            usage=chat_usage(14, 4, cost=0.00014, is_byok=False, cost_details={"upstream_inference_cost": None}),
        ),
        DONE,
        model="anthropic/claude-sonnet-4",
        usage=openai(14, 4, 0, 0),
    ),
    _chat(
        "chat-groq-x-groq-only",
        chunk("llama-3.3-70b-versatile", "Hi", x_groq={"id": "req_01"}),
        chunk(
            "llama-3.3-70b-versatile",
            x_groq={
                "id": "req_01",
                "usage": {
                    "queue_time": 0.01,
                    "prompt_tokens": 41,
                    "prompt_time": 0.002,
                    "completion_tokens": 46,
                    "completion_time": 0.16,
                    "total_tokens": 87,
                    "total_time": 0.17,
                },
            },
        ),
        DONE,
        model="llama-3.3-70b-versatile",
        usage=openai(41, 46),
    ),
    _chat(
        "chat-groq-usage-after-x-groq",
        chunk(
            "llama-3.3-70b-versatile", x_groq={"id": "req_01", "usage": {"prompt_tokens": 1, "completion_tokens": 1}}
        ),
        chunk(
            "llama-3.3-70b-versatile",
            choices=[],
            x_groq={"id": "req_01", "usage": {"prompt_tokens": 1, "completion_tokens": 1}},
            usage={"prompt_tokens": 41, "completion_tokens": 46, "total_tokens": 87},
        ),
        DONE,
        model="llama-3.3-70b-versatile",
        usage=openai(41, 46),
    ),
    _chat(
        "chat-mistral-usage-on-last-content",
        chunk("mistral-large-2512", "Hi"),
        chunk("mistral-large-2512", usage={"prompt_tokens": 7, "total_tokens": 32, "completion_tokens": 25}),
        DONE,
        model="mistral-large-2512",
        usage=openai(7, 25),
    ),
    _chat(
        "chat-fireworks-usage-on-finish",
        chunk("accounts/fireworks/models/kimi-k2", "Hi", usage=None),
        chunk(
            "accounts/fireworks/models/kimi-k2",
            usage={
                "prompt_tokens": 11,
                "total_tokens": 20,
                "completion_tokens": 9,
                "prompt_tokens_details": {"cached_tokens": 3},
            },
            perf_metrics=None,
        ),
        DONE,
        model="accounts/fireworks/models/kimi-k2",
        usage=openai(11, 9, 3),
    ),
    _chat(
        "chat-together-details-null",
        chunk("Qwen/Qwen3-235B", "Hi", usage=None),
        chunk("Qwen/Qwen3-235B", usage=chat_usage(5, 6, prompt_tokens_details=None, completion_tokens_details=None)),
        DONE,
        model="Qwen/Qwen3-235B",
        usage=openai(5, 6),
    ),
    _chat(
        "chat-cerebras-time-info",
        chunk("gpt-oss-120b", "Hi"),
        chunk(
            "gpt-oss-120b",
            usage=chat_usage(70, 30, reasoning=12),
            time_info={"queue_time": 1e-4, "created": 1741570283},
        ),
        DONE,
        model="gpt-oss-120b",
        usage=openai(70, 30, 0, 12),
    ),
    _chat(
        "chat-moonshot-usage-in-choice",
        chunk("kimi-k2", "Hi"),
        chunk(
            "kimi-k2",
            choices=[
                {
                    "index": 0,
                    "delta": {},
                    "finish_reason": "stop",
                    "usage": {"prompt_tokens": 8, "completion_tokens": 12, "total_tokens": 20, "cached_tokens": 8},
                }
            ],
        ),
        DONE,
        model="kimi-k2",
        usage=openai(8, 12),
    ),
    _chat(
        "chat-usage-on-every-chunk",
        *(chunk(GPT, "x", usage=chat_usage(9, n)) for n in range(1, 40)),
        chunk(GPT, usage=chat_usage(9, 40)),
        DONE,
        usage=openai(9, 40, 0, 0),
    ),
    _chat(
        "chat-usage-null-after-usage",
        chunk(GPT, usage=chat_usage(9, 3)),
        chunk(GPT, choices=[], usage=None),
        DONE,
        usage=openai(9, 3, 0, 0),
    ),
    _chat(
        "chat-last-usage-lacks-output",
        chunk(GPT, "x", usage={"prompt_tokens": 9, "completion_tokens": 5, "total_tokens": 14}),
        chunk(GPT, usage={"prompt_tokens": 10, "completion_tokens": None}),
        DONE,
        usage=openai(10, 5),
    ),
    _chat("chat-zero-is-known", chunk(GPT, usage=chat_usage(0, 0)), DONE, usage=openai(0, 0, 0, 0)),
    _chat("chat-usage-empty-object", chunk(GPT, usage={}), DONE),
    _chat(
        "chat-counts-that-are-none",
        chunk(
            GPT,
            usage={
                "prompt_tokens": -1,
                "completion_tokens": 7,
                "total_tokens": True,
                "prompt_tokens_details": {"cached_tokens": 2.0},
                "completion_tokens_details": {"reasoning_tokens": 10**30},
            },
        ),
        DONE,
        usage=openai(None, 7),
    ),
    _chat(
        "chat-count-of-400-digits",
        chunk(GPT, choices=[], usage=None),
        'data: {"model":"m","choices":[],"usage":{"prompt_tokens":12,"completion_tokens":' + "9" * 400 + "}}",
        DONE,
        usage=openai(12),
    ),
    _chat(
        "chat-details-of-wrong-type",
        chunk(GPT, usage={"prompt_tokens": 4, "completion_tokens": "5", "prompt_tokens_details": [1], "cost": "0.1"}),
        DONE,
        usage=openai(4),
    ),
)
