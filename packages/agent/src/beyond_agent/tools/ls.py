"""The ls tool: what is in one folder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from beyond_agent.tools.listing import MOST_RESULTS, listing, name_bytes, shown_name
from beyond_agent.tools.paths import reason
from beyond_agent.tools.search_root import folder_of
from beyond_agent_core.errors import ExecutionFailed

if TYPE_CHECKING:
    from beyond_agent.seams import Entry, Workplace
    from beyond_agent_core.tools import ToolContext

LIMIT: Final = 500
"""Entries that are listed where a call does not say (agent contract, ls)."""


class LsTool:
    """Lists a folder."""

    name = "ls"
    description = "List a directory: directories first, each with a slash, then files."
    read_only = True

    def __init__(self, place: Workplace) -> None:
        self._place = place
        self.input_schema: dict[str, Any] = {
            "type": "object",
            "properties": {
                "path": {"type": "string", "description": "Directory, by default the working directory."},
                "all": {"type": "boolean", "description": "Dotfiles too."},
                "limit": {"type": "integer", "minimum": 1, "description": "Most entries, by default 500."},
            },
        }

    def run(self, given: dict[str, Any], context: ToolContext) -> str:
        """Return the names. Raises InvalidInput, ExecutionFailed for a folder that cannot be read."""
        path = folder_of(given, self._place)
        try:
            entries, whole = self._entries(path, context)
        except OSError as error:
            raise ExecutionFailed(f"ls {given.get('path', '.')}: {reason(error)}") from error
        if not given.get("all", False):
            entries = [each for each in entries if not each.name.startswith(".")]
        limit = given.get("limit", LIMIT)
        total = len(entries)
        notices: list[str] = []
        if total > limit:
            notices.append(f"{total - limit} more entries; {total} total — use limit={2 * limit} to see more")
        if not whole:
            notices.append(f"the directory is larger: only {MOST_RESULTS} of its entries were looked at")
        lines = [shown_name(each.name) + "/" * (each.kind == "directory") for each in sorted(entries, key=_order)]
        return listing(lines[:limit] or ["(empty directory)"], notices, "use bash with ls for the rest")

    def _entries(self, path: str, context: ToolContext) -> tuple[list[Entry], bool]:
        """Return what is in a folder, as much as is looked at, and whether that is all."""
        entries: list[Entry] = []
        for each in self._place.files.entries(path):
            if len(entries) == MOST_RESULTS or context.cancelled:
                return entries, False
            entries.append(each)
        return entries, True


def _order(entry: Entry) -> tuple[bool, str, bytes]:
    return entry.kind != "directory", _folded(entry.name), name_bytes(entry.name)


def _folded(name: str) -> str:
    """Return a name without case and accents."""
    if name.isascii():
        return name.lower()
    from unicodedata import combining, normalize  # noqa: PLC0415 - few names need it

    return "".join(char for char in normalize("NFKD", name.casefold()) if not combining(char))
