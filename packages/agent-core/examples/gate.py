"""A hook that stops a tool: files may be deleted below the folder that the program was started in, and nowhere else.

Run it with AI_GATEWAY_URL and AI_AGENT_KEY set, as `beyond-ai dev` prints them: gate.py PROMPT
"""

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

from beyond_agent_core import Agent, AgentEvent, Hooks, HttpTransport, Session, tool
from beyond_agent_core.events import ToolEnd

HERE = Path.cwd().resolve()


@tool
def delete(path: str) -> str:
    """Delete a file."""
    Path(path).unlink()
    return f"deleted {path}"


def gate(name: str, given: dict[str, Any], _: Session) -> str | None:
    """Return why a call must not run; the model is told, and may do something else. A gate that raises is shut."""
    # A resolved path, because a link or `..` may lead elsewhere.
    if name == "delete" and not Path(given["path"]).resolve().is_relative_to(HERE):
        return f"{given['path']} is not below {HERE}"
    return None


def show(event: AgentEvent) -> None:
    """Print what came of each call."""
    if isinstance(event, ToolEnd):
        print(f"{'refused or failed' if event.is_error else 'done'}: {event.result}")


async def main(prompt: str) -> None:
    """Do what the prompt says, within the gate."""
    async with HttpTransport(os.environ["AI_GATEWAY_URL"], lambda: os.environ["AI_AGENT_KEY"]) as gateway:
        agent = Agent(gateway, model="claude-opus-4-8", tools=[delete], hooks=Hooks(before_tool_call=gate))
        result = await agent.run(Session(), prompt, on_event=show)
    result.raise_for_outcome()
    print(result.text)


asyncio.run(main(" ".join(sys.argv[1:])))
