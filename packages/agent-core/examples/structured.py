"""An answer as data: the model fills in a form, which is a tool whose call ends the run.

The form's schema is made of the annotations; a call that does not fit it never reaches the function, and the model is
told every fault. Run it with AI_GATEWAY_URL and AI_AGENT_KEY set, as `beyond-ai dev` prints them: structured.py < TEXT
"""

import asyncio
import json
import os
import sys
from typing import Literal

from beyond_agent_core import Agent, HttpTransport, Session, ToolOutput, tool

REMINDERS = 2


async def main(text: str) -> int:
    """Print the form as a line of JSON; return 1 where the model would not fill it in."""
    forms: list[dict[str, object]] = []

    @tool
    def report(title: str, severity: Literal["low", "high"], files: list[str]) -> ToolOutput:
        """File the bug report; call it once, with everything you know."""
        forms.append({"title": title, "severity": severity, "files": files})
        # The run ends where every call of a turn asks for it, so a form beside other calls is no end.
        return ToolOutput(text="filed", terminate=True)

    session = Session()
    prompt = f"Make a bug report of this:\n\n{text}"
    async with HttpTransport(os.environ["AI_GATEWAY_URL"], lambda: os.environ["AI_AGENT_KEY"]) as gateway:
        agent = Agent(gateway, model="claude-opus-4-8", tools=[report])
        for _ in range(1 + REMINDERS):
            result = await agent.run(session, prompt)
            result.raise_for_outcome()
            if forms:
                print(json.dumps(forms[-1]))
                return 0
            prompt = "You have not called `report`. Call it now; text is not read."
    print("the model did not fill in the form", file=sys.stderr)
    return 1


sys.exit(asyncio.run(main(sys.stdin.read())))
