"""The bash tool with real shells: nothing is left of a call, and nothing of its output is lost."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest
from agent_process_tools import Told, call, children, comes, descriptors, gone, place, processes, running

from beyond_agent.machine.runner import LocalRunner
from beyond_agent.machine.spill import Spills
from beyond_agent.tools.bash import BashTool
from beyond_agent.tools.beyond_cli import ForkTool, LogsTool
from beyond_agent_core.agent import Agent
from beyond_agent_core.control import Control
from beyond_agent_core.errors import ExecutionFailed
from beyond_agent_core.events import AgentEvent, ToolProgress
from beyond_agent_core.session import Session
from beyond_agent_core.testing.scripted import ScriptedTransport
from beyond_agent_core.testing.turns import calls
from beyond_wire.types import ToolResultBlock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from beyond_agent.seams import Workplace
    from beyond_agent_core.tools import ToolOutput

pytestmark = pytest.mark.e2e

# Digits behind the times that programs sleep, so that those of another run of these tests are not taken for ours.
OWN = os.getpid()


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Workplace]:
    runner = LocalRunner()
    yield place(runner, Spills(str(tmp_path)), cwd=tmp_path)
    runner.close()


@pytest.fixture
def bash(here: Workplace) -> BashTool:
    return BashTool(here)


def test_background_job_does_not_hold_the_call(bash: BashTool) -> None:
    """`sleep 600 & echo ok` answers in under a second, and the sleep is ended."""
    before = time.monotonic()
    output = call(bash, command=f"sleep 601.{OWN} & echo ok")
    assert time.monotonic() - before < 1
    assert (output.text, output.is_error) == ("ok", False)
    assert gone(f"sleep\x00601.{OWN}", 1)


def test_grandchild_that_ignores_term_dies(bash: BashTool) -> None:
    """A grandchild that ignores TERM is not waited for, and dies within three seconds."""
    before = time.monotonic()
    output = call(bash, command=f"(trap '' TERM; while :; do sleep 0.602{OWN}; done) & echo ok")
    assert time.monotonic() - before < 1
    assert output.text == "ok"
    assert processes(f"sleep 0.602{OWN}")
    assert gone(f"sleep 0.602{OWN}", 3 - (time.monotonic() - before))


def test_setsid_outlives_the_call(bash: BashTool) -> None:
    """What says `setsid` is left alone."""
    call(bash, command=f"setsid sleep 603.{OWN} >/dev/null 2>&1 & sleep 0.1")
    survivors = processes(f"sleep\x00603.{OWN}")
    assert len(survivors) == 1
    os.kill(survivors[0], signal.SIGKILL)


HARNESS = f"""
import asyncio
from agent_process_tools import call, place
from beyond_agent.tools.bash import BashTool
from beyond_agent.machine.runner import LocalRunner
command = "trap '' TERM; sleep 604.{OWN} & (trap '' TERM; sleep 604.{OWN}) & wait; wait"
call(BashTool(place(LocalRunner())), command=command)
"""


def test_killed_harness_leaves_no_child() -> None:
    """After `kill -9` of the agent in the middle of a call nothing of that call is left within three seconds."""
    path = os.pathsep.join(each for each in sys.path if each)
    harness = subprocess.Popen([sys.executable, "-c", HARNESS], env={**os.environ, "PYTHONPATH": path})
    try:
        assert comes(lambda: len(processes(f"sleep\x00604.{OWN}")) == 2, 10)
        watchdogs = [pid for pid in children(harness.pid) if f"604.{OWN}" not in command_line(pid)]
    finally:
        harness.kill()
        harness.wait()
    assert gone(f"604.{OWN}", 3)
    assert len(watchdogs) == 1
    assert comes(lambda: command_line(watchdogs[0]) == "", 1)


def command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except FileNotFoundError:
        return ""


def test_many_calls_leave_no_orphan(bash: BashTool) -> None:
    """After 200 calls, each with a background job, no process and no descriptor is left."""

    async def run() -> tuple[int, int]:
        await running(bash, command="true")
        before = descriptors()
        for _ in range(200):
            await running(bash, command=f"sleep 605.{OWN} >/dev/null 2>&1 & true")
        return before, descriptors()

    others = set(children(os.getpid()))
    before, after = asyncio.run(run())
    assert before == after
    assert gone(f"605.{OWN}", 2)
    assert len(set(children(os.getpid())) - others) == 1


def test_output_is_kept_by_every_ending(bash: BashTool) -> None:
    """A bad exit, a signal and a timeout keep what was printed, the last line without a newline with it."""
    ends = {
        "printf 'a\\nb'; exit 3": "Command exited with code 3",
        "printf 'a\\nb'; kill -9 $$": "Command killed by signal 9",
        "printf 'a\\nb'; exec sleep 606": "Command timed out after 0.3 seconds",
    }
    for command, last in ends.items():
        output = call(bash, command=command, timeout_ms=300)
        assert (output.text, output.is_error) == (f"a\nb\n\n{last}", True)


def test_cancelled_command_keeps_its_output(bash: BashTool) -> None:
    """A cancelled call ends its command at once, and returns what it printed, with what it printed on TERM."""

    async def run() -> tuple[ToolOutput, float]:
        told = Told()
        task = running(bash, told, command=f"trap 'echo bye; exit' TERM; echo hi; sleep 607.{OWN} & wait")
        await told.first.wait()
        before = time.monotonic()
        task.cancel()
        return await task, time.monotonic() - before

    output, seconds = asyncio.run(run())
    assert output.text == "hi\nbye\n\nCommand cancelled"
    assert seconds < 1
    assert gone(f"607.{OWN}", 1)


def test_cancelled_run_keeps_the_output(bash: BashTool) -> None:
    """When a run is cancelled in the middle of a call, the session has what the command had printed."""

    session, control = Session(), Control()
    model = ScriptedTransport([calls(("bash", {"command": f"echo hi; sleep 609.{OWN}"}))])

    def watch(event: AgentEvent) -> None:
        if isinstance(event, ToolProgress):
            control.cancel()

    result = asyncio.run(Agent(model, model="m", tools=[bash]).run(session, "go", on_event=watch, control=control))
    assert result.outcome == "cancelled"
    results = [block for block in session.messages[-1].content if isinstance(block, ToolResultBlock)]
    assert [(each.content, each.is_error) for each in results] == [("hi\n\nCommand cancelled", True)]
    assert gone(f"609.{OWN}", 1)


def test_command_that_reads_stdin_finds_it_empty(bash: BashTool) -> None:
    """stdin is null, so a program that asks gets an end of file and does not hang."""
    output = call(bash, command="read line || echo none; cat; wc -c")
    assert output.text == "none\n0"


def test_no_child_gets_the_keys(bash: BashTool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The keys of gateway and provider are in no child's environment, all else is."""
    monkeypatch.setenv("AI_AGENT_KEY", "vk-very-secret")
    monkeypatch.setenv("AI_API_KEY", "sk-very-secret")
    monkeypatch.setenv("AI_AGENT_MODEL", "some-model")
    text = call(bash, command="env; tr '\\0' '\\n' </proc/$$/environ").text
    assert "very-secret" not in text
    assert text.count("AI_AGENT_MODEL=some-model") == 2


