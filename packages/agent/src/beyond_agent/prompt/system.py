"""The system text: what the model is told before anything else, its parts in the contract's order.

Caches of providers match on bytes, so nothing here changes within a session: a date without a time, names in order, and
whatever was read is read once. Contract: agent contract, prompt and resources.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from beyond_agent.prompt.texts import shown

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from beyond_agent_core.tools import Tool

LINE: Final = 100
"""Characters of the line that a tool has here; the whole description is in its definition."""
_SEARCHING: Final = ("grep", "find", "ls", "read")
_PATHS: Final = "Show a file by its path, a place in it as path:line."
_GUIDELINES: Final = (
    (("edit",), "Edit by small texts that occur once in the file; put all changes of one file into one call."),
    (("write",), "Write is for new files and whole rewrites."),
    (("read", "edit"), "Read a file before you edit it."),
    (("read",), _PATHS),
    (("edit",), _PATHS),
    (("write",), _PATHS),
)
"""What to heed where all of these tools are there; a text that several bring is told once."""


def built_in(tools: Iterable[Tool]) -> list[str]:
    """Return the parts that a system prompt of the user's own replaces: identity and rules, tools, guidelines."""
    by_name = {each.name: each for each in tools}
    lines = [f"- {name}: {_line(by_name[name].description)}" for name in sorted(by_name)]
    listed = "\n".join(["Your tools:", *lines]) if lines else "You have no tools: answer from what you are told."
    rules = "\n".join(f"- {text}" for text in _guidelines(by_name))
    return [identity(), listed, *([rules] if rules else [])]


def identity() -> str:
    """Return who the model is and how it works."""
    folder = os.path.dirname(__file__)  # noqa: PTH120 - paths are text, a Path would cost its import
    with open(os.path.join(folder, "identity.md"), encoding="utf-8") as file:  # noqa: PTH118, PTH123 - as above
        return file.read().strip()


def assembled(parts: Sequence[str], today: str, cwd: str) -> str:
    """Return the system text of parts, those that are blank left out, and of where and when the work is done."""
    text = "\n\n".join([*(part.strip() for part in parts if part.strip()), f"Date: {today}\nDirectory: {shown(cwd)}"])
    # Arguments of a process may hold bytes that no request can.
    return text.encode("utf-8", "replace").decode()


def _guidelines(names: Collection[str]) -> list[str]:
    looking = [name for name in _SEARCHING if name in names]
    texts = [f"To look around, use {', '.join(looking)} rather than bash."] if looking and "bash" in names else []
    texts += [text for needed, text in _GUIDELINES if all(name in names for name in needed)]
    return list(dict.fromkeys(texts))


def _line(description: str) -> str:
    """Return the first sentence of a description, on one line."""
    sentence = description.strip().partition("\n")[0].partition(". ")[0].rstrip(".")
    return sentence if len(sentence) <= LINE else sentence[: LINE - 1] + "…"
