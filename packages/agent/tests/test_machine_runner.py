from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

import pytest

from beyond_agent.machine.child import environment
from beyond_agent.machine.pipe import SWEPT_BYTES, Pipe

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


def test_environment_is_the_agents_without_its_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """A child gets the agent's variables, or those that are given for it, and in neither case the agent's keys."""
    monkeypatch.setenv("AI_AGENT_KEY", "vk-1")
    monkeypatch.setenv("AI_API_KEY", "sk-1")
    monkeypatch.setenv("AI_AGENT_MODEL", "m")
    own = environment(None)
    assert (own["AI_AGENT_MODEL"], own["PATH"]) == ("m", os.environ["PATH"])
    assert not {"AI_AGENT_KEY", "AI_API_KEY"} & own.keys()
    assert environment({"AI_AGENT_KEY": "x", "AI_API_KEY": "y", "A": "b"}) == {"A": "b"}


def piped(test: Callable[[int, Callable[[Callable[[bytes], object]], Pipe]], Awaitable[None]]) -> None:
    """Run a test with the writing end of a pipe, and a function that makes the Pipe that reads the other."""

    async def run() -> None:
        reading, writing = os.pipe()
        os.set_blocking(reading, False)
        pipes: list[Pipe] = []

        def pipe(output: Callable[[bytes], object]) -> Pipe:
            pipes.append(Pipe(reading, output))
            return pipes[-1]

        try:
            await test(writing, pipe)
        finally:
            for each in pipes:
                each.close()

    asyncio.run(run())


def test_pieces_come_as_they_are_written() -> None:
    """What is written is given out without waiting for more; the end of file is told."""

    async def test(writing: int, pipe: Callable[[Callable[[bytes], object]], Pipe]) -> None:
        pieces: asyncio.Queue[bytes] = asyncio.Queue()
        reader = pipe(pieces.put_nowait)
        for piece in (b"one", b"\0two"):
            os.write(writing, piece)
            assert piece == await pieces.get()
        assert not reader.ended.done()
        os.close(writing)
        await reader.ended
        await reader.finish()
        assert (pieces.qsize(), reader.failed.done()) == (0, False)

    piped(test)


def test_no_more_is_read_while_a_piece_is_busy() -> None:
    """While the awaitable of a piece is pending nothing is read, so that a pipe that is full stops its writer."""

    async def test(writing: int, pipe: Callable[[Callable[[bytes], object]], Pipe]) -> None:
        pieces: list[bytes] = []
        gate = asyncio.Event()
        busy = asyncio.Event()

        def output(piece: bytes) -> Awaitable[object]:
            pieces.append(piece)
            busy.set()
            return gate.wait()

        reader = pipe(output)
        os.write(writing, b"one")
        await busy.wait()
        os.write(writing, b"two")
        for _ in range(20):
            await asyncio.sleep(0)
        assert pieces == [b"one"]
        gate.set()
        os.close(writing)
        await reader.ended
        assert pieces == [b"one", b"two"]

    piped(test)


def test_finish_gives_out_what_is_there_and_waits_for_no_more() -> None:
    """An open pipe is emptied, through an output that takes its time, and not waited on."""

    async def test(writing: int, pipe: Callable[[Callable[[bytes], object]], Pipe]) -> None:
        pieces: list[bytes] = []

        async def slow(piece: bytes) -> None:
            await asyncio.sleep(0)
            pieces.append(piece)

        reader = pipe(slow)
        os.write(writing, b"x" * 65_536)
        await reader.finish()
        assert b"".join(pieces) == b"x" * 65_536
        os.write(writing, b"late")
        for _ in range(20):
            await asyncio.sleep(0)
        assert len(b"".join(pieces)) == 65_536
        os.close(writing)

    piped(test)


def test_finish_ends_though_the_writer_does_not() -> None:
    """A writer that is never silent cannot hold the call: at most 1 MiB is swept up."""

    async def test(writing: int, pipe: Callable[[Callable[[bytes], object]], Pipe]) -> None:
        taken = 0

        def refill(piece: bytes) -> None:
            nonlocal taken
            taken += len(piece)
            os.write(writing, piece)

        reader = pipe(refill)
        os.write(writing, b"x" * 32_768)
        await reader.finish()
        assert taken == SWEPT_BYTES
        os.close(writing)

    piped(test)


@pytest.mark.parametrize("late", [False, True])
def test_fault_of_output_ends_the_pipe(late: bool) -> None:  # noqa: FBT001 - a case
    """What output raises, at once or from its awaitable, ends the reading and comes out of `finish`."""

    async def test(writing: int, pipe: Callable[[Callable[[bytes], object]], Pipe]) -> None:
        async def later() -> None:
            raise ValueError("broken")

        def output(piece: bytes) -> Awaitable[None]:
            del piece
            if late:
                return later()
            raise ValueError("broken")

        reader = pipe(output)
        os.write(writing, b"x")
        await reader.failed
        assert reader.ended.done()
        with pytest.raises(ValueError, match="broken"):
            await reader.finish()
        os.close(writing)

    piped(test)
