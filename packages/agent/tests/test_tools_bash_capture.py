from __future__ import annotations

import asyncio
import tracemalloc

import pytest
from agent_process_tools import MemorySpills

from beyond_agent.tools.bash_capture import Capture


def captured(spills: MemorySpills, *pieces: bytes) -> Capture:
    async def run() -> Capture:
        capture = Capture(spills)
        for piece in pieces:
            busy = capture.take(piece)
            if busy is not None:
                await busy
        await capture.end()
        return capture

    return asyncio.run(run())


LONG = b"x" * 99 + b"\n"


@pytest.mark.parametrize("piece", [b"", b"a\n", LONG * 512, b"\n" * 2000, b"\x1b[0m" * 25_600])
def test_short_output_makes_no_file(piece: bytes) -> None:
    """Up to 100 KiB of which nothing is cut there is no file."""
    spills = MemorySpills()
    capture = captured(spills, piece)
    assert spills.files == []
    assert capture.details() == {"truncation": None, "full_output_path": None}
    assert "[" not in capture.text()


@pytest.mark.parametrize(
    ("piece", "extent"),
    [
        (LONG * 513, "Showing lines 2-513 of 513 (50.0KB limit)"),
        (b"\n" * 2001, "Showing lines 2-2001 of 2001"),
        (b"x" * 102_401, "Showing last 50.0KB of line 1 (line is 100.0KB)"),
    ],
)
def test_whatever_is_cut_is_in_a_file(piece: bytes, extent: str) -> None:
    """There is a file with all of it as soon as anything is cut, also below 100 KiB, and the notice names it."""
    spills = MemorySpills()
    capture = captured(spills, piece)
    assert piece == spills.files[0].content
    assert not spills.files[0].open
    assert capture.text().endswith(f"\n\n[{extent}. Full output: /spill/bash-0.log]")
    assert capture.details()["full_output_path"] == "/spill/bash-0.log"


def test_output_above_100_kib_is_in_a_file_though_nothing_is_cut() -> None:
    """Colours count for the file and not for the text; a file that nobody needs is not named in the text."""
    spills = MemorySpills()
    capture = captured(spills, b"\x1b[0m" * 25_601 + b"a")
    assert spills.files[0].content == b"\x1b[0m" * 25_601 + b"a"
    assert capture.text() == "a"
    assert capture.details() == {"truncation": None, "full_output_path": "/spill/bash-0.log"}


def test_the_file_has_all_bytes_as_they_came() -> None:
    """The file is what the program wrote, byte by byte, with escapes, halves of characters and NULs."""
    spills = MemorySpills()
    pieces = [bytes(range(256)) * 40, b"\x1b[31m", b"\xe4", b"\xb8\x80" * 50_000, b"\0" * 70_000]
    captured(spills, *pieces)
    assert b"".join(pieces) == spills.files[0].content


def test_a_file_that_is_full_is_told() -> None:
    """A file that stops at its bound says so in the notice."""
    text = captured(MemorySpills(room=2048), LONG * 2048).text()
    notice = "[Showing lines 1537-2048 of 2048 (50.0KB limit). Full output: /spill/bash-0.log]"
    assert text.endswith(f"\n\n{notice}\n[The file stops at 2.0KB of 200.0KB]")


def test_a_file_that_is_full_is_left_alone() -> None:
    """Once a file takes no more, nothing is offered to it."""
    spills = MemorySpills(room=2048)
    captured(spills, *[b"x" * 65_536] * 20)
    assert spills.files[0].writes == 1
    assert not spills.files[0].open


def test_a_disk_that_takes_nothing_costs_no_output() -> None:
    """Where the file cannot be made, or written, the tail stays and the notice says why."""
    full = OSError(28, "No space left on device")
    text = captured(MemorySpills(refuses=full), *[LONG] * 3000).text()
    notice = "[Showing lines 2489-3000 of 3000 (50.0KB limit). Full output was not kept: No space left on device]"
    assert text.endswith(f"\n\n{notice}")
    text = captured(MemorySpills(breaks=full), *[LONG] * 3000).text()
    assert text.endswith("/spill/bash-0.log]\n[The file stops at 0B of 293.0KB: No space left on device]")


class Counting:
    """A SpillFolder and its file, which only counts."""

    path = "/spill/counting"
    written = 0

    def open(self, stem: str) -> Counting:
        del stem
        return self

    def write(self, piece: bytes) -> None:
        self.written += len(piece)

    def close(self) -> None: ...


@pytest.mark.parametrize(
    "line",
    [
        b"y\n",
        b"\n",
        b"x",
        bytes(range(256)),
        b"\xff",
        "\x1b[31m\u4e00\n".encode(),
        b"\x1b[",
        b"\x1b]0;t\x07",
        b"\xc2\x9b",
    ],
)
def test_memory_is_bounded_whatever_is_printed(line: bytes) -> None:
    """2 MiB of output take less than 1 MiB of memory, snapshots and result with them."""
    piece = line * (65_536 // len(line))
    spill = Counting()

    async def run() -> str:
        capture = Capture(spill)
        for number in range(32):
            # A pipe gives a new piece each time.
            busy = capture.take(bytes(bytearray(piece)))
            if busy is not None:
                await busy
            if number % 8 == 0:
                capture.snapshot()
                capture.details()
        await capture.end()
        return capture.text()

    async def measured() -> int:
        # The first thread and its like belong to no call.
        await asyncio.to_thread(int)
        tracemalloc.start()
        try:
            await run()
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert asyncio.run(measured()) < 1024 * 1024
    assert spill.written == 32 * len(piece)
