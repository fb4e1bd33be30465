"""The scripted model over HTTP, asked with the standard library's own client."""

from __future__ import annotations

import http.client
import socket
from contextlib import closing
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from beyond_agent_core.errors import RunFault
from beyond_agent_core.testing.model_server import ModelServer
from beyond_agent_core.testing.model_server_answers import body, stream
from beyond_agent_core.testing.model_server_script import BrokenStream, Raw, Status
from beyond_agent_core.testing.scripted import Broken
from beyond_agent_core.testing.turns import calls, refuses, says
from beyond_wire.accumulate import turn_of
from beyond_wire.dialects import DIALECTS
from beyond_wire.types import TextBlock, ThinkingBlock, TokenUsage, Turn, assistant

if TYPE_CHECKING:
    from beyond_agent_core.testing.model_server_script import Asked
    from beyond_wire.types import DialectName

pytestmark = pytest.mark.e2e
PATHS: dict[DialectName, str] = {
    "anthropic": "/v1/messages",
    "chat": "/v1/chat/completions",
    "responses": "/v1/responses",
}
TURNS = {
    "text": says("hello, this is an answer in pieces: ☃ and 🎈"),
    "empty": says(""),
    "calls": calls(("read", {"path": "a"}), ("list", {}), text="let me see"),
    "refusal": refuses(),
    "cut": says("and then", "max_tokens"),
    "counts": msgspec.structs.replace(
        says("x"), usage=TokenUsage(input_tokens=3, output_tokens=4, cache_read_tokens=5)
    ),
}


def plain(turn: Turn) -> Turn:
    """Without the item ids that only Responses has, and without empty text, which not every dialect sends."""
    blocks = [
        msgspec.structs.replace(block, id=None, phase=None) if isinstance(block, TextBlock) else block
        for block in turn.message.content
        if not (isinstance(block, TextBlock) and not block.text)
    ]
    return msgspec.structs.replace(turn, message=assistant(blocks))


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("name", TURNS)
def test_answers_mean_their_turn(dialect: DialectName, name: str) -> None:
    """The wire package reads back the same turn from the stream and from the whole body."""
    decoder = DIALECTS[dialect].decoder()
    events = [*decoder.feed(b"".join(stream(dialect, TURNS[name]))), *decoder.finish()]
    assert plain(turn_of(events)) == plain(TURNS[name])
    assert plain(DIALECTS[dialect].decode_body(body(dialect, TURNS[name]))) == plain(TURNS[name])


def test_what_a_script_cannot_say_is_a_bug() -> None:
    """Thinking would be lost on the way."""
    turn = Turn(message=assistant([ThinkingBlock(thinking="hm", signature="")]))
    with pytest.raises(TypeError, match="ThinkingBlock"):
        stream("anthropic", turn)


def ask(connection: http.client.HTTPConnection, path: str, **fields: Any) -> http.client.HTTPResponse:
    connection.request("POST", path, msgspec.json.encode(fields), {"content-type": "application/json"})
    return connection.getresponse()


def connect(server: ModelServer) -> http.client.HTTPConnection:
    return http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)


@pytest.mark.parametrize("dialect", PATHS)
def test_streams_and_whole_bodies_on_one_connection(dialect: DialectName) -> None:
    """What is asked for decides; the connection is kept, and what was asked is on record."""
    with ModelServer([says("streamed"), says("whole")]) as server:
        connection = connect(server)
        with ask(connection, f"/team{PATHS[dialect]}", stream=True) as answer:
            assert answer.headers["content-type"] == "text/event-stream"
            assert answer.read() == b"".join(stream(dialect, says("streamed")))
        with ask(connection, PATHS[dialect]) as answer:
            assert answer.headers["content-type"] == "application/json"
            assert answer.read() == body(dialect, says("whole"))
        connection.close()
        assert [(asked.method, asked.path, asked.dialect) for asked in server.requests] == [
            ("POST", f"/team{PATHS[dialect]}", dialect),
            ("POST", PATHS[dialect], dialect),
        ]
        assert (server.requests[0].json, server.accepted) == ({"stream": True}, 1)


