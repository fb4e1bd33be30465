"""Microseconds of each usage parser on what the tap keeps: a tail of 64 KiB, or a body that fits into it."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING

from bench.load import LoadFailedError
from bench.report import Table, Verdict
from bench.setting import progress
from bench.sse_mock import anthropic_events, openai_events
from bench.stopwatch import call_us
from beyond_wire import usage_from_body, usage_from_tail

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.setting import Setting

TAIL_BYTES, HEAD_BYTES = 64 << 10, 8 << 10
CHAT_USAGE = {"prompt_tokens": 19, "completion_tokens": 10, "total_tokens": 29}
TOKENS = {"input_tokens": 19, "output_tokens": 10}


def run(setting: Setting) -> list[Table]:
    """Each parser alone; usage stands where the provider puts it, at the end."""
    progress("usage parsers")
    table = Table("Usage parsers on 64 KiB", ["parser", "µs"])
    for label, parser in _parsers().items():
        if parser() is None:
            raise LoadFailedError(f"{label}: no usage found")
        us = call_us(parser, setting.runs)
        table.rows.append([label, us])
        if label.endswith("stream"):
            table.verdicts.append(Verdict(f"usage from the tail of a {label}", us, 100, " µs"))
    return [table]


def _parsers() -> dict[str, Callable[[], object]]:
    chat, messages = b"".join(openai_events(600)), b"".join(anthropic_events(900))
    responses = b"".join(_responses_events(700))
    return {
        "chat stream": partial(usage_from_tail, "openai", chat[-TAIL_BYTES:], chat[:HEAD_BYTES]),
        "Responses stream": partial(usage_from_tail, "openai", responses[-TAIL_BYTES:], responses[:HEAD_BYTES]),
        "Messages stream": partial(usage_from_tail, "anthropic", messages[-TAIL_BYTES:], messages[:HEAD_BYTES]),
        "chat body": partial(usage_from_body, "openai", _body(CHAT_USAGE)),
        "Responses body": partial(usage_from_body, "openai", _body(TOKENS)),
        "Messages body": partial(usage_from_body, "anthropic", _body(TOKENS)),
        "tail of a longer chat body": partial(
            usage_from_tail, "openai", _body(CHAT_USAGE, TAIL_BYTES * 2)[-TAIL_BYTES:]
        ),
    }


def _body(usage: dict[str, int], size: int = TAIL_BYTES) -> bytes:
    """A whole answer of nearly `size` bytes; text first, usage last."""
    text = 'She said "usage": {"none"}.\n'
    content = text * ((size - 500) // len(json.dumps(text)))
    choices = [{"index": 0, "message": {"role": "assistant", "content": content}, "finish_reason": "stop"}]
    shape = {"choices": choices} if "prompt_tokens" in usage else {"content": [{"type": "text", "text": content}]}
    return json.dumps({"id": "bench", "model": "bench-1", **shape, "usage": usage}).encode()


def _responses_events(count: int) -> list[bytes]:
    delta = {"type": "response.output_text.delta", "item_id": "msg_bench", "output_index": 0, "delta": " word"}
    done = {"type": "response.completed", "response": {"id": "resp_bench", "model": "gpt-5", "usage": TOKENS}}
    events: list[dict[str, object]] = [*({**delta, "sequence_number": n} for n in range(count)), {**done}]
    return [b"event: %s\ndata: %s\n\n" % (str(event["type"]).encode(), json.dumps(event).encode()) for event in events]
