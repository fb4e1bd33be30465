"""What `run` promises beyond a run that goes well: crashes, signals, sessions that are not written, what is cut."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import termios
import time
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from agent_run import User

from beyond_agent.sessions.store import SessionStore
from beyond_agent_core.events import AgentEvent
from beyond_agent_core.testing import ModelServer, assert_fit, assert_grammar, turn

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.e2e

CRASH = """
import sys
from beyond_agent.sessions.stored import StoredSession
def bug(self, *given):
    raise RuntimeError("a bug")
StoredSession.{method} = bug
from beyond_agent.__main__ import main
sys.exit(main(["run", "hi", "--json"]))
"""
HEAVY = "sorted({name.partition('.')[0] for name in sys.modules} & {'rich', 'pydantic', 'anthropic', 'openai', 'PIL'})"


def files_of(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, with what it holds."""
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("method", ["watch", "checkpoint", "end_run"])
def test_json_has_its_agent_end_after_a_crash_too(tmp_path: Path, method: str) -> None:
    """Wherever the program itself is at fault, one `agent_end` is the last line, and the status is 1."""
    with ModelServer([turn.text("ok")] * 4) as server:
        user = User(tmp_path, server.url)
        argv = [user.argv()[0], "-c", CRASH.format(method=method)]
        made = subprocess.run(argv, cwd=user.cwd, env=user.env, capture_output=True, check=False, timeout=60)
    lines = [msgspec.json.decode(line) for line in made.stdout.splitlines()]
    assert made.returncode == 1
    assert [line["kind"] for line in lines].count("agent_end") == 1
    assert lines[-1]["kind"] == "agent_end"
    assert method == "end_run" or lines[-1]["outcome"] == "error"
    assert [line["seq"] for line in lines[1:]] == list(range(1, len(lines)))
    assert b"a bug" in made.stderr + made.stdout


def test_a_usage_error_writes_nothing_on_stdout_in_json_mode_either(tmp_path: Path) -> None:
    """There was no run, so there is no event: a program has the status, a person the line."""
    done = User(tmp_path).run("hi", "--json", "--session", "a", "--fork", "b")
    assert (done.status, done.out, done.err.count("\n")) == (2, "", 1)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_leaves_a_session_that_is_fit_and_events_in_balance(tmp_path: Path, number: int) -> None:
    """Each call that was begun has its end and its result, and the session can be sent again as it is."""
    with ModelServer([turn.calls(("bash", {"command": "echo $$ > pid; sleep 600"}), ("ls", {}))]) as server:
        user = User(tmp_path, server.url)
        process = user.start("run", "hi", "--json")
        until = time.monotonic() + 60
        while not (user.cwd / "pid").exists():
            assert time.monotonic() < until
            time.sleep(0.02)
        process.send_signal(number)
        out, _ = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    decode: Any = msgspec.json.Decoder(AgentEvent).decode
    told = [line for line in out.splitlines()[1:] if not line.startswith(b'{"kind":"stream"')]
    assert_grammar([decode(line) for line in told])
    (file,) = user.session_files
    stored = SessionStore(file.parent).open(str(file))
    assert_fit(stored.session)
    assert stored.last_outcome == "cancelled"
    stored.close()


@pytest.mark.parametrize("switch", ["--no-session", "--no-session-persistence"])
@pytest.mark.parametrize(
    "flags",
    [
        ("--session", "ID"),
        ("--fork", "ID"),
        ("--continue",),
        ("--session-id", "mine", "--name", "x", "--takeover"),
        ("--session-dir", "here", "--name", "x"),
        ("--session", "ID", "--takeover", "--name", "x", "--approve", "writes", "--json"),
    ],
    ids=lambda flags: flags[0],
)
def test_no_session_writes_no_byte_beside_a_session_that_is_there(
    tmp_path: Path, flags: tuple[str, ...], switch: str
) -> None:
    """Whatever session the other flags name, the files of user and project are the same ones afterwards."""
    with ModelServer([turn.text("One."), turn.text("Two.")]) as server:
        user = User(tmp_path, server.url)
        assert user.run("first").status == 0
        (file,) = user.session_files
        session_id = file.stem.partition("_")[2]
        before = files_of(tmp_path)
        words = [session_id if word == "ID" else word for word in flags]
        done = user.run("second", switch, *words)
    assert done.status == 0, done.err
    assert files_of(tmp_path) == before
    known = len(server.requests[1].json["messages"])
    assert known == (3 if flags[0] in ("--session", "--fork", "--continue") else 1)


def test_no_session_needs_no_folder_that_can_be_written(tmp_path: Path) -> None:
    """Where sessions cannot be kept, a job that keeps none is no error."""
    (tmp_path / "file").write_text("")
    with ModelServer([turn.text("ok")]) as server:
        done = User(tmp_path, server.url).run("hi", "--no-session", XDG_STATE_HOME=str(tmp_path / "file" / "state"))
    assert (done.status, done.out) == (0, "ok\n")


def test_instructions_that_are_cut_are_named_in_the_text_and_on_stderr(tmp_path: Path) -> None:
    """Of more than 64 KiB the deepest stay; who starts the job and who does it are both told what is missing."""
    with ModelServer([turn.text("ok")]) as server:
        user = User(tmp_path, server.url)
        (user.cwd / ".git").mkdir()
        above = user.cwd / "AGENTS.md"
        above.write_text("far " * 15_000)
        user.cwd = user.cwd / "deep"
        user.cwd.mkdir()
        (user.cwd / "AGENTS.md").write_text("near " * 8_000)
        done = user.run("hi", "--no-session")
    assert done.status == 0
    told = str(server.requests[0].json["system"])
    assert ("near " * 8_000).strip() in told
    assert 0 < told.count("far ") < 15_000
    assert len(told) < 64 * 1024 + 16_000
    assert [line for line in done.err.splitlines() if str(above) in line and "bytes left out" in line]
    assert "bytes left out" in told[told.index(str(above)) :]


