"""`serve` on a Unix socket with a model inside the process, which speaks as the prompt says: agent_host.py SOCKET.

All but the model is the product. The prompt is JSON, {"deltas": N, "every_s": S}; each delta is the time at which it
was made, in ns of the monotonic clock, so that a reader in another process knows how old it is.
"""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import time
from typing import TYPE_CHECKING, cast

import msgspec

from beyond_agent.cli.starting import opened
from beyond_agent.flags import parser_for
from beyond_agent.harness import Harness
from beyond_agent.serve.uds import serve_uds
from beyond_agent.startup import here, home_of, read_options
from beyond_wire.types import (
    ContentBlockStop,
    MessageStart,
    MessageStop,
    TextBlock,
    TextDelta,
    TokenUsage,
    usage_event,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from beyond_wire.types import ModelRequest, StreamEvent


class Clockwork:
    """A model that ticks."""

    async def stream(self, request: ModelRequest) -> AsyncGenerator[StreamEvent]:
        """Yield as many deltas as the last prompt asks for, each at its time."""
        asked = msgspec.json.decode(cast("TextBlock", request.messages[-1].content[0]).text)
        every_s, began = asked["every_s"], time.monotonic()
        yield MessageStart()
        for at in range(asked["deltas"]):
            await asyncio.sleep(max(0.0, began + at * every_s - time.monotonic()))
            yield TextDelta(index=0, text=f"{time.monotonic_ns()} ")
        yield ContentBlockStop(index=0)
        yield usage_event(TokenUsage(input_tokens=10, output_tokens=asked["deltas"]))
        yield MessageStop(stop_reason="end_turn")


def main(path: str) -> int:
    """Serve until SIGTERM."""
    places = here(os.environ)
    options = read_options("serve", ["--listen-uds", path], parser_for("serve", "", ""), os.environ, places)
    home, today = home_of(os.environ), time.strftime("%Y-%m-%d")
    harness = Harness(options, Clockwork(), environ=os.environ, home=home, today=today)

    async def serve() -> int:
        store, first = opened(harness, harness.site(places.cwd))
        return await serve_uds(harness, store, first, path)

    return asyncio.run(serve())


# As the command itself does.
gc.set_threshold(50_000)
sys.exit(main(sys.argv[1]))
