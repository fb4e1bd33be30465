"""Texts of files that the user or the project wrote: read without blocking, never more than a bound, never fatal.

What cannot be used is a notice, one sentence that names the file, and the start goes on without it.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from beyond_agent.machine.files import LocalFiles
from beyond_agent.tools.text import BinaryContent, decode

if TYPE_CHECKING:
    from collections.abc import Iterable

MOST_BYTES: Final = 256 * 1024
"""Bytes of a prompt, skill or template that are read: more than any window should be filled with."""

_HEAD: Final = re.compile(r"---[ \t]*\r?\n(.*?)^---[ \t]*(?:\r?\n|\Z)", re.DOTALL | re.MULTILINE)
_LINE: Final = re.compile(r"([A-Za-z][\w-]*)[ \t]*:(?:[ \t]+(.*)|)$")
_BLOCK: Final = re.compile(r"[|>][1-9+-]{0,2}(?:\s+#.*)?$")
_QUOTED: Final = re.compile(r"""(?:"((?:[^"\\]|\\.)*+)"|'((?:[^']|'')*+)')(?:\s+\#.*)?$""")


class Named(Protocol):
    """What a file holds under a name: a skill, or a template."""

    @property
    def name(self) -> str:
        """What it is called by."""
        ...

    @property
    def path(self) -> str:
        """The file."""
        ...


NamedT = TypeVar("NamedT", bound=Named)


def read_text(path: str, notices: list[str], *, most: int = MOST_BYTES) -> str | None:
    """Return the text of a file; None where it is missing, blank, or cannot be used, which a notice tells."""
    try:
        content = LocalFiles().read(path, most + 1)
        text = decode(content if len(content) <= most else _start(content, most)).text
    except (FileNotFoundError, NotADirectoryError):
        return None
    except BinaryContent:
        notices.append(f"{shown(path)} is left out: it is no text")
        return None
    except OSError as error:
        notices.append(f"{shown(path)} is left out: {error.strerror or error}")
        return None
    if len(content) > most:
        notices.append(f"{shown(path)} is cut after its first {most} bytes")
    return text if text.strip() else None


def shown(path: str) -> str:
    """Return a path as it may stand in a line: one that holds what does not print is escaped."""
    return path if path.isprintable() else repr(path)[1:-1]


def attribute(value: str) -> str:
    """Return a value as it may stand between double quotes in a tag."""
    return value.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")


def first_of_each(kind: str, found: Iterable[NamedT | None], notices: list[str]) -> dict[str, NamedT]:
    """Return what was found by name, the first of each; a notice names each other one, which is a `kind`."""
    chosen: dict[str, NamedT] = {}
    for each in found:
        if each is None:
            continue
        first = chosen.setdefault(each.name, each)
        if first is not each and first.path != each.path:
            notices.append(f"the {kind} {shown(each.path)} is left out: {shown(first.path)} has the same name")
    return chosen


def names_in(directory: str) -> list[str]:
    """Return the names in a directory, sorted; none where it is missing or cannot be read."""
    try:
        return sorted(os.listdir(directory))  # noqa: PTH208 - paths are text, a Path would cost its import
    except OSError:
        return []


def front_matter(text: str) -> tuple[dict[str, str], str]:
    """Return what stands between `---` lines at the start of a text, and the text behind it.

    Only what skills and templates need of YAML: one `key: value` a line, plain, quoted, or a block behind `|` and `>`.
    What is nested belongs to the key above it, as text.
    """
    found = _HEAD.match(text)
    if found is None:
        return {}, text
    values: dict[str, list[str]] = {}
    lines: list[str] = []
    # What else may part lines, as U+2028, is text here as it is in YAML.
    for line in found[1].replace("\r\n", "\n").split("\n"):
        key = _LINE.match(line)
        if key is not None:
            lines = values[key[1]] = [(key[2] or "").strip()]
        elif line[:1] in {" ", "\t", ""}:
            lines.append(line.strip())
    return {key: _value(lines) for key, lines in values.items()}, text[found.end() :]


def _value(lines: list[str]) -> str:
    first, *rest = lines
    if _BLOCK.match(first):
        return ("\n" if first.startswith("|") else " ").join(rest).strip()
    text = " ".join(line for line in lines if line)
    quoted = _QUOTED.match(text)
    if quoted is not None:
        return quoted[2].replace("''", "'") if quoted[1] is None else re.sub(r'\\(["\\])', r"\1", quoted[1])
    return re.sub(r"\s+#.*$", "", text)


def _start(content: bytes, most: int) -> bytes:
    """Return the first bytes, without the beginning of a character of UTF-8 at their end."""
    end = most
    while end > most - 4 and content[end] & 0xC0 == 0x80:
        end -= 1
    return content[:end]
