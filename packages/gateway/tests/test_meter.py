"""meter: the provider's counts where they came, a lower bound where they did not."""

import gzip
import json

import pytest

from beyond_gateway.meter import Metered, meter
from beyond_gateway.tap import TAIL_BYTES, Tap
from beyond_wire import Family, UsageFacts

CHAT_BODY = (
    b'{"id":"c","object":"chat.completion","model":"gpt-4o-2024-08-06",'
    b'"choices":[{"index":0,"message":{"role":"assistant","content":"Hello there, you"},"finish_reason":"stop"}],'
    b'"usage":{"prompt_tokens":9,"completion_tokens":12,"total_tokens":21}}'
)
CHAT_DELTA = (
    b'data: {"model":"gpt-4o-2024-08-06","choices":[{"index":0,"delta":{"content":"Hello"},"finish_reason":null}]}\n\n'
)
CHAT_STOP = b'data: {"model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
CHAT_USAGE = b'data: {"model":"m","choices":[],"usage":{"prompt_tokens":9,"completion_tokens":12}}\n\n'
CHAT_RUNNING = (
    b'data: {"choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":null}],'
    b'"usage":{"prompt_tokens":9,"completion_tokens":40}}\n\n'
)
CHAT_ERROR = b'data: {"error":{"message":"overloaded","type":"server_error"}}\n\n'
DONE = b"data: [DONE]\n\n"
START = (
    b'event: message_start\ndata: {"type":"message_start","message":{"id":"m","model":"claude-sonnet-4-5","content":[],'
    b'"usage":{"input_tokens":25,"cache_read_input_tokens":7,"cache_creation_input_tokens":3,"output_tokens":1}}}\n\n'
)
CLAUDE_DELTA = (
    b"event: content_block_delta\n"
    b'data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hello there, you"}}\n\n'
)
CLAUDE_END = (
    b"event: message_delta\n"
    b'data: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":15}}\n\n'
)
STOP = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
COMPLETED = (
    b'event: response.completed\ndata: {"type":"response.completed","response":{"object":"response","model":"gpt-5",'
    b'"error":null,"usage":{"input_tokens":30,"output_tokens":40}}}\n\n'
)


def metered(
    body: bytes,
    *,
    dialect: Family = "openai",
    sse: bool = True,
    status: int = 200,
    complete: bool = True,
    encoding: str = "",
    free: bool = False,
    prompt: int = 1000,
) -> Metered:
    tap = Tap(dialect=dialect, sse=sse, encoding=encoding)
    for at in range(0, len(body), 1400):
        tap.feed(body[at : at + 1400])
    return meter(tap, status=status, complete=complete, prompt_bytes=lambda: prompt, free=free)


def openai(inputs: int | None, outputs: int | None) -> UsageFacts:
    return UsageFacts(input_tokens=inputs, output_tokens=outputs, wire="openai")


def claude(outputs: int, inputs: int = 25, *, cached: bool = True) -> UsageFacts:
    read, written = (7, 3) if cached else (None, None)
    return UsageFacts(
        input_tokens=inputs, output_tokens=outputs, cache_read_tokens=read, cache_write_tokens=written, wire="anthropic"
    )


def exact(facts: UsageFacts | None, model: str | None) -> Metered:
    return Metered(facts, model, estimated=False, error_event=False, parse_error=False)


def bound(facts: UsageFacts, model: str | None, *, error_event: bool = False, parse_error: bool = False) -> Metered:
    return Metered(facts, model, estimated=True, error_event=error_event, parse_error=parse_error)


def test_a_whole_answer_is_metered_exactly() -> None:
    """JSON and streams of each dialect that end as announced give the provider's counts and model."""
    assert metered(CHAT_BODY, sse=False) == exact(openai(9, 12), "gpt-4o-2024-08-06")
    assert metered(CHAT_DELTA * 3 + CHAT_STOP + CHAT_USAGE + DONE) == exact(openai(9, 12), "gpt-4o-2024-08-06")
    assert metered(CHAT_RUNNING * 3 + DONE) == exact(openai(9, 40), None)
    assert metered(COMPLETED) == exact(openai(30, 40), "gpt-5")
    body = START + CLAUDE_DELTA * 3 + CLAUDE_END + STOP
    assert metered(body, dialect="anthropic") == exact(claude(15), "claude-sonnet-4-5")


