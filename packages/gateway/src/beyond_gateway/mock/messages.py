"""Anthropic Messages: the JSON answer and the event stream."""

from collections.abc import Iterator

from beyond_gateway.mock.frames import Frame, Json, named
from beyond_gateway.mock.plan import Ask, arguments_of, split
from beyond_gateway.mock.script import ToolCall

_SIGNATURE = "bW9jayBzaWduYXR1cmU="


def body(ask: Ask) -> Json:
    """Return the whole answer as one `message` object."""
    plan = ask.plan
    content: list[Json] = []
    if plan.reasoning:
        content.append({"type": "thinking", "thinking": plan.reasoning, "signature": _SIGNATURE})
    if text := plan.whole():
        content.append({"type": "text", "text": text})
    content += [_tool_use(ask, at, call) | {"input": call.arguments} for at, call in enumerate(plan.tool_calls)]
    return _message(ask, content, _stop(ask)) | _usage_field(ask, usage(ask))


def frames(ask: Ask) -> Iterator[Frame]:
    """Return the answer as events, from `message_start` to `message_stop`; usage counts are cumulative."""
    started = usage(ask) | {"output_tokens": 1}
    started.pop("output_tokens_details", None)
    yield named({"type": "message_start", "message": _message(ask, [], None) | _usage_field(ask, started)})
    pinged = False
    for frame in _blocks(ask):
        yield frame
        if not pinged:
            yield named({"type": "ping"})
            pinged = True
    stop = {"stop_reason": _stop(ask), "stop_sequence": None}
    yield named({"type": "message_delta", "delta": stop} | _usage_field(ask, _last_usage(ask)))
    yield named({"type": "message_stop"})


def error_frame(_sent: int) -> Frame:
    """Return the error event Anthropic writes into a stream that has begun."""
    return named({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}})


def usage(ask: Ask) -> Json:
    """Return the `usage` object; `input_tokens` leaves out what was read from the cache or written to it."""
    count = ask.plan.usage(inclusive=False)
    written = max(count.cache_write, count.cache_write_1h)
    counts: Json = {
        "input_tokens": count.input,
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": count.cached,
        "cache_creation": {
            "ephemeral_5m_input_tokens": written - count.cache_write_1h,
            "ephemeral_1h_input_tokens": count.cache_write_1h,
        },
        "output_tokens": count.output,
        "service_tier": "standard",
    }
    if count.reasoning:
        counts["output_tokens_details"] = {"thinking_tokens": count.reasoning}
    return counts


def _last_usage(ask: Ask) -> Json:
    """Return what `message_delta` repeats: output only, unless `usage=every` asks for all counts."""
    counts = usage(ask)
    if ask.directives.usage == "every":
        return counts
    return {name: counts[name] for name in ("output_tokens", "output_tokens_details") if name in counts}


def _usage_field(ask: Ask, counts: Json) -> Json:
    if ask.directives.usage == "none":
        return {}
    return {"usage": None if ask.directives.usage == "null" else counts}


def _blocks(ask: Ask) -> Iterator[Frame]:
    index, nothing = 0, Json()
    if ask.plan.reasoning:
        deltas: Iterator[Json] = ({"type": "thinking_delta", "thinking": word} for word in split(ask.plan.reasoning))
        yield from _block(index, {"type": "thinking", "thinking": "", "signature": ""}, deltas, _SIGNATURE)
        index += 1
    if ask.plan.text or ask.plan.bytes or ask.plan.events:
        deltas = ({"type": "text_delta", "text": piece} for piece in ask.plan.pieces())
        yield from _block(index, {"type": "text", "text": ""}, deltas)
        index += 1
    for at, call in enumerate(ask.plan.tool_calls):
        fragments = ["", *split(arguments_of(call))]
        deltas = ({"type": "input_json_delta", "partial_json": fragment} for fragment in fragments)
        yield from _block(index + at, _tool_use(ask, at, call) | {"input": nothing}, deltas)


def _block(index: int, opening: Json, deltas: Iterator[Json], signature: str = "") -> Iterator[Frame]:
    yield named({"type": "content_block_start", "index": index, "content_block": opening})
    for delta in deltas:
        yield named({"type": "content_block_delta", "index": index, "delta": delta}, delta=True)
    if signature:
        signed = {"type": "signature_delta", "signature": signature}
        yield named({"type": "content_block_delta", "index": index, "delta": signed})
    yield named({"type": "content_block_stop", "index": index})


def _message(ask: Ask, content: list[Json], stop: str | None) -> Json:
    return {
        "id": ask.id("msg_"),
        "type": "message",
        "role": "assistant",
        "model": ask.model,
        "content": content,
        "stop_reason": stop,
        "stop_sequence": None,
    }


def _tool_use(ask: Ask, at: int, call: ToolCall) -> Json:
    return {"type": "tool_use", "id": f"{ask.id('toolu_')}{at}", "name": call.name}


def _stop(ask: Ask) -> str:
    return "tool_use" if ask.plan.tool_calls else "end_turn"
