"""The admin listener, driven over fake transports: pages, grammar, time, and how much it may hold."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec
import pytest
from fake_transport import FakeTransport

from beyond_gateway.head_rules import HEAD_BYTES, TARGET_BYTES
from beyond_gateway.metrics.listener import CONNECTIONS, LINGER_S, QUIET_S, Admin, AdminConnection

if TYPE_CHECKING:
    from collections.abc import Iterator

METRICS = b"# EOF\n"


class Server:
    """A listener whose readiness a test sets, and the callers it has."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.ready = True
        self.accepts: list[bytes] = []
        self.loop = loop
        self.admin = Admin(version="1.2.3", ready=lambda: self.ready, metrics=self._metrics)

    def _metrics(self, accept: bytes) -> tuple[bytes, bytes]:
        self.accepts.append(accept)
        return b"text/plain", METRICS

    def call(self) -> FakeTransport:
        return FakeTransport(self.loop, self.admin.connection())

    def settle(self) -> None:
        """Let the transports tell what they have to."""
        self.loop.run_until_complete(asyncio.sleep(0))

    def ask(self, data: bytes) -> bytes:
        """Everything that a caller gets for `data`, sent whole; the same comes for it sent byte by byte."""
        whole, bitten = self.call(), self.call()
        whole.peer_sends(data)
        for number in range(len(data)):
            bitten.peer_sends(data[number : number + 1])
        assert (whole.out, whole.faults) == (bitten.out, bitten.faults)
        assert whole.faults == []
        return bytes(whole.out)


@pytest.fixture
def server() -> Iterator[Server]:
    loop = asyncio.new_event_loop()
    yield Server(loop)
    loop.close()


def get(target: bytes, *fields: bytes, method: bytes = b"GET", minor: int = 1) -> bytes:
    return b"%b %b HTTP/1.%d\r\n%b\r\n\r\n" % (method, target, minor, b"\r\n".join([b"Host: x", *fields]))


def parts(answer: bytes) -> tuple[int, dict[bytes, bytes], bytes]:
    """Status, fields and body of the one answer in `answer`, whose body has the length that its head says."""
    head, _, body = answer.partition(b"\r\n\r\n")
    line, *lines = head.split(b"\r\n")
    fields = dict(field.split(b": ", 1) for field in lines)
    assert len(body) in (int(fields[b"content-length"]), 0)
    return int(line.split()[1]), fields, body


def test_a_live_process_says_so(server: Server) -> None:
    """/livez answers with status and version, as the contract has it."""
    status, fields, body = parts(server.ask(get(b"/livez")))
    assert (status, fields[b"content-type"]) == (200, b"application/json")
    assert body == b'{"status":"ok","version":"1.2.3"}'
    assert b"connection" not in fields


def test_a_draining_gateway_is_alive_but_not_ready(server: Server) -> None:
    """/readyz is 503 while draining, with the time to come back; /livez stays 200, or it would be restarted."""
    assert parts(server.ask(get(b"/readyz")))[0] == 200
    server.ready = False
    status, fields, body = parts(server.ask(get(b"/readyz")))
    assert (status, fields[b"retry-after"]) == (503, b"1")
    assert body == b'{"status":"draining","version":"1.2.3"}'
    assert parts(server.ask(get(b"/livez")))[0] == 200


def test_a_scrape_gets_what_its_accept_asks_for(server: Server) -> None:
    """/metrics hands the Accept value on and answers with the type and text that come back; a query is ignored."""
    status, fields, body = parts(server.ask(get(b"/metrics?name=x", b"Accept: a/b;q=1")))
    assert (status, fields[b"content-type"], body) == (200, b"text/plain", METRICS)
    server.ask(get(b"/metrics"))
    assert server.accepts == [b"a/b;q=1", b"a/b;q=1", b"", b""]


def test_head_is_get_without_the_body(server: Server) -> None:
    """A HEAD gets the same head, the length of the body that it does not get included."""
    for target in (b"/livez", b"/metrics", b"/nothing"):
        full = server.ask(get(target))
        assert server.ask(get(target, method=b"HEAD")) == full.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"


