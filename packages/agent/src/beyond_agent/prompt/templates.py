"""Prompt templates: a file whose text a person sends by `/name`, with the words behind the name put into it.

Words are put in by one pass over the template, so that what a word holds is never read as a placeholder: arguments come
from anywhere, even from a file that a model wrote. Contract: agent contract, prompt and resources.
"""

from __future__ import annotations

import os
import re
from typing import Final, NamedTuple

from beyond_agent.prompt.texts import front_matter, read_text, shown

_PLACE: Final = re.compile(
    r"\$(?:(?P<number>[1-9][0-9]{0,4})|(?P<all>@)|\{@:(?P<first>[0-9]{1,5})(?::(?P<count>[0-9]{1,5}))?\}"
    r"|\{(?P<named>[1-9][0-9]{0,4})(?::-(?P<default>[^}]*))?\})"
)
_WORD: Final = re.compile(r"'([^']*)'(?=\s|$)|((?:\"[^\"]*\"|\S)+)")
_QUOTED: Final = re.compile(r'"([^"]*)"')


class Template(NamedTuple):
    """One template. `scope` says whose it is: `flag`, `project` or `own`."""

    name: str
    description: str
    body: str
    path: str
    scope: str


def template_at(path: str, scope: str, notices: list[str]) -> Template | None:
    """Return the template of a file; None where it is blank or cannot be used."""
    text = read_text(path, notices)
    if text is None:
        return None
    head, body = front_matter(text)
    if not body.strip():
        notices.append(f"the template {shown(path)} is left out: it has no text")
        return None
    name = os.path.basename(path).removesuffix(".md")  # noqa: PTH119 - paths are text, a Path would cost its import
    description = head.get("description") or body.strip().splitlines()[0][:100]
    return Template(name, description, body.strip(), path, scope)


def words_of(text: str) -> list[str]:
    """Return the words of a line, quotes taken off. A quote that does not end, or an apostrophe, is a character."""
    return [
        found[1] if found[1] is not None else _QUOTED.sub(lambda inner: inner[1], found[2])
        for found in _WORD.finditer(text)
    ]


def filled(body: str, arguments: str) -> str:
    """Return a template with its places filled.

    `$1` is the first word, `$@` all of them, `${@:N:L}` L of them from the Nth on, `${N:-default}` a text in the place
    of a word that is missing or empty. Where a template has no place, the arguments follow it: no word is lost.
    """
    words = words_of(arguments)
    text, places = _PLACE.subn(lambda place: _fill(place, words), body)
    return text if places or not arguments else f"{body}\n\n{arguments}"


def _fill(place: re.Match[str], words: list[str]) -> str:
    if place["all"]:
        return " ".join(words)
    if place["first"]:
        start = max(0, int(place["first"]) - 1)
        end = None if place["count"] is None else start + int(place["count"])
        return " ".join(words[start:end])
    number = int(place["number"] or place["named"])
    word = words[number - 1] if number <= len(words) else ""
    return word or place["default"] or ""
