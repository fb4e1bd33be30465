"""SSE framing: the same events for every cut, exact line ends, bounds, linear cost."""

from __future__ import annotations

import sys
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beyond_wire import SseBadUtf8, SseEvent, SseLineTooLong, SseParser, WireError
from beyond_wire.sse import MAX_EVENT_BYTES
from beyond_wire.testing.chunking import by_size, every_way
from beyond_wire.testing.streams import STREAMS


def _frame(chunks: list[bytes]) -> list[SseEvent]:
    parser = SseParser()
    events = [event for chunk in chunks for event in parser.feed(chunk)]
    return events + parser.finish()


def _feed(parser: SseParser, chunks: list[bytes]) -> list[SseEvent]:
    return [event for chunk in chunks for event in parser.feed(chunk)]


def _ev(data: str, event: str = "") -> SseEvent:
    return SseEvent(event=event, data=data)


NOT_ENDS = "a\u2028b\u2029c\u0085d\x0be\x0cf"

CASES: list[tuple[str, bytes, list[SseEvent]]] = [
    ("lf", b"data: a\n\ndata: b\n\n", [_ev("a"), _ev("b")]),
    ("crlf", b"data: a\r\n\r\ndata: b\r\n\r\n", [_ev("a"), _ev("b")]),
    ("crlf with name and lines", b"event: e\r\ndata: a\r\ndata: b\r\n\r\n", [_ev("a\nb", "e")]),
    ("cr", b"data: a\r\rdata: b\r\r", [_ev("a"), _ev("b")]),
    ("mixed", b"data: a\r\n\ndata: b\r\r\ndata: c\n\r\n", [_ev("a"), _ev("b"), _ev("c")]),
    ("event name", b"event: error\ndata: a\n\ndata: b\n\n", [_ev("a", "error"), _ev("b")]),
    ("name after data", b"data: a\nevent: late\n\n", [_ev("a", "late")]),
    ("name without data", b"event: lost\n\ndata: b\n\n", [_ev("b")]),
    ("multi-line", b"data: a\ndata: b\ndata:\n\n", [_ev("a\nb\n")]),
    ("one space only", b"data:a\n\ndata:  b\n\n", [_ev("a"), _ev(" b")]),
    ("field without colon", b"data\n\ndata\ndata\n\n", [_ev(""), _ev("\n")]),
    ("comments", b": hi\ndata: a\n: mid\ndata: b\n\n: bye\n\n", [_ev("a\nb")]),
    ("other fields", b"id: 1\nretry: 5\ndata: a\ndatax: no\neventual: no\n\n", [_ev("a")]),
    ("no last blank line", b"data: a\n\ndata: b\n", [_ev("a"), _ev("b")]),
    ("no last line end", b"event: e\ndata: b", [_ev("b", "e")]),
    ("blank lines", b"\n\n\ndata: a\n\n\n\n\ndata: b\n\n\n", [_ev("a"), _ev("b")]),
    ("bom", b"\xef\xbb\xbfdata: a\n\n", [_ev("a")]),
    ("two boms", b"\xef\xbb\xbf\xef\xbb\xbfdata: a\n\ndata: b\n\n", [_ev("b")]),
    ("half a bom", b"\xef\xbb", []),
    ("bom inside", b"data: \xef\xbb\xbfa\n\n", [_ev("\ufeffa")]),
    ("unicode line ends", f"data: {NOT_ENDS}\n\n".encode(), [_ev(NOT_ENDS)]),
    ("four-byte characters", "data: 🙂é\n\nevent: 🙂\ndata: 𝄞\n\n".encode(), [_ev("🙂é"), _ev("𝄞", "🙂")]),
    ("done", b"data: [DONE]\n\n", [_ev("[DONE]")]),
    ("colon in data", b"data: a: b\n\n", [_ev("a: b")]),
    ("bad utf-8 in a comment", b": \xff\ndata: a\n\n", [_ev("a")]),
    ("nothing", b"", []),
]


