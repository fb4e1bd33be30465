"""`serve` on standard input and output, as a real process."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from agent_serve_client import events, numbered, without_stream
from agent_serve_process import KEY, PROVIDER_KEY, Program, stdio

from beyond_agent.sessions.store import SessionStore
from beyond_agent_core.testing import ModelServer, assert_fit, turn

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.e2e

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
SLEEP = turn.tool_call("bash", command="echo begun; sleep 30")
NOISY = """
import os, sys, warnings
from beyond_agent.tools.ls import LsTool
def noisy(self, given, context):
    print("a stray print", flush=True)
    os.write(1, b"a raw write\\n")
    os.system("echo a child")
    warnings.warn("a library's warning")
    return "quiet"
LsTool.run = noisy
from beyond_agent.__main__ import main
sys.exit(main(sys.argv[1:]))
"""


def stored(path: str) -> Any:
    """What the session's file holds, closed again."""
    session = SessionStore(os.path.dirname(path)).open(path)  # noqa: PTH120 - paths are text here
    session.close()
    return session


def test_a_prompt_over_http_and_an_end_in_order(tmp_path: Path) -> None:
    """ready is first; ack, events, response; the end of input ends the process with 0, and the session is whole."""
    with ModelServer([turn.tool_call("bash", command="echo $((6*7))"), turn.text("It is 42.")]) as model:
        with stdio(tmp_path, model) as (program, talk):
            assert talk.frames[0]["protocol"] == 1
            assert "attach" in talk.frames[0]["capabilities"]
            done = talk.ask("prompt", id="p", message="what is 6*7?")
            assert done["data"]["outcome"] == "done"
            path = talk.ask("get_state")["data"]["session_file"]
            talk.end_input()
            frames = talk.rest()
            assert program.ended() == 0
        assert without_stream(frames) == [
            "agent_start", "turn_start", "turn_end", "tool_start", "tool_progress", "tool_end",
            "turn_start", "turn_end", "agent_end",
        ]  # fmt: skip
        assert model.requests[0].headers["authorization"] == f"Bearer {KEY}"
    session = stored(path)
    assert (session.last_outcome, len(session.session.messages)) == ("done", 4)
    assert not os.path.exists(path + ".lease")  # noqa: PTH110 - paths are text here


def test_the_end_of_input_cancels_stores_and_flushes(tmp_path: Path) -> None:
    """In the middle of a tool: exit 0, the response and agent_end are there, no call is left without a result."""
    with ModelServer([SLEEP]) as model, stdio(tmp_path, model) as (program, talk):
        talk.say("prompt", id=1, message="go")
        talk.event("tool_progress")
        path = talk.ask("get_state")["data"]["session_file"]
        talk.end_input()
        frames = talk.rest()
        assert program.ended() == 0
        assert events(frames)[-1] == "agent_end"
        assert (frames[-1]["id"], frames[-1]["error_code"]) == (1, "cancelled")
    session = stored(path)
    assert session.last_outcome == "cancelled"
    assert_fit(session.session)


def test_the_end_of_input_ends_a_persons_command_too(tmp_path: Path) -> None:
    """Its output so far is in the last response."""
    with stdio(tmp_path, None) as (program, talk):
        talk.say("bash", command="echo begun; sleep 30")
        talk.event("tool_progress")
        talk.end_input()
        assert talk.rest()[-1]["data"]["result"] == "begun\n\nCommand cancelled"
        assert program.ended() == 0


def test_a_broken_stdout_does_the_same(tmp_path: Path) -> None:
    """Its reader goes away in the middle of a run: cancelled, stored, exit 0."""
    script = [turn.tool_call("bash", command="while sleep 0.05; do echo tick; done")]
    with ModelServer(script) as model, Program(tmp_path, model, "serve") as program:
        program.stdin.write(b'{"type":"prompt","message":"go"}\n')
        program.stdin.flush()
        while b"tool_progress" not in program.stdout.readline():
            pass
        program.stdout.close()
        assert program.ended() == 0, program.said()
    (path,) = (tmp_path / "state").rglob("*.jsonl")
    assert stored(str(path)).last_outcome == "cancelled"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_cancels_stores_and_ends(tmp_path: Path, number: signal.Signals) -> None:
    """Exit 128 + signal; what happened until then is flushed and stored."""
    with ModelServer([SLEEP]) as model, stdio(tmp_path, model) as (program, talk):
        talk.say("prompt", id=1, message="go")
        talk.event("tool_progress")
        program.process.send_signal(number)
        frames = talk.rest()
        assert program.ended() == 128 + number
        assert events(frames)[-1] == "agent_end"
        assert frames[-1]["error_code"] == "cancelled"
    (path,) = (tmp_path / "state").rglob("*.jsonl")
    assert stored(str(path)).last_outcome == "cancelled"


