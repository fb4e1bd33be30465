"""The small commands, and what every command has: help, one line for what is wrong, the right status."""

from __future__ import annotations

import subprocess
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

import msgspec
import pytest
from agent_run import User
from jsonschema import Draft202012Validator

from beyond_agent.__main__ import COMMANDS
from beyond_agent.options import TOOL_NAMES
from beyond_agent_core.testing import ModelServer, turn

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.e2e


@pytest.fixture(name="user")
def _user(tmp_path: Path) -> User:
    return User(tmp_path)


def test_the_version_is_one_line(user: User) -> None:
    """--version needs no settings and no key."""
    done = user.do("--version", AI_AGENT_KEY="")
    assert (done.status, done.out, done.err) == (0, "beyond-ai-agent 0.1.0\n", "")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(user: User, command: str) -> None:
    """Help is on stdout with status 0, fits 120 columns, and names the command."""
    done = user.do(command, "--help", COLUMNS="100")
    assert (done.status, done.err) == (0, "")
    assert f"beyond-ai-agent {command}" in done.out
    assert max(map(len, done.out.splitlines())) <= 120


def test_the_list_of_commands_names_each(user: User) -> None:
    """--help has them all, with what each does and the variables that matter."""
    done = user.do("--help")
    assert done.status == 0
    assert all(f"  {name} " in done.out and does in done.out for name, does in COMMANDS.items())
    assert "AI_AGENT_KEY" in done.out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "no command"),
        (("rnu",), "there is no command 'rnu'; did you mean run?"),
        (("tools", "--all"), "unrecognized arguments: --all; see beyond-ai-agent tools --help"),
        (("sessions", "--al"), "unrecognized arguments: --al"),
        (("trust", "nowhere"), "PATH: there is no directory 'nowhere'"),
        (("trust", "--list", "."), "--list: takes no PATH"),
        (("attach",), "the following arguments are required: path"),
        (("serve", "--replay-bytes", "0"), "--replay-bytes: must be a whole number of at least 1"),
    ],
)
def test_a_usage_error_is_one_line_and_status_2(user: User, words: tuple[str, ...], said: str) -> None:
    """It names what is wrong; nothing is on stdout."""
    done = user.do(*words)
    assert (done.status, done.out, done.err.count("\n")) == (2, "", 1)
    assert said in done.err


def test_tools_prints_the_ten_definitions(user: User) -> None:
    """How many, a blank line, JSON sorted by name: what a model is told."""
    done = user.do("tools")
    head, blank, text = done.out.split("\n", 2)
    rows = msgspec.json.decode(text)
    assert (head, blank) == ("10 tools:", "")
    assert tuple(row["name"] for row in rows) == TOOL_NAMES
    assert all(set(row) == {"name", "description", "input_schema"} for row in rows)
    assert all(part["description"] for row in rows for part in row["input_schema"]["properties"].values())


def test_the_schema_is_valid_and_stable(user: User) -> None:
    """Two runs print the same bytes, and they are a JSON Schema of 2020-12."""
    first, second = user.do("schema"), user.do("schema", PYTHONHASHSEED="7")
    assert first.out == second.out
    Draft202012Validator.check_schema(msgspec.json.decode(first.out))


def test_sessions_are_listed_newest_first(tmp_path: Path) -> None:
    """Those of this directory with id, time, count and title; --all those of others too; --json for scripts."""
    with ModelServer([turn.text("ok")] * 3) as server:
        user = User(tmp_path, server.url)
        assert user.do("sessions").out == ""
        for task in ("first job", "second job"):
            assert user.run(task).status == 0
        other = User(tmp_path, server.url)
        other.cwd = tmp_path / "other"
        other.cwd.mkdir()
        assert other.run("elsewhere", "--name", "Named").status == 0
        shown = user.do("sessions").out.splitlines()
        assert [line.rpartition("  ")[2] for line in shown] == ["second job", "first job"]
        assert all(line.startswith("sess_") and "2 messages" in line for line in shown)
        every = user.do("sessions", "--all").out.splitlines()
        assert every[0].endswith(f"Named  {other.cwd}")
        listed = msgspec.json.decode(user.do("sessions", "--all", "--json").out)
        assert [each["title"] for each in listed] == ["Named", "second job", "first job"]


def test_sessions_are_listed_with_the_times_of_the_users_clock(tmp_path: Path) -> None:
    """In the zone of whoever looks, for people; --json has UTC."""
    with ModelServer([turn.text("ok")]) as server:
        user = User(tmp_path, server.url)
        assert user.run("job").status == 0
        (listed,) = msgspec.json.decode(user.do("sessions", "--json").out)
        (shown,) = user.do("sessions", TZ="AHEAD-9:30").out.splitlines()
    there = datetime.fromisoformat(listed["updated_at"]).astimezone(timezone(timedelta(hours=9, minutes=30)))
    assert listed["updated_at"].endswith("Z")
    assert shown.startswith(f"{listed['id']}  {there:%Y-%m-%d %H:%M}  ")


