from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any

import pytest
from agent_process_tools import FakeRunner, call, place

from beyond_agent.seams import Finished
from beyond_agent.tools.beyond_cli import ForkTool, LogsTool, SyncTool
from beyond_agent_core.errors import ExecutionFailed, InvalidInput
from beyond_agent_core.testing.tools_conformance import check_tool

if TYPE_CHECKING:
    from beyond_agent.seams import Workplace

TOOLS: list[tuple[type[ForkTool | SyncTool | LogsTool], dict[str, Any], dict[str, Any]]] = [
    (ForkTool, {"app": {"type": "string"}, "name": {"type": "string"}}, {"app": "a"}),
    (SyncTool, {"path": {"type": "string"}}, {}),
    (LogsTool, {"app": {"type": "string"}, "query": {"type": "string"}}, {}),
]
every_tool = pytest.mark.parametrize(("kind", "given"), [(kind, given) for kind, _, given in TOOLS])


@pytest.mark.parametrize(("kind", "properties", "given"), TOOLS)
def test_schemas_are_the_contracts(
    kind: type[ForkTool | SyncTool | LogsTool], properties: dict[str, Any], given: dict[str, Any]
) -> None:
    """Each input is what the contract says, with a line about each property."""
    tool = kind(place(FakeRunner()))
    schema = tool.input_schema
    assert all(schema["properties"][name].pop("description") for name in properties)
    required = {"required": ["app"]} if given else {}
    assert schema == {"type": "object", "properties": properties, **required}


def test_marks_are_the_contracts() -> None:
    """Fork and sync are exclusive, logs only reads."""
    somewhere: Workplace = place(FakeRunner())
    marks = [
        (tool.name, getattr(tool, "exclusive", False), tool.read_only)
        for tool in (ForkTool(somewhere), SyncTool(somewhere), LogsTool(somewhere))
    ]
    assert marks == [("fork", True, False), ("sync", True, False), ("logs", False, True)]


@every_tool
def test_tools_keep_the_rules_of_tools(kind: type[ForkTool | SyncTool | LogsTool], given: dict[str, Any]) -> None:
    """The conformance suite of tools passes."""
    tool = kind(place(FakeRunner(b"out\n")))
    field = next(iter(tool.input_schema["properties"]))
    asyncio.run(check_tool(tool, [given], [{field: ["a"]}, {field: "a\0b"}]))


