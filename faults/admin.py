"""The gateway's admin listener, as a scrape and a probe see it."""

from __future__ import annotations

import re

from faults.client import Answer, once

ANSWER_S = 3.0


async def _page(port: int, path: str) -> Answer:
    return await once(port, f"GET {path} HTTP/1.1\r\nHost: admin\r\nConnection: close\r\n\r\n".encode(), ANSWER_S)


async def metrics_of(port: int) -> dict[str, float] | None:
    """Return the samples of /metrics by their whole name, labels included; None where nobody answers."""
    answer = await _page(port, "/metrics")
    if answer.status != 200 or not answer.whole:
        return None
    found = re.findall(r"^([a-z_]+(?:\{[^}]*\})?) ([-+.\w]+)", answer.body.decode(), re.MULTILINE)
    return {name: float(value) for name, value in found}


async def readiness_of(port: int) -> int:
    """Return the status of /readyz, 0 where nobody answers."""
    return (await _page(port, "/readyz")).status
