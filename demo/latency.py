"""What the gateway adds: the same request to the same provider, with and without the gateway in between."""

import http.client
import statistics
import time
from collections.abc import Mapping

import msgspec

from demo.calls import PROMPT, YARDSTICK
from demo.processes import DemoError, Gateway

ROUNDS = 100
_MESSAGES = [{"role": "user", "content": PROMPT}]
_RESPONSES: dict[str, object] = {"input": PROMPT, "stream": True}
# Model, which is also the name of the line; path; the rest of the body.
KINDS: tuple[tuple[str, str, dict[str, object]], ...] = (
    ("chat-json", "/v1/chat/completions", {"messages": _MESSAGES}),
    ("chat-stream", "/v1/chat/completions", {"messages": _MESSAGES, "stream": True}),
    ("responses-stream", "/v1/responses", _RESPONSES),
    ("embeddings", "/v1/embeddings", {"input": ["one", "two"]}),
    ("messages-json", "/v1/messages", {"messages": _MESSAGES, "max_tokens": 64}),
    ("messages-stream", "/v1/messages", {"messages": _MESSAGES, "max_tokens": 64, "stream": True}),
)


class Medians(msgspec.Struct, frozen=True):
    """Median time of a whole answer over a kept connection, in milliseconds."""

    direct_ms: float
    gateway_ms: float

    @property
    def added_ms(self) -> float:
        """What the gateway adds."""
        return self.gateway_ms - self.direct_ms


def measure(gateway: Gateway, provider_port: int) -> dict[str, Medians]:
    """Time each kind of call `ROUNDS` times each way, in turns, so that both ways meet the same machine."""
    direct = http.client.HTTPConnection("127.0.0.1", provider_port, timeout=30)
    through = http.client.HTTPConnection(gateway.origin.removeprefix("http://"), timeout=30)
    headers = {"Authorization": f"Bearer {gateway.key}", "Content-Type": "application/json"}
    medians: dict[str, Medians] = {}
    try:
        for model, path, rest in KINDS:
            body = msgspec.json.encode({"model": model} | rest)
            pairs = [
                (_timed(direct, path, headers, body), _timed(through, f"/{YARDSTICK}{path}", headers, body))
                for _ in range(ROUNDS)
            ]
            one, other = zip(*pairs, strict=True)
            medians[model] = Medians(statistics.median(one), statistics.median(other))
    finally:
        direct.close()
        through.close()
    return medians


def _timed(connection: http.client.HTTPConnection, path: str, headers: Mapping[str, str], body: bytes) -> float:
    begun = time.perf_counter()
    connection.request("POST", path, body, headers)
    response = connection.getresponse()
    answer = response.read()
    took = time.perf_counter() - begun
    if response.status != 200:
        raise DemoError(f"{path} answered {response.status}: {answer[:200].decode(errors='replace')}")
    return took * 1e3
