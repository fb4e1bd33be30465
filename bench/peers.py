"""LiteLLM and TensorZero from the package index, each in a throwaway venv, pinned to the proxy core."""

from __future__ import annotations

import os
import re
import subprocess
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from bench.servers import Server, StartFailedError, free_port, started
from bench.setting import PYTHON, ROOT, progress

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from bench.setting import Setting

# LiteLLM's index entry carried credential stealers twice (1.82.7 and .8, 1.107.0): hence an exact version from
# before the first of them, wheels only, and an environment without anything to steal. BENCH_LITELLM names another.
LITELLM = os.environ.get("BENCH_LITELLM", "litellm[proxy]==1.82.6")
# No gateway program is published on a package index; the Python client's wheel holds the same gateway with its HTTP
# listener, in Rust on its own threads, which it starts for the OpenAI client. Later wheels may drop it: hence the pin.
TENSORZERO = os.environ.get("BENCH_TENSORZERO", "tensorzero==2026.6.0")

LITELLM_CONFIG = """\
model_list:
  - model_name: gpt-4o-mini
    litellm_params: {{model: openai/gpt-4o-mini, api_base: "http://127.0.0.1:{upstream}/v1", api_key: sk-pool}}
litellm_settings: {{telemetry: false, request_timeout: 60}}
general_settings: {{master_key: sk-byo-0123456789abcdef0123456789abcdef}}
"""

TENSORZERO_CONFIG = """\
[gateway]
observability.enabled = false
[models.bench]
routing = ["mock"]
[models.bench.providers.mock]
type = "openai"
model_name = "gpt-4o-mini"
api_base = "http://127.0.0.1:{upstream}/v1/"
api_key_location = "none"
"""


class UnavailableError(RuntimeError):
    """A peer that the package index does not give; the text is one line."""


def installed(setting: Setting, name: str, requirement: str) -> Path:
    """The venv that holds `requirement`, made in the run's temporary directory. Raises UnavailableError."""
    progress(f"pip install {requirement} (a minute or more)")
    home = setting.tmp / f"venv-{name}"
    subprocess.run([PYTHON, "-m", "venv", str(home)], check=True)
    pip = [str(home / "bin/pip"), "install", "--quiet", "--disable-pip-version-check", "--only-binary", ":all:"]
    done = subprocess.run([*pip, requirement], capture_output=True, text=True, check=False)
    if done.returncode:
        raise UnavailableError((done.stderr.strip().splitlines() or ["pip failed"])[-1][:200])
    return home


@contextmanager
def litellm(setting: Setting, home: Path, upstream: int) -> Generator[Server]:
    """LiteLLM's proxy with one worker, a master key and nothing else switched on."""
    port, config = free_port(), setting.tmp / "litellm.yaml"
    config.write_text(LITELLM_CONFIG.format(upstream=upstream), encoding="utf-8")
    words = [str(home / "bin/litellm"), "--config", str(config), "--host", "127.0.0.1", "--port", str(port)]
    command = [*_bare(setting), *words, "--num_workers", "1"]
    with started("litellm", command, port=port, core=setting.proxy_core, tmp=setting.tmp, limit_s=180) as server:
        yield server


@contextmanager
def tensorzero(setting: Setting, home: Path, upstream: int) -> Generator[Server]:
    """TensorZero's gateway without its observability store, on the port that it chooses."""
    config, ready = setting.tmp / "tensorzero.toml", free_port()
    config.write_text(TENSORZERO_CONFIG.format(upstream=upstream), encoding="utf-8")
    script = str(ROOT / "bench/tensorzero_host.py")
    command = [*_bare(setting), str(home / "bin/python"), script, str(config), str(ready)]
    with started("tensorzero", command, port=ready, core=setting.proxy_core, tmp=setting.tmp, limit_s=60) as host:
        yield Server("tensorzero", _chosen_port(setting.tmp / f"tensorzero-{host.port}.out"), host.pid)


def _bare(setting: Setting) -> list[str]:
    """`env -i` with a home of its own: a third party's process sees no variable of ours."""
    return [
        "env",
        "-i",
        f"PATH={os.environ.get('PATH', '')}",
        f"HOME={setting.tmp}",
        "LITELLM_LOCAL_MODEL_COST_MAP=True",
    ]


def _chosen_port(out: Path) -> int:
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        if found := re.search(r"http://127\.0\.0\.1:(\d+)", out.read_text(encoding="utf-8")):
            return int(found[1])
        time.sleep(0.05)
    raise StartFailedError("tensorzero named no port")
