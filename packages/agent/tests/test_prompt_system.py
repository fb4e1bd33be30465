from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec
from agent_project import NamedTool, Project, named
from hypothesis import given
from hypothesis import strategies as st

from beyond_agent.options import TOOL_NAMES, Options
from beyond_agent.prompt.load import load
from beyond_agent.prompt.system import LINE, assembled, built_in, identity

if TYPE_CHECKING:
    from pathlib import Path

MOST = 8000
"""Characters of the built-in text and the ten definitions (agent contract, prompt and resources)."""


def listed(text: str) -> list[str]:
    """Return the names of the tools that a system text lists."""
    return re.findall(r"^- ([a-z]+): ", text, re.MULTILINE)


@given(st.sets(st.sampled_from(TOOL_NAMES)))
def test_exactly_the_registered_tools_are_named(names: set[str]) -> None:
    """One line for each, sorted, and no word of any other tool in the guidelines."""
    _, tools, *rules = built_in(named(*names))
    assert listed(tools) == sorted(names)
    told = {word for each in rules for word in re.findall(r"[a-z]+", each.lower())} & (
        set(TOOL_NAMES) - {"read", "find"}
    )
    # These are English words as well: a rule about editing or writing comes with its tool only.
    assert told <= names
    assert ("To look around, use" in "".join(rules)) == (
        "bash" in names and bool(names & {"grep", "find", "ls", "read"})
    )


def test_guidelines_depend_on_the_tools_and_are_told_once() -> None:
    """Searching before bash, small unique edits, write for new files, paths: each where its tools are there."""
    rules = built_in(named(*TOOL_NAMES))[2].splitlines()
    assert len(rules) == len(set(rules)) == 5
    assert rules[0] == "- To look around, use grep, find, ls, read rather than bash."
    assert built_in(named("bash", "ls"))[2:] == ["- To look around, use ls rather than bash."]
    assert built_in(named("bash"))[2:] == []
    assert built_in([])[1:] == ["You have no tools: answer from what you are told."]


def test_a_tools_line_is_its_first_sentence() -> None:
    """On one line, and cut where it is long: the whole description is in its definition."""
    tools = [NamedTool("a", "One. Two."), NamedTool("b", "Says so\nand more"), NamedTool("c", "x" * 200)]
    assert built_in(tools)[1].splitlines()[1:] == ["- a: One", "- b: Says so", f"- c: {'x' * (LINE - 1)}…"]


def test_the_working_rules_are_there() -> None:
    """Act, look before changing, small edits, verify, be brief."""
    rules = re.findall(r"^- ([A-Z][a-z ]+)\.", identity(), re.MULTILINE)
    assert {"Act", "Look before you change", "Change little", "Verify", "Be brief"} <= set(rules)


def test_built_in_text_and_definitions_are_at_most_8000_characters(tmp_path: Path) -> None:
    """All ten tools, as a model gets them."""
    from beyond_agent.machine.files import LocalFiles
    from beyond_agent.machine.runner import LocalRunner
    from beyond_agent.machine.spill import Spills
    from beyond_agent.seams import Workplace
    from beyond_agent.toolset import toolset

    tools = toolset(Workplace(cwd="/", files=LocalFiles(), runner=LocalRunner(), spill=Spills()))
    assert sorted(each.name for each in tools) == sorted(TOOL_NAMES)
    definitions = [(each.name, each.description, msgspec.json.encode(each.input_schema).decode()) for each in tools]
    text = load(Project(tmp_path).places, Options(), tools, today="2025-01-31", trusted=True).system
    assert listed(text) == sorted(TOOL_NAMES)
    assert len(text) + sum(len("".join(each)) for each in definitions) <= MOST


def test_the_text_is_byte_stable_in_a_day_and_has_no_time(tmp_path: Path) -> None:
    """Two starts of the same day give the same bytes, in whatever order tools and files come; the next day does not."""
    project = Project(tmp_path)
    for name in "cab":
        project.put(f".config/beyond-ai/skills/{name}/SKILL.md", "---\ndescription: x\n---\nx")
        project.put(f"repo/a/{name}.md", name)
    project.put("repo/AGENTS.md", "rules")
    tools = named(*TOOL_NAMES)
    first = load(project.places, Options(), tools, today="2025-01-31", trusted=True)
    again = load(project.places, Options(), tools[::-1], today="2025-01-31", trusted=True)
    assert first.system.encode() == again.system.encode()
    assert first.system.endswith(f"Date: 2025-01-31\nDirectory: {project.cwd}")
    assert not re.search(r"\d\d:\d\d", first.system)
    next_day = load(project.places, Options(), tools, today="2025-02-01", trusted=True)
    assert next_day.system == first.system.replace("2025-01-31", "2025-02-01")


def test_bytes_that_no_request_can_hold_are_replaced() -> None:
    """A file name or an argument may be no UTF-8; the text always is."""
    for odd in ("\udcff", "\ud83d"):
        text = assembled([f"a{odd}b", " "], "2025-01-31", f"/{odd}")
        assert text.encode().startswith(b"a?b\n\nDate: ")
