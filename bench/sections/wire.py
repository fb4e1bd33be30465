"""The wire package alone: streams decoded beside the vendors' own parsers, sessions encoded, the cost of an import."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial
from statistics import median
from subprocess import run as run_process
from typing import TYPE_CHECKING, Any, cast

import anthropic
import httpx2
import openai
from anthropic.types import RawMessageStreamEvent
from openai.types.chat import ChatCompletionChunk
from openai.types.responses import ResponseStreamEvent

from bench.load import LoadFailedError
from bench.report import Table, Verdict
from bench.setting import PYTHON, progress
from bench.stopwatch import call_us
from beyond_wire import (
    ANTHROPIC,
    CHAT,
    RESPONSES,
    Accumulator,
    ModelRequest,
    Preparer,
    SseParser,
    TextBlock,
    ToolDef,
    ToolResultBlock,
    ToolUseBlock,
    assistant,
    caps_for,
    prepare,
    tool_results,
    user,
)
from beyond_wire.testing.chunking import by_size

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bench.setting import Setting
    from beyond_wire import Dialect, Message

DELTAS, CHUNK_BYTES = 8_000, 16 << 10
IMPORTS = """
import sys, time, msgspec
began = time.process_time(); import beyond_wire; print(time.process_time() - began)
"""


@dataclass(frozen=True, slots=True)
class Peer:
    """A dialect beside the SDK that reads it: a stream of small text deltas, and what makes a vendor's stream of it."""

    dialect: Dialect
    model: str
    stream: bytes
    sdk: Callable[[httpx2.Response], Iterator[object]]


def run(setting: Setting) -> list[Table]:
    """Decoding, its parts, encoding, and the import."""
    progress("wire package")
    peers = _peers()
    return [_decoding(peers, setting.runs), _parts(peers, setting.runs), _encoding(peers, setting.runs)]


def _decoding(peers: list[Peer], runs: int) -> Table:
    """MB/s of whole decoders: framing, JSON and events."""
    table = Table(f"Streams of {DELTAS:,} text deltas, MB/s", ["dialect", "bytes/event", "beyond_wire", "SDK", "times"])
    table.notes.append(
        "SDK: openai and anthropic, their Stream over the same chunks; both build a value for each event"
    )
    for peer in peers:
        chunks = by_size(peer.stream, CHUNK_BYTES)
        ours, theirs = partial(_decode, peer.dialect, chunks), partial(_read, peer.sdk, chunks)
        counts = sorted({ours(), theirs()})
        if counts[0] < DELTAS or counts[-1] > DELTAS + 8:
            raise LoadFailedError(f"{peer.dialect.name}: {counts} events of {DELTAS} deltas")
        fast, slow = (len(peer.stream) / call_us(call, runs, run_s=0.3) for call in (ours, theirs))
        table.rows.append([peer.dialect.name, len(peer.stream) / DELTAS, fast, slow, fast / slow])
        table.verdicts.append(Verdict(f"{peer.dialect.name} against its SDK", fast / slow, 5, " times", at_least=True))
        table.verdicts.append(Verdict(f"decoding {peer.dialect.name}", fast, 100, " MB/s", at_least=True))
    return table


def _parts(peers: list[Peer], runs: int) -> Table:
    """Framing alone, accumulating alone, and what the import costs above that of msgspec."""
    table = Table("Parts of the wire package", ["part", "figure", "unit"])
    framing = [len(peer.stream) / call_us(partial(_frame, by_size(peer.stream, CHUNK_BYTES)), runs) for peer in peers]
    for peer, figure in zip(peers, framing, strict=True):
        table.rows.append([f"framing alone, {peer.dialect.name}", figure, "MB/s"])
    chunks = by_size(peers[-1].stream, CHUNK_BYTES)
    decoder = peers[-1].dialect.decoder()
    events = [event for chunk in chunks for event in decoder.feed(chunk)]
    accumulating = call_us(partial(_accumulate, events), runs) / len(events)
    cost = [
        float(run_process([PYTHON, "-c", IMPORTS], capture_output=True, check=True).stdout) for _ in range(max(5, runs))
    ]
    figures = (
        Verdict("framing chat", framing[0], 300, " MB/s", at_least=True),
        Verdict("accumulating a delta", accumulating, 0.5, " µs"),
        Verdict("import beyond_wire above msgspec", median(cost) * 1e3, 15, " ms CPU"),
    )
    table.rows += [[verdict.text, verdict.figure, verdict.unit.strip()] for verdict in figures[1:]]
    table.verdicts += figures
    return table


