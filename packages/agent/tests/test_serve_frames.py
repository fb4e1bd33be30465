"""Lines, frames and the boxes they wait in, each by itself."""

from __future__ import annotations

import asyncio
import os
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from agent_serve_client import Checked
from hypothesis import given
from hypothesis import strategies as st

from beyond_agent.machine.spill import Spills
from beyond_agent.serve.fitting import line_of
from beyond_agent.serve.frames import MAX_LINE_OUT, Response
from beyond_agent.serve.lines import TooLong, lines
from beyond_agent.serve.narrator import Narrator
from beyond_agent.serve.numbered import Held, Numbered
from beyond_agent.serve.outbox import Outbox
from beyond_agent.serve.pipes import Pipe
from beyond_agent_core.events import AgentEnd, Failed, ToolEnd, ToolProgress, ToolStart, TurnEnd, TurnRetry, Undelivered

if TYPE_CHECKING:
    from pathlib import Path

    from beyond_agent_core.events import AgentEvent

ENDED = AgentEnd(steps=1, outcome="error", error_code="http_status", undelivered=Undelivered())

MIB = 1024 * 1024


def read(text: bytes, cuts: list[int], at_most: int) -> list[bytes | None]:
    """The lines of a text that comes in pieces; None for one that is too long."""
    places = sorted({0, len(text), *(cut % (len(text) + 1) for cut in cuts)})
    pieces = [text[start:end] for start, end in pairwise(places)] + [b""]

    async def piece(_: int) -> bytes:
        return pieces.pop(0)

    async def go() -> list[bytes | None]:
        return [None if isinstance(line, TooLong) else line async for line in lines(piece, at_most=at_most)]

    return asyncio.run(go())


@given(
    st.lists(st.sampled_from([b"a", b"{}", b"\r", b"\n", b"\xe2\x80\xa8", b" ", b"123456789"])),
    st.lists(st.integers(0)),
)
def test_lines_are_the_same_however_they_are_cut(parts: list[bytes], cuts: list[int]) -> None:
    """LF alone ends a line, one CR before it is dropped, blank lines are nothing, the last needs no LF."""
    text = b"".join(parts)
    expected = [
        None if len(line) > 8 else line.removesuffix(b"\r")
        for line in text.split(b"\n")
        if line.strip() or len(line) > 8
    ]
    assert read(text, cuts, 8) == expected


def test_what_is_skipped_is_not_kept() -> None:
    """A line of 20 MB costs no more memory than a piece of it."""
    import tracemalloc

    left = 300

    async def piece(_: int) -> bytes:
        nonlocal left
        left -= 1
        return b"x" * 65_536 if left >= 0 else b""

    async def go() -> list[Any]:
        return [line async for line in lines(piece, at_most=100_000)]

    tracemalloc.start()
    assert [type(line) for line in asyncio.run(go())] == [TooLong]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1024 * 1024


@pytest.mark.parametrize(
    "data",
    [
        {"text": "y" * 20_000_000},
        {"steer_queue": ["z" * 9_000_000, "short"]},
        {"nodes": [{"id": str(number), "preview": "p" * 100} for number in range(100_000)]},
        {"input": {f"key {number}": number for number in range(450_000)}},
        {"input": {"deep": {"list": list(range(1_500_000))}}},
        {"messages": [{"content": [{"text": "é" * 5_000_000}, {"text": "w" * 30_000}]}]},
    ],
    ids=["text", "list", "objects", "keys", "deep", "message"],
)
def test_no_frame_is_longer_than_a_line_may_be(tmp_path: Path, data: dict[str, Any]) -> None:
    """Whatever makes it large; what was cut is whole in a file that the frame names."""
    line = line_of(Response(command="x", success=True, data=data), Spills(str(tmp_path)))
    assert len(line) <= MAX_LINE_OUT
    assert b'"spill":{"path":"' in line
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    largest = max(path.stat().st_size for path in files)
    assert largest > 1_000_000
    assert all(str(path).encode() in line for path in files)


def test_a_frame_is_cut_where_nothing_can_be_spilled(tmp_path: Path) -> None:
    """A full disk: the frame fits all the same, and says why there is no file."""
    gone = tmp_path / "file"
    gone.write_text("")
    line = line_of(Response(command="x", success=True, data={"text": "y" * 9_000_000}), Spills(str(gone)))
    assert len(line) < 100_000
    assert b'"path":null' in line


def test_half_a_character_does_not_break_a_frame(tmp_path: Path) -> None:
    """A name that is no Unicode becomes one, in responses and in events."""
    spill = Spills(str(tmp_path))
    assert "\ufffd" in line_of(Response(command="x", success=True, data={"path": "a\udce4"}), spill).decode()
    frames = Numbered(replay_bytes=MIB)
    Narrator(frames, spill).tell(ToolStart(id="c", name="read", input={"path": "a\udce4"}))
    held = frames.after(0)
    assert held is not None
    assert "\ufffd" in next(iter(held)).line.decode()


# -- numbered frames


def test_numbers_have_no_hole_and_only_what_is_held_is_given_again() -> None:
    """The oldest give way above the bound; a number before them, or beyond the last, gives nothing."""
    frames = Numbered(replay_bytes=30)
    heard: list[Held] = []
    frames.listen(heard.append)
    frames.listen(heard.append)
    for _ in range(5):
        frames.send(lambda seq: b"%10d" % seq)
    assert [held.seq for held in heard] == [1, 2, 3, 4, 5]
    assert [held.seq for held in frames.after(2) or ()] == [3, 4, 5]
    assert list(frames.after(5) or ()) == []
    assert frames.after(1) is None
    assert frames.after(6) is None
    frames.leave(heard.append)
    assert not frames.heard


# -- what waits for one client


