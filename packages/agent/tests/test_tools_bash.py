from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from agent_process_tools import FakeRunner, MemorySpills, Told, call, place, running

from beyond_agent.seams import Finished
from beyond_agent.tools.bash import BashTool
from beyond_agent_core.errors import ExecutionFailed, InvalidInput
from beyond_agent_core.testing.tools_conformance import check_tool

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from beyond_agent.seams import Command
    from beyond_agent_core.tools import ToolOutput


async def for_ever() -> None:
    await asyncio.Event().wait()


def test_schema_is_the_contracts() -> None:
    """The input is what the contract says, with a line about each property; bash is exclusive and no reader."""
    tool = BashTool(place(FakeRunner()))
    properties = tool.input_schema["properties"]
    assert all(properties[name].pop("description") for name in properties)
    assert tool.input_schema == {
        "type": "object",
        "properties": {
            "command": {"type": "string"},
            "cwd": {"type": "string"},
            "timeout_ms": {"type": "integer", "minimum": 1, "maximum": 2147483647},
        },
        "required": ["command"],
    }
    assert (tool.name, tool.exclusive, tool.read_only) == ("bash", True, False)


def test_tool_keeps_the_rules_of_tools() -> None:
    """The conformance suite of tools passes."""
    tool = BashTool(place(FakeRunner(b"out\n")))
    bad: list[dict[str, Any]] = [{}, {"command": 1}, {"command": "a\0b"}, {"command": "a", "cwd": "/no/such"}]
    bad += [{"command": "a", "timeout_ms": value} for value in (0, 2147483648, 1.5, "1x")]
    asyncio.run(check_tool(tool, [{"command": "a"}, {"command": "a", "cwd": "/", "timeout_ms": 1}], bad))


def test_command_goes_to_a_shell() -> None:
    """The shell gets the line unchanged, in the session's cwd, with one pipe for both streams and 120 s."""
    runner = FakeRunner()
    call(BashTool(place(runner, cwd="/usr")), command=" a 'b' \n")
    (command,) = runner.commands
    assert command.argv == ("/bin/bash", "-c", " a 'b' \n")
    assert (command.cwd, command.merge, command.timeout, command.env) == ("/usr", True, 120.0, None)


@pytest.mark.parametrize(
    ("shell", "missing", "tried"),
    [
        (None, (), ["/bin/bash"]),
        (None, ("/bin/bash",), ["/bin/bash", "bash"]),
        (None, ("/bin/bash", "bash"), ["/bin/bash", "bash", "sh"]),
        ("/opt/zsh", (), ["/opt/zsh"]),
    ],
)
def test_first_shell_that_is_there_is_used(shell: str | None, missing: tuple[str, ...], tried: list[str]) -> None:
    """The chosen shell is used, or else /bin/bash, bash or sh."""
    runner = FakeRunner(b"ok", missing=missing)
    assert call(BashTool(place(runner, shell=shell)), command="a").text == "ok"
    assert tried == [argv[0] for argv in runner.argv]


@pytest.mark.parametrize(
    ("shell", "missing", "text"),
    [
        (None, ("/bin/bash", "bash", "sh"), "no shell was found: /bin/bash, bash, sh"),
        ("/opt/zsh", ("/opt/zsh",), "no shell was found: /opt/zsh"),
    ],
)
def test_missing_shell_is_an_error(shell: str | None, missing: tuple[str, ...], text: str) -> None:
    """Without a shell the call fails and names those that were tried."""
    with pytest.raises(ExecutionFailed) as caught:
        call(BashTool(place(FakeRunner(missing=missing), shell=shell)), command="a")
    assert text == str(caught.value)