def test_statuses() -> None:
    """Statuses, faults, functions of the request, unknown paths and the end of the script."""

    def named(asked: Asked) -> Status:
        return Status(status=418, body=asked.path.encode())

    faults = [
        RunFault(code="http_status", message="later", status=529, retry_after=7),
        RunFault(code="quota", message="used up"),
    ]
    with ModelServer([*faults, named, says("hi")]) as server:
        connection = connect(server)
        found: list[tuple[int, str | None, str]] = []
        for path in ("/v1/messages", "/v1/messages", "/odd", "/nowhere", "/v1/messages"):
            with ask(connection, path) as answer:
                found.append((answer.status, answer.headers["retry-after"], answer.read().decode()))
        connection.close()
    assert [status for status, _, _ in found] == [529, 429, 418, 404, 500]
    assert found[0][1] == "7"
    assert "insufficient_quota" in found[1][2]
    assert found[2][2] == "/odd"
    assert "request 5 has no answer in the script" in found[4][2]


def test_chunked_requests() -> None:
    """A gateway may forward a body in chunks."""
    with ModelServer([says("hi")]) as server, socket.create_connection(("127.0.0.1", server.port), 10) as client:
        client.sendall(b"POST /v1/messages HTTP/1.1\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n")
        client.sendall(b"3;x=y\r\n{}\n\r\n0\r\n\r\n")
        with client.makefile("rb") as answer:
            assert answer.read().endswith(body("anthropic", says("hi")))
        assert server.requests[0].json == {}


def test_cuts() -> None:
    """A cut ends in the middle of a chunked body, a reset with an error, raw bytes are sent as they are."""
    broken = [BrokenStream(turn=says("an answer in pieces"), after=3, then=then) for then in ("cut", "reset")]
    with ModelServer([*broken, Raw(data=b"SMTP?\r\n")]) as server:
        with closing(connect(server)) as client, pytest.raises(http.client.IncompleteRead):
            ask(client, "/v1/messages", stream=True).read()
        with closing(connect(server)) as client, pytest.raises((ConnectionResetError, http.client.IncompleteRead)):
            ask(client, "/v1/messages", stream=True).read()
        with closing(connect(server)) as client, pytest.raises(http.client.BadStatusLine):
            ask(client, "/v1/messages")


def test_an_error_within_a_stream() -> None:
    """It is an event, and the body ends in order."""
    with ModelServer([BrokenStream(turn=says("hi"), after=1, then="error", error_message="sorry")]) as server:
        with closing(connect(server)) as client:
            assert b'"message":"sorry"' in ask(client, "/v1/messages", stream=True).read().splitlines()[-2]
        assert server.left == 0


@pytest.mark.parametrize("then", ["stall", "keep_alives"])
def test_streams_that_never_end(then: Any) -> None:
    """They last until the client leaves, which is counted; keep-alives are comments."""
    with ModelServer([BrokenStream(turn=says("hi"), after=0, then=then)]) as server:
        connection = connect(server)
        answer = ask(connection, "/v1/messages", stream=True)
        if then == "keep_alives":
            assert answer.read(3) == b": k"
        assert server.left == 0
        answer.close()
        connection.close()
        assert server.until(lambda server: server.left == 1)


def test_scripts_of_a_model_without_http() -> None:
    """Their entries become what leads to them: a stall, a cut, a provider's error."""
    turn = says("an answer in pieces")
    broken = RunFault(code="stream_truncated", message="cut", started=True)
    overloaded = RunFault(code="provider_error", message="sorry", transient=True)
    stalled, cut, failed = (Broken(turn=turn, after=2, fault=fault) for fault in (None, broken, overloaded))
    with ModelServer([cut, failed, stalled]) as server:
        with closing(connect(server)) as client, pytest.raises(http.client.IncompleteRead):
            ask(client, "/v1/messages", stream=True).read()
        with closing(connect(server)) as client:
            assert b'"message":"sorry"' in ask(client, "/v1/messages", stream=True).read()
        with closing(connect(server)) as client:
            client.timeout = 0.1
            answer = ask(client, "/v1/messages", stream=True)
            with closing(answer), pytest.raises(TimeoutError):
                answer.read()
        assert server.until(lambda server: server.left == 1)


def test_it_ends_with_clients_still_there() -> None:
    """Idle connections and a stalled stream do not hold it up."""
    with ModelServer([says("hi"), BrokenStream(turn=says("hi"), after=0, then="stall")]) as server:
        idle, stalled = connect(server), connect(server)
        ask(idle, "/v1/messages").read()
        answer = ask(stalled, "/v1/messages", stream=True)
    assert not server.until(lambda server: server.accepted == 3, 0.0)
    for one in (answer, idle, stalled):
        one.close()
