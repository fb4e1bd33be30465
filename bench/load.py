"""Load by wrk, pinned to the load core, and one checked request before any load."""

from __future__ import annotations

import json
import socket
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from beyond_gateway.framing import ChunkedReader

if TYPE_CHECKING:
    from bench.setting import Setting
    from bench.shapes import Shape

SCRIPT = """\
wrk.method = "POST"
wrk.path = {path}
{headers}
local body = io.open({body}, "rb")
wrk.body = body:read("*a")
body:close()
done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format('BENCH {{"requests":%d,"duration_us":%d,"p50_us":%d,"p99_us":%d,"failed":%d}}\\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    e.connect + e.read + e.write + e.status + e.timeout))
end
"""


class LoadFailedError(RuntimeError):
    """A request was not answered as it must be, so that the figure would measure errors."""


@dataclass(frozen=True, slots=True)
class LoadRun:
    """What one wrk run saw: finished requests, seconds, and the latency of each in µs."""

    requests: int
    seconds: float
    p50_us: int
    p99_us: int


def wrk(setting: Setting, shape: Shape, port: int, *, connections: int, seconds: float) -> LoadRun:
    """Send `shape` over `connections` kept-alive connections for `seconds`. Raises LoadFailedError on any failure."""
    command = [
        "taskset",
        "-c",
        str(setting.load_core),
        "wrk",
        "-t1",
        f"-c{connections}",
        f"-d{max(1, round(seconds))}s",
    ]
    script = _script(setting, shape)
    done = subprocess.run(
        [*command, "--timeout", "30s", "-s", script, f"http://127.0.0.1:{port}"],
        capture_output=True,
        text=True,
        check=False,
    )
    line = next((line for line in done.stdout.splitlines() if line.startswith("BENCH ")), None)
    if line is None:
        raise LoadFailedError(f"wrk failed: {done.stdout}{done.stderr}")
    seen = cast("dict[str, int]", json.JSONDecoder().decode(line.removeprefix("BENCH ")))
    if seen["failed"] or not seen["requests"]:
        raise LoadFailedError(f"{shape.name} on port {port}: {seen['failed']} of {seen['requests']} requests failed")
    return LoadRun(seen["requests"], seen["duration_us"] / 1e6, seen["p50_us"], seen["p99_us"])


def _script(setting: Setting, shape: Shape) -> str:
    body, script = setting.tmp / f"{shape.name}.body", setting.tmp / f"{shape.name}.lua"
    body.write_bytes(shape.body)
    headers = "\n".join(f"wrk.headers[{json.dumps(k)}] = {json.dumps(v)}" for k, v in shape.headers.items())
    text = SCRIPT.format(path=json.dumps(shape.path), headers=headers, body=json.dumps(str(body)))
    script.write_text(text, encoding="utf-8")
    return str(script)


def request_bytes(shape: Shape) -> bytes:
    """The request as one client sends it, asking for the connection to be closed after the answer."""
    lines = [f"POST {shape.path} HTTP/1.1", "Host: 127.0.0.1", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in shape.headers.items()]
    lines += [f"Content-Length: {len(shape.body)}", "", ""]
    return "\r\n".join(lines).encode() + shape.body


def answer_to(shape: Shape, port: int) -> bytes:
    """The whole answer to one request, head included. Raises OSError where nothing listens."""
    with socket.create_connection(("127.0.0.1", port), 10) as client:
        client.sendall(request_bytes(shape))
        parts: list[bytes] = []
        while part := client.recv(262144):
            parts.append(part)
    return b"".join(parts)


def check(shape: Shape, port: int, *, needle: bytes, events: int | None = None) -> None:
    """One request before the load: status 200, `needle` in the body, and exactly `events` SSE events.

    Raises LoadFailedError, as a fast answer that is wrong must not become a figure.
    """
    answer = answer_to(shape, port)
    head, _, body = answer.partition(b"\r\n\r\n")
    if b"transfer-encoding: chunked" in head.lower():
        body = _without_chunks(body)
    seen = body.count(b"data: ")
    if b" 200 " not in head.split(b"\r\n")[0] or needle not in body or (events is not None and seen != events):
        raise LoadFailedError(f"{shape.name} on port {port}: {seen} events after {head[:300]!r} {body[:300]!r}")


def _without_chunks(body: bytes) -> bytes:
    """The payload of a chunked body: a proxy may cut its chunks inside a word that is looked for."""
    payload: list[bytes] = []
    ChunkedReader().feed(body, 0, payload)
    return b"".join(payload)
