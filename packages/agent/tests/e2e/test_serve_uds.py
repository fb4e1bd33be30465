"""`serve` on a Unix socket, and `attach`, as real processes."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import stat
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from agent_serve_client import events, numbered
from agent_serve_process import COMMAND, Program, answers, client, listening

from beyond_agent.sessions.store import SessionStore
from beyond_agent_core.testing import ModelServer, turn

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.e2e

WORK = turn.tool_call("bash", command="echo begun; sleep 0.6; echo ended")
LONG = turn.tool_call("bash", command="echo begun; sleep 30")


@pytest.fixture
def folder() -> Iterator[Path]:
    """A short one: the path of a socket has 107 bytes."""
    made = Path(tempfile.mkdtemp(prefix="uds-"))
    yield made
    shutil.rmtree(made, ignore_errors=True)


def test_the_socket_is_its_owners_and_goes_with_the_server(folder: Path) -> None:
    """0600 while it serves; at SIGTERM clients get closing, the socket is removed, exit 143."""
    with listening(folder, None) as (program, path), client(path) as talk:
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600  # noqa: PTH116 - paths are text here
        assert talk.ask("get_state")["success"]
        program.process.send_signal(signal.SIGTERM)
        frames = talk.rest()
        assert (frames[-1]["type"], frames[-1]["error_code"]) == ("closing", "cancelled")
        assert program.ended() == 128 + signal.SIGTERM
        assert not os.path.lexists(path)


def test_a_stale_socket_is_replaced_and_a_live_one_is_an_error(folder: Path) -> None:
    """After kill -9 the next server takes the path; a second server beside it ends with one line and exit 1."""
    with listening(folder, None) as (program, path):
        program.process.kill()
        program.ended()
        assert os.path.lexists(path)
        with listening(folder, None) as (_, again):
            assert again == path
            with Program(folder, None, "serve", "--listen-uds", path) as second:
                assert second.ended() == 1
                assert second.said().count("\n") == 1
                assert "another server listens" in second.said()
            assert answers(path)


def test_a_server_that_does_not_answer_is_one_all_the_same(folder: Path) -> None:
    """A second one does not wait for it for ever, nor takes its socket away."""
    path = folder / "s.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as stopped, contextlib.ExitStack() as waiting:
        stopped.bind(str(path))
        stopped.listen(0)
        for _ in range(2):
            asking = waiting.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
            asking.settimeout(0)
            with contextlib.suppress(BlockingIOError):
                asking.connect(str(path))
        with Program(folder, None, "serve", "--listen-uds", str(path)) as second:
            assert second.ended() == 1
            assert "another server listens" in second.said()
        assert path.exists()


@pytest.mark.parametrize("what", ["file", "foreign", "missing", "long"])
def test_a_path_that_cannot_be_a_socket_is_one_line(folder: Path, what: str) -> None:
    """A file that is there, a directory of somebody else, none at all, a path that is too long: exit 1."""
    path = folder / "s"
    if what == "file":
        path.write_text("mine")
    elif what == "foreign":
        (folder / "d").mkdir()
        os.chown(folder / "d", 12345, -1)
        path = folder / "d" / "s"
    elif what == "missing":
        path = folder / "no" / "s"
    else:
        path = folder / ("s" * 120)
    with Program(folder, None, "serve", "--listen-uds", str(path)) as program:
        assert program.ended() == 1
        assert program.said().count("\n") == 1
        assert "--listen-uds" in program.said()
    assert what != "file" or path.read_text() == "mine"


def test_attach_joins_line_by_line_and_ends_with_its_input(folder: Path) -> None:
    """A prompt through the bridge is answered; behind the end of input the bridge ends once all is answered."""
    with (
        ModelServer([turn.text("through")]) as model,
        listening(folder, model) as (_, path),
        Program(folder, None, "attach", path) as bridge,
    ):
        talk = bridge.talk()
        talk.say("attach")
        talk.response("attach")
        talk.say("prompt", id=1, message="hi")
        talk.end_input()
        frames = talk.rest()
        assert bridge.ended() == 0
        assert (frames[-1]["command"], frames[-1]["success"]) == ("prompt", True)
        assert events(frames)[-1] == "agent_end"


def test_attach_to_nobody_is_one_line(folder: Path) -> None:
    """No server there: exit 1."""
    with Program(folder, None, "attach", str(folder / "nobody")) as bridge:
        assert bridge.ended() == 1
        assert bridge.said().count("\n") == 1
        assert "no server" in bridge.said()


def test_the_bridge_is_killed_in_the_middle_of_a_tool(folder: Path) -> None:
    """The run ends done; the next attach, from the number seen last, has what an unbroken client has."""
    with (
        ModelServer([WORK, turn.text("made it")]) as model,
        listening(folder, model) as (_, path),
        client(path) as steady,
        Program(folder, None, "attach", path) as bridge,
    ):
        steady.ask("attach")
        talk = bridge.talk()
        talk.say("attach", since=0)
        talk.response("attach")
        talk.say("prompt", id=1, message="work")
        talk.event("tool_progress")
        bridge.process.kill()
        bridge.ended()
        seen = numbered(talk.rest())
        with Program(folder, None, "attach", path) as second:
            back = second.talk()
            ready = back.until(lambda frame: frame["type"] == "ready")
            back.say("attach", since=seen[-1]["seq"], epoch=ready["epoch"])
            assert not back.response("attach")["data"]["gap"]
            assert back.event("agent_end")["event"]["outcome"] == "done"
            steady.event("agent_end")
            assert seen + numbered(back.frames) == numbered(steady.frames)
            assert back.ask("get_last_assistant_text")["data"]["text"] == "made it"


def test_two_clients_see_all_and_one_that_reads_nothing_slows_nobody(folder: Path) -> None:
    """Both have the same frames, and a third that attaches and never reads does not hold up the run."""
    with (
        ModelServer([turn.text("z" * 200_000), turn.text("ok")]) as model,
        listening(folder, model) as (_, path),
        client(path) as one,
        client(path) as two,
        socket.socket(socket.AF_UNIX) as deaf,
    ):
        deaf.connect(path)
        deaf.sendall(b'{"type":"attach"}\n')
        for talk in (one, two):
            talk.ask("attach")
        assert one.ask("prompt", id=1, message="go")["success"]
        two.event("agent_end")
        assert numbered(one.frames) == numbered(two.frames)
        assert two.ask("prompt", id=2, message="on")["success"]


def test_a_run_may_end_by_itself_in_the_grace_of_a_stop(folder: Path) -> None:
    """--drain-grace: the run ends done, its client has the response before closing, exit 143."""
    with (
        ModelServer([WORK, turn.text("made it")]) as model,
        listening(folder, model, "--drain-grace", "20") as (program, path),
        client(path) as talk,
    ):
        talk.ask("attach")
        talk.say("prompt", id=1, message="work")
        talk.event("tool_progress")
        program.process.send_signal(signal.SIGTERM)
        frames = talk.rest()
        assert program.ended() == 143
        assert [frame["type"] for frame in frames[-2:]] == ["response", "closing"]
        assert frames[-2]["data"]["outcome"] == "done"


def test_a_stop_without_grace_cancels_and_stores(folder: Path) -> None:
    """The run in flight is cancelled, its response comes, and the next server finds it stored."""
    with ModelServer([LONG]) as model:
        with listening(folder, model) as (program, path), client(path) as talk:
            talk.ask("attach")
            session_id = talk.frames[0]["session_id"]
            talk.say("prompt", id=1, message="work")
            talk.event("tool_progress")
            program.process.send_signal(signal.SIGTERM)
            assert talk.response("prompt", 1)["error_code"] == "cancelled"
            assert program.ended() == 143
        with listening(folder, model, "--session", session_id) as (_, path), client(path) as talk:
            assert talk.ask("get_state")["data"]["last_outcome"] == "cancelled"


def test_a_first_session_that_another_process_has_is_a_closing_with_its_code(folder: Path) -> None:
    """Unloaded when idle and opened elsewhere: a new connection is told session_locked, and the server lives on."""
    with (
        ModelServer([turn.text("a")]) as model,
        listening(folder, model, "--session-idle-timeout", "0.2") as (program, path),
    ):
        with client(path) as talk:
            assert talk.ask("prompt", message="hi")["success"]
            file = talk.ask("get_state")["data"]["session_file"]
        until = time.monotonic() + 60
        while os.path.lexists(file + ".lease"):
            assert time.monotonic() < until
            time.sleep(0.02)
        other = SessionStore(folder).open(file)
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(path)
            with connection.makefile("rb") as readable:
                assert b'"error_code":"session_locked"' in readable.readline()
                assert readable.readline() == b""
        other.close()
        with client(path) as talk:
            assert talk.ask("get_last_assistant_text")["data"]["text"] == "a"
        assert program.process.poll() is None


def test_many_clients_are_not_stopped_by_a_low_soft_limit(folder: Path) -> None:
    """Each client and session needs descriptors: the server raises its own limit as far as it may."""
    low = ("bash", "-c", 'ulimit -Sn 40; exec "$@"', "low", *COMMAND)
    with listening(folder, None, command=low) as (_, path), contextlib.ExitStack() as stack:
        talks = [stack.enter_context(client(path)) for _ in range(30)]
        assert all(talk.ask("new_session")["success"] for talk in talks)