@pytest.mark.parametrize("twice", [False, True])
def test_a_signal_ends_also_what_nobody_reads(tmp_path: Path, *, twice: bool) -> None:
    """Full pipes do not hold the process: it stores, waits a little, and is gone; a second signal is at once."""
    with ModelServer([turn.text("x" * 30_000)]) as model, Program(tmp_path, model, "serve") as program:
        program.stdin.write(b'{"type":"prompt","message":"go"}\n')
        program.stdin.flush()
        (path,) = _appears(tmp_path)
        until = time.monotonic() + 60
        while b"assistant" not in path.read_bytes() and time.monotonic() < until:
            time.sleep(0.02)
        program.process.send_signal(signal.SIGTERM)
        if twice:
            time.sleep(0.3)
            assert program.process.poll() is None
            program.process.send_signal(signal.SIGINT)
        assert program.ended() == (130 if twice else 143)
        assert b"run_end" in path.read_bytes()


def test_a_run_that_waits_for_its_reader_is_stored_at_a_signal(tmp_path: Path) -> None:
    """Above 16 MiB that nobody reads the run stands still; a stop does not wait for the reader."""
    script = [turn.text("one"), turn.text("two")]
    flags = ("--context-window", "100000000")
    with ModelServer(script) as model, Program(tmp_path, model, "serve", *flags) as program:
        program.stdin.write(b'{"type":"prompt","message":"%b"}\n' % (b"m" * 5_000_000))
        program.stdin.flush()
        (path,) = _appears(tmp_path)
        # That the end is in the file does not say that it is safe on the disk: a prompt before that finds a run.
        while b'"type":"response"' not in program.stdout.readline():
            pass
        for _ in range(5):
            program.stdin.write(b'{"type":"get_messages"}\n')
        program.stdin.write(b'{"type":"prompt","message":"second"}\n')
        program.stdin.flush()
        _holds(lambda: len(model.requests) == 2)
        time.sleep(0.2)
        assert path.read_bytes().count(b'"run_end"') == 1
        program.process.send_signal(signal.SIGTERM)
        assert program.ended() == 143
        assert path.read_bytes().count(b'"run_end"') == 2


def _holds(fact: Callable[[], bool]) -> None:
    until = time.monotonic() + 60
    while not fact():
        assert time.monotonic() < until
        time.sleep(0.01)


def _appears(folder: Path) -> list[Path]:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        found = list((folder / "state").rglob("*.jsonl"))
        if found:
            return found
        time.sleep(0.01)
    raise AssertionError("no session was made")


def test_input_may_be_a_file_and_its_last_line_half(tmp_path: Path) -> None:
    """A regular file works; an unterminated last line is processed; garbage is answered."""
    file = tmp_path / "input"
    file.write_bytes(b'garbage\n{"type":"get_state","id":1}\n\r\n{"type":"get_commands","id":2}')
    with file.open("rb") as given, Program(tmp_path, None, "serve", command=_reading(given.fileno())) as program:
        frames = program.talk().rest()
        assert program.ended() == 0
    answers = [(frame["command"], frame["success"]) for frame in frames if frame["type"] == "response"]
    assert answers == [("?", False), ("get_state", True), ("get_commands", True)]


def _reading(descriptor: int) -> tuple[str, ...]:
    """A command whose standard input is a file of ours."""
    path = os.readlink(f"/proc/self/fd/{descriptor}")  # noqa: PTH115 - paths are text here
    return ("/bin/sh", "-c", f'exec "$@" < "{path}"', "sh", sys.executable, "-m", "beyond_agent")


def test_nothing_else_gets_between_the_frames(tmp_path: Path) -> None:
    """A print in a tool, a raw write to descriptor 1, a child that writes there, a warning: all go to stderr."""
    script = [turn.tool_call("ls"), turn.tool_call("bash", command="echo from bash"), turn.text("ok")]
    command = (sys.executable, "-W", "always", "-c", NOISY)
    with ModelServer(script) as model, stdio(tmp_path, model, command=command) as (program, talk):
        assert talk.ask("prompt", message="go")["success"]
        talk.end_input()
        talk.rest()
        assert program.ended() == 0
        said = program.said()
    for stray in ("a stray print", "a raw write", "a child", "a library's warning"):
        assert said.count(stray) >= 1, stray


