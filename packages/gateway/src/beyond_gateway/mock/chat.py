"""OpenAI Chat Completions: the JSON answer and the chunk stream, with the usage habits of its compatible vendors."""

from collections.abc import Iterator
from typing import Literal

from beyond_gateway.mock.frames import Frame, Json, unnamed
from beyond_gateway.mock.plan import Ask, arguments_of, split
from beyond_gateway.mock.script import ToolCall

CREATED = 1_767_225_600  # 2026-01-01T00:00:00Z: answers are the same whenever they are given
DONE = Frame(b"data: [DONE]\n\n")

Habit = Literal["asked", "every", "last", "none", "null"]
# How each vendor streams usage when no directive says otherwise: on its last content chunk, or as OpenAI does.
_HABITS: dict[str, Habit] = {"deepseek": "last", "xai": "last", "mistral": "last"}
_REASONING_FIELDS = {"openrouter": "reasoning", "groq": "reasoning"}


def body(ask: Ask) -> Json:
    """Return the whole answer as one `chat.completion` object."""
    plan = ask.plan
    message: Json = {"role": "assistant", "content": plan.whole() or None, "refusal": None}
    if plan.reasoning:
        message[_reasoning_field(ask)] = plan.reasoning
    if plan.tool_calls:
        message["tool_calls"] = [_call(ask, at, call) for at, call in enumerate(plan.tool_calls)]
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _finish(ask)}
    answer = _envelope(ask, "chat.completion") | {"choices": [choice]}
    if ask.directives.usage != "none":
        answer["usage"] = None if ask.directives.usage == "null" else usage(ask)
    return answer


def frames(ask: Ask) -> Iterator[Frame]:
    """Return the answer as chunks, ended by `[DONE]`; usage comes where the vendor, or the directive, puts it."""
    wanted, shape = ask.directives.usage, ask.directives.shape
    habit = _HABITS.get(shape, "asked") if wanted == "vendor" else wanted
    if ask.directives.shape == "openrouter":
        yield Frame(b": OPENROUTER PROCESSING\n\n")
    for delta in _deltas(ask):
        yield _chunk(ask, habit, delta)
    yield _chunk(ask, habit, {}, _finish(ask))
    if habit == "asked" and ask.body.include_usage:
        choices = [_choice({"role": "assistant", "content": ""}, None)] if ask.directives.shape == "openrouter" else []
        yield unnamed(_envelope(ask, "chat.completion.chunk") | {"choices": choices, "usage": usage(ask)})
    yield DONE


def error_frame(_sent: int) -> Frame:
    """Return the error object OpenAI writes into a stream that has begun."""
    message = "The server had an error while processing your request."
    return unnamed({"error": {"message": message, "type": "server_error", "param": None, "code": None}})


def usage(ask: Ask) -> Json:
    """Return the `usage` object in the vendor's shape."""
    shape = ask.directives.shape
    # xAI leaves reasoning out of completion_tokens and counts it in the total only.
    count = ask.plan.usage(inclusive=True, reasoning_in_output=shape != "xai")
    total = count.input + count.output + (count.reasoning if shape == "xai" else 0)
    counts: Json = {"prompt_tokens": count.input, "completion_tokens": count.output, "total_tokens": total}
    if shape == "mistral":
        return counts
    if shape == "deepseek":
        counts |= {"prompt_cache_hit_tokens": count.cached, "prompt_cache_miss_tokens": count.input - count.cached}
    else:
        counts["prompt_tokens_details"] = {"cached_tokens": count.cached, "audio_tokens": 0}
    counts["completion_tokens_details"] = {"reasoning_tokens": count.reasoning, "audio_tokens": 0}
    if shape == "groq":
        counts |= {"queue_time": 0.01, "prompt_time": 0.001, "completion_time": 0.002, "total_time": 0.003}
    if shape == "openrouter":
        counts["cost"] = 0.0001
    return counts


def _deltas(ask: Ask) -> Iterator[Json]:
    yield {"role": "assistant", "content": "", "refusal": None}
    for word in split(ask.plan.reasoning):
        yield {_reasoning_field(ask): word}
    for piece in ask.plan.pieces():
        yield {"content": piece}
    for at, call in enumerate(ask.plan.tool_calls):
        opened = _call(ask, at, call) | {"index": at, "function": {"name": call.name, "arguments": ""}}
        yield {"tool_calls": [opened]}
        for piece in split(arguments_of(call)):
            yield {"tool_calls": [{"index": at, "function": {"arguments": piece}}]}


def _chunk(ask: Ask, habit: Habit, delta: Json, finish: str | None = None) -> Frame:
    chunk = _envelope(ask, "chat.completion.chunk") | {"choices": [_choice(delta, finish)]}
    if habit == "every" or (habit == "last" and finish):
        chunk["usage"] = usage(ask)
    elif habit == "null" or (habit == "asked" and ask.body.include_usage):
        chunk["usage"] = None
    if finish and ask.directives.shape == "groq":
        chunk["x_groq"] = {"id": ask.id("req_"), "usage": usage(ask)}
    return unnamed(chunk, delta=bool(delta) and "role" not in delta)


def _choice(delta: Json, finish: str | None) -> Json:
    return {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}


def _envelope(ask: Ask, kind: str) -> Json:
    head: Json = {"id": ask.id("chatcmpl-"), "object": kind, "created": CREATED, "model": ask.model}
    if ask.directives.shape == "openrouter":
        head["provider"] = "Mock"
    return head | {"service_tier": "default", "system_fingerprint": "fp_mock"}


def _call(ask: Ask, at: int, call: ToolCall) -> Json:
    function = {"name": call.name, "arguments": arguments_of(call)}
    return {"id": f"{ask.id('call_')}{at}", "type": "function", "function": function}


def _finish(ask: Ask) -> str:
    return "tool_calls" if ask.plan.tool_calls else "stop"


def _reasoning_field(ask: Ask) -> str:
    return _REASONING_FIELDS.get(ask.directives.shape, "reasoning_content")
