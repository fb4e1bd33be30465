"""`beyond-ai run`: serve what a configuration says until a signal."""

import asyncio
import os
from pathlib import Path

import uvloop

from beyond_gateway.app import serve, stop_on_signals
from beyond_gateway.config import Config
from beyond_gateway.config_load import load
from beyond_gateway.errors import OperatorError


def run(config_path: Path | None) -> int:
    """Serve; return 0 after a clean stop, 1 where usage rows could not be written. Raises OperatorError."""
    config = load(config_path, os.environ)
    if config.require_signing_keys and not config.signing_keys:
        raise OperatorError("require_signing_keys is set, but [signing_keys] is empty; make one with beyond-ai keygen")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return 1 if runner.run(_serve(config)) else 0


async def _serve(config: Config) -> int:
    stop = asyncio.Event()
    stop_on_signals(stop)
    return await serve(config, stop=stop)
