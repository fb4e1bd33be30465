"""The admin listener over real sockets and real processes: what callers see, and what they cannot do to the loop."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import mmap
import os
import signal
import socket
import threading
import time
from typing import TYPE_CHECKING, TypeVar

import pytest
import uvloop
from prometheus_client.parser import text_string_to_metric_families
from stack import WAIT_S, read_all

from beyond_gateway.head_rules import HEAD_BYTES
from beyond_gateway.metrics.cells import CELLS, SLOT_BYTES, retire
from beyond_gateway.metrics.exposition import Exposition
from beyond_gateway.metrics.listener import CONNECTIONS, QUIET_S, Admin
from beyond_gateway.metrics.process import resident_bytes
from beyond_gateway.metrics.worker import WorkerMetrics

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.e2e

T = TypeVar("T")
LARGE = b"x" * (32 * 1024 * 1024)
SCRAPE = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"
PROBE = b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


class Served:
    """A listener on the gateway's own kind of loop, in a thread; its metrics are larger than any socket's buffer."""

    def __init__(self) -> None:
        self.scrapes = 0
        self.admin = Admin(version="1.2.3", ready=lambda: True, metrics=self._metrics)
        self.loop = uvloop.new_event_loop()
        listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = listening.getsockname()[1]
        self.server = self.loop.run_until_complete(self.loop.create_server(self.admin.connection, sock=listening))
        self._thread = threading.Thread(target=self.loop.run_forever)
        self._thread.start()

    def _metrics(self, _: bytes) -> tuple[bytes, bytes]:
        self.scrapes += 1
        return b"text/plain", LARGE

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=WAIT_S)

    def probe(self) -> bytes:
        with self.connect() as caller:
            caller.sendall(PROBE)
            return read_all(caller)

    def run(self, call: Callable[[], T]) -> T:
        """The result of `call`, made on the loop."""

        async def made() -> T:
            return call()

        return asyncio.run_coroutine_threadsafe(made(), self.loop).result(WAIT_S)

    def stop(self) -> None:
        self.run(self.server.close)
        self.run(self.admin.close)
        self.run(lambda: None)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(WAIT_S)
        self.loop.close()


@pytest.fixture
def served() -> Iterator[Served]:
    listener = Served()
    yield listener
    listener.stop()


def test_a_stock_client_reads_every_page(served: Served) -> None:
    """The standard library's client gets all pages on one connection, the large one whole."""
    client = http.client.HTTPConnection("127.0.0.1", served.port, timeout=WAIT_S)
    with contextlib.closing(client):
        for method, path, status in [
            ("GET", "/livez", 200),
            ("HEAD", "/metrics", 200),
            ("GET", "/readyz", 200),
            ("GET", "/metrics", 200),
            ("GET", "/else", 404),
            ("DELETE", "/livez", 405),
        ]:
            client.request(method, path)
            answer = client.getresponse()
            body = answer.read()
            assert (answer.status, answer.will_close) == (status, False)
            assert len(body) == (0 if method == "HEAD" else int(answer.headers["content-length"]))
        client.request("POST", "/livez", body=b"{}")
        answer = client.getresponse()
        assert (answer.status, answer.will_close) == (405, True)


def test_a_scrape_that_nobody_reads_disturbs_nobody(served: Served) -> None:
    """While a caller does not read its answer probes are answered at once; it gets no second one, and then the end."""
    with served.connect() as stalled:
        stalled.sendall(SCRAPE)
        assert stalled.recv(1) == b"H"
        stalled.sendall(SCRAPE)
        started = time.monotonic()
        for _ in range(20):
            assert served.probe().startswith(b"HTTP/1.1 200 ")
        assert time.monotonic() - started < 2.0
        assert served.scrapes == 1
        served.run(lambda: served.admin.tick(QUIET_S))
        with contextlib.suppress(ConnectionResetError):
            assert len(read_all(stalled)) < len(LARGE)
    assert served.run(lambda: repr(served.admin)) == "<Admin connections=0>"


