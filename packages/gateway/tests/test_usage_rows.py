"""Rows on their way out: never lost, never torn, never waited for."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

from beyond_gateway.usage_rows import FLUSH_S, PIPE_BUF, LineWriter

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path


@contextmanager
def pipe() -> Generator[tuple[int, int, asyncio.AbstractEventLoop]]:
    """A pipe's reading and writing end, and a loop that is not running."""
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    loop = asyncio.new_event_loop()
    try:
        yield reader, writer, loop
    finally:
        loop.close()
        for fd in (reader, writer):
            try:
                os.close(fd)
            except OSError:
                assert fd == reader


def run_for(loop: asyncio.AbstractEventLoop, seconds: float) -> None:
    loop.run_until_complete(asyncio.sleep(seconds))


def drain(fd: int) -> bytes:
    data = b""
    while True:
        try:
            piece = os.read(fd, 1 << 16)
        except BlockingIOError:
            return data
        if not piece:
            return data
        data += piece


def _blocked(*_: object) -> None:
    raise AssertionError("a write blocked")


def row(number: int, size: int = 300) -> bytes:
    return b"%0*d\n" % (size - 1, number)


def test_rows_of_a_moment_share_a_write_and_keep_their_order() -> None:
    """Nothing is written at once; after the pause all is there, whole and in order."""
    with pipe() as (reader, writer, loop):
        rows = LineWriter(writer, loop)
        for number in range(5):
            rows.put(row(number))
        assert drain(reader) == b""
        assert rows.pending == 5
        run_for(loop, FLUSH_S * 4)
        assert drain(reader) == b"".join(row(number) for number in range(5))
        assert (rows.pending, rows.written, rows.dropped) == (0, 5, 0)


def test_a_stalled_reader_blocks_nothing_and_loses_nothing() -> None:
    """Far more rows than the pipe holds: each put returns, and every row comes out once the reader reads."""
    signal.signal(signal.SIGALRM, _blocked)
    with pipe() as (reader, writer, loop):
        signal.setitimer(signal.ITIMER_REAL, 10)
        rows = LineWriter(writer, loop)
        wanted = b"".join(row(number) for number in range(2000))
        for number in range(2000):
            rows.put(row(number))
            if number % 500 == 0:
                rows.flush_now()
        assert not rows.flush_now()
        assert 0 < rows.pending < 2000
        assert not rows.full
        got = b""
        while not rows.flush_now():
            got += drain(reader)
        assert got + drain(reader) == wanted
        signal.setitimer(signal.ITIMER_REAL, 0)


def test_a_stalled_write_is_tried_again_by_itself() -> None:
    """Without another put, the loop's clock takes the rest out."""
    with pipe() as (reader, writer, loop):
        rows = LineWriter(writer, loop)
        for number in range(400):
            rows.put(row(number))
        run_for(loop, FLUSH_S * 2)
        got = drain(reader)
        assert rows.pending
        run_for(loop, 0.08)
        got += drain(reader)
        assert got == b"".join(row(number) for number in range(400))


def test_two_writers_on_one_pipe_never_tear_a_line() -> None:
    """Two workers' rows come through one pipe in whole lines, also while it is full."""
    with pipe() as (reader, writer, loop):
        first, second = LineWriter(writer, loop), LineWriter(writer, loop)
        got = b""
        for number in range(600):
            first.put(b"a" * (number % 700 + 1) + b"\n")
            second.put(b"b" * (number * 7 % 900 + 1) + b"\n")
        while not (first.flush_now() & second.flush_now()):
            got += drain(reader)
        got += drain(reader)
        lines = got.splitlines()
        assert all(len(set(line)) == 1 for line in lines)
        assert sorted(map(len, (line for line in lines if line[:1] == b"a"))) == sorted(n % 700 + 1 for n in range(600))
        assert len(lines) == 1200


def test_a_line_longer_than_a_pipe_write_comes_out_whole() -> None:
    """It is written in parts, and nothing else stands between them."""
    with pipe() as (reader, writer, loop):
        rows = LineWriter(writer, loop)
        lines = [row(1, PIPE_BUF * 40), row(2), row(3, PIPE_BUF + 1)]
        os.set_blocking(writer, False)
        for line in lines:
            rows.put(line)
        got = b""
        while not rows.flush_now():
            got += drain(reader)
        assert got + drain(reader) == b"".join(lines)


def test_it_is_full_at_its_bound_and_takes_rows_all_the_same() -> None:
    """`full` stops new requests; the rows of those that run are still taken."""
    with pipe() as (reader, writer, loop):
        rows = LineWriter(writer, loop, limit=3)
        seen: list[bool] = []
        for number in range(5):
            seen.append(rows.full)
            rows.put(row(number))
        assert seen == [False, False, False, True, True]
        assert rows.pending == 5
        assert rows.flush_now()
        assert not rows.full
        assert drain(reader).count(b"\n") == 5


def test_diagnostics_past_the_bound_are_counted_and_let_go() -> None:
    """A log that nobody reads costs bounded memory."""
    with pipe() as (reader, writer, loop):
        lines = LineWriter(writer, loop, limit=3, dropping=True)
        for number in range(5):
            lines.put(row(number))
        assert (lines.pending, lines.dropped) == (3, 2)
        assert lines.close() == 0
        assert drain(reader) == b"".join(row(number) for number in range(3))
        assert "dropped=2" in repr(lines)


