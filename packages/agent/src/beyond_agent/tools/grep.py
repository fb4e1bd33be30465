"""The grep tool: lines that match a regex, by ripgrep, or by Python where there is none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from beyond_agent.tools.search_ripgrep import Chosen, installed

if TYPE_CHECKING:
    from beyond_agent.seams import Workplace
    from beyond_agent.tools.search_ripgrep import Locate
    from beyond_agent_core.tools import ToolContext


class GrepTool:
    """Searches the contents of files. `ripgrep` tells at each call where that program may be, best first."""

    name = "grep"
    description = "Search file contents for a regex, as ripgrep does; honours .gitignore."
    read_only = True

    def __init__(self, place: Workplace, ripgrep: Locate = installed) -> None:
        self._place = place
        self._ripgrep = Chosen(ripgrep)
        self.input_schema: dict[str, Any] = {
            "type": "object",
            "properties": {
                "pattern": {"type": "string", "description": "Regex, in ripgrep's syntax."},
                "path": {"type": "string", "description": "File or directory, by default the working directory."},
                "glob": {"type": "string", "description": "Only such files, as *.py; !*.py for all others."},
                "ignore_case": {"type": "boolean", "description": "Upper and lower case are the same."},
                "literal": {"type": "boolean", "description": "The pattern is plain text."},
                "limit": {"type": "integer", "minimum": 1, "description": "Most matching lines, by default 100."},
                "context": {"type": "integer", "minimum": 0, "description": "Lines before and after each match."},
                "before": {"type": "integer", "minimum": 0, "description": "Lines before each match."},
                "after": {"type": "integer", "minimum": 0, "description": "Lines after each match."},
            },
            "required": ["pattern"],
        }

    async def run(self, given: dict[str, Any], context: ToolContext) -> str:
        """Return the matching lines. Raises InvalidInput, ExecutionFailed."""
        del context
        # Regexes and all that belongs to a search need not be there for the first request.
        from beyond_agent.tools import grep_python, grep_ripgrep  # noqa: PLC0415 - as above
        from beyond_agent.tools.grep_query import asked  # noqa: PLC0415 - as above
        from beyond_agent.tools.grep_text import result_text  # noqa: PLC0415 - as above
        from beyond_agent.tools.search_root import in_thread, search_root  # noqa: PLC0415 - as above

        files, runner = self._place.files, self._place.runner
        query = await in_thread(lambda _: asked(given, search_root(given, self._place)))
        found = await self._ripgrep.search(
            runner,
            lambda program: grep_ripgrep.search(runner, program, query),
            lambda stop: grep_python.search(files, query, stop),
        )
        return await in_thread(lambda _: result_text(found, query, files))
