"""OpenAI Responses: the JSON answer and its full event sequence."""

from collections.abc import Iterator

from beyond_gateway.mock.chat import CREATED
from beyond_gateway.mock.frames import Frame, Json, named
from beyond_gateway.mock.plan import Ask, arguments_of, split
from beyond_gateway.mock.script import ToolCall

_NOTHING: tuple[Json, ...] = ()


def body(ask: Ask) -> Json:
    """Return the whole answer as one completed `response` object."""
    return _response(ask, "completed", _items(ask, ask.plan.whole())) | _usage_field(ask)


def frames(ask: Ask) -> Iterator[Frame]:
    """Return the answer as events, from `response.created` to `response.completed`, numbered from 0."""
    for number, (event, delta) in enumerate(_events(ask)):
        yield named(event | {"sequence_number": number}, delta=delta)


def error_frame(sent: int) -> Frame:
    """Return the error event OpenAI writes into a Responses stream of which `sent` events are out."""
    message = "The server had an error while processing your request."
    return named({"type": "error", "code": "server_error", "message": message, "param": None, "sequence_number": sent})


def usage(ask: Ask) -> Json:
    """Return the `usage` object; input includes what was read from the cache, output includes reasoning."""
    count = ask.plan.usage(inclusive=True)
    return {
        "input_tokens": count.input,
        "input_tokens_details": {"cached_tokens": count.cached, "cache_write_tokens": count.cache_write},
        "output_tokens": count.output,
        "output_tokens_details": {"reasoning_tokens": count.reasoning},
        "total_tokens": count.input + count.output,
    }


def _events(ask: Ask) -> Iterator[tuple[Json, bool]]:
    """Events without their number, each with whether it carries generated content."""
    opening = _response(ask, "in_progress", []) | {"usage": None}
    yield {"type": "response.created", "response": opening}, False
    yield {"type": "response.in_progress", "response": opening}, False
    items = _items(ask, "".join(ask.plan.pieces()))
    for index, item in enumerate(items):
        place: Json = {"output_index": index, "item_id": item["id"]}
        if item["type"] == "reasoning":
            opened, inner = item | {"summary": _NOTHING}, _reasoning_events(ask, place)
        elif item["type"] == "message":
            opened, inner = item | {"content": _NOTHING, "status": "in_progress"}, _text_events(ask, place)
        else:
            opened, inner = item | {"arguments": "", "status": "in_progress"}, _call_events(item, place)
        yield {"type": "response.output_item.added", "output_index": index, "item": opened}, False
        yield from inner
        yield {"type": "response.output_item.done", "output_index": index, "item": item}, False
    done = _response(ask, "completed", items) | _usage_field(ask)
    yield {"type": "response.completed", "response": done}, False


def _text_events(ask: Ask, place: Json) -> Iterator[tuple[Json, bool]]:
    place = place | {"content_index": 0}
    yield {"type": "response.content_part.added", "part": _text_part("")} | place, False
    for piece in ask.plan.pieces():
        yield {"type": "response.output_text.delta", "delta": piece, "logprobs": []} | place, True
    text = "".join(ask.plan.pieces())
    yield {"type": "response.output_text.done", "text": text, "logprobs": []} | place, False
    yield {"type": "response.content_part.done", "part": _text_part(text)} | place, False


def _reasoning_events(ask: Ask, place: Json) -> Iterator[tuple[Json, bool]]:
    place = place | {"summary_index": 0}
    text = ask.plan.reasoning
    part = {"type": "summary_text", "text": text}
    yield {"type": "response.reasoning_summary_part.added", "part": part | {"text": ""}} | place, False
    for word in split(text):
        yield {"type": "response.reasoning_summary_text.delta", "delta": word} | place, True
    yield {"type": "response.reasoning_summary_text.done", "text": text} | place, False
    yield {"type": "response.reasoning_summary_part.done", "part": part} | place, False


def _call_events(item: Json, place: Json) -> Iterator[tuple[Json, bool]]:
    arguments = str(item["arguments"])
    for fragment in split(arguments):
        yield {"type": "response.function_call_arguments.delta", "delta": fragment} | place, True
    done: Json = {"type": "response.function_call_arguments.done", "name": item["name"], "arguments": arguments}
    yield done | place, False


def _items(ask: Ask, text: str) -> list[Json]:
    """Return the finished output items in order: reasoning, message, calls."""
    items: list[Json] = []
    if ask.plan.reasoning:
        summary = [{"type": "summary_text", "text": ask.plan.reasoning}]
        items.append({"id": ask.id("rs_"), "type": "reasoning", "summary": summary})
    if text:
        head: Json = {"id": ask.id("msg_"), "type": "message", "role": "assistant", "status": "completed"}
        items.append(head | {"content": [_text_part(text)]})
    return items + [_call_item(ask, at, call) for at, call in enumerate(ask.plan.tool_calls)]


def _call_item(ask: Ask, at: int, call: ToolCall) -> Json:
    ids: Json = {"id": f"{ask.id('fc_')}{at}", "type": "function_call", "call_id": f"{ask.id('call_')}{at}"}
    return ids | {"name": call.name, "arguments": arguments_of(call), "status": "completed"}


def _text_part(text: str) -> Json:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _response(ask: Ask, status: str, output: list[Json]) -> Json:
    return {
        "id": ask.id("resp_"),
        "object": "response",
        "created_at": CREATED,
        "status": status,
        "background": False,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "model": ask.model,
        "output": output,
        "parallel_tool_calls": True,
        "store": False,
        "temperature": 1.0,
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "truncation": "disabled",
    }


def _usage_field(ask: Ask) -> Json:
    if ask.directives.usage == "none":
        return {}
    return {"usage": None if ask.directives.usage == "null" else usage(ask)}