def sent(waiting: Outbox, pieces: list[bytes]) -> bytes:
    async def go() -> None:
        waiting.end()
        await waiting.run()

    asyncio.run(go())
    return b"".join(pieces)


def test_only_a_client_that_lags_loses_progress() -> None:
    """Few bytes wait: all is sent. Many: of each call the newest snapshot alone, everything else whole and in order."""
    for filler, expected in ((b"", b"a1b1a2b2a3"), (b"f" * 300_000, b"b2a3")):
        pieces: list[bytes] = []

        async def write(data: bytes, pieces: list[bytes] = pieces) -> None:
            pieces.append(data)

        waiting = Outbox(write)
        waiting.put(filler)
        for key, data in ((b"a", b"a1"), (b"b", b"b1"), (b"a", b"a2"), (b"b", b"b2"), (b"a", b"a3")):
            waiting.put(data, key.decode())
        assert sent(waiting, pieces) == filler + expected
        assert waiting.bytes == 0


def test_room_is_there_again_when_enough_was_sent() -> None:
    """`full` above the bound; `room` returns below it, at the end, and where nobody is to wait any more."""

    async def go() -> None:
        may = asyncio.Event()

        async def write(_: bytes) -> None:
            await may.wait()

        waiting = Outbox(write, backlog=100)
        running = asyncio.ensure_future(waiting.run())
        for _ in range(3):
            waiting.put(b"x" * 300_000)
        await asyncio.sleep(0)
        assert waiting.full
        waits = asyncio.ensure_future(waiting.room())
        await asyncio.sleep(0.01)
        assert not waits.done()
        may.set()
        await waits
        assert not waiting.full
        waiting.put(b"x" * 300_000)
        waiting.unbound()
        await waiting.room()
        waiting.end()
        waiting.put(b"too late")
        await running
        assert waiting.bytes == 0

    asyncio.run(go())


def test_an_end_with_a_last_line_drops_the_rest() -> None:
    """What was on its way stays whole, and then comes the last line."""
    pieces: list[bytes] = []

    async def write(data: bytes) -> None:
        pieces.append(data)

    waiting = Outbox(write)
    waiting.put(b"never read\n", "key")
    waiting.end_with(b"closing\n")
    assert sent(waiting, pieces) == b"closing\n"


# -- the telling of runs


def told(*happened: AgentEvent, spill: Spills) -> list[dict[str, Any]]:
    frames, check = Numbered(replay_bytes=MIB), Checked()
    narrator = Narrator(frames, spill)
    narrator.prompt_id = 7
    for event in happened:
        narrator.tell(event)
    return [check.frame(held.line) for held in frames.after(0) or ()]


def round_of(attempt: int) -> TurnRetry:
    return TurnRetry(
        step=1, attempt=attempt, max_attempts=3, delay_ms=9, phase="round", error_code="http_status", message="m"
    )


@pytest.mark.parametrize(
    ("ends", "success", "error"),
    [
        ((TurnEnd(stop_reason="end_turn", step=1),), True, None),
        ((Failed(message="it is down", error_code="http_status"), ENDED), False, "it is down"),
        ((msgspec.structs.replace(ENDED, outcome="cancelled"),), False, "run cancelled"),
    ],
)
def test_rounds_have_a_beginning_and_an_end(
    tmp_path: Path, ends: tuple[AgentEvent, ...], *, success: bool, error: str | None
) -> None:
    """Each round is told with the prompt's id; one end says whether it helped, with the last attempt's number."""
    frames = told(round_of(1), round_of(2), *ends, spill=Spills(str(tmp_path)))
    starts = [frame for frame in frames if frame["type"] == "auto_retry_start"]
    assert [(frame["id"], frame["attempt"], frame["delay_ms"]) for frame in starts] == [(7, 1, 9), (7, 2, 9)]
    (end,) = [frame for frame in frames if frame["type"] == "auto_retry_end"]
    assert (end["success"], end["attempt"], end.get("final_error")) == (success, 2, error)
    assert [frame["seq"] for frame in frames] == list(range(1, len(frames) + 1))


def test_only_a_models_attempts_count_as_waiting(tmp_path: Path) -> None:
    """A person's command beside the run does not end the wait; the next event of the run does."""
    narrator = Narrator(Numbered(replay_bytes=MIB), Spills(str(tmp_path)))
    narrator.tell(msgspec.structs.replace(round_of(1), phase="connect"))
    narrator.tell(ToolStart(id="bash_1", name="bash", input={}))
    narrator.tell(ToolProgress(id="bash_1", name="bash", snapshot="x"))
    narrator.tell(ToolEnd(id="bash_1", name="bash", result="x", is_error=False))
    assert narrator.retrying
    narrator.tell(TurnEnd(stop_reason="error", step=1))
    assert not narrator.retrying
    narrator.tell(msgspec.structs.replace(round_of(1), phase="overflow"))
    assert not narrator.retrying


def test_pipes_that_somebody_has_made_non_blocking_are_waited_for() -> None:
    """Nothing to read yet is no end of input, and a full pipe is no reader who has left."""

    async def go() -> None:
        data = bytes(range(256)) * 4096
        reading, writing = os.pipe()
        try:
            for descriptor in (reading, writing):
                os.set_blocking(descriptor, False)
            source, sink = Pipe(reading, "source"), Pipe(writing, "sink")
            first = asyncio.ensure_future(source.read(1))
            await asyncio.sleep(0.05)
            assert not first.done()
            sent = asyncio.ensure_future(sink.write(data))
            got = await first
            await asyncio.sleep(0.05)
            assert not sent.done()
            while len(got) < len(data):
                got += await source.read(65_536)
            await sent
            assert got == data
        finally:
            os.close(reading)
            os.close(writing)

    asyncio.run(asyncio.wait_for(go(), 20))
