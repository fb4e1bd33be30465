from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from agent_project import Project

from beyond_agent.errors import UsageError
from beyond_agent.prompt import skills

if TYPE_CHECKING:
    from pathlib import Path

OWN = ".config/beyond-ai/skills"


def skill(name: str = "", description: str = "does it", more: str = "", body: str = "Do it so.") -> str:
    """Return the text of a skill's file."""
    lines = [*([f"name: {name}"] if name else []), f"description: {description}", *([more] if more else [])]
    return "\n".join(["---", *lines, "---", body, ""])


def test_skills_are_listed_by_name_description_and_path(tmp_path: Path) -> None:
    """The list is sorted, whatever folder a skill comes from, and its texts cannot leave their tags."""
    project = Project(tmp_path)
    own = project.put(f"{OWN}/z/SKILL.md", skill("aa", 'says "x" & <y>'))
    shared = project.put("repo/.agents/skills/s/SKILL.md", skill("mm"))
    theirs = project.put("repo/.beyond-ai/skills/s/SKILL.md", skill("zz", "two\n  lines"))
    text = project.load().system
    assert (
        "<available_skills>\n"
        f'<skill name="aa" path="{own}">says &quot;x&quot; &amp; &lt;y&gt;</skill>\n'
        f'<skill name="mm" path="{shared}">does it</skill>\n'
        f'<skill name="zz" path="{theirs}">two lines</skill>\n'
        "</available_skills>"
    ) in text


def test_without_read_nothing_is_listed(tmp_path: Path) -> None:
    """A model that cannot read a skill's file is not told of it; a person can still call it."""
    project = Project(tmp_path)
    project.put(f"{OWN}/a/SKILL.md", skill("aa"))
    found = skills.skill_at(f"{tmp_path}/{OWN}/a/SKILL.md", "own", [])
    assert found is not None
    assert "<available_skills>" in skills.section([found])
    from beyond_agent.options import Options
    from beyond_agent.prompt.load import load

    prompt = load(project.places, Options(), [], today="2025-01-31", trusted=True)
    assert "available_skills" not in prompt.system
    assert "Do it so." in prompt.shortcuts.expand("/skill:aa")


def test_a_hidden_skill_is_only_for_people(tmp_path: Path) -> None:
    """`disable-model-invocation: true` keeps it out of the list, not out of reach."""
    project = Project(tmp_path)
    project.put(f"{OWN}/a/SKILL.md", skill("aa", more="disable-model-invocation: true"))
    prompt = project.load()
    assert "available_skills" not in prompt.system
    assert "Do it so." in prompt.shortcuts.expand("/skill:aa")


@pytest.mark.parametrize(("levels", "found"), [(0, True), (1, True), (8, True), (9, False)])
def test_a_skill_is_at_most_8_levels_deep(levels: int, found: bool, tmp_path: Path) -> None:  # noqa: FBT001 - a row of the table
    """What is deeper is not looked at."""
    project = Project(tmp_path)
    project.put(f"{OWN}/{'d/' * levels}SKILL.md", skill("deep"))
    assert ("deep" in project.load().shortcuts.skills) == found


def test_folders_are_looked_into_once(tmp_path: Path) -> None:
    """A link back up is no endless way, a hidden folder is none, and what is below a skill belongs to it."""
    project = Project(tmp_path)
    project.put(f"{OWN}/a/SKILL.md", skill("aa"))
    project.put(f"{OWN}/a/inner/SKILL.md", skill("inner"))
    project.put(f"{OWN}/.git/x/SKILL.md", skill("hidden"))
    (tmp_path / OWN / "loop").symlink_to(".")
    (tmp_path / "elsewhere").mkdir()
    project.put("elsewhere/SKILL.md", skill("linked"))
    (tmp_path / OWN / "link").symlink_to(tmp_path / "elsewhere")
    prompt = project.load()
    assert list(prompt.shortcuts.skills) == ["aa", "linked"]
    assert prompt.notices == ()


def test_the_search_for_skills_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A link to a whole disk ends at a number of folders, with a notice."""
    monkeypatch.setattr(skills, "MOST_FOLDERS", 3)
    project = Project(tmp_path)
    for name in "abcd":
        project.put(f"{OWN}/{name}/SKILL.md", skill(name))
    prompt = project.load()
    assert list(prompt.shortcuts.skills) == ["a", "b"]
    assert prompt.notices == (f"{tmp_path}/{OWN}: only 3 folders were looked through for skills",)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (skill("Big"), "its name 'Big' is not 1 to 64 of a-z, 0-9 and -"),
        (skill("a" * 65), "is not 1 to 64 of a-z, 0-9 and -"),
        (skill("aa\u0660"), "is not 1 to 64 of a-z, 0-9 and -"),
        (skill("aa", ""), "its front matter has no description"),
        ("just text", "its front matter has no description"),
        (skill("aa", "x" * 1025), "its description has more than 1024 characters"),
        (skill("aa", more="disable-model-invocation: maybe"), "disable-model-invocation is neither true nor false"),
    ],
)
def test_bad_front_matter_is_reported_and_not_fatal(text: str, fault: str, tmp_path: Path) -> None:
    """The skill is left out, a notice names its file and what is wrong, and the others are there."""
    project = Project(tmp_path)
    path = project.put(f"{OWN}/bad/SKILL.md", text)
    project.put(f"{OWN}/good/SKILL.md", skill())
    prompt = project.load()
    assert list(prompt.shortcuts.skills) == ["good"]
    (notice,) = prompt.notices
    assert notice.startswith(f"the skill {path} is left out: ")
    assert fault in notice


def test_a_skill_may_have_the_longest_name_and_description(tmp_path: Path) -> None:
    """64 and 1024 characters are still right."""
    project = Project(tmp_path)
    project.put(f"{OWN}/a/SKILL.md", skill("a" * 64, "x" * 1024))
    assert project.load().notices == ()


def test_the_first_of_a_name_wins_and_the_clash_is_reported(tmp_path: Path) -> None:
    """A flag goes before the project, the project before the user's own."""
    project = Project(tmp_path)
    own = project.put(f"{OWN}/go/SKILL.md", skill(body="own"))
    theirs = project.put("repo/.beyond-ai/skills/go/SKILL.md", skill(body="project"))
    flag = project.put("x/go/SKILL.md", skill(body="flag"))
    prompt = project.load(skill=(f"{tmp_path}/x",))
    assert "flag" in prompt.shortcuts.expand("/skill:go")
    assert prompt.notices == tuple(f"the skill {path} is left out: {flag} has the same name" for path in (theirs, own))
    assert "project" in project.load().shortcuts.expand("/skill:go")
    assert "own" in project.load(trusted=False).shortcuts.expand("/skill:go")
    assert project.load(skill=(own,), trusted=False).notices == (), "a file that is found twice is no clash"


def test_a_flag_may_name_a_skill_from_the_current_directory_or_the_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file or a folder, relative or with `~`; it counts with --no-skills too, one that is not there is exit 2."""
    project = Project(tmp_path)
    project.put("repo/a/b/my/SKILL.md", skill("one"))
    project.put("other/SKILL.md", skill("two"))
    project.put(f"{OWN}/x/SKILL.md", skill("not-this"))
    monkeypatch.setenv("HOME", str(tmp_path))
    prompt = project.load(skill=("my", "~/other/SKILL.md"), no_skills=True)
    assert sorted(prompt.shortcuts.skills) == ["one", "two"]
    with pytest.raises(UsageError, match="--skill: there is no 'missing'"):
        project.load(skill=("missing",))
