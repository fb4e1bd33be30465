"""The read tool: numbered lines of a text, or an image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from beyond_agent.tools.paths import existing, reason
from beyond_agent.tools.text import MOST_BYTES, MOST_LINES, BinaryContent, decode, size_text
from beyond_agent_core.errors import ExecutionFailed, InvalidInput

if TYPE_CHECKING:
    from beyond_agent.seams import Workplace
    from beyond_agent.tools.text import Decoded
    from beyond_agent_core.tools import ToolContext, ToolOutput

LINE_BYTES: Final = 4000
"""Bytes of UTF-8 of one line that are shown (agent contract, read)."""
HELD_BYTES: Final = 64 * 1024 * 1024
"""Bytes of a file that are read at all, as many as edit takes: what comes after is bash's to show."""
_CUT: Final = "… [line truncated]"


class ReadTool:
    """Reads a text file by lines, or an image."""

    name = "read"
    description = "Read a file: numbered lines of text, or an image (png, jpeg, gif, webp, bmp)."
    read_only = True

    def __init__(self, place: Workplace) -> None:
        self._place = place
        self.input_schema: dict[str, Any] = {
            "type": "object",
            "properties": {
                "path": {"type": "string", "description": "File to read."},
                "offset": {"type": "integer", "minimum": 1, "description": "First line, from 1."},
                "limit": {"type": "integer", "minimum": 1, "description": "Number of lines, at most 2000."},
            },
            "required": ["path"],
        }

    def run(self, given: dict[str, Any], context: ToolContext) -> ToolOutput | str:
        """Return the lines or the image. Raises InvalidInput, ExecutionFailed for what the system refuses."""
        shown = given["path"]
        try:
            path, info = existing(shown, self._place)
            if info.kind != "file":
                what = "is a directory; use ls" if info.kind == "directory" else "is not a regular file"
                raise InvalidInput(f"{shown} {what}")
            content = self._place.files.read(path, HELD_BYTES)
        except OSError as error:
            raise ExecutionFailed(f"read {shown}: {reason(error)}") from error
        from beyond_agent.tools import images  # noqa: PLC0415 - the first request need not wait for it

        media_type = images.media_type_of(content[: images.HEAD_BYTES])
        if media_type is not None:
            return images.attached(content, media_type, info.size, vision=context.vision)
        whole = not info.size > len(content) >= HELD_BYTES
        try:
            decoded = decode(content if whole else _whole_characters(content))
        except BinaryContent:
            media_type = images.media_type_by_name(path)
            if media_type is not None:
                return images.attached(content, media_type, info.size, vision=context.vision)
            raise InvalidInput(f"{shown} is a binary file ({size_text(info.size)})") from None
        return _page(decoded, given.get("offset", 1), given.get("limit", MOST_LINES), whole=whole)

    def read_target(self, given: dict[str, Any]) -> str:
        """Return the canonical path that a call will read."""
        return self._place.files.canonical(existing(given["path"], self._place)[0])


def _page(decoded: Decoded, offset: int, limit: int, *, whole: bool) -> str:
    """Return numbered lines from `offset` on, as many as a result may hold, and where to go on.

    Without `whole` the text is only the first part of the file.
    """
    text = decoded.text
    if "\n" not in text:
        # Lines of an old Mac end in CR alone.
        text = text.replace("\r", "\n")
    if not whole:
        # The last line is cut, unless it is all there is.
        text = text[: text.rfind("\n") + 1] or text
    total = text.count("\n") + (text != "" and not text.endswith("\n"))
    notes = [] if decoded.note is None else [decoded.note]
    if offset > max(total, 1):
        size = size_text(HELD_BYTES)
        end = (
            f"end of file ({total} lines total)"
            if whole
            else f"the first {size} ({total} lines), use bash for the rest"
        )
        raise InvalidInput(f"offset {offset} is beyond {end}")
    if total == 0:
        return "(empty file)"
    last = min(total, offset - 1 + min(limit, MOST_LINES))
    shown: list[str] = []
    room = MOST_BYTES
    for number, line in enumerate(text.split("\n", last)[offset - 1 : last], offset):
        numbered = f"{number:>6}\t{_shortened(line.removesuffix(chr(13)))}"
        room -= len(numbered.encode()) + 1
        if room < 0:
            break
        shown.append(numbered)
    last = offset - 1 + len(shown)
    if last < total:
        notes.append(f"[showing lines {offset}-{last}; use offset={last + 1} to continue]")
    elif not whole:
        notes.append(f"[showing lines {offset}-{last}; the file goes on after its first {size_text(HELD_BYTES)}]")
    return "\n".join([*shown, "", *notes] if notes else shown)


def _whole_characters(content: bytes) -> bytes:
    """Return bytes that may end within a character, without the last one where that may be."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        # The first half of a pair of surrogates.
        return content[:-2] if 0xD8 <= content[-1 if content[0] == 0xFF else -2] < 0xDC else content
    begins = next((at for at in range(1, 5) if content[-at] & 0xC0 != 0x80), 1)
    return content[:-begins] if content[-begins] >= 0xC0 else content


def _shortened(line: str) -> str:
    if len(line) <= LINE_BYTES // 4:
        return line
    raw = line.encode()
    return line if len(raw) <= LINE_BYTES else raw[:LINE_BYTES].decode("utf-8", "ignore") + _CUT
