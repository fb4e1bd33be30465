"""What `serve` promises as a process at its edges: ends of input, keys, clients that are deaf, sessions not written."""

from __future__ import annotations

import json
import shutil
import socket
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from agent_serve_client import events
from agent_serve_process import KEY, PROVIDER_KEY, client, listening, stdio

from beyond_agent_core.testing import ModelServer, turn

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.e2e

MIB = 1024 * 1024


@pytest.fixture
def folder() -> Iterator[Path]:
    """A short one: the path of a socket has 107 bytes."""
    made = Path(tempfile.mkdtemp(prefix="uds-"))
    yield made
    shutil.rmtree(made, ignore_errors=True)


def files_of(folder: Path) -> dict[str, bytes]:
    """Every file below a folder but the stderr of processes, with what it holds."""
    paths = [path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("stderr")]
    return {str(path): path.read_bytes() for path in paths}


def test_the_end_of_input_denies_an_open_question(tmp_path: Path) -> None:
    """Who asked is gone: the question is resolved as denied, the call has not run, the process ends with 0."""
    with (
        ModelServer([turn.tool_call("bash", command="touch ran"), turn.text("never")]) as model,
        stdio(tmp_path, model, "--approve", "writes") as (program, talk),
    ):
        talk.say("prompt", id=1, message="go")
        talk.until(lambda frame: frame["type"] == "approval_request")
        talk.end_input()
        frames = talk.rest()
        assert program.ended() == 0
        (resolved,) = [frame for frame in frames if frame["type"] == "approval_resolved"]
        assert resolved["decision"] == "deny"
        assert events(frames)[-1] == "agent_end"
        assert frames[-1]["error_code"] == "cancelled"
        assert not (program.work / "ran").exists()
        assert len(model.requests) == 1


def test_neither_key_is_in_any_file_that_a_session_leaves(tmp_path: Path) -> None:
    """Session, spilled output and exported page, though commands print all that they were given."""
    loud = "env; cat /dev/null; head -c 300000 /dev/zero | tr '\\0' x; env"
    with ModelServer([turn.tool_call("bash", command=loud), turn.text("ok")]) as model:
        with stdio(tmp_path, model) as (program, talk):
            assert talk.ask("bash", command=loud)["success"]
            assert talk.ask("prompt", message="go")["success"]
            page = talk.ask("export_html")["data"]["path"]
            talk.end_input()
            frames = talk.rest()
            assert program.ended() == 0
            said = program.said()
        asked = b"".join(request.body for request in model.requests)
    written = files_of(tmp_path)
    assert page in written
    assert len(written) >= 4
    assert all(b"XDG_CONFIG_HOME" in text for path, text in written.items() if "beyond-ai-" in path)
    for key in (KEY, PROVIDER_KEY):
        assert all(key.encode() not in text for text in written.values())
        assert key.encode() not in asked
        assert key not in said + str(frames)
    assert all(PROVIDER_KEY not in str(request.headers) for request in model.requests)


def test_a_client_behind_which_16_mib_wait_is_closed(folder: Path) -> None:
    """Its last frame says why, and each line before it is whole; below that it is waited for, and nobody else waits."""
    with (
        ModelServer([turn.text("ok")]) as model,
        listening(folder, model, "--context-window", "100000000") as (_, path),
        client(path) as talk,
    ):
        assert talk.ask("prompt", message="v" * (3 * MIB))["success"]
        assert talk.ask("attach")["success"]
        for pages, title in ((3, "nine"), (8, "twenty-four")):
            with socket.socket(socket.AF_UNIX) as deaf:
                deaf.settimeout(20)
                deaf.connect(path)
                name = json.dumps({"type": "set_session_name", "title": title}).encode()
                deaf.sendall(b'{"type":"attach"}\n' + b'{"type":"get_messages"}\n' * pages + name + b"\n")
                talk.until(lambda frame, title=title: frame.get("title") == title)
                deaf.shutdown(socket.SHUT_WR)
                with deaf.makefile("rb") as readable:
                    frames = [json.loads(line) for line in readable]  # noqa: TID251 - a reader that is not the writer's
            kinds = [frame["type"] for frame in frames]
            whole = sum(frame.get("command") == "get_messages" for frame in frames)
            if pages == 3:
                assert (kinds[-2:], whole) == (["session_info_changed", "response"], 3)
            else:
                assert (kinds[-1], frames[-1]["error_code"]) == ("closing", "slow_consumer")
                assert whole < 8
        with client(path) as again:
            assert again.ask("attach")["success"]


@pytest.mark.parametrize(
    "flags",
    [
        ("--session", "ID"),
        ("--fork", "ID", "--name", "x"),
        ("--continue", "--takeover"),
        ("--session-file", "one.jsonl"),
        ("--session-dir", "here", "--session-id", "mine"),
    ],
    ids=lambda flags: flags[0],
)
def test_no_session_writes_no_byte_whatever_is_served(tmp_path: Path, flags: tuple[str, ...]) -> None:
    """No command that changes a session makes or changes a file, the one that the other flags name least of all."""
    with ModelServer([turn.text("one"), turn.text("two"), turn.text("three")]) as model:
        with stdio(tmp_path, model) as (program, talk):
            session_id = talk.frames[0]["session_id"]
            assert talk.ask("prompt", message="first")["success"]
            talk.end_input()
            assert program.ended() == 0
        before = files_of(tmp_path)
        words = [session_id if word == "ID" else word for word in flags]
        with stdio(tmp_path, model, "--no-session", *words) as (program, talk):
            assert talk.ask("prompt", message="second")["success"]
            for name, fields in (
                ("set_model", {"model": "claude-x"}),
                ("set_session_name", {"title": "t"}),
                ("bash", {"command": "true"}),
                ("new_session", {}),
            ):
                assert talk.ask(name, **fields)["success"], name
            assert talk.ask("prompt", id=2, message="third")["success"]
            talk.end_input()
            talk.rest()
            assert program.ended() == 0
    assert files_of(tmp_path) == before