def test_sixteen_megabytes_of_output_and_every_line_within_the_limit(tmp_path: Path) -> None:
    """The result is a tail, the whole is in a spill file, no frame is above 8 MiB, as of every test."""
    command = "head -c 16777216 /dev/zero | tr '\\0' x | fold -w 100"
    with (
        ModelServer([turn.tool_call("bash", command=command), turn.text("ok")]) as model,
        stdio(tmp_path, model) as (_, talk),
    ):
        assert talk.ask("prompt", message="go")["success"]
        end = talk.event("tool_end")["event"]
        assert len(end["result"]) < 60_000
        assert os.stat(end["details"]["full_output_path"]).st_size == 16_777_216 + 167_772  # noqa: PTH116 - paths are text here
        assert sum(len(str(frame)) for frame in talk.frames) < 2_000_000


def test_no_key_is_in_a_child_a_frame_or_a_session(tmp_path: Path) -> None:
    """Neither the gateway's nor the provider's."""
    with ModelServer([turn.tool_call("bash", command="env"), turn.text("ok")]) as model:
        with stdio(tmp_path, model) as (program, talk):
            talk.ask("bash", command="env")
            assert talk.ask("prompt", message="go")["success"]
            path = Path(talk.ask("get_state")["data"]["session_file"])
            talk.end_input()
            frames = talk.rest()
            assert program.ended() == 0
            said = program.said()
        bodies = b"".join(asked.body for asked in model.requests)
        written = path.read_text()
        assert "XDG_CONFIG_HOME" in written
        for key in (KEY, PROVIDER_KEY):
            assert key not in str(frames) + said + written
            assert key.encode() not in bodies
        assert all(PROVIDER_KEY not in str(asked.headers) for asked in model.requests)


def test_an_image_for_a_model_that_does_not_see_is_told_in_its_place(tmp_path: Path) -> None:
    """The prompt is answered, the request has words for the image; the session keeps it for one that sees."""
    image = {"media_type": "image/png", "data": PNG}
    with ModelServer([turn.text("what image?"), turn.text("seen")]) as model, stdio(tmp_path, model) as (_, talk):
        assert talk.ask("set_model", id=1, model="nobody-knows-it")["success"]
        assert talk.ask("prompt", id=2, message="look", images=[image])["success"]
        assert talk.ask("set_model", id=3, model="claude-opus-4-8")["success"]
        assert talk.ask("prompt", id=4, message="and you?")["success"]
    blind, sees = (request.body.decode() for request in model.requests)
    omitted = "(image omitted: model does not support images)"
    assert (omitted in blind, PNG in blind) == (True, False)
    assert (omitted in sees, PNG in sees) == (False, True)


def test_no_session_writes_no_file(tmp_path: Path) -> None:
    """With --no-session, whatever other flag of sessions there is."""
    with ModelServer([turn.text("ok")]) as model:
        flags = ("--no-session", "--session-dir", str(tmp_path / "dir"), "--name", "n", "--session-id", "mine")
        with stdio(tmp_path, model, *flags) as (program, talk):
            assert talk.frames[0]["session_id"] == "mine"
            assert talk.ask("prompt", message="go")["success"]
            assert talk.ask("list_sessions")["error_code"] == "no_session_store"
            talk.end_input()
            talk.rest()
            assert program.ended() == 0
    assert [path.name for path in tmp_path.rglob("*") if path.is_file() and not path.name.startswith("stderr")] == []


def test_a_run_that_was_killed_is_a_crash_for_the_next_process(tmp_path: Path) -> None:
    """kill -9 in the middle of a tool: the lease is free at once, the session fit, and it says crashed."""
    with ModelServer([SLEEP, turn.text("again")]) as model:
        with stdio(tmp_path, model) as (program, talk):
            talk.say("prompt", message="go")
            talk.event("tool_progress")
            session_id = talk.frames[0]["session_id"]
            program.process.kill()
            program.ended()
        with stdio(tmp_path, model, "--session", session_id) as (_, talk):
            assert talk.frames[0]["session_id"] == session_id
            assert talk.ask("get_state")["data"]["last_outcome"] == "crashed"
            assert talk.ask("prompt", message="on")["success"]
            assert numbered(talk.frames)[0]["seq"] == 1
