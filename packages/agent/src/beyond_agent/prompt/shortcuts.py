"""What a prompt may begin with instead of plain text: `/skill:name arguments` and `/template arguments`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from beyond_agent.errors import UsageError
from beyond_agent.prompt import skills, templates
from beyond_agent.prompt.texts import front_matter, read_text, shown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from beyond_agent.prompt.skills import Skill
    from beyond_agent.prompt.templates import Template

_CALL: Final = re.compile(r"/(skill:)?(\S*)(?:\s+(.*))?", re.DOTALL)


class Shortcuts:
    """The skills and templates of a session, by name; `elsewhere` says why a skill may be missing, after a `;`."""

    def __init__(self, skills: Mapping[str, Skill], templates: Mapping[str, Template], *, elsewhere: str = "") -> None:
        self.skills = skills
        self.templates = templates
        self._elsewhere = elsewhere

    def expand(self, text: str) -> str:
        """Return the prompt that a text stands for; the text itself where it begins with neither.

        Raises UsageError for a skill that there is not, or whose file can no longer be read, and for a template that is
        nothing without arguments.
        """
        call = _CALL.fullmatch(text)
        if call is None:
            return text
        arguments = (call[3] or "").strip()
        if call[1]:
            return self._skill(call[2], arguments)
        template = self.templates.get(call[2])
        if template is None:
            return text
        filled = templates.filled(template.body, arguments)
        if not filled.strip():
            raise UsageError(f"/{template.name}: the template has no text without arguments")
        return filled

    def _skill(self, name: str, arguments: str) -> str:
        skill = self.skills.get(name)
        if skill is None:
            there = ", ".join(sorted(self.skills)) or "none"
            raise UsageError(f"/skill:{name}: there is no such skill; there are: {there}{self._elsewhere}")
        faults: list[str] = []
        text = read_text(skill.path, faults)
        if text is None:
            raise UsageError(f"/skill:{name}: {faults[0] if faults else f'{shown(skill.path)} is gone'}")
        return skills.called(skill, front_matter(text)[1], arguments)

    def __repr__(self) -> str:
        return f"<Shortcuts skills={len(self.skills)} templates={len(self.templates)}>"
