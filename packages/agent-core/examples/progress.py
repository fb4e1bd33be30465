"""A tool that says how far it is, and a program that shows it: count the lines of the files below a folder.

Run it with AI_GATEWAY_URL and AI_AGENT_KEY set, as `beyond-ai dev` prints them: progress.py [FOLDER]
"""

import asyncio
import os
import sys
from pathlib import Path

from beyond_agent_core import Agent, AgentEvent, ExecutionFailed, HttpTransport, Session, ToolContext, tool
from beyond_agent_core.events import ToolProgress


@tool(read_only=True)
def count_lines(folder: str, context: ToolContext) -> str:
    """Count the lines of all files below a folder."""
    root = Path(folder)
    if not root.is_dir():
        # The model is told, and may try another folder.
        raise ExecutionFailed(f"{folder} is no folder")
    files = lines = 0
    # A plain function runs in a thread, so it may block; it looks whether anybody still waits for it.
    for path in root.rglob("*"):
        if context.cancelled:
            break
        if path.is_file():
            files += 1
            lines += path.read_bytes().count(b"\n")
            # Always all that there is to see so far: what comes too quickly is dropped, the last one never is.
            context.progress(f"{files} files, {lines} lines", {"files": files})
    return f"{lines} lines in {files} files"


def show(event: AgentEvent) -> None:
    """Rewrite one line of the terminal."""
    if isinstance(event, ToolProgress):
        print(f"\r{event.name}: {event.snapshot}", end="", file=sys.stderr)


async def main(folder: str) -> None:
    """Ask how large the folder is."""
    async with HttpTransport(os.environ["AI_GATEWAY_URL"], lambda: os.environ["AI_AGENT_KEY"]) as gateway:
        agent = Agent(gateway, model="claude-opus-4-8", tools=[count_lines])
        result = await agent.run(Session(), f"How many lines of text are there in {folder}?", on_event=show)
    result.raise_for_outcome()
    print(f"\n{result.text}")


asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "."))
