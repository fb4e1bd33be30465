from __future__ import annotations

from typing import TYPE_CHECKING

from agent_project import Project
from hypothesis import given
from hypothesis import strategies as st

from beyond_agent.prompt.instructions import MOST_BYTES, Instructions, fitted, load, section

if TYPE_CHECKING:
    from pathlib import Path


def loaded(project: Project) -> list[str]:
    """Return the texts of the instruction files, in the prompt's order."""
    return [each.text for each in load(project.places, [])]


def test_the_users_own_comes_first_then_each_directory_from_the_top_down(tmp_path: Path) -> None:
    """The nearest stands last; what is above the repository does not count."""
    project = Project(tmp_path)
    project.put("AGENTS.md", "above")
    for path, text in (("a/b/", "cwd"), ("a/", "between"), ("", "top")):
        project.put(f"repo/{path}AGENTS.md", text)
    project.put(".config/beyond-ai/AGENTS.md", "own")
    assert loaded(project) == ["own", "top", "between", "cwd"]


def test_outside_a_repository_only_the_directory_itself_counts(tmp_path: Path) -> None:
    """Without a repository nothing says how far up a project goes."""
    project = Project(tmp_path)
    (project.root / ".git").rmdir()
    project.put("repo/AGENTS.md", "top")
    project.put("repo/a/b/AGENTS.md", "cwd")
    assert loaded(project) == ["cwd"]


def test_agents_beats_claude_in_any_case(tmp_path: Path) -> None:
    """A directory has one instruction file: AGENTS.md, else CLAUDE.md, however they are written."""
    project = Project(tmp_path)
    project.put("repo/a/b/Claude.MD", "claude")
    assert loaded(project) == ["claude"]
    project.put("repo/a/b/agents.md", "agents")
    assert loaded(project) == ["agents"]
    project.put("repo/a/b/AGENTS.md", "in capitals")
    assert loaded(project) == ["in capitals"]


def test_a_blank_agents_file_counts_as_absent(tmp_path: Path) -> None:
    """It does not hide the other one."""
    project = Project(tmp_path)
    project.put("repo/AGENTS.md", "\n")
    project.put("repo/CLAUDE.md", "claude")
    assert loaded(project) == ["claude"]


def test_the_folder_for_the_agent_may_hold_the_directorys_file(tmp_path: Path) -> None:
    """One in `.beyond-ai` goes before CLAUDE.md, and behind an AGENTS.md that stands open."""
    project = Project(tmp_path)
    project.put("repo/CLAUDE.md", "claude")
    project.put("repo/.beyond-ai/AGENTS.md", "in the folder")
    assert loaded(project) == ["in the folder"]
    project.put("repo/AGENTS.md", "open")
    assert loaded(project) == ["open"]


def test_an_unusable_one_is_told_and_the_rest_is_there(tmp_path: Path) -> None:
    """A directory of that name is a notice."""
    project = Project(tmp_path)
    (project.root / "AGENTS.md").mkdir()
    project.put("repo/CLAUDE.md", "claude")
    notices: list[str] = []
    assert [each.text for each in load(project.places, notices)] == ["claude"]
    assert notices == [f"{project.root}/AGENTS.md is left out: Is a directory"]


def test_the_deepest_get_their_room_first_and_what_is_cut_is_named(tmp_path: Path) -> None:
    """Of 64 KiB the nearest file has what it needs; the cut is named in the text and among the notices."""
    project = Project(tmp_path)
    top = project.put("repo/AGENTS.md", "t" * 40_000)
    cwd = project.put("repo/a/b/AGENTS.md", "c" * 40_000)
    own = project.put(".config/beyond-ai/AGENTS.md", "o" * 100)
    prompt = project.load()
    kept = MOST_BYTES - 40_000
    assert (prompt.system.count("c" * 40_000), prompt.system.count("t" * kept), "t" * (kept + 1) in prompt.system) == (
        1,
        1,
        False,
    )
    assert "o" * 100 not in prompt.system
    end = f"bytes left out: instruction files may have {MOST_BYTES} bytes together"
    assert prompt.notices == (f"{own}: 100 {end}", f"{top}: {40_000 - kept} {end}")
    for path, left_out in ((own, 100), (top, 40_000 - kept)):
        assert f'<instructions path="{path}">\n' in prompt.system
        assert f"[{left_out} {end}]\n</instructions>" in prompt.system
    assert f'<instructions path="{cwd}">\n{"c" * 40_000}\n</instructions>' in prompt.system


@given(st.lists(st.text("aé漢𝄞", min_size=1), max_size=6), st.integers(0, 40))
def test_all_together_fit_and_only_the_first_kept_is_cut(texts: list[str], most: int) -> None:
    """Never more than the bound; behind a cut file all are whole, before it all are empty; no character breaks."""
    kept = fitted([Instructions(str(at), text) for at, text in enumerate(texts)], most)
    assert sum(len(each.text.encode()) for each in kept) <= most
    assert [each.path for each in kept] == [str(at) for at in range(len(texts))]
    for at, each in enumerate(kept):
        assert texts[at].startswith(each.text)
        assert each.left_out == len(texts[at].encode()) - len(each.text.encode())
        if each.left_out:
            assert all(not before.text for before in kept[:at])


def test_a_path_cannot_leave_its_tag() -> None:
    """A directory's name is data too."""
    text = section([Instructions('/a">\n/AGENTS.md', "x")])
    assert '<instructions path="/a&quot;&gt;\\n/AGENTS.md">\nx\n</instructions>' in text
    assert section([]) == ""
