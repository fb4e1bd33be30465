"""Steering a run while it goes on: a word in between, and something more for when it is done.

`Control` is safe from any thread, so the words may come from a terminal, a socket or a window just as well.
Run it with AI_GATEWAY_URL and AI_AGENT_KEY set, as `beyond-ai dev` prints them.
"""

import asyncio
import os

from beyond_agent_core import Agent, Control, HttpTransport, Limits, Session, TextDelta, tool
from beyond_agent_core.events import AgentEnd, Steered, Streamed, ToolStart

SHELVES = {"fruit": "apples, pears", "bread": "rye"}


@tool(read_only=True)
async def look(shelf: str) -> str:
    """Say what lies on a shelf of the shop."""
    await asyncio.sleep(0.01)
    return SHELVES.get(shelf, "nothing")


async def main() -> None:
    """Ask for a shopping list, and change our mind in the middle."""
    control, session = Control(), Session()
    control.follow_up("And what does the baker have?")
    async with HttpTransport(os.environ["AI_GATEWAY_URL"], lambda: os.environ["AI_AGENT_KEY"]) as gateway:
        agent = Agent(gateway, model="claude-opus-4-8", tools=[look], limits=Limits(max_steps=10, max_seconds=60))
        async for event in agent.stream(session, "What fruit is there?", control=control):
            match event:
                case Streamed(event=TextDelta(text=text)):
                    print(text, end="", flush=True)
                case ToolStart(name=name) if session.steps == 1:
                    # It joins the result of this call: the model reads both before it goes on.
                    control.steer("No pears, please.")
                    print(f"[{name}]")
                case Steered():
                    print("[told]")
                case AgentEnd(outcome=outcome):
                    print(f"\n[{outcome}]")
                case _:
                    pass


asyncio.run(main())