def test_a_long_stream_is_metered_from_its_ends() -> None:
    """Anthropic's input comes from the kept head where the tail no longer reaches it."""
    body = START + CLAUDE_DELTA * 5000 + CLAUDE_END + STOP
    assert metered(body, dialect="anthropic") == exact(claude(15), "claude-sonnet-4-5")
    assert metered(CHAT_DELTA * 5000 + CHAT_STOP + CHAT_USAGE + DONE).facts == openai(9, 12)


def test_a_long_json_body_is_metered_from_its_tail() -> None:
    """Of a body longer than the tail the last usage object counts, and the model is read from its head."""
    data = ",".join(["0.25"] * 40_000).encode()
    body = b'{"object":"list","model":"e","data":[' + data + b'],"usage":{"prompt_tokens":8,"total_tokens":8}}'
    assert len(body) > TAIL_BYTES
    assert metered(body, sse=False) == exact(openai(8, None), "e")


def test_a_compressed_body_is_metered_like_a_plain_one() -> None:
    """gzip is decoded; what cannot be decoded is a parse error, estimated for a stream."""
    packed = gzip.compress(CHAT_DELTA * 3 + CHAT_USAGE + DONE)
    assert metered(packed, encoding="gzip") == exact(openai(9, 12), "gpt-4o-2024-08-06")
    assert metered(packed, encoding="br") == bound(openai(200, 0), None, parse_error=True)
    unread = Metered(None, None, estimated=False, error_event=False, parse_error=True)
    assert metered(gzip.compress(CHAT_BODY), sse=False, encoding="br") == unread


@pytest.mark.parametrize(
    "body",
    [CHAT_DELTA * 2 + CHAT_USAGE, CHAT_DELTA + CHAT_STOP + CHAT_RUNNING, COMPLETED, CHAT_DELTA + CHAT_USAGE[:-2]],
)
def test_a_cut_after_the_final_usage_is_exact(body: bytes) -> None:
    """Hanging up once the usage event is through costs what it says."""
    found = metered(body, complete=False)
    assert (found.estimated, found.parse_error) == (False, False)
    assert found.facts is not None
    claude_cut = metered(START + CLAUDE_DELTA + CLAUDE_END, dialect="anthropic", complete=False)
    assert claude_cut == exact(claude(15), "claude-sonnet-4-5")


def test_a_cut_stream_is_a_lower_bound() -> None:
    """Input is prompt bytes / 5, output the larger of delta events and text bytes / 4.5."""
    cut = metered(CHAT_DELTA * 30 + CHAT_STOP[:40], complete=False)
    assert cut == bound(openai(200, 33), "gpt-4o-2024-08-06")
    short = CHAT_DELTA.replace(b"Hello", b"a")
    assert metered(short * 30, complete=False).facts == openai(200, 30)
    assert metered(short * 3000, complete=False, prompt=9).facts == openai(1, 3000)
    assert metered(b"", complete=False) == bound(openai(200, 0), None)


