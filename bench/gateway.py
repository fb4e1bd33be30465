"""The gateway under test: its configuration, its command, its keys."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from bench.servers import Server, free_port, started
from bench.setting import ROOT

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from bench.setting import Setting

# The vector of gw contract, credentials: tenant 1, vpc 1, signed by kid 1 below. Public test material.
MANAGED_KEY = (
    "bai_v1.1.AQAAAAAAAAABAAAAAAAAAA."
    "WrWcPbklu91PS-4WuR6GnBNF3h4nROpH0EQQlfJf06f7_lEnlQOCSBimhH2JMwXFJgw40BniTB7-yIdFnpldDw"
)
BYO_KEY = "sk-byo-0123456789abcdef0123456789abcdef"

CONFIG = """\
listen = "127.0.0.1:{port}"
metrics_listen = "127.0.0.1:{metrics}"
workers = 1
upstream_tls = false
rate_limit_rps = 0
byo_rate_limit_rps = 0
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


def write_config(tmp: Path, port: int, upstream: int) -> Path:
    """A configuration with one worker, both providers at `upstream` in clear text, and the rate guards off."""
    path = tmp / f"gateway-{port}.toml"
    path.write_text(CONFIG.format(port=port, metrics=free_port(), upstream=upstream), encoding="utf-8")
    return path


@contextmanager
def gateway(setting: Setting, upstream: int) -> Generator[Server]:
    """The gateway on the proxy core; its usage rows go to a file, as they would to a log collector."""
    port = free_port()
    words = command(write_config(setting.tmp, port, upstream))
    with started("gateway", words, port=port, core=setting.proxy_core, tmp=setting.tmp) as server:
        yield server
