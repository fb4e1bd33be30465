"""A transport of your own: where one model fails before it has said anything, another is asked.

A transport makes one attempt and yields the events of its answer; whether a turn is tried again is the loop's affair.
Run it with AI_GATEWAY_URL and AI_AGENT_KEY set, as `beyond-ai dev` prints them: fallback.py PROMPT
"""

import asyncio
import os
import sys
from collections.abc import AsyncGenerator
from contextlib import aclosing

from msgspec.structs import replace

from beyond_agent_core import Agent, HttpTransport, ModelRequest, Session, StreamEvent, TransportFailed


class Fallback:
    """Asks the model that the agent names, and then `other`."""

    def __init__(self, inner: HttpTransport, other: str) -> None:
        self._inner = inner
        self._other = other

    async def stream(self, request: ModelRequest) -> AsyncGenerator[StreamEvent]:
        """Yield the events of the first answer that begins. Raises the second one's fault, or one in the middle."""
        begun = False
        try:
            # Whoever leaves the iteration closes the connection with it.
            async with aclosing(self._inner.stream(request)) as events:
                async for event in events:
                    begun = True
                    yield event
        except TransportFailed as failed:
            # Half an answer cannot be taken back: the loop voids the turn, and tries it again.
            if begun:
                raise
            print(f"{request.model}: {failed}; asking {self._other}", file=sys.stderr)
        else:
            return
        async with aclosing(self._inner.stream(replace(request, model=self._other))) as events:
            async for event in events:
                yield event


async def main(prompt: str) -> None:
    """Answer one prompt, by whichever model answers."""
    async with HttpTransport(os.environ["AI_GATEWAY_URL"], lambda: os.environ["AI_AGENT_KEY"]) as gateway:
        agent = Agent(Fallback(gateway, "gpt-5"), model="claude-opus-4-8")
        result = await agent.run(Session(), prompt)
    result.raise_for_outcome()
    print(result.text)


asyncio.run(main(" ".join(sys.argv[1:])))