def test_a_directorys_name_does_not_act_on_the_terminal(tmp_path: Path) -> None:
    """What would is left out of the list for people."""
    with ModelServer([turn.text("yes")]) as model:
        user = User(tmp_path, model.url)
        user.cwd = user.cwd / "a\x1b[31m\u202eb"
        user.cwd.mkdir()
        assert user.run("hello").status == 0
        assert user.do("sessions", "--all").out.endswith("/a[31mb\n")


def test_sessions_are_listed_in_any_locale(tmp_path: Path) -> None:
    """Titles in any script are printed as UTF-8, also where the locale has no word for them."""
    with ModelServer([turn.text("yes")]) as model:
        user = User(tmp_path, model.url)
        assert user.run("h\u00e9llo \u2026").status == 0
        for flag in ((), ("--json",)):
            done = user.do("sessions", *flag, PYTHONIOENCODING="ascii")
            assert (done.status, done.err) == (0, "")
            assert "h\u00e9llo \u2026" in done.out


def test_sessions_are_listed_where_the_settings_keep_them(tmp_path: Path) -> None:
    """A session_dir of a file or a variable holds for the list as for the run."""
    with ModelServer([turn.text("ok")]) as server:
        user = User(tmp_path, server.url)
        own = user.home / ".config" / "beyond-ai"
        own.mkdir(parents=True)
        (own / "agent.toml").write_text('session_dir = "kept"\n')
        assert user.run("a job").status == 0
        assert user.do("sessions").out.endswith("a job\n")
        assert user.do("sessions", AI_AGENT_SESSION_DIR="elsewhere").out == ""


def test_trust_is_told_whatever_a_directory_is_called(user: User) -> None:
    """A name that the locale has no letters for is printed, one that would act on a terminal or end the line is not."""
    for name, printed in (("é", "é"), ("a\x1b[2J\ntrusted  b", "a\\x1b[2J\\ntrusted  b")):
        (user.cwd / name).mkdir()
        done = user.do("trust", str(user.cwd / name), PYTHONIOENCODING="ascii")
        assert (done.status, done.out) == (0, f"trusted: {user.cwd}/{printed}\n")
        assert f"trusted  {user.cwd}/{printed}\n" in user.do("trust", "--list", PYTHONIOENCODING="ascii").out


def test_trust_is_given_listed_and_taken_back(user: User) -> None:
    """The project of the current directory by default; what is below a trusted one is trusted."""
    assert user.do("trust").out == f"trusted: {user.cwd}\n"
    assert user.do("untrust", str(user.home)).out == f"untrusted: {user.home}\n"
    assert user.do("trust", "--list").out == f"untrusted  {user.home}\ntrusted  {user.cwd}\n"
    assert user.do("untrust").status == 0
    assert f"untrusted  {user.cwd}\n" in user.do("trust", "--list").out


@pytest.mark.parametrize(("path", "why"), [("nobody.sock", "No such file"), ("n" * 150, "too long")])
def test_attach_without_a_server_is_one_line_and_status_1(user: User, path: str, why: str) -> None:
    """It says that nobody is there, why, and how to start somebody."""
    done = user.do("attach", path)
    assert (done.status, done.out, done.err.count("\n")) == (1, "", 1)
    assert f"no server at {path}: " in done.err
    assert why in done.err


def test_a_reader_who_leaves_is_no_error(user: User) -> None:
    """`tools | head -1` ends quietly."""
    process = user.start("schema")
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(20) == 0


@pytest.mark.parametrize("command", ["schema", "--version", "--help"])
def test_a_full_disk_behind_standard_output_is_one_line(user: User, command: str) -> None:
    """What cannot be written is an error, not a traceback."""
    with open("/dev/full", "wb") as full:  # noqa: PTH123 - a device
        argv = user.argv(command)
        made = subprocess.run(argv, env=user.env, stdout=full, stderr=subprocess.PIPE, check=False, timeout=30)
    assert made.returncode == 1
    assert made.stderr == b"beyond-ai-agent: cannot write standard output: no space left on the device\n"


def test_the_status_stands_where_nothing_can_be_said(user: User) -> None:
    """A usage error is status 2 also behind a standard error that is full."""
    with open("/dev/full", "wb") as full:  # noqa: PTH123 - a device
        for words in (("run", "--bogus"), ("bogus",)):
            made = subprocess.run(user.argv(*words), env=user.env, stderr=full, check=False, timeout=30)
            assert made.returncode == 2


@pytest.mark.parametrize("command", ["run", "serve", "sessions", "trust"])
def test_a_directory_that_was_removed_is_one_line(user: User, command: str) -> None:
    """A shell may stand in one, and so what it starts."""
    gone = 'rmdir "$PWD" && exec "$@"'
    argv = ["sh", "-c", gone, "sh", *user.argv(command)]
    made = subprocess.run(
        argv, cwd=user.cwd, env=user.env, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=30
    )
    assert (made.returncode, made.stderr.count(b"\n")) == (1, 1), made.stderr
    assert made.stderr.startswith(b"beyond-ai-agent: the current directory cannot be used: ")