def _encoding(peers: list[Peer], runs: int) -> Table:
    """Milliseconds of a session's next request: from scratch, with its history prepared before, at twice the length."""
    table = Table(
        "A session of 500 messages as the next request, ms",
        ["dialect", "MB", "prepare and encode", "with a Preparer", "encode only", "at 1,000 messages, times"],
    )
    for peer in peers:
        caps = caps_for(peer.model)
        short, long = (_session(peer.model, count) for count in (500, 1_000))
        body = peer.dialect.encode(short, caps)
        fresh, twice = (call_us(partial(peer.dialect.encode, one, caps), runs) for one in (short, long))
        preparer = Preparer()
        preparer.prepare(short, caps)
        kept = call_us(lambda: peer.dialect.encode_prepared(preparer.prepare(short, caps), caps), runs)  # noqa: B023 - called here
        only = call_us(partial(peer.dialect.encode_prepared, prepare(short, caps), caps), runs)
        mb = len(body) / 1e6
        table.rows.append([peer.dialect.name, mb, fresh / 1e3, kept / 1e3, only / 1e3, twice / fresh])
        table.verdicts.append(Verdict(f"encoding {peer.dialect.name}, per MB", only / 1e3 / mb, 10, " ms"))
        table.verdicts.append(Verdict(f"{peer.dialect.name} at twice the length", twice / fresh, 2.5, " times"))
    return table


def _decode(dialect: Dialect, chunks: list[bytes]) -> int:
    decoder = dialect.decoder()
    return sum([len(decoder.feed(chunk)) for chunk in chunks]) + len(decoder.finish())


def _read(sdk: Callable[[httpx2.Response], Iterator[object]], chunks: list[bytes]) -> int:
    response = httpx2.Response(200, content=iter(chunks), request=httpx2.Request("POST", "http://127.0.0.1/"))
    return sum(1 for _ in sdk(response))


def _frame(chunks: list[bytes]) -> None:
    parser = SseParser()
    for chunk in chunks:
        parser.feed(chunk)


def _accumulate(events: list[Any]) -> None:
    accumulator = Accumulator()
    for event in events:
        accumulator.add(event)


def _peers() -> list[Peer]:
    key = "bench"
    chat, messages = openai.OpenAI(api_key=key), anthropic.Anthropic(api_key=key)

    def reader(stream: Any, cast_to: Any, client: object) -> Callable[[httpx2.Response], Iterator[object]]:
        return lambda response: cast("Iterator[object]", stream(cast_to=cast_to, response=response, client=client))

    return [
        Peer(CHAT, "openai/gpt-4o", _chat(), reader(openai.Stream, ChatCompletionChunk, chat)),
        Peer(RESPONSES, "gpt-5", _responses(), reader(openai.Stream, ResponseStreamEvent, chat)),
        Peer(ANTHROPIC, "claude-opus-4-8", _messages(), reader(anthropic.Stream, RawMessageStreamEvent, messages)),
    ]


def _sse(*events: dict[str, Any], named: bool = True) -> bytes:
    head = "event: {}\n" if named else ""
    return "".join(
        [f"{head.format(event.get('type'))}data: {json.dumps(event, separators=(',', ':'))}\n\n" for event in events]
    ).encode()


def _chat() -> bytes:
    root = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-4o"}

    def chunk(delta: dict[str, str], finish: str | None = None) -> dict[str, Any]:
        return {**root, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}

    deltas = [chunk({"content": " word"})] * DELTAS
    return _sse(*deltas, chunk({}, "stop"), named=False) + b"data: [DONE]\n\n"


def _responses() -> bytes:
    item = {"id": "msg_1", "type": "message", "role": "assistant", "status": "in_progress", "content": list[str]()}
    delta = {"type": "response.output_text.delta", "item_id": "msg_1", "output_index": 0, "content_index": 0}
    response = {"id": "resp_1", "object": "response", "created_at": 1, "model": "gpt-5", "output": list[str]()}
    return _sse(
        {"type": "response.output_item.added", "output_index": 0, "sequence_number": 0, "item": item},
        *[{**delta, "sequence_number": at, "delta": " word", "logprobs": list[str]()} for at in range(DELTAS)],
        {"type": "response.completed", "sequence_number": DELTAS, "response": response},
    )


def _messages() -> bytes:
    usage = {"input_tokens": 19, "output_tokens": 1}
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude", "content": list[str]()}
    delta = {"type": "text_delta", "text": " two words"}
    return _sse(
        {"type": "message_start", "message": {**message, "usage": usage}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        *[{"type": "content_block_delta", "index": 0, "delta": delta}] * DELTAS,
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": DELTAS}},
        {"type": "message_stop"},
    )


def _session(model: str, count: int) -> ModelRequest:
    """A coding session: a question, then calls of `read` and their results, 2 KB in each two messages."""
    messages: list[Message] = [user("Fix the failing test.")]
    for at in range(count // 2):
        call = ToolUseBlock(id=f"call_{at}", name="read", input={"path": f"src/module_{at}.py", "lines": [at, at + 40]})
        messages.append(assistant([TextBlock(text="Let me look at the next file."), call]))
        messages.append(tool_results([ToolResultBlock(tool_use_id=f"call_{at}", content="    return value\n" * 100)]))
    tool = ToolDef(name="read", description="Read a file.", input_schema={"type": "object"})
    return ModelRequest(
        model=model, messages=tuple(messages[:count]), tools=(tool,), system="Be exact.", max_tokens=4_000
    )
