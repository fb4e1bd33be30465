"""`beyond-ai dev`: the gateway with nothing configured, ready to paste into a shell.

The signing key is made once and kept in the state directory, so that a minted key outlives a restart. Every provider is
the embedded one, except those whose pool key stands in the environment. Rows go to stdout as always; a person sees a
line per request on stderr.
"""

from __future__ import annotations

import asyncio
import os
import sys
from typing import TYPE_CHECKING

import msgspec
import uvloop

from beyond_gateway.app import place_alone, serve, stop_on_signals
from beyond_gateway.cli.live import LiveRows
from beyond_gateway.config import Address, Config
from beyond_gateway.config_load import load
from beyond_gateway.errors import OperatorError
from beyond_gateway.host.limits import raise_open_files
from beyond_gateway.host.sockets import address_of
from beyond_gateway.managed_key import mint, signing_key
from beyond_gateway.mock import MockProvider, Script, ScriptError
from beyond_gateway.providers import BUILT_IN
from beyond_gateway.redact import Secret

if TYPE_CHECKING:
    from pathlib import Path

    from beyond_gateway.app import Place
    from beyond_gateway.cli.arguments import DevArguments

KID = 1
TENANT = 1
VPC = 1


def dev(arguments: DevArguments) -> int:
    """Serve until Ctrl-C; return 0 after a clean stop. Raises OperatorError for what cannot be used."""
    seed = _seed(arguments.state_dir)
    try:
        script = Script.load(arguments.script) if arguments.script else None
    except (ScriptError, OSError) as error:
        raise OperatorError(f"--script: {error}") from None
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return 1 if runner.run(_serve(arguments, seed, script)) else 0


async def _serve(arguments: DevArguments, seed: bytes, script: Script | None) -> int:
    stop = asyncio.Event()
    stop_on_signals(stop)
    provider = MockProvider(script)
    port = await provider.start()
    config, embedded = _config(arguments, seed, f"127.0.0.1:{port}")
    key = mint(seed, KID, TENANT, VPC)
    try:
        place, close_sockets = place_alone(config, raise_open_files())
    except OperatorError as error:
        if error.key != "listen":
            raise
        # Neither a file nor AI_LISTEN says where this listens.
        raise OperatorError(f"{str(error).partition('; ')[0]}; choose another with --listen") from None
    try:
        return await serve(
            config,
            place,
            stop=stop,
            plain_text=embedded,
            make_rows=LiveRows,
            ready=lambda place: _announce(place, key, embedded),
        )
    finally:
        close_sockets()
        await provider.close()


def _config(arguments: DevArguments, seed: bytes, mock: str) -> tuple[Config, frozenset[str]]:
    """Return the configuration, and the names of the providers that are embedded."""
    base = load(None, os.environ)
    embedded = frozenset(row.name for row in BUILT_IN if row.name not in base.pool_keys)
    config = msgspec.structs.replace(
        base,
        listen=Address(arguments.host, arguments.port),
        metrics_listen=Address("127.0.0.1", 0)
        if base.metrics_listen == Config().metrics_listen
        else base.metrics_listen,
        provider_authorities={**dict.fromkeys(embedded, mock), **base.provider_authorities},
        pool_keys={**{name: (Secret(f"sk-embedded-{name}"),) for name in embedded}, **base.pool_keys},
        signing_keys={KID: bytes(signing_key(seed).verify_key), **base.signing_keys},
        shutdown_grace_period_secs=2.0,
    )
    return config, embedded


def _seed(state_dir: Path) -> bytes:
    """Return the state directory's signing seed, made at the first start and readable to its owner only."""
    path = state_dir / "dev-signing.seed"
    try:
        state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists():
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(os.urandom(32))
        seed = path.read_bytes()
    except OSError as error:
        raise OperatorError(f"--state-dir: cannot use {path}: {error.strerror}; give another directory") from None
    if len(seed) != 32:
        raise OperatorError(f"--state-dir: {path} is not a 32-byte seed; delete it and a new one is made")
    return seed


def _announce(place: Place, key: str, embedded: frozenset[str]) -> None:
    address = address_of(place.listener)
    real = sorted({row.name for row in BUILT_IN} - embedded)
    print(
        f"""\
listening on http://{address}
metrics on   http://{address_of(place.admin)}/metrics
embedded providers: {", ".join(sorted(embedded)) or "none"}
real providers:     {", ".join(real) or "none (set AI_POOL_KEY_OPENAI and the like to reach one)"}

# OpenAI SDK
export OPENAI_BASE_URL=http://{address}/v1
export OPENAI_API_KEY={key}
# Anthropic SDK
export ANTHROPIC_BASE_URL=http://{address}/anthropic
export ANTHROPIC_API_KEY={key}
# agent
export AI_GATEWAY_URL=http://{address}
export AI_AGENT_KEY={key}
""",
        file=sys.stderr,
        flush=True,
    )
