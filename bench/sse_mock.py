"""A provider that streams: one write an event, each from its own turn of the event loop.

nginx cannot send a hundred separate events by itself, and a mock that sends them in one segment would measure a copy of
13 KB, not a stream. Both proxies get this same mock, on the load core.
Run: sse_mock.py PORT openai|anthropic EVENTS [HOLD_AFTER]; `GET /stats` answers how many events were sent so far;
`GET /pace/MS` sets how long every stream waits before each event (0: flat out).
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from typing import cast

import uvloop

CONTROL = re.compile(rb"GET /(stats|pace/(\d+)) ")
LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)", re.IGNORECASE)
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


class Script:
    """What every connection sends, and how many events all of them have sent."""

    def __init__(self, events: list[bytes], hold_after: int | None) -> None:
        self.writes = [_chunk(event) for event in events]
        self.writes[-1] += b"0\r\n\r\n"
        self.hold_after = hold_after
        self.sent = 0
        self.pace_s = 0.0
        self.paced: set[Mock] = set()

    def tick(self) -> None:
        """One event to every paced stream, then the next tick: with their own phases a wake-up would cost by chance."""
        for stream in tuple(self.paced):
            stream.send()
        if self.pace_s:
            asyncio.get_running_loop().call_later(self.pace_s, self.tick)


class Mock(asyncio.Protocol):
    """Answers each request of one kept-alive connection with the whole script."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self._loop = asyncio.get_running_loop()
        self._head = b""
        self._missing: int | None = 0
        self._next = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        if self._missing is None:
            ended = data.endswith(b"0\r\n\r\n")
        elif self._missing > 0:
            self._missing -= len(data)
            ended = self._missing <= 0
        else:
            ended = self._head_received(data)
        if ended:
            self._missing, self._next = 0, 0
            self._transport.write(HEAD)
            if self._script.pace_s:
                self._script.paced.add(self)
            else:
                self._loop.call_soon(self.send)

    def _head_received(self, data: bytes) -> bool:
        """Whether the request is complete; the body's missing bytes are None where it is chunked."""
        self._head += data
        end = self._head.find(b"\r\n\r\n")
        if end < 0:
            return False
        head, body = self._head[:end], self._head[end + 4 :]
        self._head = b""
        if control := CONTROL.match(head):
            if control[2]:
                self._script.pace_s = int(control[2]) / 1000
                self._loop.call_soon(self._script.tick)
            answer = b"%d" % self._script.sent
            self._transport.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(answer), answer))
            return False
        length = LENGTH.search(head)
        self._missing = int(length[1]) - len(body) if length else None
        return self._missing <= 0 if self._missing is not None else body.endswith(b"0\r\n\r\n")

    def send(self) -> None:
        """The next event, if there is one; flat out, the one after it is due in the next turn of the loop."""
        script = self._script
        if self._transport.is_closing() or self._next in (script.hold_after, len(script.writes)):
            script.paced.discard(self)
            return
        self._transport.write(script.writes[self._next])
        self._next += 1
        script.sent += 1
        if not script.pace_s:
            self._loop.call_soon(self.send)


def openai_events(count: int) -> list[bytes]:
    """A chat stream: role, text deltas, finish, usage, end; `count` events in all."""
    base = {"id": "chatcmpl-Bench", "object": "chat.completion.chunk", "created": 1760000000, "model": "gpt-4o-mini"}

    def event(delta: dict[str, str], finish: str | None = None) -> bytes:
        return _data({**base, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}], "usage": None})

    usage = {"prompt_tokens": 19, "completion_tokens": count - 4, "total_tokens": count + 15}
    texts = [event({"content": f" word{n:03d}"}) for n in range(count - 4)]
    last = [event({}, "stop"), _data({**base, "choices": [], "usage": usage}), b"data: [DONE]\n\n"]
    return [event({"role": "assistant", "content": ""}), *texts, *last]


def anthropic_events(count: int) -> list[bytes]:
    """A Messages stream: start, block start, text deltas, block stop, usage, stop; `count` events in all."""
    usage = {"input_tokens": 19000, "cache_read_input_tokens": 0, "cache_creation_input_tokens": 0, "output_tokens": 1}
    message: dict[str, object] = {
        "id": "msg_Bench",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-4-5",
    }
    text = {"type": "text", "text": ""}
    events: list[dict[str, object]] = [
        {"type": "message_start", "message": {**message, "usage": usage}},
        {"type": "content_block_start", "index": 0, "content_block": text},
        *(
            {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": f" word{n:03d}"}}
            for n in range(count - 5)
        ),
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": count - 5}},
        {"type": "message_stop"},
    ]
    return [b"event: %s\n%s" % (str(event["type"]).encode(), _data(event)) for event in events]


def _data(value: object) -> bytes:
    return b"data: %s\n\n" % json.dumps(value, separators=(",", ":")).encode()


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


async def serve(port: int, script: Script) -> None:
    """Answer on the loopback until the process is ended. uvloop sets TCP_NODELAY on every connection."""
    server = await asyncio.get_running_loop().create_server(lambda: Mock(script), "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


if __name__ == "__main__":
    listen, dialect, wanted, *hold = sys.argv[1:]
    made = openai_events(int(wanted)) if dialect == "openai" else anthropic_events(int(wanted))
    uvloop.run(serve(int(listen), Script(made, int(hold[0]) if hold else None)))
