"""`python -m beyond_gateway.mock`: the embedded provider as a process of its own, until SIGTERM or Ctrl-C."""

import argparse
import asyncio
import signal
import ssl
import sys
from pathlib import Path

from beyond_gateway.mock.script import Script, ScriptError
from beyond_gateway.mock.server import MockProvider


class _Options(argparse.Namespace):
    listen: str
    script: Path | None
    cert: Path | None
    key: Path | None


def main() -> int:
    """Return the process's exit status: 0 after a signal, 2 when an option cannot be used."""
    parser = argparse.ArgumentParser(prog="python -m beyond_gateway.mock", description="a provider of every dialect")
    parser.add_argument("--listen", default="127.0.0.1:0", metavar="HOST:PORT", help="port 0: the kernel chooses")
    parser.add_argument(
        "--script", type=Path, metavar="FILE", help="JSON list of answers; see beyond_gateway.mock.script"
    )
    parser.add_argument("--cert", type=Path, metavar="FILE", help="PEM certificate chain: serve TLS")
    parser.add_argument("--key", type=Path, metavar="FILE", help="PEM private key of the certificate")
    options = parser.parse_args(namespace=_Options())
    try:
        asyncio.run(_serve(options))
    except (ScriptError, OSError, ValueError) as fault:
        print(f"mock provider: {fault}", file=sys.stderr)  # noqa: T201 - a command's answer
        return 2
    return 0


async def _serve(options: _Options) -> None:
    script = Script.load(options.script) if options.script else None
    host, _, port = options.listen.rpartition(":")
    if not host or not port.isdigit():
        raise ValueError(f"--listen {options.listen}: write HOST:PORT, such as 127.0.0.1:0")
    tls = None
    if options.cert:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(options.cert, options.key)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    provider = MockProvider(script)
    bound = await provider.start(host.strip("[]"), int(port), tls)
    print(f"listening on {host}:{bound}", flush=True)  # noqa: T201 - a command's answer
    await stop.wait()
    await provider.close()


if __name__ == "__main__":
    sys.exit(main())
