"""Skills: instructions for one kind of task, which the model reads when it has such a task, or a person calls for.

A skill is a folder with a `SKILL.md`, whose front matter names and describes it. The start needs only that; one that
cannot be used is a notice. Contract: agent contract, prompt and resources.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Final, NamedTuple

from beyond_agent.prompt.texts import attribute, front_matter, names_in, read_text, shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

FILE: Final = "SKILL.md"
DEEPEST: Final = 8
"""Levels below a folder of skills at which one may be (agent contract, prompt and resources)."""
MOST_FOLDERS: Final = 10_000
"""Folders that are looked into: a link to a whole disk must not hold up the start."""
MOST_DESCRIPTION: Final = 1024
"""Characters of a description, and below the form of a name (agent contract, prompt and resources)."""
_NAME: Final = re.compile(r"[a-z0-9-]{1,64}")
_HEAD: Final = (
    "Skills: when a task fits a description, read that file before you begin. Relative paths in it are relative to its "
    "folder."
)


class Skill(NamedTuple):
    """One skill. `scope` says whose it is: `flag`, `project` or `own`; a `hidden` one is only for people to call."""

    name: str
    description: str
    path: str
    scope: str
    hidden: bool = False


def skill_at(path: str, scope: str, notices: list[str]) -> Skill | None:
    """Return the skill of a file; None where it is none, which a notice tells."""
    text = read_text(path, notices)
    if text is None:
        return None
    head, _ = front_matter(text)
    name = head.get("name") or os.path.basename(os.path.dirname(path))  # noqa: PTH119, PTH120 - paths are text, a Path would cost its import
    description = " ".join(head.get("description", "").split())
    told = head.get("disable-model-invocation", "false").lower()
    fault = _fault(name, description, told)
    if fault:
        notices.append(f"the skill {shown(path)} is left out: {fault}")
        return None
    return Skill(name, description, path, scope, hidden=told == "true")


def below(folder: str, notices: list[str]) -> Iterator[str]:
    """Yield the files of the skills in a folder, in the order of their paths; links are followed, once each."""
    seen: set[str] = set()
    waiting = [(folder, 0)]
    while waiting:
        directory, level = waiting.pop()
        real = os.path.realpath(directory)
        if real in seen:
            continue
        if len(seen) == MOST_FOLDERS:
            notices.append(f"{shown(folder)}: only {MOST_FOLDERS} folders were looked through for skills")
            return
        seen.add(real)
        names = names_in(directory)
        if FILE in names:
            # What is deeper belongs to this skill.
            yield os.path.join(directory, FILE)  # noqa: PTH118 - as above
        elif level < DEEPEST:
            inner = (os.path.join(directory, name) for name in reversed(names) if name[0] != ".")  # noqa: PTH118 - as above
            waiting += ((each, level + 1) for each in inner if os.path.isdir(each))  # noqa: PTH112 - as above


def section(skills: Iterable[Skill]) -> str:
    """Return the part of the system text that lists the skills a model may use; empty for none."""
    lines = [
        f'<skill name="{each.name}" path="{attribute(shown(each.path))}">{attribute(each.description)}</skill>'
        for each in sorted(skills)
        if not each.hidden
    ]
    return "\n".join([_HEAD, "<available_skills>", *lines, "</available_skills>"]) if lines else ""


def called(skill: Skill, body: str, arguments: str) -> str:
    """Return the prompt that stands for calling a skill."""
    folder = os.path.dirname(skill.path)  # noqa: PTH120 - as above
    text = (
        f'<skill name="{skill.name}" path="{attribute(shown(skill.path))}">\n'
        f"Relative paths in it are relative to {shown(folder)}.\n\n{body.strip()}\n</skill>"
    )
    return f"{text}\n\n{arguments}" if arguments else text


def _fault(name: str, description: str, hidden: str) -> str:
    if not _NAME.fullmatch(name):
        return f"its name {name[:80]!r} is not 1 to 64 of a-z, 0-9 and -"
    if not description:
        return "its front matter has no description"
    if len(description) > MOST_DESCRIPTION:
        return f"its description has more than {MOST_DESCRIPTION} characters"
    return "" if hidden in {"true", "false"} else "disable-model-invocation is neither true nor false"
