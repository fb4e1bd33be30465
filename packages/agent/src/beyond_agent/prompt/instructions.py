"""Instruction files: the user's own, then one for each directory from the top of the repository down to the current.

The nearest say most about the work at hand, so that room is given to them first. Contract: agent contract, prompt and
resources.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final, NamedTuple

from beyond_agent.places import PROJECT, upwards
from beyond_agent.prompt.texts import attribute, names_in, read_text, shown

if TYPE_CHECKING:
    from beyond_agent.places import Places

NAMES: Final = (("", "AGENTS.md"), (PROJECT, "AGENTS.md"), ("", "CLAUDE.md"))
"""Folders below a directory, and names there in any case; the first that has a text is the directory's."""
MOST_BYTES: Final = 64 * 1024
"""Bytes of UTF-8 of all instruction files together (agent contract, prompt and resources)."""
_READ: Final = 4 * 1024 * 1024
"""Bytes of one that are read, so that what is left out can be counted; a larger one is a mistake."""


class Instructions(NamedTuple):
    """One file, and what of its text is told; `left_out` bytes are not."""

    path: str
    text: str
    left_out: int = 0


def load(places: Places, notices: list[str]) -> list[Instructions]:
    """Return the instruction files that are there, the outermost first, cut to what all of them may have."""
    directories = [places.config, *reversed(list(upwards(places.cwd, places.root)))]
    found = (_in_directory(each, notices) for each in dict.fromkeys(directories))
    kept = fitted([each for each in found if each is not None])
    notices += [f"{shown(each.path)}: {_note(each)}" for each in kept if each.left_out]
    return kept


def fitted(found: list[Instructions], most: int = MOST_BYTES) -> list[Instructions]:
    """Return the files with their texts cut to `most` bytes together; the last ones get their room first."""
    kept: list[Instructions] = []
    for each in reversed(found):
        raw = each.text.encode()
        text = each.text if len(raw) <= most else raw[:most].decode("utf-8", "ignore")
        left_out = len(raw) - len(text.encode())
        # What a cut leaves is less than a character, and no room for the next.
        most = 0 if left_out else most - len(raw)
        kept.append(Instructions(each.path, text, left_out))
    return kept[::-1]


def section(files: list[Instructions]) -> str:
    """Return the part of the system text that holds the files, each under its path; empty for none."""
    if not files:
        return ""
    head = "Instruction files, the nearest last; where two differ, the nearer counts:"
    return "\n\n".join([head, *(_one(each) for each in files)])


def _one(each: Instructions) -> str:
    note = f"\n[{_note(each)}]" if each.left_out else ""
    return f'<instructions path="{attribute(shown(each.path))}">\n{each.text.strip()}{note}\n</instructions>'


def _note(each: Instructions) -> str:
    return f"{each.left_out} bytes left out: instruction files may have {MOST_BYTES} bytes together"


def _in_directory(directory: str, notices: list[str]) -> Instructions | None:
    for below, name in NAMES:
        folder = os.path.join(directory, below) if below else directory  # noqa: PTH118 - paths are text, a Path would cost its import
        # Names are sorted, so that one in the contract's own case goes before others.
        for spelling in (each for each in names_in(folder) if each.lower() == name.lower()):
            path = os.path.join(folder, spelling)  # noqa: PTH118 - as above
            text = read_text(path, notices, most=_READ)
            if text is not None:
                return Instructions(path, text)
    return None