def test_a_reader_that_is_gone_leaves_the_rows_queued() -> None:
    """No exception, no signal, no loss: close says how many could not be written."""
    with pipe() as (reader, writer, loop):
        rows = LineWriter(writer, loop)
        os.close(reader)
        for number in range(3):
            rows.put(row(number))
        run_for(loop, FLUSH_S * 2)
        assert rows.pending == 3
        assert rows.close() == 3


def test_a_file_takes_everything_at_once(tmp_path: Path) -> None:
    """A regular file is never polled, and appended to in order."""
    loop = asyncio.new_event_loop()
    path = tmp_path / "rows"
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    rows = LineWriter(fd, loop)
    for number in range(1000):
        rows.put(row(number))
    assert rows.close() == 0
    assert path.read_bytes() == b"".join(row(number) for number in range(1000))
    os.close(fd)
    loop.close()


def test_what_is_written_is_told_line_by_line() -> None:
    """Each line is told once, when the operating system has taken it whole; what waits is not told."""
    with pipe() as (reader, writer, loop):
        rows = LineWriter(writer, loop)
        told: list[int] = []
        rows.on_written = told.append
        for number in range(500):
            rows.put(row(number))
        assert not rows.flush_now()
        assert sum(told) == rows.written == 500 - rows.pending
        while not rows.flush_now():
            drain(reader)
        assert sum(told) == 500


def test_without_a_loop_a_line_is_out_at_once() -> None:
    """A process that runs no event loop writes lines all the same."""
    reader, writer = os.pipe()
    rows = LineWriter(writer, None)
    rows.put(b"one\n")
    assert os.read(reader, 100) == b"one\n"
    assert rows.close() == 0
    os.close(reader)
    os.close(writer)


def test_the_pipe_stays_blocking_for_others() -> None:
    """What others do with the same pipe is not changed: the flag that keeps us from waiting is ours alone."""
    with pipe() as (_, writer, loop):
        rows = LineWriter(writer, loop)
        assert os.get_blocking(writer)
        rows.put(row(1))
        assert rows.close() == 0
        assert os.get_blocking(writer)


@contextmanager
def small_disk(room: int) -> Generator[None]:
    """Let files grow to `room` bytes only, as a full disk would: the write at the edge is cut short, then none goes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_loses_nothing(tmp_path: Path) -> None:
    """What does not fit waits; when there is room again every row is there once, whole and in order."""
    loop = asyncio.new_event_loop()
    path = tmp_path / "rows"
    wanted = b"".join(row(number) for number in range(50))
    with path.open("wb") as file:
        rows = LineWriter(file.fileno(), loop)
        with small_disk(1000):
            for number in range(50):
                rows.put(row(number))
            assert not rows.flush_now()
            assert path.stat().st_size == 1000
            assert (rows.written, rows.pending) == (3, 47)
        assert rows.flush_now()
        assert path.read_bytes() == wanted
        assert (rows.written, rows.pending) == (50, 0)
    loop.close()


def test_beside_other_writers_a_cut_row_is_begun_again(tmp_path: Path) -> None:
    """What a full disk cut short may be followed by another's row, so the cut one comes again, whole, on a new line."""
    loop = asyncio.new_event_loop()
    path = tmp_path / "rows"
    with path.open("wb") as file:
        ours, other = (LineWriter(file.fileno(), loop, alone=False) for _ in range(2))
        with small_disk(1000):
            for number in range(10):
                ours.put(row(number))
            assert not ours.flush_now()
            assert ours.pending == 7
        other.put(row(99))
        assert ours.flush_now()
        assert other.flush_now()
        lines = path.read_bytes().splitlines(keepends=True)
        whole = [line for line in lines if len(line) == 300]
        assert sorted(whole) == sorted(row(number) for number in [*range(10), 99])
        assert [len(line) for line in lines if len(line) != 300] == [101]
        assert ours.written == 10
    loop.close()


def test_eight_processes_on_one_pipe_write_whole_lines() -> None:
    """Rows of eight workers come through a pipe that is always full, each whole and each once."""
    reader, writer = os.pipe()
    children: list[int] = []
    for worker in range(8):
        pid = os.fork()
        if not pid:
            os.close(reader)
            rows = LineWriter(writer, None, alone=False)
            for number in range(300):
                rows.put(b"%d:%0*d\n" % (worker, 50 + number % 400, number))
            while not rows.flush_now():
                pass
            os._exit(0)
        children.append(pid)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe_end:
        lines = pipe_end.read().splitlines()
    for pid in children:
        assert os.waitpid(pid, 0)[1] == 0
    seen = sorted((int(line[:1]), int(line[2:])) for line in lines)
    assert seen == [(worker, number) for worker in range(8) for number in range(300)]
    assert {len(line) - 2 for line in lines} <= set(range(50, 450))


def test_after_a_pause_of_the_reader_rows_catch_up() -> None:
    """A reader that is slow for a moment leaves no lasting backlog: what it takes is filled again at once."""
    with pipe() as (reader, writer, loop):
        rows = LineWriter(writer, loop)
        for number in range(3000):
            rows.put(row(number))
        run_for(loop, FLUSH_S * 2)
        got, turns = b"", 0
        while rows.pending:
            got += drain(reader)
            run_for(loop, FLUSH_S * 1.5)
            turns += 1
        # Each turn empties the pipe of 64 KiB and lets it be filled; a pause for a stalled reader spans seven turns.
        assert turns <= 2 * (3000 * 300 // 65536 + 1)
        assert got + drain(reader) == b"".join(row(number) for number in range(3000))
