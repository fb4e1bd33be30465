"""Exchanges of every shape the relay knows, as bytes: what a client sends and what a provider answers."""

from __future__ import annotations

from typing import NamedTuple

from playbook import BYO, KEY

from beyond_gateway.framing import chunk


class Shape(NamedTuple):
    """One exchange. `raw` says that response framing passes as it came; `ends` that the provider's close ends it."""

    name: str
    request: bytes
    response: bytes
    managed: bool = True
    raw: bool = True
    ends: bool = False


def chunked(*payloads: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
    return b"".join(chunk(payload) for payload in payloads) + end


def post(target: bytes, body: bytes, *fields: bytes, key: bytes = KEY, chunks: bool = False, minor: int = 1) -> bytes:
    framing = b"Transfer-Encoding: chunked" if chunks else b"Content-Length: %d" % len(body)
    lines = [b"Host: gw", b"Authorization: Bearer " + key, b"Content-Type: application/json", *fields, framing]
    head = b"POST %b HTTP/1.%d\r\n%b\r\n\r\n" % (target, minor, b"\r\n".join(lines))
    third = max(len(body) // 3, 1)
    pieces = [body[at : at + third] for at in range(0, len(body), third)]
    return head + (chunked(*pieces) if chunks else body)


def json_answer(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


def sse(*events: bytes) -> bytes:
    return SSE_HEAD + chunked(*(event + b"\n\n" for event in events))


SSE_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
CHAT_PATH = b"/openai/v1/chat/completions"
RESPONSES_PATH = b"/openai/v1/responses"
ASKED = b'{"model":"gpt-4o","messages":[{"role":"user","content":"say hi"}]}'
STREAMED = b'{"model":"gpt-4o","stream":true,"messages":[]}'
WITH_USAGE = b'{"model":"gpt-4o","stream":true,"stream_options":{"include_usage":true},"messages":[]}'
RESPONSE_ASKED = b'{"input":"hi","model":"gpt-4.1","stream":false}'
COMPLETION = b'{"model":"gpt-4o-2024","choices":[{"index":0}],"usage":{"prompt_tokens":9,"completion_tokens":4}}'
RESPONSE = b'{"model":"gpt-4.1-x","output":[],"usage":{"input_tokens":5,"output_tokens":2}}'
DELTA = b'data: {"model":"gpt-4o-2024","choices":[{"delta":{"content":"hi"}}]}'
USAGE_EVENT = b'data: {"model":"gpt-4o-2024","choices":[],"usage":{"prompt_tokens":9,"completion_tokens":4}}'
DONE = b"data: [DONE]"
CLOSED = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"

SHAPES = [
    Shape("chat, length, JSON", post(CHAT_PATH, ASKED), json_answer(COMPLETION)),
    Shape("chat, chunked, JSON", post(CHAT_PATH, ASKED, chunks=True), json_answer(COMPLETION)),
    Shape("chat, usage hidden", post(CHAT_PATH, STREAMED), sse(DELTA, USAGE_EVENT, DONE), raw=False),
    Shape("chat, usage asked for", post(CHAT_PATH, WITH_USAGE), sse(DELTA, USAGE_EVENT, DONE)),
    Shape("responses, length", post(RESPONSES_PATH, RESPONSE_ASKED), json_answer(RESPONSE)),
    Shape("responses, chunked", post(RESPONSES_PATH, RESPONSE_ASKED, chunks=True), json_answer(RESPONSE)),
    Shape("until close", post(RESPONSES_PATH, RESPONSE_ASKED), CLOSED + RESPONSE, raw=False, ends=True),
    Shape("HTTP/1.0", post(CHAT_PATH, WITH_USAGE, minor=0), sse(DELTA, USAGE_EVENT, DONE)),
    Shape("own key, length", post(CHAT_PATH, ASKED, key=BYO), json_answer(COMPLETION), managed=False),
    Shape("own key, chunked", post(RESPONSES_PATH, ASKED, key=BYO, chunks=True), sse(DELTA, DONE), managed=False),
]
NAMES = [shape.name for shape in SHAPES]
