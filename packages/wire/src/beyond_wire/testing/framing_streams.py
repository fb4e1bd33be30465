"""The same few answers framed in every way SSE allows, and things that look like usage and are not."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from beyond_wire.testing.fixture import DONE, Stream, chat_usage, chunk, openai, sse

if TYPE_CHECKING:
    from beyond_wire.usage import UsageFacts

GPT = "gpt-4o-2024-08-06"
_USAGE = chat_usage(19, 10, cached=4)
_FACTS = openai(19, 10, 4, 0)
_PLAIN = sse(chunk(GPT, "Hé 🙂"), chunk(GPT), chunk(GPT, choices=[], usage=_USAGE), DONE)
_PRETTY = "\n".join("data: " + line for line in json.dumps(chunk(GPT, usage=_USAGE), indent=2).splitlines())
_SPACED = "data: " + json.dumps(chunk(GPT, usage=_USAGE))
_TOLD = 'So: {"usage":{"prompt_tokens":1,"completion_tokens":2}} and \ndata: {"usage":{"prompt_tokens":1}}\n\n'


def _chat(name: str, body: bytes, usage: UsageFacts | None = _FACTS, *, model: str | None = GPT) -> Stream:
    return Stream(name=name, dialect="openai", body=body, model=model, usage=usage)


FRAMING_STREAMS: tuple[Stream, ...] = (
    _chat("framing-crlf", _PLAIN.replace(b"\n", b"\r\n")),
    _chat("framing-cr", _PLAIN.replace(b"\n", b"\r")),
    _chat("framing-mixed-line-ends", _PLAIN.replace(b"\n\n", b"\r\n\n", 2)),
    _chat("framing-bom", b"\xef\xbb\xbf" + _PLAIN),
    _chat("framing-no-space-after-colon", _PLAIN.replace(b"data: ", b"data:")),
    _chat("framing-no-last-blank-line", _PLAIN.removesuffix(b"\n\ndata: [DONE]\n\n")),
    _chat("framing-many-blank-lines", _PLAIN.replace(b"\n\n", b"\n\n\n\n")),
    _chat("framing-multi-line-data", sse(chunk(GPT, "Hi"), _PRETTY, DONE)),
    _chat("framing-multi-line-data-crlf", sse(chunk(GPT, "Hi"), _PRETTY, DONE).replace(b"\n", b"\r\n")),
    _chat("framing-spaced-json", sse(_SPACED, DONE)),
    _chat("framing-event-id-retry-fields", sse("retry: 3000", f"id: 7\nevent: message\n{_SPACED}\nid: 8", DONE)),
    _chat("framing-comments-everywhere", sse(": hi", f": before\n{_SPACED}\n: after", ": ping", DONE, ": bye")),
    _chat("framing-comment-quotes-usage", sse(_SPACED, ': {"usage":{"prompt_tokens":1,"completion_tokens":1}}', DONE)),
    _chat(
        "framing-not-json-in-between",
        sse(_SPACED, 'data: oops "usage":{"prompt_tokens":1,"completion_tokens":1}', DONE),
    ),
    _chat("framing-json-scalars", sse(_SPACED, 'data: "usage"', "data: 7", "data: null", 'data: ["usage"]', DONE)),
    _chat("text-quotes-usage", sse(chunk(GPT, _TOLD), chunk(GPT), DONE), None),
    _chat("text-quotes-usage-after-the-real-one", sse(_SPACED, chunk(GPT, _TOLD), DONE)),
    _chat("text-quotes-data-url", sse(chunk(GPT, "\ndata: x", usage=_USAGE), DONE)),
    _chat(
        "tool-arguments-quote-usage",
        sse(
            chunk(
                GPT, choices=[{"index": 0, "delta": {"tool_calls": [{"index": 0, "function": {"arguments": _TOLD}}]}}]
            ),
            DONE,
        ),
        None,
    ),
    _chat("usage-not-at-the-root", sse(chunk(GPT, "x", metadata={"usage": _USAGE}), DONE), None),
    _chat("line-separator-in-text", sse(chunk(GPT, "a\u2028b\u0085c", usage=_USAGE), DONE)),
    _chat("nothing-but-done", sse(DONE), None, model=None),
    _chat("empty-body", b"", None, model=None),
    _chat("long-content-before-usage", sse(*[chunk(GPT, "word ")] * 600, _SPACED, DONE)),
    _chat("long-content-without-usage", sse(*[chunk(GPT, "word ")] * 600, DONE), None),
)
