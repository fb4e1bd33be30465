from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from agent_project import TODAY, Project, named

from beyond_agent.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

OWN = ".config/beyond-ai"
THEIRS = "repo/.beyond-ai"


def test_the_parts_stand_in_the_contracts_order(tmp_path: Path) -> None:
    """Identity, tools, guidelines, appended text, instruction files, skills, date and directory."""
    project = Project(tmp_path)
    project.put(f"{OWN}/APPEND_SYSTEM.md", "own addition\n")
    project.put(f"{THEIRS}/APPEND_SYSTEM.md", "project's addition\n")
    project.put("repo/AGENTS.md", "instructions")
    project.put(f"{OWN}/skills/a/SKILL.md", "---\ndescription: x\n---\nx")
    text = project.load(tools=named("bash"), append_system_prompt=("flag's addition", "and another")).system
    order = [
        "You are a coding agent",
        "Your tools:",
        "- To look around",
        "own addition",
        "project's addition",
        "flag's addition",
        "and another",
        "<instructions path=",
        "<available_skills>",
        f"Date: {TODAY}\nDirectory: {project.cwd}",
    ]
    found = [text.find(each) for each in order]
    assert -1 not in found
    assert found == sorted(found)
    assert "\n\n\n" not in text


def test_a_system_file_replaces_the_first_three_parts(tmp_path: Path) -> None:
    """The project's where it is trusted, else the user's own; additions and the rest stay."""
    project = Project(tmp_path)
    project.put(f"{OWN}/SYSTEM.md", "own system")
    project.put(f"{THEIRS}/SYSTEM.md", "project's system")
    project.put("repo/AGENTS.md", "instructions")
    end = f"\n\nDate: {TODAY}\nDirectory: {project.cwd}"
    for trusted, start in ((True, "project's system"), (False, "own system")):
        text = project.load(trusted=trusted).system
        assert text.startswith(f"{start}\n\nInstruction files")
        assert text.endswith(end)
    assert project.load(no_context_files=True).system == f"project's system{end}"
    assert project.load(no_context_files=True, system_prompt="flag").system == f"flag{end}"
    assert project.load(no_context_files=True, system_prompt="").system == end.strip()


@pytest.mark.parametrize("folder", [f"{THEIRS}/skills", "repo/.agents/skills"])
def test_a_skill_of_a_project_that_is_not_trusted_is_an_error_that_says_so(folder: str, tmp_path: Path) -> None:
    """Whoever has just written one learns why it is not there, and what makes it be."""
    project = Project(tmp_path)
    project.put(f"{folder}/a/SKILL.md", "---\ndescription: x\n---\nx")
    with pytest.raises(UsageError) as raised:
        project.load(trusted=False).shortcuts.expand("/skill:a")
    assert "there are: none; the project's own are left out: beyond-ai-agent trust " in str(raised.value)
    with pytest.raises(UsageError, match=r"there are: a$"):
        project.load(trusted=True).shortcuts.expand("/skill:b")
    with pytest.raises(UsageError, match=r"there are: none$"):
        project.load(trusted=False, no_skills=True).shortcuts.expand("/skill:a")


def test_a_blank_file_counts_as_absent(tmp_path: Path) -> None:
    """An empty SYSTEM.md of the project does not hide the user's own, nor two empty ones the built-in text."""
    project = Project(tmp_path)
    plain = project.load()
    project.put(f"{THEIRS}/SYSTEM.md", " \n\t\n")
    project.put(f"{THEIRS}/APPEND_SYSTEM.md", "\n")
    assert project.load().system == plain.system
    project.put(f"{OWN}/SYSTEM.md", "own system")
    assert project.load().system.startswith("own system")


def test_instruction_files_load_without_trust_and_can_be_turned_off(tmp_path: Path) -> None:
    """AGENTS.md needs no trust, --no-context-files leaves it out."""
    project = Project(tmp_path)
    project.put("repo/AGENTS.md", "instructions")
    assert "instructions\n</instructions>" in project.load(trusted=False).system
    assert "<instructions" not in project.load(no_context_files=True).system


def test_an_untrusted_project_changes_nothing(tmp_path: Path) -> None:
    """With or without its resources the text and the shortcuts are the same; trusted, they are not."""
    project = Project(tmp_path)
    project.put("repo/.beyond-ai/notes", "x")
    before = project.load(trusted=False)
    for name in ("SYSTEM.md", "APPEND_SYSTEM.md", "prompts/go.md"):
        project.put(f"{THEIRS}/{name}", "theirs")
    for folder in (f"{THEIRS}/skills", "repo/.agents/skills"):
        project.put(f"{folder}/go/SKILL.md", "---\ndescription: theirs\n---\ntheirs")
    after = project.load(trusted=False)
    assert after.system == before.system
    assert (after.shortcuts.skills, after.shortcuts.templates) == ({}, {})
    trusted = project.load()
    assert trusted.system.startswith("theirs\n\ntheirs\n\n")
    assert (list(trusted.shortcuts.skills), list(trusted.shortcuts.templates)) == (["go"], ["go"])


@pytest.mark.parametrize("flag", ["system_prompt", "append_system_prompt"])
def test_a_flag_may_name_a_file(flag: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`@FILE` is read, from the directory or the home; `@@` is an @; one that cannot be read is exit 2."""
    project = Project(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    project.put("repo/a/b/note.md", "from the file")
    project.put("home.md", "from the home")
    project.put("repo/a/b/bad", b"\0")

    def text(given: str) -> str:
        options: dict[str, Any] = {flag: given if flag == "system_prompt" else (given,)}
        return project.load(**options).system

    assert "from the file\n\nDate" in text("@note.md")
    assert "from the home\n\nDate" in text("@~/home.md")
    assert "@note.md\n\nDate" in text("@@note.md")
    name = "--" + flag.replace("_", "-")
    for path, fault in (
        ("missing", "there is no 'missing'"),
        ("bad", "is left out: it is no text"),
        (".", "directory"),
    ):
        with pytest.raises(UsageError, match=f"^{name}: .*{fault}"):
            text(f"@{path}")


def test_each_notice_is_told_once(tmp_path: Path) -> None:
    """What is wrong in several ways at once is still one sentence."""
    project = Project(tmp_path)
    project.put(f"{OWN}/SYSTEM.md", b"\0")
    assert project.load().notices == (f"{project.home}/{OWN}/SYSTEM.md is left out: it is no text",)