@pytest.mark.parametrize(
    ("cwd", "fault"),
    [("missing", "No such file or directory"), ("file", "not a directory"), ("file/x", "Not a directory")],
)
def test_bad_cwd_is_invalid_input(tmp_path: Path, cwd: str, fault: str) -> None:
    """A cwd that is missing or no directory is InvalidInput, and nothing is run."""
    (tmp_path / "file").write_bytes(b"")
    runner = FakeRunner()
    with pytest.raises(InvalidInput) as caught:
        call(BashTool(place(runner, cwd=tmp_path)), command="a", cwd=cwd)
    assert f"cwd {tmp_path}/{cwd}: {fault}" == str(caught.value)
    assert runner.commands == []


def test_cwd_is_relative_to_the_sessions(tmp_path: Path) -> None:
    """A relative cwd is one in the session's cwd."""
    (tmp_path / "sub").mkdir()
    runner = FakeRunner()
    call(BashTool(place(runner, cwd=tmp_path)), command="a", cwd="sub")
    assert runner.commands[0].cwd == f"{tmp_path}/sub"


def test_session_cwd_that_is_gone_is_named(tmp_path: Path) -> None:
    """Where the session's own directory is gone, that is the error, and not a missing shell."""
    gone = tmp_path / "gone"
    runner = FakeRunner(ending=FileNotFoundError(2, "No such file or directory", str(gone)))
    with pytest.raises(InvalidInput, match=r"^cwd .*/gone: No such file or directory$"):
        call(BashTool(place(runner, cwd=gone)), command="a")


@pytest.mark.parametrize("line", ["a\0b", "a\ud83d"])
def test_command_that_no_program_can_be_given_is_refused(line: str) -> None:
    """A NUL and half a surrogate pair are InvalidInput."""
    with pytest.raises(InvalidInput, match=r"^command: "):
        call(BashTool(place(FakeRunner())), command=line)


def test_shell_that_cannot_be_started_is_an_error() -> None:
    """Another fault of the system is told in its words."""
    runner = FakeRunner(ending=OSError(7, "Argument list too long"))
    with pytest.raises(ExecutionFailed, match=r"^Argument list too long$"):
        call(BashTool(place(runner)), command="a")


ENDINGS: list[tuple[Finished, dict[str, Any], str | None]] = [
    (Finished(code=0), {}, None),
    (Finished(code=3), {}, "Command exited with code 3"),
    (Finished(signal=15), {}, "Command killed by signal 15"),
    (Finished(timed_out=True), {}, "Command timed out after 120 seconds"),
    (Finished(timed_out=True), {"timeout_ms": 1500}, "Command timed out after 1.5 seconds"),
    (Finished(timed_out=True), {"timeout_ms": 2147483647}, "Command timed out after 2147483.647 seconds"),
]


@pytest.mark.parametrize(("ending", "given", "last"), ENDINGS)
@pytest.mark.parametrize(("pieces", "text"), [((b"one\n", b"two\n"), "one\ntwo"), ((), "(no output)")])
def test_every_ending_keeps_the_output(
    ending: Finished, given: dict[str, Any], last: str | None, pieces: tuple[bytes, ...], text: str
) -> None:
    """Whatever the ending, all output is there; unless it is a good one, a last line tells it and it is an error."""
    output = call(BashTool(place(FakeRunner(*pieces, ending=ending))), command="a", **given)
    assert output.text == (text if last is None else f"{text}\n\n{last}")
    assert output.is_error == (last is not None)
    assert output.details == {
        "truncation": None,
        "full_output_path": None,
        "exit_code": ending.code,
        "signal": ending.signal,
        "timed_out": ending.timed_out,
        "cancelled": False,
    }


@pytest.mark.parametrize("printed", [b"", b"\n", b" \n\t\n", b"\x1b[0m\x00"])
def test_blank_output_is_said_to_be_none(printed: bytes) -> None:
    """Output in which nothing can be seen is `(no output)`."""
    assert call(BashTool(place(FakeRunner(printed))), command="a").text == "(no output)"


