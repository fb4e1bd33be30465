"""From what passed to the usage row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from exchanges import COMPLETION, DELTA, USAGE_EVENT

from beyond_gateway.ledger import KEPT_PROMPTS_BYTES, Ledger, PromptBudget
from beyond_gateway.managed_key import Identity
from beyond_gateway.providers import BUILT_IN
from beyond_gateway.request_scan import HELD_BYTES
from beyond_gateway.route import Route

if TYPE_CHECKING:
    from beyond_gateway.settle import Outcome

OPENAI = Route(BUILT_IN[0], b"/v1/chat/completions", "openai", b"/v1/chat/completions")
ANTHROPIC = Route(BUILT_IN[1], b"/v1/messages", "anthropic", b"/v1/messages")
ASKED = b'{"model":"gpt-4o","messages":[{"role":"user","content":"0123456789"}]}'
START = (
    b'event: message_start\ndata: {"type":"message_start","message":{"model":"claude-x","usage":{"input_tokens":50,'
    b'"output_tokens":1}}}\n\n'
)
TEXT = b'event: content_block_delta\ndata: {"type":"content_block_delta","delta":{"type":"text_delta","text":"hi"}}\n\n'


def ledger(
    route: Route = OPENAI, *, free: bool = False, key_id: int | None = None, prompts: PromptBudget | None = None
) -> Ledger:
    return Ledger(route, Identity(1, 11, 22, key_id), 100.0, prompts or PromptBudget(), free=free)


def row_of(book: Ledger, outcome: Outcome = "ok", now: float = 101.5) -> dict[str, Any]:
    line = book.row("id", outcome, now).line
    assert line is not None
    decoded = msgspec.json.decode(line)
    assert decoded["target"] == "ai.usage"
    return decoded["fields"]


def respond(book: Ledger, *pieces: bytes, sse: bool = False, status: int = 200) -> Ledger:
    book.response_head(status, sse=sse, encoding="")
    look = None
    for piece in pieces:
        if look is None:
            look = book.first_response_piece(piece, 100.25)
        else:
            look(piece)
    return book


def test_a_whole_exchange_is_a_whole_row() -> None:
    """Identity, models, counts, times in whole milliseconds, status and outcome."""
    book = ledger(key_id=9)
    book.request_body(ASKED)
    row = row_of(respond(book, COMPLETION[:20], COMPLETION[20:]))
    assert row == {
        "message": "usage",
        "request_id": "id",
        "tenant_id": 11,
        "vpc_id": 22,
        "key_id": 9,
        "provider": "openai",
        "model": "gpt-4o-2024",
        "requested_model": "gpt-4o",
        "stream": False,
        "input_tokens": 9,
        "output_tokens": 4,
        "latency_ms": 1500,
        "ttft_ms": 250,
        "upstream_status": 200,
        "outcome": "ok",
        "usage_estimated": False,
        "usage_wire": "openai",
    }


def test_pieces_of_a_request_give_the_model_of_the_whole() -> None:
    """A streamed request body is read like one that was collected."""
    for size in (1, 7, 1000):
        book = ledger()
        for at in range(0, len(ASKED), size):
            book.request_piece(ASKED[at : at + size])
        book.request_done()
        assert row_of(respond(book, COMPLETION))["requested_model"] == "gpt-4o"


def test_nothing_came_back_and_nothing_is_claimed() -> None:
    """Without a response head there is no status, no count and no estimate."""
    book = ledger()
    book.request_body(ASKED)
    row = row_of(book, "upstream_error")
    assert not {"upstream_status", "input_tokens", "output_tokens", "usage_wire", "ttft_ms"} & row.keys()
    assert (row["outcome"], row["usage_estimated"], row["model"]) == ("upstream_error", False, "gpt-4o")


@pytest.mark.parametrize("outcome", ["client_cancelled", "cut_short", "timeout"])
def test_a_cut_stream_is_estimated_from_its_prompt_and_what_it_showed(outcome: Outcome) -> None:
    """A lower bound: prompt text bytes / 5, one token an event."""
    book = ledger()
    book.request_body(ASKED)
    row = row_of(respond(book, *[DELTA + b"\n\n"] * 6, sse=True), outcome)
    assert (row["outcome"], row["usage_estimated"], row["output_tokens"], row["input_tokens"]) == (outcome, True, 6, 2)
    assert row["stream"]


def test_anthropics_input_is_exact_in_a_cut_stream() -> None:
    """The first event tells the input; the output is a lower bound."""
    book = ledger(ANTHROPIC)
    book.request_body(ASKED)
    row = row_of(respond(book, START, *[TEXT] * 3, sse=True), "cut_short")
    assert (row["input_tokens"], row["usage_estimated"], row["model"]) == (50, True, "claude-x")
    assert row["output_tokens"] >= 3


def test_a_stream_whose_usage_came_is_not_estimated_when_it_is_cut() -> None:
    """The provider's final count comes before any estimate."""
    book = ledger()
    book.request_body(ASKED)
    row = row_of(respond(book, DELTA + b"\n\n", USAGE_EVENT + b"\n\n", sse=True), "client_cancelled")
    assert (row["input_tokens"], row["output_tokens"], row["usage_estimated"]) == (9, 4, False)


