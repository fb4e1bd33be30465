"""LocalRunner with real programs, as far as no tool shows it."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from agent_process_tools import children, comes, descriptors, gone, processes

from beyond_agent.machine.runner import LocalRunner
from beyond_agent.seams import Command, Finished

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.e2e

# Digits behind the times that programs sleep, so that those of another run of these tests are not taken for ours.
OWN = os.getpid()


@pytest.fixture
def runner() -> Iterator[LocalRunner]:
    made = LocalRunner()
    yield made
    made.close()


@pytest.fixture(params=["descriptor", "thread"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Wait for children on a descriptor, as on Linux, or in a thread, as elsewhere."""
    if request.param == "thread":
        monkeypatch.delattr(os, "pidfd_open")
    return request.param


def shell(line: str, *, timeout: float | None = None, merge: bool = False) -> Command:
    return Command(argv=("/bin/sh", "-c", line), cwd="/", timeout=timeout, merge=merge)


def ran(
    runner: LocalRunner, command: Command, output: Callable[[bytes], object] | None = None
) -> tuple[Finished, bytes]:
    pieces: list[bytes] = []
    finished = asyncio.run(runner.run(command, output or pieces.append))
    return finished, b"".join(pieces)


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize(
    ("line", "finished", "printed"),
    [
        ("echo out; echo err >&2", Finished(code=0, stderr=b"err\n"), b"out\n"),
        ("exit 7", Finished(code=7), b""),
        ("echo a; kill -TERM $$", Finished(signal=15), b"a\n"),
        ("cat", Finished(code=0), b""),
    ],
)
def test_endings(runner: LocalRunner, line: str, finished: Finished, printed: bytes) -> None:
    """Code or signal, stderr and stdout are told apart; stdin is empty."""
    assert (finished, printed) == ran(runner, shell(line))


@pytest.mark.usefixtures("way")
def test_timeout_ends_the_group(runner: LocalRunner) -> None:
    """A program whose time is up has ended, and its children with it, and what it printed is there."""
    finished, printed = ran(runner, shell(f"echo a; sleep 611.{OWN} & sleep 611.{OWN}", timeout=0.2))
    assert (finished, printed) == (Finished(timed_out=True), b"a\n")
    assert gone(f"sleep\x00611.{OWN}", 2)


@pytest.mark.usefixtures("way")
def test_a_group_gets_term_once(runner: LocalRunner, tmp_path: Path) -> None:
    """A program that cleans up on TERM is not told a second time: many take that as leave to end at once."""
    told = tmp_path / "told"
    line = f"exec 2>/dev/null; trap 'echo TERM >> {told}' TERM; echo up; while :; do sleep 0.05; done"
    finished, printed = ran(runner, shell(line, timeout=0.3))
    assert (finished.timed_out, printed) == (True, b"up\n")
    time.sleep(0.5)
    assert told.read_text() == "TERM\n"


def test_merged_streams_keep_their_order(runner: LocalRunner) -> None:
    """stdout and stderr on one pipe come in the order in which they were written."""
    finished, printed = ran(runner, shell("for i in 1 2 3; do echo o$i; echo e$i >&2; done", merge=True))
    assert (finished.stderr, printed) == (b"", b"o1\ne1\no2\ne2\no3\ne3\n")


def test_stderr_is_bounded(runner: LocalRunner) -> None:
    """The first 64 KiB of stderr are kept, and the rest does not stop the program."""
    finished, printed = ran(runner, shell("head -c 300000 /dev/zero >&2; echo done"))
    assert (finished.stderr, printed) == (bytes(65_536), b"done\n")


def test_child_leads_a_session_of_its_own(runner: LocalRunner) -> None:
    """A child is in another session than the agent, so no key pressed in the agent's terminal reaches it."""
    _, printed = ran(runner, shell("echo $$; cat /proc/$$/stat"))
    pid, _, stat = printed.partition(b"\n")
    group, session = stat.rpartition(b")")[2].split()[2:4]
    assert pid == group == session


def test_child_gets_no_other_descriptors(runner: LocalRunner) -> None:
    """A child has its three streams and nothing else that the agent has open, the watchdog's pipe least of all."""
    reading, writing = os.pipe()
    os.set_inheritable(writing, True)  # noqa: FBT003 - positional by its signature
    try:
        _, printed = ran(runner, shell("ls /proc/$$/fd", merge=True))
    finally:
        os.close(reading)
        os.close(writing)
    assert {b"0", b"1", b"2"} == set(printed.split())


