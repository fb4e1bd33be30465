"""The find tool: files and folders whose path fits a glob."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from beyond_agent.tools.search_ripgrep import Chosen, installed

if TYPE_CHECKING:
    from beyond_agent.seams import Workplace
    from beyond_agent.tools.search_ripgrep import Locate
    from beyond_agent_core.tools import ToolContext

LIMIT: Final = 1000
"""Paths that are shown where a call does not say (agent contract, find)."""


class FindTool:
    """Finds files by name. `ripgrep` tells at each call where that program may be, best first."""

    name = "find"
    description = "Find files and directories by a glob; honours .gitignore."
    read_only = True

    def __init__(self, place: Workplace, ripgrep: Locate = installed) -> None:
        self._place = place
        self._ripgrep = Chosen(ripgrep)
        self.input_schema: dict[str, Any] = {
            "type": "object",
            "properties": {
                "pattern": {"type": "string", "description": "Glob, as *.py for names or src/**/*.py for paths."},
                "path": {"type": "string", "description": "Where to begin, by default the working directory."},
                "limit": {"type": "integer", "minimum": 1, "description": "Most paths, by default 1000."},
            },
            "required": ["pattern"],
        }

    async def run(self, given: dict[str, Any], context: ToolContext) -> str:
        """Return the paths. Raises InvalidInput, ExecutionFailed."""
        del context
        # Regexes and all that belongs to a search need not be there for the first request.
        from beyond_agent.tools.find_paths import asked, by_python, by_ripgrep, result_text  # noqa: PLC0415 - as above
        from beyond_agent.tools.search_root import folder_of, in_thread  # noqa: PLC0415 - as above

        files, runner = self._place.files, self._place.runner
        fitting = asked(given["pattern"], given.get("limit", LIMIT))
        folder = await in_thread(lambda _: files.canonical(folder_of(given, self._place)))
        unreadable = await self._ripgrep.search(
            runner,
            lambda program: by_ripgrep(runner, program, folder, fitting),
            lambda stop: by_python(files, folder, fitting, stop),
        )
        return result_text(fitting, unreadable=unreadable)