def test_a_cut_anthropic_stream_keeps_its_exact_input() -> None:
    """`message_start` gives input and cache counts; its output is only a beginning and does not count."""
    for body in (START + CLAUDE_DELTA * 9, START + CLAUDE_DELTA * 9 + CLAUDE_END[:90]):
        assert metered(body, dialect="anthropic", complete=False) == bound(claude(32), "claude-sonnet-4-5")
    long = metered(START + CLAUDE_DELTA * 3000, dialect="anthropic", complete=False)
    assert long.facts == claude(3000 * 16 * 2 // 9)
    unseen = metered(START[:40], dialect="anthropic", complete=False)
    assert unseen == bound(claude(0, 200, cached=False), None)


def test_running_usage_of_a_cut_stream_is_a_floor() -> None:
    """Counts on every chunk are not final: the last of them and what was seen give the larger."""
    assert metered(CHAT_RUNNING * 3, complete=False) == bound(openai(9, 40), None)
    assert metered(CHAT_RUNNING + CHAT_DELTA * 90, complete=False).facts == openai(9, 100)


def test_a_complete_stream_without_usage_is_a_parse_error() -> None:
    """It is estimated, and told apart from a stream that ended in an error event."""
    assert metered(CHAT_DELTA + DONE) == bound(openai(200, 1), "gpt-4o-2024-08-06", parse_error=True)
    failed = metered(CHAT_DELTA + CHAT_ERROR)
    assert failed == bound(openai(200, 1), "gpt-4o-2024-08-06", error_event=True)
    claude_cut = metered(START + CLAUDE_DELTA + STOP, dialect="anthropic")
    assert claude_cut == bound(claude(3), "claude-sonnet-4-5", parse_error=True)


def test_a_complete_json_body_without_usage_is_never_estimated() -> None:
    """Its facts are unknown and it is a parse error, unless the endpoint is free."""
    body = json.dumps({"object": "list", "data": [{"id": "gpt-4o"}]}).encode()
    unread = Metered(None, None, estimated=False, error_event=False, parse_error=True)
    assert metered(body, sse=False) == unread
    assert metered(body, sse=False, free=True) == exact(None, None)
    assert metered(CHAT_BODY, sse=False, free=True).facts == openai(9, 12)
    assert metered(CHAT_DELTA, complete=False, free=True).facts is None


def test_a_cut_json_body_is_a_lower_bound() -> None:
    """Visible text counts; a usage object does not, for it may be the model's own words."""
    assert metered(CHAT_BODY[:-90], sse=False, complete=False) == bound(openai(200, 3), "gpt-4o-2024-08-06")
    call = b'{"type":"tool_use","input":{"usage":{"input_tokens":0,"output_tokens":0}}}'
    spoof = b'{"type":"message","model":"c","content":[' + call
    found = metered(spoof, sse=False, dialect="anthropic", complete=False)
    assert found == bound(claude(0, 200, cached=False), "c")
    long = spoof[: -len(call)] + b'{"type":"text","text":"' + b"x" * TAIL_BYTES + b'"},' + call
    found = metered(long, sse=False, dialect="anthropic", complete=False)
    assert found.facts is not None
    assert (found.facts.input_tokens, found.estimated) == (200, True)


@pytest.mark.parametrize("status", [302, 400, 429, 500])
@pytest.mark.parametrize("complete", [True, False])
def test_a_failure_is_never_estimated(status: int, complete: bool) -> None:  # noqa: FBT001 - a parameter of the table
    """Only an error body that itself reports usage has facts."""
    body = b'{"error":{"message":"no"}}'
    assert metered(body, sse=False, status=status, complete=complete) == exact(None, None)
    assert metered(CHAT_DELTA, status=status, complete=complete).facts is None
    reported = b'{"object":"error","usage":{"prompt_tokens":4,"completion_tokens":0}}'
    assert metered(reported, sse=False, status=status).facts == openai(4, 0)


def test_the_prompt_is_measured_only_when_it_must_be() -> None:
    """A request whose usage arrived never pays for counting its prompt."""

    def refuse() -> int:
        raise AssertionError

    tap = Tap(dialect="openai", sse=True)
    tap.feed(CHAT_DELTA + CHAT_USAGE + DONE)
    assert meter(tap, status=200, complete=True, prompt_bytes=refuse).facts == openai(9, 12)
    cut = Tap(dialect="anthropic", sse=True)
    cut.feed(START)
    assert meter(cut, status=200, complete=False, prompt_bytes=refuse).facts == claude(0)
