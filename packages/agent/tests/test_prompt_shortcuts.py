from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from agent_project import Project
from hypothesis import given
from hypothesis import strategies as st

from beyond_agent.errors import UsageError
from beyond_agent.prompt.shortcuts import Shortcuts
from beyond_agent.prompt.templates import Template

if TYPE_CHECKING:
    from pathlib import Path

SKILL = "---\nname: tidy\ndescription: tidies\n---\n\nSweep $1.\n"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Return a project whose user has a skill and a template."""
    made = Project(tmp_path)
    made.put(".config/beyond-ai/skills/tidy/SKILL.md", SKILL)
    made.put(".config/beyond-ai/prompts/fix.md", "Fix $1 now.")
    return made


def test_a_skill_puts_its_body_into_the_prompt(project: Project) -> None:
    """Body and folder are told, the arguments follow as they are."""
    folder = f"{project.home}/.config/beyond-ai/skills/tidy"
    head = f'<skill name="tidy" path="{folder}/SKILL.md">\nRelative paths in it are relative to {folder}.'
    body = f"{head}\n\nSweep $1.\n</skill>"
    expand = project.load().shortcuts.expand
    assert expand("/skill:tidy") == body
    assert expand('/skill:tidy the "front room"\nand more ') == f'{body}\n\nthe "front room"\nand more'


def test_a_skill_is_read_when_it_is_called(project: Project) -> None:
    """A change in the middle of a session counts; a file that is gone is an error that names it."""
    expand = project.load().shortcuts.expand
    path = project.put(".config/beyond-ai/skills/tidy/SKILL.md", SKILL.replace("Sweep", "Mop"))
    assert "Mop $1." in expand("/skill:tidy")
    project.put(".config/beyond-ai/skills/tidy/SKILL.md", b"\0")
    with pytest.raises(UsageError, match=r"/skill:tidy: .* it is no text"):
        expand("/skill:tidy")
    (project.home / ".config/beyond-ai/skills/tidy/SKILL.md").unlink()
    with pytest.raises(UsageError) as raised:
        expand("/skill:tidy")
    assert str(raised.value) == f"/skill:tidy: {path} is gone"


@pytest.mark.parametrize("text", ["/skill:other", "/skill:other words", "/skill:", "/skill: tidy", "/skill:Tidy"])
def test_an_unknown_skill_is_an_error_that_lists_the_names(text: str, project: Project) -> None:
    """A typo must not be sent to the model as text."""
    with pytest.raises(UsageError, match=r"there is no such skill; there are: tidy$"):
        project.load().shortcuts.expand(text)
    with pytest.raises(UsageError, match=r"there are: none$"):
        project.load(no_skills=True).shortcuts.expand(text)


def test_a_template_is_filled(project: Project) -> None:
    """Words on the same and on further lines are its arguments."""
    expand = project.load().shortcuts.expand
    assert expand("/fix 'the bug'") == "Fix the bug now."
    assert expand("/fix\nit") == "Fix it now."


def test_a_template_that_is_nothing_without_arguments_needs_some() -> None:
    """No empty prompt is made of it, as none is taken."""
    expand = Shortcuts({}, {"a": Template("a", "", "$1 $@", "/a.md", "own")}).expand
    assert expand("/a x") == "x x"
    for text in ("/a", "/a ''"):
        with pytest.raises(UsageError, match=r"^/a: the template has no text without arguments$"):
            expand(text)


@pytest.mark.parametrize(
    "text", ["/other x", "/etc/passwd is odd", "/", "//fix", "fix", " /fix it", "see /fix it", "", "/fix.md", "/FIX it"]
)
def test_an_unknown_word_is_plain_text(text: str, project: Project) -> None:
    """Paths begin with a slash as well."""
    assert project.load().shortcuts.expand(text) == text


@given(st.text().filter(lambda text: not text.startswith("/")))
def test_a_prompt_without_a_slash_is_never_changed(text: str) -> None:
    """Whatever else it holds."""
    assert Shortcuts({}, {"a": Template("a", "", "$1", "/a.md", "own")}).expand(text) == text


def test_templates_can_be_left_out(project: Project) -> None:
    """--no-prompt-templates leaves those of the folders out, not those that a flag names."""
    named = project.put("repo/a/b/x.md", "named")
    assert project.load(no_prompt_templates=True).shortcuts.expand("/fix it") == "/fix it"
    assert project.load(no_prompt_templates=True, prompt_template=("x.md",)).shortcuts.expand("/x") == "named"
    assert project.load(prompt_template=(named,)).shortcuts.expand("/fix it") == "Fix it now."
    with pytest.raises(UsageError, match="--prompt-template: there is no 'missing'"):
        project.load(prompt_template=("missing",))
    assert repr(project.load().shortcuts) == "<Shortcuts skills=1 templates=1>"