@pytest.mark.parametrize("words", [["serve"], ["sessions"], ["trust", "--list"]])
def test_no_command_loads_a_display_or_a_providers_library(tmp_path: Path, words: list[str]) -> None:
    """Off a terminal neither rich nor anything else that takes its time to load is imported."""
    user = User(tmp_path)
    code = f"import sys; from beyond_agent.__main__ import main; main({words!r}); print({HEAVY}, file=sys.stderr)"
    made = subprocess.run(
        [user.argv()[0], "-c", code],
        cwd=user.cwd,
        env=user.env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=True,
        timeout=60,
    )
    assert made.stderr.decode().splitlines()[-1] == "[]"


def test_a_provider_key_is_in_no_repr_of_what_was_settled(tmp_path: Path) -> None:
    """A dump of settings, route and harness as a program would log it has neither key."""
    secret, own = "sk-ant-provider-0123456789", "bai_v1.c2VjcmV0.dGVzdA"
    code = (
        "import os\n"
        "from beyond_agent.startup import harness_for, here, read_options\n"
        "from beyond_agent.flags import parser_for\n"
        "places = here(os.environ)\n"
        "options = read_options('run', ['hi'], parser_for('run', '', ''), os.environ, places)\n"
        "print(options, harness_for(options, os.environ))\n"
    )
    user = User(tmp_path)
    made = subprocess.run(
        [user.argv()[0], "-c", code],
        cwd=user.cwd,
        env=user.env | {"AI_API_KEY": secret},
        capture_output=True,
        check=True,
    )
    shown = os.fsdecode(made.stdout)
    assert "claude-opus-4-8" in shown
    assert secret not in shown
    assert own not in shown


@pytest.mark.parametrize("flags", [(), ("--json",), ("--final",)], ids=["text", "json", "final"])
def test_a_reader_who_was_never_there_is_one_who_left(tmp_path: Path, flags: tuple[str, ...]) -> None:
    """Where stdout is closed before the first line, the job ends with status 0 and nobody complains."""
    with ModelServer([turn.text("ok")]) as server:
        process = User(tmp_path, server.url).start("run", "hi", *flags)
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert b"Traceback" not in process.stderr.read()
        process.stderr.close()
        assert process.wait(20) == 0


@pytest.mark.parametrize(
    ("flags", "stored"),
    [((), '"outcome":"error"'), (("--final",), '"outcome":"done"'), (("--json",), None)],
    ids=["text", "final", "json"],
)
def test_an_output_that_is_full_is_one_line_and_status_1(
    tmp_path: Path, flags: tuple[str, ...], stored: str | None
) -> None:
    """A file on a full disk cannot be written: the line says so, and what was done is in the session."""
    with ModelServer([turn.text("ok")]) as server, open("/dev/full", "wb") as full:  # noqa: PTH123 - a device
        user = User(tmp_path, server.url)
        made = subprocess.run(
            user.argv("run", "hi", *flags),
            cwd=user.cwd,
            env=user.env,
            stdin=subprocess.DEVNULL,
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
            timeout=60,
        )
    said = made.stderr.decode().splitlines()
    assert (made.returncode, said[-1]) == (1, "beyond-ai-agent: cannot write standard output: No space left on device")
    assert "Traceback" not in made.stderr.decode()
    # A program that gets no first line has begun nothing.
    assert [stored in path.read_text().splitlines()[-1] for path in user.session_files if stored] == [True] * bool(
        stored
    )


@pytest.mark.parametrize("closed", [">&-", "<&-", "2>&-", "<&- >&- 2>&-"])
def test_a_stream_that_the_parent_has_closed_is_an_empty_one(tmp_path: Path, closed: str) -> None:
    """Nothing that is printed gets into a file or a socket that was opened in its place, and the job is done."""
    with ModelServer([turn.text("What is said.")]) as server:
        user = User(tmp_path, server.url)
        shell = ["/bin/sh", "-c", f'exec "$@" {closed}', "sh", *user.argv("run", "hi")]
        made = subprocess.run(shell, cwd=user.cwd, env=user.env, capture_output=True, check=False, timeout=60)
    assert made.returncode == 0, made.stderr
    assert b"Traceback" not in made.stderr
    assert made.stdout == (b"" if ">&- " in closed + " " and closed != "2>&-" else b"What is said.\n")
    (file,) = user.session_files
    lines = [msgspec.json.decode(line) for line in file.read_bytes().splitlines()]
    assert (lines[-1]["type"], lines[-1]["outcome"]) == ("run_end", "done")


def test_a_pipe_that_does_not_block_gets_all_of_the_text(tmp_path: Path) -> None:
    """Some parents make it so; it is waited for until it takes more."""
    text = "a line\n" * 5000
    read, write = os.pipe()
    fcntl.fcntl(write, fcntl.F_SETPIPE_SZ, 4096)
    os.set_blocking(write, False)
    with ModelServer([turn.text(text)]) as server, open(read, "rb") as readable:  # noqa: PTH123 - a descriptor
        user = User(tmp_path, server.url)
        process = subprocess.Popen(
            user.argv("run", "hi"),
            cwd=user.cwd,
            env=user.env,
            stdin=subprocess.DEVNULL,
            stdout=write,
            stderr=subprocess.PIPE,
        )
        os.close(write)
        until = time.monotonic() + 60
        while int.from_bytes(fcntl.ioctl(read, termios.FIONREAD, bytes(4)), sys.byteorder) < 4000:
            assert time.monotonic() < until
            time.sleep(0.02)
        time.sleep(0.1)
        assert readable.read().decode() == text
        _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
