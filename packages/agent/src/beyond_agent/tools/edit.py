"""The edit tool: parts of a file replaced, and every other byte of it left as it is.

All edits are found in the original, checked, and put in with one splice and one write: either all of them land or none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from beyond_agent.seams import FileChanged
from beyond_agent.tools.paths import existing, reason
from beyond_agent.tools.text import BinaryContent, Decoded, decode, size_text
from beyond_agent_core.errors import ExecutionFailed, InvalidInput
from beyond_agent_core.tools import ToolOutput

if TYPE_CHECKING:
    from beyond_agent.seams import FileInfo, Workplace
    from beyond_agent.tools.edit_apply import Change
    from beyond_agent.tools.edit_match import Source
    from beyond_agent.tools.edit_plan import Edit
    from beyond_agent_core.tools import ToolContext

FILE_BYTES: Final = 64 * 1024 * 1024
"""Bytes of a file that is edited (agent contract, edit)."""
_CODECS: Final = {"latin-1": "Latin-1", "utf-8": "UTF-8", "utf-16-le": "UTF-16", "utf-16-be": "UTF-16"}


class EditTool:
    """Replaces text in a file; line ends, byte order mark, encoding, mode and owner of the file stay."""

    name = "edit"
    description = (
        "Replace text in a file. Each old_string must be there exactly once, so give enough lines around it; several "
        "edits all refer to the file as it is now. Give `edits`, or one old_string and new_string."
    )
    read_only = False

    def __init__(self, place: Workplace) -> None:
        self._place = place
        old = {"type": "string", "description": "Text that is there, without line numbers."}
        new = {"type": "string", "description": "Text to put in its place."}
        pair = {"type": "object", "properties": {"old_string": old, "new_string": new}}
        edits = {"type": "array", "items": pair | {"required": ["old_string", "new_string"]}}
        self.input_schema: dict[str, Any] = {
            "type": "object",
            "properties": {
                "path": {"type": "string", "description": "File to edit."},
                "edits": edits | {"description": "Replacements that do not overlap."},
                "old_string": old,
                "new_string": new,
                "replace_all": {"type": "boolean", "description": "Replace every match of a single edit."},
            },
            "required": ["path"],
        }

    def run(self, given: dict[str, Any], context: ToolContext) -> ToolOutput:
        """Edit the file. Raises InvalidInput and ExecutionFailed; the file is then as it was."""
        del context
        # Regexes and all that belongs to an edit need not be there for the first request.
        from beyond_agent.tools.edit_diff import diff  # noqa: PLC0415 - as above
        from beyond_agent.tools.edit_match import Source  # noqa: PLC0415 - as above
        from beyond_agent.tools.edit_plan import changes_of, edits_of  # noqa: PLC0415 - as above

        shown = given["path"]
        edits = edits_of(given)
        path, info, decoded = self._held(shown)
        source = Source(decoded.text)
        changes = changes_of(source, edits, shown)
        content = _encoded(decoded, source, changes, edits)
        if content is None:
            raise InvalidInput(f"no change: {shown} would stay as it is")
        try:
            self._place.files.replace(path, content, expected=info)
        except FileChanged as error:
            raise ExecutionFailed(f"{shown} changed on disk meanwhile; read it again") from error
        except OSError as error:
            raise ExecutionFailed(f"write {shown}: {reason(error)}") from error
        count = len(changes)
        text = f"edited {shown} ({count} replacement{'' if count == 1 else 's'})"
        return ToolOutput(text=text, details={"diff": diff(source.text, changes)})

    def write_target(self, given: dict[str, Any]) -> str:
        """Return the canonical path that a call will write."""
        return self._place.files.canonical(existing(given["path"], self._place)[0])

    def _held(self, shown: str) -> tuple[str, FileInfo, Decoded]:
        """Return where the file is, what it is, and its text."""
        try:
            path, info = existing(shown, self._place)
            if info.kind != "file":
                what = "a directory" if info.kind == "directory" else "not a regular file"
                raise ExecutionFailed(f"{shown} is {what}")
            if info.size > FILE_BYTES:
                raise InvalidInput(f"{shown} is {size_text(info.size)}; edit takes at most {size_text(FILE_BYTES)}")
            content = self._place.files.read(path, FILE_BYTES)
        except OSError as error:
            raise ExecutionFailed(f"read {shown}: {reason(error)}") from error
        try:
            return path, info, decode(content)
        except BinaryContent:
            raise InvalidInput(f"{shown} is a binary file ({size_text(info.size)})") from None


def _encoded(decoded: Decoded, source: Source, changes: list[Change], edits: list[Edit]) -> bytes | None:
    """Return the new bytes, None where they are the old. Raises InvalidInput for what the encoding cannot hold."""
    if all(source.text[slice(*span)] == new for span, new, _ in changes):
        return None
    from beyond_agent.tools.edit_apply import spliced  # noqa: PLC0415 - as above

    text = spliced(source, changes)
    try:
        return decoded.encode(text)
    except UnicodeEncodeError as error:
        bad = text[error.start]
        number = next(number for number, edit in enumerate(edits) if bad in edit.new)
        codec = _CODECS[decoded.encoding]
        raise InvalidInput(f"edits[{number}]: new_string has {bad!r}, which the file's {codec} cannot hold") from None
