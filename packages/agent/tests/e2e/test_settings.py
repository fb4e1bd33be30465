from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any, cast

import msgspec
import pytest
from agent_run import User

from beyond_agent.options import TOOL_NAMES
from beyond_agent_core.testing import ModelServer, calls, says

if TYPE_CHECKING:
    from pathlib import Path

    from beyond_wire.types import Turn

pytestmark = pytest.mark.e2e


def put(file: Path, text: str) -> Path:
    """Write a file and its folders."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return file


def requests_of(user: User, *words: str, script: tuple[Turn, ...] = ()) -> list[dict[str, Any]]:
    """Return what a run sends, whose model plays a script and then is done; the run must be."""
    with ModelServer([*script, says("done")]) as server:
        done = user.run(*words, AI_GATEWAY_URL=server.url)
    assert done.status == 0, done.err
    return [cast("dict[str, Any]", msgspec.json.decode(each.body)) for each in server.requests]


def test_fifty_processes_that_trust_at_once_lose_nothing(tmp_path: Path) -> None:
    """Each trusts a directory of its own; the file holds all of them, and nothing else is left beside it."""
    user = User(tmp_path)
    directories = [tmp_path.resolve() / f"project{at}" for at in range(50)]
    for each in directories:
        each.mkdir()
    running = [user.start("trust", str(each)) for each in directories]
    for each, process in zip(directories, running, strict=True):
        out, err = process.communicate(timeout=120)
        assert (process.returncode, out.decode(), err) == (0, f"trusted: {each}\n", b"")
    state = user.home / ".local" / "state" / "beyond-ai"
    content = msgspec.json.decode((state / "trust.json").read_bytes())
    assert content == {"version": 1, "projects": {str(each): True for each in directories}}
    assert [each.name for each in state.iterdir()] == ["trust.json"]


@pytest.mark.parametrize("words", [("trust",), ("trust", "--list"), ("sessions",)])
def test_a_relative_folder_in_the_environment_is_told_by_every_command(tmp_path: Path, words: tuple[str, ...]) -> None:
    """Or what is trusted here would seem to be forgotten there."""
    done = User(tmp_path).do(*words, XDG_STATE_HOME="rel")
    assert done.status == 0
    assert done.err.startswith("[XDG_STATE_HOME")
    assert not (tmp_path / "project" / "rel").exists()


def test_trust_in_a_directory_that_is_gone_can_be_taken_back(tmp_path: Path) -> None:
    """One that was never named is a typo all the same."""
    user = User(tmp_path)
    gone = tmp_path.resolve() / "gone"
    gone.mkdir()
    assert user.do("trust", str(gone)).status == 0
    gone.rmdir()
    assert user.do("untrust", str(gone)).out == f"untrusted: {gone}\n"
    assert user.do("trust", str(gone)).status == 2
    assert user.do("untrust", str(gone) + "r").status == 2


def test_trust_is_listed_and_taken_back(tmp_path: Path) -> None:
    """Without a directory it is about this project, with one about that; a damaged file is an error."""
    user = User(tmp_path)
    project = user.cwd.resolve()
    assert user.do("trust").out == f"trusted: {project}\n"
    assert user.do("untrust", str(user.home)).out == f"untrusted: {user.home.resolve()}\n"
    assert user.do("trust", "--list").out == f"untrusted  {user.home.resolve()}\ntrusted  {project}\n"
    put(user.home / ".local/state/beyond-ai/trust.json", "{")
    done = user.do("untrust")
    assert (done.status, done.out) == (1, "")
    assert "trust.json is damaged" in done.err


@pytest.mark.parametrize("command", ["run", "serve"])
@pytest.mark.parametrize(
    ("words", "start"),
    [
        (("--approve", "wrties"), "--approve: must be off, writes, all or tools:A,B"),
        (("--skill", "missing"), "--skill: there is no 'missing'"),
    ],
)
def test_a_usage_error_is_one_line_on_stderr_and_exit_2(
    command: str, words: tuple[str, ...], start: str, tmp_path: Path
) -> None:
    """It names the argument; stdout stays empty."""
    done = User(tmp_path).do(command, *words, *(["hi"] if command == "run" else []))
    assert (done.status, done.out) == (2, "")
    assert done.err.startswith(f"beyond-ai-agent: {start}")
    assert done.err.count("\n") == 1


def test_a_projects_settings_count_only_where_it_is_trusted(tmp_path: Path) -> None:
    """A file that is wrong is no error as long as nobody reads it; -a and trust read it, untrust does not."""
    user = User(tmp_path)
    file = put(user.cwd / ".beyond-ai" / "agent.toml", "modle = 'x'")
    left_out = f"the project is not trusted, left out: {file.resolve()}; to trust it: beyond-ai-agent trust"

    def error(*words: str) -> tuple[int, str]:
        done = user.run("hi", "--no-session", "--no-retry", *words)
        return done.status, done.err

    fault = (2, f"beyond-ai-agent: {file.resolve()}: modle: there is no such setting; did you mean model?\n")
    status, told = error()
    assert status == 1
    assert told.count(left_out) == 1
    assert error("-a") == fault
    user.do("trust")
    assert error() == fault
    user.do("untrust")
    assert error()[0] == 1


def test_an_untrusted_projects_resources_change_nothing_in_the_request(tmp_path: Path) -> None:
    """But for AGENTS.md, which needs no trust; trusted ones do, and AGENTS.md beats CLAUDE.md."""
    user = User(tmp_path)
    put(user.cwd / "CLAUDE.md", "rules of claude")
    put(user.cwd / "AGENTS.md", "rules of agents")
    (user.cwd / ".beyond-ai").mkdir()
    (before,) = requests_of(user, "/go now", "--no-session")
    put(user.cwd / ".beyond-ai" / "SYSTEM.md", "their system")
    put(user.cwd / ".beyond-ai" / "APPEND_SYSTEM.md", "their addition")
    put(user.cwd / ".beyond-ai" / "prompts" / "go.md", "their template")
    put(user.cwd / ".beyond-ai" / "skills" / "x" / "SKILL.md", "---\ndescription: theirs\n---\n")
    put(user.cwd / ".beyond-ai" / "agent.toml", "temperature = 0.5")
    (after,) = requests_of(user, "/go now", "--no-session")
    assert after == before
    assert "rules of agents" in str(before)
    assert "rules of claude" not in str(before)
    (trusted,) = requests_of(user, "/go now", "--no-session", "-a")
    text = str(trusted)
    for theirs in ("their system", "their addition", "their template", "available_skills", "rules of agents"):
        assert theirs in text
    assert not (user.home / ".local").exists()


def test_the_prompt_is_byte_stable_and_names_exactly_the_registered_tools(tmp_path: Path) -> None:
    """Two runs in one directory send the same system text; what is not offered is not named."""
    user = User(tmp_path)
    (first,), (again,) = (requests_of(user, "hi", "--no-session") for _ in range(2))
    assert msgspec.json.encode(first["system"]) == msgspec.json.encode(again["system"])
    (few,) = requests_of(user, "hi", "--no-session", "--tools", "read,bash")
    (none,) = requests_of(user, "hi", "--no-session", "--no-tools")
    for request, names in ((first, TOOL_NAMES), (few, ("bash", "read")), (none, ())):
        text = "".join(part["text"] for part in request["system"])
        assert [name for name in TOOL_NAMES if f"\n- {name}: " in text] == list(names)
        assert [each["name"] for each in request.get("tools", [])] == list(names)


def test_without_a_terminal_a_gated_call_is_denied_and_the_run_ends_by_itself(tmp_path: Path) -> None:
    """The model is told, nobody waits, and the command has not run."""
    user = User(tmp_path)
    with ModelServer([calls(("bash", {"command": "touch ran"})), says("done")]) as server:
        process = user.start("run", "hi", "--no-session", "--approve", "writes", AI_GATEWAY_URL=server.url)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    told = str(msgspec.json.decode(server.requests[1].body))
    assert "tool call blocked: it needs approval, and there is no terminal to ask on" in told
    assert not (user.cwd / "ran").exists()


def test_what_is_denied_for_good_is_told_to_the_model(tmp_path: Path) -> None:
    """A symlink is no way around a denied path."""
    user = User(tmp_path)
    put(tmp_path / "secret" / "key", "the key")
    (user.cwd / "link").symlink_to(tmp_path / "secret")
    glob = str(tmp_path.resolve() / "secret")
    sent = requests_of(user, "hi", "--no-session", "--deny-path", glob, script=(calls(("read", {"path": "link/key"})),))
    assert f"tool call blocked: {glob}/key is denied by '{glob}' (--deny-path)" in str(sent[1])
    assert "the key" not in str(sent)


def test_without_a_file_no_toml_parser_is_loaded() -> None:
    """Start-up pays only for what is there."""
    code = (
        "import sys\nfrom beyond_agent.settings import settle\nsettle('run', {}, {}, ['/none/agent.toml'])\n"
        "print('tomllib' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
