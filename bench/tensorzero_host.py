"""Holds TensorZero's gateway: tensorzero_host.py CONFIG READY_PORT, run by the venv that has the `tensorzero` wheel.

Prints the address that the gateway chose, then listens on READY_PORT to say that it stands.
"""

from __future__ import annotations

import importlib
import signal
import socket
import sys


def main(config: str, ready_port: int) -> None:
    """Start, announce, wait for a signal. The wheel starts this listener for `patch_openai_client`."""
    module = importlib.import_module("tensorzero")
    stores = dict.fromkeys(("clickhouse_url", "postgres_url", "valkey_url"))
    held = module._start_http_gateway(config_file=config, async_setup=False, **stores)  # noqa: SLF001 - no public name
    print(held.base_url, flush=True)
    with socket.create_server(("127.0.0.1", ready_port)):
        signal.pause()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