def test_a_refusal_is_read_by_a_caller_that_still_sends(served: Served) -> None:
    """The answer to a head that is too large arrives, though the caller has more to say."""
    with served.connect() as caller:
        caller.sendall(b"GET /livez HTTP/1.1\r\n" + b"X: 1\r\n" * (HEAD_BYTES // 3))
        answer = read_all(caller)
    assert answer.startswith(b"HTTP/1.1 431 ")
    assert answer.endswith(b"}")


def test_idle_callers_keep_no_probe_out(served: Served) -> None:
    """With all places taken a probe is served, in the place of the oldest."""
    with contextlib.ExitStack() as stack:
        idle = [stack.enter_context(served.connect()) for _ in range(CONNECTIONS)]
        idle[-1].sendall(SCRAPE)
        assert idle[-1].recv(1) == b"H"
        assert served.probe().startswith(b"HTTP/1.1 200 ")
        assert read_all(idle[0]) == b""
        idle[1].sendall(PROBE)
        assert read_all(idle[1]).startswith(b"HTTP/1.1 200 ")


# -- several workers


def _work(slots: list[memoryview[float]], number: int, listening: socket.socket, ready: int) -> None:
    """A worker's life in a process of its own: `number` managed requests begun, then scrapes answered."""
    metrics = WorkerMetrics(slots[number])
    for _ in range(number):
        metrics.began()
        metrics.admitted_managed()
        metrics.responded(1, 200, 0.1)
    metrics.resident(resident_bytes())
    exposition = Exposition(slots, version=f"worker-{number}", providers=lambda: ("other", "openai"), breakers=dict)
    loop = uvloop.new_event_loop()
    admin = Admin(version="1.2.3", ready=lambda: True, metrics=exposition.render)
    loop.run_until_complete(loop.create_server(admin.connection, sock=listening))
    os.write(ready, b"!")
    loop.run_forever()


def _start(slots: list[memoryview[float]], number: int, listening: socket.socket) -> int:
    """Fork a worker, wait until it serves, and return its process id."""
    told, ready = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            _work(slots, number, listening, ready)
        finally:
            os._exit(1)
    os.close(ready)
    assert os.read(told, 1) == b"!"
    os.close(told)
    return pid


def _kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def _scrape(listening: socket.socket) -> dict[str, float]:
    """Values by name, with the values of labels behind it."""
    with socket.create_connection(listening.getsockname(), timeout=WAIT_S) as caller:
        caller.sendall(SCRAPE.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        body = read_all(caller).partition(b"\r\n\r\n")[2]
    return {
        sample.name + "".join(sample.labels.values()): sample.value
        for family in text_string_to_metric_families(body.decode())
        for sample in family.samples
    }


def test_any_worker_tells_the_truth_of_all_and_a_killed_one_is_seen() -> None:
    """Three processes, one memory: each answers for all; after a SIGKILL totals stand and the loss is counted."""
    memory = mmap.mmap(-1, 3 * SLOT_BYTES)
    cells = memoryview(memory).cast("d")
    slots = [cells[start : start + CELLS] for start in range(0, len(cells), CELLS)]
    places = [socket.create_server(("127.0.0.1", 0)) for _ in slots]
    pids = [_start(slots, number, places[number]) for number in range(3)]
    try:
        for number, place in enumerate(places):
            told = _scrape(place)
            assert told[f"ai_build_infoworker-{number}"] == 1.0
            assert told["ai_workers"] == 3.0
            assert told["ai_requests_total"] == told["ai_requests_in_flight"] == 3.0
            assert told["ai_upstream_responses_totalopenai2xx"] == 3.0
            assert told["process_resident_memory_bytes"] > 3 << 20
        _kill(pids.pop())
        assert retire(slots[2]) == 2
        told = _scrape(places[0])
        assert (told["ai_workers"], told["ai_rows_lost_total"]) == (2.0, 2.0)
        assert (told["ai_requests_total"], told["ai_requests_in_flight"]) == (3.0, 1.0)
    finally:
        for pid in pids:
            _kill(pid)
        for place in places:
            place.close()
