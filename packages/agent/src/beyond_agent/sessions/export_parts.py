"""Text to markup: everything that a session holds is shown, and nothing of it is obeyed.

Each text is first rid of keys, then escaped, then put between tags that are all written here. So a transcript can
bring no element, no attribute and no address into the page. Characters that show nothing, or turn the order of others
around, are shown as their number: a reader must see what was there.
"""

from __future__ import annotations

import re
from html import escape
from typing import TYPE_CHECKING, Any, Final, cast

import msgspec

from beyond_agent.redact import redact
from beyond_wire.surrogates import clean_text, clean_value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from beyond_wire.types import ImageSource, ToolResultBlock, ToolUseBlock

MOST_DIFF_LINES: Final = 2_000
"""Lines of an edit up to which a difference is looked for: the search is quadratic."""
# Joiners and variation selectors are left, because emoji and some scripts are made with them.
_UNSEEN: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    "\ufff9-\ufffb\U000e0000-\U000e007f]"
)
_FENCE: Final = re.compile(r"^ {0,3}```[^\n`]*\n(.*?)(?:^ {0,3}``` *$|\Z)", re.DOTALL | re.MULTILINE)
_INLINE: Final = re.compile(r"`([^`\n]+)`|\*\*([^*\n]+)\*\*")
_IMAGES: Final = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp", "image/bmp"})
_BASE64: Final = re.compile(r"[A-Za-z0-9+/]*={0,2}")


class Parts:
    """Makes markup of what a session holds; `secrets` are masked, beside all that looks like a key."""

    def __init__(self, secrets: Sequence[str] = ()) -> None:
        self._secrets = tuple(secrets)

    def text(self, text: str) -> str:
        """Return text as markup that shows it."""
        return self._shown(redact(clean_text(text), self._secrets))

    def prose(self, text: str) -> str:
        """Return what somebody says, with code, bold words and fenced blocks set apart."""
        text = redact(clean_text(text), self._secrets)
        parts: list[str] = []
        end = 0
        for fence in _FENCE.finditer(text):
            parts += [self._paragraph(text[end : fence.start()]), f"<pre>{self._shown(fence[1])}</pre>"]
            end = fence.end()
        return "".join([*parts, self._paragraph(text[end:])])

    def code(self, text: str) -> str:
        """Return text as it is, in lines."""
        return f"<pre>{self.text(text)}</pre>"

    def image(self, source: ImageSource) -> str:
        """Return an image that stands in the page itself; a note in the place of what is none."""
        if source.media_type not in _IMAGES or not _BASE64.fullmatch(source.data):
            return '<p class="note">[an image that cannot be shown]</p>'
        return f'<img alt="image" src="data:{source.media_type};base64,{source.data}">'

    def call(self, call: ToolUseBlock, result: ToolResultBlock | None) -> str:
        """Return a tool call with its result, which opens by itself where it is an error."""
        bad = result is not None and result.is_error
        state = ' class="bad" open' if bad else ""
        head = f"<summary><b>{self.text(call.name)}</b><code>{self.text(_gist(call.input))}</code></summary>"
        return f"<details{state}>{head}{self._input(call)}{self.result(result)}</details>"

    def result_alone(self, result: ToolResultBlock) -> str:
        """Return a result whose call is not on the page."""
        state = ' class="bad" open' if result.is_error else ""
        return f"<details{state}><summary>Tool result</summary>{self.result(result)}</details>"

    def folded(self, what: str, markup: str, kind: str = "") -> str:
        """Return markup behind a line that opens it; nothing for none. `what` and `kind` are words of the page."""
        state = f' class="{kind}"' if kind else ""
        return f"<details{state}><summary>{what}</summary>{markup}</details>" if markup else ""

    def result(self, result: ToolResultBlock | None) -> str:
        """Return what came of a call."""
        if result is None:
            return '<p class="note">no result</p>'
        return self.code(result.content) + "".join(map(self.image, result.images))

    def _input(self, call: ToolUseBlock) -> str:
        edits = list(_edits(call.input))
        if edits:
            return "".join(f"<pre>{self._diff(old, new)}</pre>" for old, new in edits)
        told = {name: value for name, value in call.input.items() if isinstance(value, str) and "\n" in value}
        rest = {name: value for name, value in call.input.items() if name not in told}
        shown = (
            [self.code(msgspec.json.format(msgspec.json.encode(clean_value(rest)), indent=2).decode())] if rest else []
        )
        return "".join(
            [*shown, *(f'<p class="note">{self.text(name)}</p>{self.code(value)}' for name, value in told.items())]
        )

    def _diff(self, old: str, new: str) -> str:
        from difflib import SequenceMatcher  # noqa: PLC0415 - only an export needs it

        # A key that the difference would part must be masked before.
        before, after = (redact(clean_text(each), self._secrets).split("\n") for each in (old, new))
        steps: Sequence[tuple[str, int, int, int, int]] = [("replace", 0, len(before), 0, len(after))]
        if len(before) + len(after) <= MOST_DIFF_LINES:
            steps = SequenceMatcher(None, before, after, autojunk=False).get_opcodes()
        parts: list[str] = []
        for kind, start, end, new_start, new_end in steps:
            if kind == "equal":
                parts += [f"  {self._shown(line)}\n" for line in before[start:end]]
                continue
            parts += [f"<del>- {self._shown(line)}</del>" for line in before[start:end]]
            parts += [f"<ins>+ {self._shown(line)}</ins>" for line in after[new_start:new_end]]
        return "".join(parts)

    def _paragraph(self, text: str) -> str:
        text = text.strip("\n")
        if not text.strip():
            return ""
        parts: list[str] = []
        end = 0
        for word in _INLINE.finditer(text):
            marked = f"<code>{self._shown(word[1])}</code>" if word[1] else f"<b>{self._shown(word[2])}</b>"
            parts += [self._shown(text[end : word.start()]), marked]
            end = word.end()
        return f'<div class="said" dir="auto">{"".join([*parts, self._shown(text[end:])])}</div>'

    def _shown(self, text: str) -> str:
        return escape(_UNSEEN.sub(_numbered, text))


def _numbered(unseen: re.Match[str]) -> str:
    return f"⟨U+{ord(unseen[0]):04X}⟩"


def _gist(given: dict[str, Any]) -> str:
    """Return what a call is about in a few words: its first text, which is a command, a path or a pattern."""
    first = next((value for value in given.values() if isinstance(value, str) and value.strip()), "")
    line = first.strip().partition("\n")[0]
    return line if len(line) <= 100 else f"{line[:99]}…"


def _edits(given: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the texts that an edit takes away and puts in their place; none for another call."""
    listed: Any = given.get("edits")
    pairs: list[tuple[Any, Any]] = []
    for each in cast("list[Any]", listed) if isinstance(listed, list) else [given]:
        if isinstance(each, dict):
            edit = cast("dict[str, Any]", each)
            pairs.append((edit.get("old_string"), edit.get("new_string")))
    return [(old, new) for old, new in pairs if isinstance(old, str) and isinstance(new, str)]
