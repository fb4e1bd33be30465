"""Events to a turn: joined fragments, replaced and repaired arguments, open blocks, linear time."""

from __future__ import annotations

from itertools import pairwise
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beyond_wire import types as t
from beyond_wire.accumulate import Accumulator, turn_of

START, END = t.MessageStart(), t.MessageStop(stop_reason="end_turn")


def _call(index: int, *fragments: str, call_id: str = "c") -> list[t.StreamEvent]:
    return [
        t.ToolUseStart(index=index, id=call_id, name="n"),
        *(t.InputJsonDelta(index=index, partial_json=fragment) for fragment in fragments),
        t.ContentBlockStop(index=index),
    ]


def _blocks(*events: t.StreamEvent) -> tuple[t.ContentBlock, ...]:
    return turn_of(events).message.content


def test_whole_turn() -> None:
    """Blocks, stop reason and usage of an answer become one turn of the assistant."""
    turn = turn_of(
        [
            START,
            t.ThinkingDelta(index=0, text="hm"),
            t.ThinkingDelta(index=0, text="m"),
            t.SignatureDelta(index=0, signature="si"),
            t.SignatureDelta(index=0, signature="g"),
            t.ContentBlockStop(index=0),
            t.RedactedThinking(index=1, data="r"),
            t.ContentBlockStop(index=1),
            t.TextDelta(index=2, text="a"),
            t.TextDelta(index=2, text="b"),
            t.ContentBlockStop(index=2),
            *_call(3, '{"x"', ":1}"),
            t.usage_event(t.TokenUsage(input_tokens=3, reasoning_tokens=1)),
            t.MessageStop(stop_reason="tool_use"),
        ]
    )
    assert turn == t.Turn(
        message=t.assistant(
            [
                t.ThinkingBlock(thinking="hmm", signature="sig"),
                t.RedactedThinkingBlock(data="r"),
                t.TextBlock(text="ab"),
                t.ToolUseBlock(id="c", name="n", input={"x": 1}),
            ]
        ),
        stop_reason="tool_use",
        usage=t.TokenUsage(input_tokens=3, reasoning_tokens=1),
    )


def test_nothing_seen() -> None:
    """Usage never seen is all zeros, and an answer without blocks has no content."""
    assert turn_of([START, END]) == t.Turn(message=t.assistant([]))


def test_empty_blocks_are_none() -> None:
    """Empty text and empty thinking yield no block; hidden thinking is kept for its signature."""
    assert _blocks(t.TextDelta(index=0, text=""), t.ContentBlockStop(index=0), END) == ()
    assert _blocks(t.ThinkingDelta(index=0, text=""), t.ContentBlockStop(index=0), END) == ()
    assert _blocks(t.TextDelta(index=0, text="a"), t.TextFinal(index=0, text="", id="m"), END) == ()
    assert _blocks(t.SignatureDelta(index=0, signature="s"), END) == (t.ThinkingBlock(thinking="", signature="s"),)


def test_finals_replace_deltas() -> None:
    """The final text and the final arguments replace what the deltas gave, before or after them."""
    text = t.TextFinal(index=0, text="right", id="m", phase="final_answer")
    block = t.TextBlock(text="right", id="m", phase="final_answer")
    assert _blocks(t.TextDelta(index=0, text="wrong"), text, t.ContentBlockStop(index=0), END) == (block,)
    assert _blocks(text, t.ContentBlockStop(index=0), END) == (block,)
    start, *fragments, stop = _call(0, '{"x":', "9}")
    final = t.InputJsonFinal(index=0, full_json='{"x":1}')
    assert _blocks(start, *fragments, final, stop) == (t.ToolUseBlock(id="c", name="n", input={"x": 1}),)
    assert _blocks(start, final, *fragments, stop) == (t.ToolUseBlock(id="c", name="n", input={"x": 1}),)


def test_parallel_blocks_do_not_mix() -> None:
    """Several blocks may be open at once, and come out in the order of their index."""
    assert _blocks(
        t.TextDelta(index=0, text="a"),
        t.ToolUseStart(index=2, id="two", name="n"),
        t.ToolUseStart(index=1, id="one", name="n"),
        t.InputJsonDelta(index=1, partial_json='{"x":'),
        t.InputJsonDelta(index=2, partial_json='{"y":'),
        t.InputJsonDelta(index=1, partial_json="1}"),
        t.InputJsonDelta(index=2, partial_json="2}"),
        t.ContentBlockStop(index=2),
        t.ContentBlockStop(index=1),
        t.ContentBlockStop(index=0),
    ) == (
        t.TextBlock(text="a"),
        t.ToolUseBlock(id="one", name="n", input={"x": 1}),
        t.ToolUseBlock(id="two", name="n", input={"y": 2}),
    )