@pytest.mark.parametrize("room", [KEPT_PROMPTS_BYTES, 0])
@pytest.mark.parametrize("size", [20_000, 200_000, HELD_BYTES + 5])
@pytest.mark.parametrize("whole", [True, False])
def test_a_long_prompt_is_still_estimated_when_its_bytes_are_gone(size: int, room: int, *, whole: bool) -> None:
    """Kept prompts are counted whole; without room, and above a mebibyte, their beginning is the lower bound."""
    body = b'{"model":"m","messages":[{"role":"user","content":"%b"}]}' % (b"x" * size)
    prompts = PromptBudget(room)
    book = ledger(prompts=prompts)
    if whole:
        book.request_body(body)
    else:
        for at in range(0, len(body), 60_000):
            book.request_piece(body[at : at + 60_000])
        book.request_done()
    row = row_of(respond(book, DELTA + b"\n\n", sse=True), "cut_short")
    assert row["usage_estimated"]
    assert row["requested_model"] == "m"
    assert prompts.room == room, "given back"
    counted = size if room and size < HELD_BYTES else min(size, 64 * 1024)
    assert counted // 5 - 20 <= row["input_tokens"] <= size // 5


def test_prompts_are_kept_within_their_budget() -> None:
    """While a stream runs its prompt takes room; one that finds none is let go, and Anthropic's always is."""
    body = b'{"model":"m","messages":[{"role":"user","content":"%b"}]}' % (b"x" * 30_000)
    prompts = PromptBudget(len(body) + 10)
    books = [ledger(route, prompts=prompts) for route in (OPENAI, OPENAI, ANTHROPIC)]
    for book, first in zip(books, (DELTA, DELTA, START), strict=True):
        book.request_body(body)
        respond(book, first + b"\n\n", sse=True)
        assert prompts.room == 10, "the first one's alone"
    for book in books:
        row_of(book, "cut_short")
    assert prompts.room == len(body) + 10


def test_errors_are_the_providers() -> None:
    """A status of 400 and above, or an error event inside a 200 stream, is upstream_error without an estimate."""
    book = ledger()
    book.request_body(ASKED)
    row = row_of(respond(book, b'{"error":{}}', status=429))
    assert (row["outcome"], row["upstream_status"], row["usage_estimated"]) == ("upstream_error", 429, False)
    book = ledger()
    error = b'data: {"error":{"message":"overloaded"}}\n\n'
    assert row_of(respond(book, DELTA + b"\n\n", error, sse=True))["outcome"] == "upstream_error"


def test_a_free_call_has_a_row_only_for_usage() -> None:
    """Counting tokens is free, unless the provider says what it cost."""
    book = ledger(free=True)
    book.request_body(ASKED)
    assert respond(book, b'{"input_tokens":5}').row("id", "ok", 101.0).line is None
    assert ledger(free=True).row("id", "client_cancelled", 101.0).line is None
    assert row_of(respond(ledger(free=True), COMPLETION))["input_tokens"] == 9


def test_a_body_before_its_head_is_a_bug_of_ours() -> None:
    """It is raised, not billed."""
    with pytest.raises(RuntimeError, match="without a head"):
        ledger().first_response_piece(b"x", 1.0)