@pytest.mark.parametrize(
    ("kind", "given", "argv"),
    [
        (ForkTool, {"app": "shop"}, ("fork", "shop")),
        (ForkTool, {"app": "shop", "name": "try 1"}, ("fork", "shop", "--name", "try 1")),
        (SyncTool, {}, ("sync",)),
        (SyncTool, {"path": "a b"}, ("sync", "a b")),
        (SyncTool, {"path": "/x"}, ("sync", "/x")),
        (SyncTool, {"path": "@sub"}, ("sync", "/usr/sub")),
        (SyncTool, {"path": "file:///a%20b"}, ("sync", "/a b")),
        (SyncTool, {"path": "~/app"}, ("sync", "/home/me/app")),
        (LogsTool, {}, ("logs",)),
        (LogsTool, {"app": "shop"}, ("logs", "--app", "shop")),
        (LogsTool, {"query": "level=error 'x'"}, ("logs", "--query", "level=error 'x'")),
        (LogsTool, {"app": "shop", "query": "q"}, ("logs", "--app", "shop", "--query", "q")),
    ],
)
def test_argv(
    kind: type[ForkTool | SyncTool | LogsTool],
    given: dict[str, Any],
    argv: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each combination of arguments gives its command line, in the session's cwd, with both streams apart and 120 s."""
    monkeypatch.setenv("HOME", "/home/me")
    runner = FakeRunner()
    call(kind(place(runner, cwd="/usr")), **given)
    (command,) = runner.commands
    assert tuple(command.argv) == ("beyond", *argv)
    assert (command.cwd, command.timeout, command.merge, command.env) == ("/usr", 120.0, False, None)


@every_tool
def test_missing_program_is_one_error(kind: type[ForkTool | SyncTool | LogsTool], given: dict[str, Any]) -> None:
    """Without the program each tool is there all the same, and a call says that it was not found on PATH."""
    with pytest.raises(ExecutionFailed) as caught:
        call(kind(place(FakeRunner(missing=("beyond",)))), **given)
    assert str(caught.value) == "the program `beyond` was not found on PATH"


@pytest.mark.parametrize(
    ("stdout", "stderr", "text"),
    [
        (b"one\ntwo \n\n", b"", "one\ntwo"),
        (b"  one\n", b" \n\t", "  one"),
        (b"one\n", b"warning: x\n", "one\nwarning: x"),
        (b"", b"only this\n", "only this"),
        (b"", b"", "(no output)"),
        (b"\x1b[32mgreen\x1b[0m\r\n", b"\xff", "green\n\ufffd"),
    ],
)
def test_output_is_stdout_then_stderr(stdout: bytes, stderr: bytes, text: str) -> None:
    """The result is stdout, right-trimmed, and then stderr, if that is not blank."""
    assert call(LogsTool(place(FakeRunner(stdout, ending=Finished(code=0, stderr=stderr))))).text == text


@pytest.mark.parametrize(
    ("ending", "text"),
    [
        (Finished(code=2, stderr=b"no such app\n"), "`beyond` exited 2: out\nno such app"),
        (Finished(code=1), "`beyond` exited 1: out"),
        (Finished(signal=9), "`beyond` was killed"),
        (Finished(timed_out=True), "`beyond` timed out"),
        (PermissionError(13, "Permission denied", "beyond"), "`beyond`: Permission denied"),
        (FileNotFoundError(2, "No such file or directory", "/gone"), "/gone: No such file or directory"),
    ],
)
def test_failures_have_their_texts(ending: Finished | OSError, text: str) -> None:
    """An exit code, a signal, a timeout and what the system refuses are errors, each with its text."""
    with pytest.raises(ExecutionFailed) as caught:
        call(ForkTool(place(FakeRunner(b"out\n", ending=ending))), app="a")
    assert text == str(caught.value)


@pytest.mark.parametrize("name", ["a\0b", "a\ud83d"])
def test_arguments_that_no_program_can_be_given_are_refused(name: str) -> None:
    """A NUL and half a surrogate pair are InvalidInput, and nothing is run."""
    runner = FakeRunner()
    with pytest.raises(InvalidInput, match=r"^no program can be given "):
        call(ForkTool(place(runner)), app=name)
    assert runner.commands == []


NOTICE = "\n\n[output truncated at 50.0KB; narrow it by app and query]"
LINES = "\n\n[output truncated at 2000 lines; narrow it by app and query]"
LINE = b"x" * 99 + b"\n"


@pytest.mark.parametrize(
    ("stdout", "stderr", "shape"),
    [
        (LINE * 511, b"", r"(x{99}\n){510}x{99}"),
        (LINE * 600, b"", r"(x{99}\n){510}x{99}" + re.escape(NOTICE)),
        (LINE * 6000, b"", r"(x{99}\n){510}x{99}" + re.escape(NOTICE)),
        (b"a\n" * 2000, b"", r"(a\n){1999}a"),
        (b"a\n" * 2001, b"", r"(a\n){1997}a" + re.escape(LINES)),
        (b"x" * 90_000, b"", f"x{{{51_200 - len(NOTICE)}}}" + re.escape(NOTICE)),
        ("\u4e00".encode() * 30_000, b"", f"\u4e00{{{(51_200 - len(NOTICE)) // 3}}}" + re.escape(NOTICE)),
        (LINE * 600, b"bad\n", r"(x{99}\n){510}x{99}" + re.escape(NOTICE) + r"\nbad"),
        (
            LINE * 600,
            LINE * 600,
            r"(x{99}\n){254}x{99}" + re.escape(NOTICE) + r"\n(x{99}\n){254}x{99}" + re.escape(NOTICE),
        ),
        (b"a\n" * 3000, b"b\n" * 3000, r"(a\n){997}a" + re.escape(LINES) + r"\n(b\n){997}b" + re.escape(LINES)),
    ],
)
def test_output_is_bounded(stdout: bytes, stderr: bytes, shape: str) -> None:
    """Whole lines are kept up to 2000 lines and 50 KiB, errors beside output, and a notice says what to do."""
    pieces = [stdout[start : start + 65_536] for start in range(0, len(stdout), 65_536)]
    text = call(LogsTool(place(FakeRunner(*pieces, ending=Finished(code=0, stderr=stderr))))).text
    assert re.fullmatch(shape, text), (text[:50], text[-200:], text.count("\n"))
    assert len(text.encode()) <= 51_200
    assert text.count("\n") < 2000