def test_open_blocks_are_closed_at_the_end() -> None:
    """A turn taken before a block stops holds what has come so far, and taking it again changes nothing."""
    accumulator = Accumulator()
    for event in (t.TextDelta(index=0, text="a"), t.ThinkingDelta(index=1, text="b"), *_call(2, "{}")[:-1]):
        accumulator.add(event)
    assert repr(accumulator) == "<Accumulator blocks=0 open=3 stop=end_turn>"
    expected = (
        t.TextBlock(text="a"),
        t.ThinkingBlock(thinking="b"),
        t.ToolUseBlock(id="c", name="n", input={}),
    )
    assert accumulator.turn().message.content == expected
    assert accumulator.turn().message.content == expected


def test_bad_arguments_keep_the_block() -> None:
    """Arguments that are no object leave the call with an empty input, and their raw text stands apart."""
    turn = turn_of([*_call(0, '{"x": ', "tru", call_id="bad"), *_call(1, "", call_id="empty"), END])
    assert turn.bad_args == {"bad": '{"x": tru'}
    assert turn.message.content == (
        t.ToolUseBlock(id="bad", name="n", input={}),
        t.ToolUseBlock(id="empty", name="n", input={}),
    )


def test_arguments_without_a_call_are_dropped() -> None:
    """Fragments of arguments that belong to no call raise nothing and yield nothing."""
    stray = [t.InputJsonDelta(index=0, partial_json="{}"), t.InputJsonFinal(index=0, full_json="{}")]
    assert _blocks(*stray, t.ContentBlockStop(index=0), END) == ()


@given(st.text(), st.lists(st.integers(0, 40)))
def test_any_cut_of_the_text(text: str, cuts: list[int]) -> None:
    """However a text is cut into deltas, the block is the same."""
    ends = [0, *sorted(cut for cut in cuts if cut < len(text)), len(text)]
    deltas = [t.TextDelta(index=0, text=text[start:end]) for start, end in pairwise(ends)]
    assert _blocks(*deltas, t.ContentBlockStop(index=0), END) == ((t.TextBlock(text=text),) if text else ())


EVENT = st.one_of(
    st.builds(t.TextDelta, index=st.integers(0, 3), text=st.text(max_size=3)),
    st.builds(t.ThinkingDelta, index=st.integers(0, 3), text=st.text(max_size=3)),
    st.builds(t.SignatureDelta, index=st.integers(0, 3), signature=st.text(max_size=3)),
    st.builds(t.RedactedThinking, index=st.integers(0, 3), data=st.text(max_size=3)),
    st.builds(t.ToolUseStart, index=st.integers(0, 3), id=st.text(max_size=3), name=st.just("n")),
    st.builds(t.InputJsonDelta, index=st.integers(0, 3), partial_json=st.text(max_size=3)),
    st.builds(t.InputJsonFinal, index=st.integers(0, 3), full_json=st.text(max_size=3)),
    st.builds(t.TextFinal, index=st.integers(0, 3), text=st.text(max_size=3)),
    st.builds(t.ContentBlockStop, index=st.integers(0, 3)),
    st.just(START),
    st.just(END),
)


@given(st.lists(EVENT, max_size=30))
def test_any_order_of_events(events: list[t.StreamEvent]) -> None:
    """Any order of events gives a turn whose blocks are not empty."""
    for block in turn_of(events).message.content:
        assert not isinstance(block, t.TextBlock) or block.text
        assert not isinstance(block, t.ThinkingBlock) or block.thinking or block.signature


@pytest.mark.parametrize("kind", ["arguments", "text"])
def test_time_is_linear(kind: str) -> None:
    """One MiB in one-byte fragments takes less than 2.5 times as long as half of it."""

    def seconds(size: int) -> float:
        if kind == "arguments":
            fragments = f'{{"a":"{"x" * (size - 8)}"}}'
            events = _call(0, *fragments)
        else:
            events = [t.TextDelta(index=0, text=letter) for letter in "x" * size]
        started = process_time()
        turn = turn_of(events)
        taken = process_time() - started
        assert not turn.bad_args
        return taken

    half, full = 512 * 1024, 1024 * 1024
    ratios = (seconds(full) / min(seconds(half), seconds(half)) for _ in range(5))
    assert any(ratio < 2.5 for ratio in ratios)