def cancelled(runner: FakeRunner, times: int, spills: MemorySpills | None = None) -> ToolOutput:
    """Cancel a call that hangs, so many times, and return its result."""

    async def run() -> ToolOutput:
        told = Told()
        task = running(BashTool(place(runner, spills)), told, command="a")
        await told.first.wait()
        for _ in range(times):
            task.cancel()
            await asyncio.sleep(0)
        return await task

    return asyncio.run(run())


@pytest.mark.parametrize("times", [1, 2, 5])
def test_cancelled_call_keeps_its_output(times: int) -> None:
    """A cancel is answered with the output so far, also a second one, and says what happened."""
    output = cancelled(FakeRunner(b"one\n", then=for_ever), times)
    assert (output.text, output.is_error) == ("one\n\nCommand cancelled", True)
    assert output.details is not None
    assert (output.details["cancelled"], output.details["exit_code"]) == (True, None)


def test_second_cancel_does_not_disturb_the_first() -> None:
    """A runner that is ending its command is let do so, and what it still gives is in the result."""

    class Ending(FakeRunner):
        async def run(self, command: Command, output: Callable[[bytes], object]) -> Finished:
            output(b"one\n")
            try:
                await for_ever()
            finally:
                for _ in range(20):
                    await asyncio.sleep(0)
                output(b"bye\n")
            return await super().run(command, output)

    assert cancelled(Ending(), 5).text == "one\nbye\n\nCommand cancelled"


@pytest.mark.parametrize("times", [1, 3])
def test_cancelled_call_keeps_its_file(times: int) -> None:
    """What was cut before a cancel is in a file, whole and closed."""
    spills = MemorySpills()
    output = cancelled(FakeRunner(b"x\n" * 3000, then=for_ever), times, spills)
    assert spills.files[0].content == b"x\n" * 3000
    assert not spills.files[0].open
    notice = "[Showing lines 1001-3000 of 3000. Full output: /spill/bash-0.log]"
    assert output.text.endswith(f"x\n\n{notice}\n\nCommand cancelled")


def test_cancel_at_the_end_changes_nothing() -> None:
    """A cancel that comes when the command has ended and its file is being written leaves the result as it is."""

    async def run() -> ToolOutput:
        spills = MemorySpills()
        tool = BashTool(place(FakeRunner(b"x\n" * 3000), spills))
        task = running(tool, command="a")
        while not spills.files:
            await asyncio.sleep(0)
            task.cancel()
        return await task

    output = asyncio.run(run())
    assert (output.text[:2], output.is_error) == ("x\n", False)


def test_progress_is_the_output_so_far() -> None:
    """Snapshots are cleaned text, the first at once, and their details are truncation and full_output_path."""

    async def wait() -> None:
        await asyncio.sleep(0.15)

    told = Told()
    call(BashTool(place(FakeRunner(b"\x1b[1mone\n", b"two\n", then=wait))), told, command="a")
    assert told.snapshots == ["one", "one\ntwo"]
    assert told.details == [{"truncation": None, "full_output_path": None}] * 2


def test_a_silent_command_tells_nothing_more() -> None:
    """What was shown is not shown again while there is nothing new."""

    async def silence() -> None:
        await asyncio.sleep(0.35)

    told = Told()
    call(BashTool(place(FakeRunner(b"one\n", then=silence))), told, command="a")
    assert told.snapshots == ["one"]


def test_progress_of_long_output_tells_of_the_cut() -> None:
    """The details of a snapshot say what was cut and where the file is."""

    async def wait() -> None:
        await asyncio.sleep(0.12)

    told = Told()
    call(BashTool(place(FakeRunner(b"a\n", b"x" * 200_000, then=wait))), told, command="a")
    details = told.details[-1]
    assert details is not None
    assert details["full_output_path"] == "/spill/bash-0.log"
    assert details["truncation"]["truncated_by"] == "bytes"
    assert told.snapshots[-1] == "x" * 51_200