def test_program_or_directory_that_is_missing_is_named(runner: LocalRunner, tmp_path: Path) -> None:
    """The error says which of the two is not there, and nothing stays behind."""
    before = descriptors()
    for command, name in (
        (Command(argv=("no-such-program",), cwd="/"), "no-such-program"),
        (Command(argv=("true",), cwd=f"{tmp_path}/gone"), f"{tmp_path}/gone"),
    ):
        with pytest.raises(FileNotFoundError) as caught:
            ran(runner, command)
        assert caught.value.filename == name
    # The pipe to the watchdog is there since then.
    assert descriptors() == before + 1


def test_a_start_without_descriptors_left_keeps_none(runner: LocalRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is room for one pipe and no second, the first is given back."""
    ran(runner, shell("exit"))
    before = descriptors()
    left = [os.pipe]

    def scarce() -> tuple[int, int]:
        if not left:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return left.pop()()

    monkeypatch.setattr(os, "pipe", scarce)
    with pytest.raises(OSError, match="Too many open files"):
        ran(runner, shell("exit"))
    assert descriptors() == before


def test_fault_of_output_ends_the_program(runner: LocalRunner) -> None:
    """What output raises comes out of the call, and the program is not left to itself."""

    def broken(piece: bytes) -> None:
        raise ValueError(piece)

    with pytest.raises(ValueError, match="a"):
        ran(runner, shell(f"echo a; exec sleep 612.{OWN}"), broken)
    assert gone(f"sleep\x00612.{OWN}", 2)


def test_ignored_sigchld_is_no_success(runner: LocalRunner) -> None:
    """Where the agent was started with SIGCHLD ignored the kernel keeps no status, and a failure is assumed."""
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        finished, _ = ran(runner, shell("exit 3"))
    finally:
        signal.signal(signal.SIGCHLD, before)
    assert finished.code == 255


def test_call_returns_before_its_group_is_killed(runner: LocalRunner) -> None:
    """A cancelled program that ignores TERM does not hold the result; KILL comes two seconds later."""

    async def run() -> tuple[int, float]:
        printed: asyncio.Queue[bytes] = asyncio.Queue()
        line = f"trap '' TERM; echo $$; while :; do sleep 0.613{OWN}; done"
        task = asyncio.get_running_loop().create_task(runner.run(shell(line), printed.put_nowait))
        pid = int(await printed.get())
        before = time.monotonic()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return pid, time.monotonic() - before

    pid, seconds = asyncio.run(run())
    assert seconds < 1
    assert pid in processes(f"sleep 0.613{OWN}")
    assert gone(f"sleep 0.613{OWN}", 3)
    # It is reaped although its event loop has ended long since.
    assert comes(lambda: pid not in children(os.getpid()), 1)


def test_one_watchdog_serves_all_calls(runner: LocalRunner) -> None:
    """The watchdog is one process, started with the first call; it collects no ended children of its own."""
    before = set(children(os.getpid()))
    for _ in range(5):
        ran(runner, shell(f"sleep 614.{OWN} >/dev/null & true"))
    (watchdog,) = set(children(os.getpid())) - before
    assert comes(lambda: children(watchdog) == [], 3)
    assert not processes(f"614.{OWN}")


def test_watchdog_that_was_ended_is_replaced(runner: LocalRunner) -> None:
    """Somebody may end the watchdog; the next call starts another, which knows the groups that still run."""
    before = set(children(os.getpid()))

    async def run() -> None:
        started = asyncio.Event()
        loop = asyncio.get_running_loop()
        task = loop.create_task(runner.run(shell(f"echo a; exec sleep 615.{OWN}"), lambda _: started.set()))
        await started.wait()
        (watchdog,) = [pid for pid in set(children(os.getpid())) - before if pid not in processes(f"615.{OWN}")]
        os.kill(watchdog, signal.SIGKILL)
        await asyncio.to_thread(comes, lambda: b"\0" not in command_line(watchdog), 2)
        await runner.run(shell("true"), lambda _: None)
        assert processes(f"615.{OWN}")
        runner.close()
        await asyncio.wait_for(task, 3)

    asyncio.run(run())
    assert not processes(f"615.{OWN}")


def command_line(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except FileNotFoundError:
        return b""