@pytest.mark.parametrize("target", [b"/", b"/livez/", b"/LIVEZ", b"/metrics/x", b"*", b"http://x/livez", b"/livez%20"])
def test_there_is_no_other_page(server: Server, target: bytes) -> None:
    """Anything but the three paths is 404 in the gateway's error shape."""
    status, _, body = parts(server.ask(get(target)))
    assert status == 404
    assert msgspec.json.decode(body)["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize("method", [b"POST", b"PUT", b"DELETE", b"OPTIONS", b"get"])
def test_pages_are_only_read(server: Server, method: bytes) -> None:
    """Another method is 405 and says which ones there are."""
    status, fields, body = parts(server.ask(get(b"/metrics", method=method)))
    assert (status, fields[b"allow"]) == (405, b"GET, HEAD")
    assert msgspec.json.decode(body)["error"]["message"]
    assert server.accepts == []


@pytest.mark.parametrize(
    ("status", "data"),
    [
        (400, b"nonsense\r\n\r\n"),
        (400, b"GET /livez HTTP/1.1\n\n"),
        (400, b"GET /livez HTTP/1.1\r\n\r\n"),
        (400, b"GET /livez HTTP/2.0\r\nHost: x\r\n\r\n"),
        (400, get(b"/livez", b"Host: y")),
        (400, get(b"/livez", b"Upgrade: websocket")),
        (414, b"GET /" + b"a" * TARGET_BYTES),
        (431, b"GET /livez HTTP/1.1\r\n" + b"X: 1\r\n" * (HEAD_BYTES // 6)),
    ],
    ids=["words", "bare LF", "no host", "version", "two hosts", "upgrade", "target", "head"],
)
def test_what_is_no_request_is_refused(server: Server, status: int, data: bytes) -> None:
    """A malformed head gets its status once, in the error shape, and the connection ends."""
    caller = server.call()
    for start in range(0, len(data), 1000):
        caller.peer_sends(data[start : start + 1000])
    found, fields, body = parts(bytes(caller.out))
    assert (found, fields[b"connection"]) == (status, b"close")
    assert msgspec.json.decode(body)["error"]["type"] == "invalid_request_error"
    assert caller.half_closed
    assert repr(caller.protocol) == "<AdminConnection lingering waiting=0>"
    caller.peer_sends(get(b"/livez"))
    assert caller.out.count(b"HTTP/1.1 ") == 1
    assert caller.faults == []


def test_a_connection_takes_one_request_after_another(server: Server) -> None:
    """Keep-alive: three requests, three answers; an empty line before a request does no harm."""
    caller = server.call()
    for target in (b"/livez", b"/metrics", b"/nothing"):
        caller.peer_sends(b"\r\n" + get(target))
    assert caller.out.count(b"HTTP/1.1 ") == 3
    assert not caller.is_closing()


@pytest.mark.parametrize(
    "data", [get(b"/livez", b"Connection: close"), get(b"/livez", minor=0)], ids=["close", "HTTP/1.0"]
)
def test_a_caller_that_wants_the_end_gets_it(server: Server, data: bytes) -> None:
    """`Connection: close` and HTTP/1.0 are answered and closed."""
    caller = server.call()
    caller.peer_sends(data)
    assert parts(bytes(caller.out))[1][b"connection"] == b"close"
    assert caller.is_closing()


@pytest.mark.parametrize(
    "data",
    [
        get(b"/livez", b"Content-Length: 5"),
        get(b"/livez", b"Transfer-Encoding: chunked"),
        get(b"/livez") + get(b"/metrics"),
        get(b"/livez") * 1000,
    ],
    ids=["length", "chunked", "a second", "a thousand"],
)
def test_what_stands_behind_a_head_is_not_read(server: Server, data: bytes) -> None:
    """One answer, the end of our side, and two seconds to read it; what comes then is thrown away."""
    caller = server.call()
    caller.peer_sends(data)
    caller.peer_sends(b"x" * 1000)
    status, fields, _ = parts(bytes(caller.out))
    assert (status, fields[b"connection"]) == (200, b"close")
    assert (caller.half_closed, caller.is_closing()) == (True, False)
    assert server.accepts == []
    assert "waiting=0" in repr(caller.protocol)
    server.admin.tick(LINGER_S - 0.5)
    assert not caller.is_closing()
    server.admin.tick(0.5)
    assert caller.is_closing()
    assert caller.faults == []


def test_a_caller_that_ends_its_side_is_closed(server: Server) -> None:
    """The end of sending closes the connection, answered or not."""
    caller = server.call()
    caller.peer_sends(get(b"/livez"))
    caller.peer_ends()
    assert caller.out.startswith(b"HTTP/1.1 200 ")
    assert caller.is_closing()


def test_a_head_has_ten_seconds_however_it_trickles(server: Server) -> None:
    """Bytes that come all the time do not keep a connection whose head never ends."""
    caller = server.call()
    for _ in range(int(QUIET_S) - 1):
        caller.peer_sends(b"G")
        server.admin.tick(1.0)
    assert not caller.is_closing()
    server.admin.tick(1.0)
    assert caller.is_closing()


def test_an_idle_connection_has_ten_seconds_after_each_answer(server: Server) -> None:
    """Time counts from the last answer."""
    caller = server.call()
    for _ in range(3):
        server.admin.tick(QUIET_S - 1)
        caller.peer_sends(get(b"/livez"))
    server.admin.tick(QUIET_S - 1)
    assert not caller.is_closing()
    server.admin.tick(1.0)
    assert caller.is_closing()


def test_a_slow_reader_gets_no_second_answer(server: Server) -> None:
    """While an answer waits nothing is read; when it is gone the next request is taken."""
    caller = server.call()
    caller.stalls_when_written = True
    caller.peer_sends(get(b"/metrics"))
    caller.peer_sends(get(b"/metrics"))
    assert caller.out.count(b"HTTP/1.1 ") == 1
    assert not caller.reading
    assert "stalled" in repr(caller.protocol)
    caller.peer_catches_up()
    server.settle()
    assert caller.out.count(b"HTTP/1.1 ") == 2
    assert caller.faults == []


@pytest.mark.parametrize(
    "data", [get(b"/metrics"), get(b"/metrics", b"Connection: close"), get(b"/metrics", b"Content-Length: 1")]
)
def test_a_reader_that_stops_is_cut_off(server: Server, data: bytes) -> None:
    """An answer that nobody reads is held for ten seconds, be the connection closing or not."""
    caller = server.call()
    caller.stalls_when_written = True
    caller.peer_sends(data)
    server.admin.tick(QUIET_S - 1)
    server.settle()
    assert not caller.lost
    server.admin.tick(1.0)
    server.settle()
    assert caller.lost
    assert repr(server.admin) == "<Admin connections=0>"


def test_a_closing_connection_may_catch_up(server: Server) -> None:
    """A slow reader of a last answer gets all of it, and then the end."""
    caller = server.call()
    caller.stalls_when_written = True
    caller.peer_sends(get(b"/metrics", b"Connection: close"))
    caller.peer_catches_up()
    server.settle()
    assert caller.lost
    assert caller.faults == []


def test_the_newest_caller_wins(server: Server) -> None:
    """Connections are bounded, and those that sit there cannot keep a probe out."""
    callers = [server.call() for _ in range(CONNECTIONS)]
    assert not any(caller.is_closing() for caller in callers)
    probe = server.call()
    probe.peer_sends(get(b"/livez"))
    assert probe.out.startswith(b"HTTP/1.1 200 ")
    assert [caller.is_closing() for caller in callers] == [True] + [False] * (CONNECTIONS - 1)
    assert repr(server.admin) == f"<Admin connections={CONNECTIONS}>"
    server.settle()
    assert repr(server.admin) == f"<Admin connections={CONNECTIONS}>"


def test_the_end_of_the_listener_is_the_end_of_its_connections(server: Server) -> None:
    """After `close` nobody is connected, and a caller who is gone is forgotten."""
    callers = [server.call() for _ in range(3)]
    callers[0].peer_resets()
    assert repr(server.admin) == "<Admin connections=2>"
    server.admin.close()
    server.settle()
    assert all(caller.lost for caller in callers)
    assert repr(server.admin) == "<Admin connections=0>"
    assert isinstance(callers[0].protocol, AdminConnection)
    assert repr(callers[0].protocol) == "<AdminConnection open waiting=0>"
