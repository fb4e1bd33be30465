"""The gateway under test: its configuration, its command, its keys, what it says in its log."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import msgspec

from bench.servers import Server, StartFailedError, free_port, started
from bench.setting import ROOT

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from bench.setting import Setting

# The vectors of gw contract, credentials: the seed of kid 1 below, and a key of tenant 1, vpc 1. Public test material.
KID, SEED = 1, b"\x07" * 32
MANAGED_KEY = (
    "bai_v1.1.AQAAAAAAAAABAAAAAAAAAA."
    "WrWcPbklu91PS-4WuR6GnBNF3h4nROpH0EQQlfJf06f7_lEnlQOCSBimhH2JMwXFJgw40BniTB7-yIdFnpldDw"
)
BYO_KEY = "sk-byo-0123456789abcdef0123456789abcdef"

USUAL: dict[str, str | int] = {"workers": 1, "upstream_tls": False, "rate_limit_rps": 0, "byo_rate_limit_rps": 0}

CONFIG = """\
listen = "127.0.0.1:{port}"
metrics_listen = "127.0.0.1:{metrics}"
{settings}
[provider_authorities]
openai = "127.0.0.1:{upstream}"
anthropic = "127.0.0.1:{upstream}"
[pool_keys]
openai = "sk-pool"
anthropic = "sk-ant-pool"
[signing_keys]
1 = "6kpsY+KcUgq+9VB7Ey7F+ZVHdq6+vnuSQh7qaRRG0iw="
"""

PROGRAM = ROOT / ".venv/bin/beyond-ai"


def command(config: Path) -> list[str]:
    """The command line that serves `config`."""
    return [str(PROGRAM), "run", "-c", str(config)]


def write_config(tmp: Path, port: int, upstream: int, **settings: str | int) -> Path:
    """A configuration with both providers at `upstream` in clear text.

    One worker and no rate guards, unless `settings` say otherwise; the breaker is on by default.
    """
    path = tmp / f"gateway-{port}.toml"
    # What JSON writes of a word or a number is TOML as well.
    lines = [f"{name} = {msgspec.json.encode(value).decode()}" for name, value in {**USUAL, **settings}.items()]
    text = CONFIG.format(port=port, metrics=free_port(), upstream=upstream, settings="\n".join(lines))
    path.write_text(text, encoding="utf-8")
    return path


@contextmanager
def gateway(setting: Setting, upstream: int, **settings: str | int) -> Generator[Server]:
    """The gateway on the proxy core; its usage rows go to a file, as they would to a log collector."""
    port = free_port()
    words = command(write_config(setting.tmp, port, upstream, **settings))
    with started("gateway", words, port=port, core=setting.proxy_core, tmp=setting.tmp) as server:
        yield server


class _Line(msgspec.Struct):
    fields: dict[str, str | int | float | bool | None]


_LINE = msgspec.json.Decoder(_Line)


def said(setting: Setting, server: Server, message: str) -> list[dict[str, str | int | float | bool | None]]:
    """The fields of each line of the gateway's log that says `message`; a line on its way is not there yet."""
    log = (setting.tmp / f"{server.name}-{server.port}.err").read_bytes()
    needle = message.encode()
    lines = (line for line in log.splitlines(keepends=True) if needle in line and line.endswith(b"\n"))
    return [fields for fields in (_LINE.decode(line).fields for line in lines) if fields["message"] == message]


def await_said(setting: Setting, server: Server, message: str, *, times: int = 1, limit_s: float = 30.0) -> float:
    """The monotonic second at which the log had said `message` so often, to within a millisecond.

    Raises StartFailedError after `limit_s` seconds.
    """
    deadline = time.monotonic() + limit_s
    while len(said(setting, server, message)) < times:
        if time.monotonic() > deadline:
            raise StartFailedError(f"{server.name} did not say `{message}` {times} times in {limit_s:g} s")
        time.sleep(0.001)
    return time.monotonic()
