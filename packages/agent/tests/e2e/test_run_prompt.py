"""What a model is told by `run`: the project's instructions and resources, and whose of them count."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from agent_run import User

from beyond_agent.options import TOOL_NAMES
from beyond_agent_core.testing import ModelServer, turn

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.e2e


def _fill(project: Path) -> None:
    """Give a project all that may change what the agent does."""
    own = project / ".beyond-ai"
    (own / "skills" / "deploy").mkdir(parents=True)
    (own / "prompts").mkdir()
    (own / "skills" / "deploy" / "SKILL.md").write_text("---\nname: deploy\ndescription: Ships it.\n---\nSHIP IT\n")
    (own / "prompts" / "hello.md").write_text("Greet $1.")
    (own / "SYSTEM.md").write_text("You are of the project.")
    (own / "APPEND_SYSTEM.md").write_text("And more of it.")
    (own / "agent.toml").write_text('model = "claude-sonnet-4-5"\n')


def _told(request: Any) -> dict[str, Any]:
    return {key: value for key, value in request.json.items() if key != "metadata"}


def test_an_untrusted_project_changes_nothing(tmp_path: Path) -> None:
    """Its prompt, skills, templates and settings stay unread, and one notice says so and how to trust it."""
    with ModelServer([turn.text("ok")] * 2) as server:
        user = User(tmp_path, server.url)
        plain = user.run("/hello you")
        _fill(user.cwd)
        filled = user.run("/hello you")
    assert (plain.status, filled.status) == (0, 0)
    assert _told(server.requests[0]) == _told(server.requests[1])
    notices = [line for line in filled.err.splitlines() if "not trusted" in line]
    assert len(notices) == 1
    assert f"beyond-ai-agent trust {user.cwd}" in notices[0]
    assert all(name in notices[0] for name in ("SYSTEM.md", "APPEND_SYSTEM.md", "skills", "prompts", "agent.toml"))


@pytest.mark.parametrize("how", ["-a", "trust"])
def test_a_trusted_project_changes_what_it_says(tmp_path: Path, how: str) -> None:
    """By -a for one process, or by `trust` from then on; -a leaves nothing behind."""
    with ModelServer([turn.text("ok")] * 3) as server:
        user = User(tmp_path, server.url)
        _fill(user.cwd)
        if how == "trust":
            user.do("trust")
        flags = ["-a"] if how == "-a" else []
        assert user.run("/hello you", *flags).status == 0
        assert user.run("/skill:deploy now", *flags).status == 0
        assert ("not trusted" in user.run("hi").err) == (how == "-a")
    first, second = (request.json for request in server.requests[:2])
    assert first["model"] == "claude-sonnet-4-5"
    assert "You are of the project." in str(first["system"])
    assert "And more of it." in str(first["system"])
    assert "Ships it." in str(first["system"])
    assert "Greet you." in str(first["messages"])
    assert "SHIP IT" in str(second["messages"])


def test_instructions_are_read_without_trust_and_agents_beats_claude(tmp_path: Path) -> None:
    """From the top of the repository down to the directory, each under its path."""
    with ModelServer([turn.text("ok")] * 2) as server:
        user = User(tmp_path, server.url)
        top = user.cwd
        (top / ".git").mkdir()
        (top / "AGENTS.md").write_text("TOP RULES")
        (top / "CLAUDE.md").write_text("NOT THESE")
        user.cwd = top / "deep"
        user.cwd.mkdir()
        (user.cwd / "CLAUDE.md").write_text("DEEP RULES")
        assert user.run("hi").status == 0
        assert user.run("hi", "--no-context-files").status == 0
    told = str(server.requests[0].json["system"])
    assert told.index("TOP RULES") < told.index("DEEP RULES")
    assert "NOT THESE" not in told
    assert "RULES" not in str(server.requests[1].json["system"])


@pytest.mark.parametrize("tools", [TOOL_NAMES, ("bash", "read"), ()])
def test_the_prompt_is_stable_and_names_the_tools_that_are_there(tmp_path: Path, tools: tuple[str, ...]) -> None:
    """Two runs of a day send the same bytes before the prompt; exactly the registered tools are listed."""
    with ModelServer([turn.text("ok")] * 2) as server:
        user = User(tmp_path, server.url)
        flags = ["--tools", ",".join(tools)] if tools else ["--no-tools"]
        for _ in range(2):
            assert user.run("hi", *flags).status == 0
    first, second = (request.json for request in server.requests)
    assert (first["system"], first.get("tools")) == (second["system"], second.get("tools"))
    listed = {name for name in TOOL_NAMES if f"\n- {name}: " in first["system"][0]["text"]}
    assert listed == set(tools)
    offered: list[dict[str, Any]] = first.get("tools") or []
    assert {each["name"] for each in offered} == set(tools)