def test_output_is_cleaned(bash: BashTool) -> None:
    """Colours, controls and characters written in two halves come out as plain text."""
    command = r"printf '\033[1;3'; sleep 0.05; printf '1mred\033[0m \344\270'; sleep 0.05; printf '\200\r\n\000\377x'"
    assert call(bash, command=command).text == "red \u4e00\n\ufffdx"


def test_long_line_is_cut_and_kept(bash: BashTool, tmp_path: Path) -> None:
    """Of 10 MB on one line the end is shown, and all of it is in a file of its owner's alone."""
    output = call(bash, command="head -c 10000000 /dev/zero | tr '\\0' 'a'")
    head, notice = output.text.split("\n\n")
    assert head == "a" * 51_200
    found = re.fullmatch(r"\[Showing last 50\.0KB of line 1 \(line is 9\.5MB\)\. Full output: (.*)\]", notice)
    assert found is not None
    path = Path(found[1])
    assert path.is_relative_to(tmp_path)
    assert path.read_bytes() == b"a" * 10_000_000
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)


def test_binary_output_is_kept_as_bytes(bash: BashTool, tmp_path: Path) -> None:
    """16 MiB of random bytes are text for the model and themselves in the file; each snapshot is within the bound."""
    source = tmp_path / "random"
    source.write_bytes(os.urandom(16 * 1024 * 1024))
    told = Told()
    output = call(bash, told, command="cat random; echo; echo end")
    assert output.details is not None
    kept = Path(output.details["full_output_path"]).read_bytes()
    assert kept == source.read_bytes() + b"\nend\n"
    assert len(output.text.encode()) < 51_500
    assert max(len(snapshot.encode()) for snapshot in told.snapshots) <= 51_200
    assert "end" in output.text


def resident_kib() -> int:
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0])


class Watched(Told):
    """Looks at the memory of this process with each snapshot."""

    def __init__(self) -> None:
        super().__init__()
        self.resident: list[int] = []

    def _tell(self, snapshot: str, details: dict[str, object] | None) -> None:
        del snapshot, details
        self.resident.append(resident_kib())


def test_a_gigabyte_is_bounded(here: Workplace, tmp_path: Path) -> None:
    """More than 1 GiB of output takes no memory to speak of; its file stops at its bound, and the result says so.

    The bound is a smaller one here: disks differ.
    """
    spills = Spills(str(tmp_path), most_bytes=64 * 1024 * 1024)
    bash = BashTool(msgspec.structs.replace(here, spill=spills))
    call(bash, command="head -c 4000000 /dev/zero | tr '\\0' 'a'")
    watched = Watched()
    before = resident_kib()
    output = call(bash, watched, command="head -c 1100000000 /dev/zero | tr '\\0' 'a'")
    assert output.details is not None
    path = Path(output.details["full_output_path"])
    size = path.stat().st_size
    path.unlink()
    assert size == 64 * 1024 * 1024
    assert output.text.endswith(f"Full output: {path}]\n[The file stops at 64.0MB of 1049.0MB]")
    assert len(watched.resident) > 5
    # A page here and there is the interpreter's; a leak would be a thousand times that.
    assert max(watched.resident) - before < 2048


def test_writer_in_the_background_does_not_hold_the_call(bash: BashTool) -> None:
    """A background job that prints for ever is read for a tenth of a second and then ended."""
    before = time.monotonic()
    output = call(bash, command=f"yes 608.{OWN} & echo ok")
    assert time.monotonic() - before < 2
    assert not output.is_error
    assert gone(f"yes\x00608.{OWN}", 1)


def test_beyond_is_found_on_path(here: Workplace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The program of fork, sync and logs is looked up on PATH; where it is not, each call says so."""
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    with pytest.raises(ExecutionFailed, match=r"^the program `beyond` was not found on PATH$"):
        call(LogsTool(here))
    program = tmp_path / "bin" / "beyond"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\nprintf "<%s>" "$@"; pwd; echo careful >&2; test "$1" = logs\n')
    program.chmod(0o755)
    assert call(LogsTool(here), app="a b").text == f"<logs><--app><a b>{tmp_path}\ncareful"
    with pytest.raises(ExecutionFailed, match=r"^`beyond` exited 1: <fork><x>.*\ncareful$"):
        call(ForkTool(here), app="x")
