"""The ten tools, by name. A new tool is a class in `tools`, a name in `options.TOOL_NAMES`, and a row here.

Contract: agent contract, tools.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from beyond_agent.tools.bash import BashTool
from beyond_agent.tools.beyond_cli import ForkTool, LogsTool, SyncTool
from beyond_agent.tools.edit import EditTool
from beyond_agent.tools.find import FindTool
from beyond_agent.tools.grep import GrepTool
from beyond_agent.tools.ls import LsTool
from beyond_agent.tools.read import ReadTool
from beyond_agent.tools.write import WriteTool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from beyond_agent.seams import Workplace
    from beyond_agent_core.tools import Tool

TOOLS: Final[Mapping[str, Callable[[Workplace], Tool]]] = {
    "bash": BashTool,
    "edit": EditTool,
    "find": FindTool,
    "fork": ForkTool,
    "grep": GrepTool,
    "logs": LogsTool,
    "ls": LsTool,
    "read": ReadTool,
    "sync": SyncTool,
    "write": WriteTool,
}


def toolset(place: Workplace, names: Iterable[str] = TOOLS) -> tuple[Tool, ...]:
    """Return the tools of these names, working at `place`."""
    return tuple(TOOLS[name](place) for name in names)
