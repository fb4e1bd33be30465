"""The write tool: a whole file, new or in the place of the old."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from beyond_agent.tools.paths import reason, resolve
from beyond_agent_core.errors import ExecutionFailed, InvalidInput

if TYPE_CHECKING:
    from beyond_agent.seams import Workplace
    from beyond_agent_core.tools import ToolContext


class WriteTool:
    """Writes a file and makes its parent directories; the old content stays whole on any failure."""

    name = "write"
    description = "Write a whole file, new or in the place of an old one. Makes parent directories."
    read_only = False

    def __init__(self, place: Workplace) -> None:
        self._place = place
        self.input_schema: dict[str, Any] = {
            "type": "object",
            "properties": {
                "path": {"type": "string", "description": "File to write."},
                "content": {"type": "string", "description": "All of its new text."},
            },
            "required": ["path", "content"],
        }

    def run(self, given: dict[str, Any], context: ToolContext) -> str:
        """Write the file. Raises InvalidInput for what is no text, ExecutionFailed for what the system refuses."""
        del context
        shown = given["path"]
        path = resolve(shown, self._place.cwd)
        try:
            content: bytes = given["content"].encode()
        except UnicodeEncodeError as error:
            raise InvalidInput(f"content: half of a surrogate pair at character {error.start} is not text") from None
        folder = os.path.dirname(path)  # noqa: PTH120 - paths are text here, a Path would cost its import
        try:
            self._place.files.make_directories(folder)
        except OSError as error:
            raise ExecutionFailed(f"mkdir {folder}: {reason(error)}") from error
        try:
            self._place.files.replace(path, content)
        except OSError as error:
            raise ExecutionFailed(f"write {shown}: {reason(error)}") from error
        return f"wrote {len(content)} bytes to {shown}"

    def write_target(self, given: dict[str, Any]) -> str:
        """Return the canonical path that a call will write."""
        return self._place.files.canonical(resolve(given["path"], self._place.cwd))