@pytest.mark.parametrize(("body", "events"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_events_for_every_cut(body: bytes, events: list[SseEvent]) -> None:
    """Each case gives its events whole, byte by byte, at every single cut and at random cuts."""
    for chunks in every_way(body):
        assert _frame(chunks) == events, chunks


@pytest.mark.parametrize("body", [stream.body for stream in STREAMS if stream.sse and len(stream.body) < 700])
def test_recorded_streams_for_every_cut(body: bytes) -> None:
    """Recorded streams give the same events however they are cut."""
    expected = _frame([body])
    for chunks in every_way(body):
        assert _frame(chunks) == expected


@given(st.lists(st.sampled_from([b"data: ", b"data", b"event: ", b":", b"\n", b"\r", b"a", b"\xc3", b"\xa9", b" "])))
def test_random_lines_for_every_cut(pieces: list[bytes]) -> None:
    """Events and faults of random lines do not depend on the cut, and faults are wire errors."""
    body = b"".join(pieces)
    assert len({repr(_outcome(chunks)) for chunks in every_way(body)}) <= 1


def _outcome(chunks: list[bytes]) -> tuple[list[SseEvent], str]:
    parser = SseParser()
    events: list[SseEvent] = []
    try:
        for chunk in chunks:
            events += parser.feed(chunk)
        events += parser.finish()
    except WireError as fault:
        return events + list(fault.events), fault.code
    return events, ""


def test_bad_utf8_keeps_what_came_before() -> None:
    """Invalid UTF-8 is named with its offset and carries the events that the same chunk completed before it."""
    parser = SseParser()
    with pytest.raises(SseBadUtf8, match=r"^invalid UTF-8 in SSE stream: invalid start byte at byte 2 ") as caught:
        parser.feed(b"data: a\n\ndata: ok\xff\n\ndata: never\n\n")
    assert caught.value.events == (_ev("a"),)
    assert (caught.value.code, caught.value.retryable) == ("sse_bad_utf8", False)


def test_a_faulted_parser_stays_faulted() -> None:
    """After a fault every feed raises it again without events, and finish has nothing left."""
    parser = SseParser()
    with pytest.raises(SseBadUtf8):
        parser.feed(b"data: a\n\ndata: \xff\n\n")
    with pytest.raises(SseBadUtf8) as again:
        parser.feed(b"data: b\n\n")
    assert again.value.events == ()
    assert parser.finish() == []


def test_character_cut_by_the_end_of_the_body() -> None:
    """A body that ends inside a character is a fault at finish."""
    parser = SseParser()
    assert parser.feed("data: 🙂".encode()[:-1]) == []
    with pytest.raises(SseBadUtf8):
        parser.finish()


def test_feed_after_finish_is_a_bug() -> None:
    """Feeding a finished parser is the caller's bug; finishing twice gives nothing more."""
    parser = SseParser()
    assert parser.feed(b"data: a") == []
    assert parser.finish() == [_ev("a")]
    assert parser.finish() == []
    with pytest.raises(RuntimeError):
        parser.feed(b"data: b\n\n")


@pytest.mark.parametrize(
    ("body", "fits"),
    [
        (b"data:" + b"x" * 27 + b"\n\n", True),
        (b"data:" + b"x" * 28 + b"\n\n", False),
        (b": " + b"x" * 30 + b"\n\n", True),
        (b": " + b"x" * 31 + b"\n\n", False),
        (b"data:" + b"x" * 15 + b"\ndata:" + b"y" * 16 + b"\n\n", True),
        (b"data:" + b"x" * 16 + b"\ndata:" + b"y" * 16 + b"\n\n", False),
        (b"data:" + b"x" * 20 + b"\n: " + b"y" * 20 + b"\n\n", True),
        (b"data:" + b"x" * 16 + b"\nevent:" + b"n" * 16 + b"\n\n", True),
        (b"event:" + b"n" * 20 + b"\ndata:" + b"y" * 20 + b"\n\n", False),
        (b"data\n" * 33 + b"\n", True),
        (b"data\n" * 34 + b"\n", False),
        (b"x" * 33, False),
    ],
)
def test_bound_for_every_cut(body: bytes, fits: bool) -> None:  # noqa: FBT001  a parameter of the table
    """A line or an event at the bound passes and one byte more is refused, wherever the bytes are cut."""
    for chunks in every_way(body):
        parser = SseParser(max_bytes=32)
        if fits:
            assert _feed(parser, chunks) == _frame([body])
        else:
            with pytest.raises(SseLineTooLong) as caught:
                _feed(parser, chunks)
            assert caught.value.code == "sse_line_too_long"


@pytest.mark.parametrize(("opening", "kept"), [(b"data: ", MAX_EVENT_BYTES), (b": ", 64)])
def test_default_bound_holds_memory(opening: bytes, kept: int) -> None:
    """An unterminated line is refused above 32 MiB, is let go then, and a long comment is never kept at all."""
    parser = SseParser()
    parser.feed(opening)
    for _ in range(31):
        parser.feed(b"x" * (1 << 20))
        assert sys.getsizeof(parser._line) <= kept + kept // 4  # pyright: ignore[reportPrivateUsage]  memory is what is promised
    with pytest.raises(SseLineTooLong):
        parser.feed(b"x" * (1 << 20))
    assert len(parser._line) == 0  # pyright: ignore[reportPrivateUsage]  memory is what is promised
    assert MAX_EVENT_BYTES == 32 * 1024 * 1024


def _cpu_seconds(chunks: list[bytes]) -> float:
    def once() -> float:
        began = process_time()
        assert len(_frame(chunks)) == 1
        return process_time() - began

    return min(once() for _ in range(3))


def test_cost_is_linear_in_small_chunks() -> None:
    """An event of eight times the size in 1 KiB chunks costs about eight times the CPU; rescanning would cost 64."""
    small, large = (by_size(b"data: " + b"x" * (mib << 20) + b"\n\n", 1024) for mib in (1, 8))
    assert _cpu_seconds(large) < 24 * _cpu_seconds(small)


def test_repr_shows_state() -> None:
    """The parser's repr tells what is pending and shows no content."""
    parser = SseParser()
    parser.feed(b"data: secret\ndata: more")
    assert repr(parser) == "<SseParser line=10B data=7B finished=False>"
