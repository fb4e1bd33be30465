"""The find tool: files and folders whose path fits a glob."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from beyond_agent.tools.search_ripgrep import Chosen, installed

if TYPE_CHECKING:
    from collections.abc import Callable

    from beyond_agent.seams import Workplace
    from beyond_agent.tools.find_paths import Fitting
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
        from beyond_agent.tools.find_paths import asked, result_text  # noqa: PLC0415 - as above
        from beyond_agent.tools.search_root import folder_of, in_thread  # noqa: PLC0415 - as above

        fitting = asked(given["pattern"], given.get("limit", LIMIT))
        folder = await in_thread(lambda _: self._place.files.canonical(folder_of(given, self._place)))
        unreadable = await self._walked(folder, fitting)
        return result_text(fitting, unreadable=unreadable)

    async def _walked(self, folder: str, fitting: Fitting) -> bool:
        """Give all paths of a folder to `fitting`; return whether something could not be read."""
        from beyond_agent.tools.find_paths import by_python, by_ripgrep  # noqa: PLC0415 - as above
        from beyond_agent.tools.search_root import in_thread  # noqa: PLC0415 - as above

        program = await self._ripgrep.program(self._place.runner)
        if program is not None:
            try:
                unreadable = await by_ripgrep(self._place.runner, program, folder, fitting)
            except OSError:
                # It cannot be started: removed meanwhile, or made for another machine.
                unreadable = None
            if unreadable is not None:
                return unreadable

        def walk(stop: Callable[[], bool]) -> bool:
            return by_python(self._place.files, folder, fitting, stop)

        return await in_thread(walk)
