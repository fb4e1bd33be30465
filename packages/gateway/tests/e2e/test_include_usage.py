"""A managed chat stream always asks its provider for usage, and hides what the client did not ask for."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from peer import SSE_HEAD, Peer
from stack import BYO_KEY, KEY, Stack, request
from talk import LAST_CHUNK, served, unchunked, values

pytestmark = pytest.mark.e2e
PLAYED: dict[str, str] = {}
CHAT = "/openai/v1/chat/completions"
DECOYS = (
    rb'"messages":[{"content":"\"stream_options\":{\"include_usage\":true}","stream_options":{"include_usage":true}}],'
    rb'"stream":true,"e":"\u00e9\ud83d\ude42\/","f":1E400}'
)
ASKED = b'"stream_options":{"include_usage":true}'


ONE = b'data: {"id":"1","choices":[{"index":0,"delta":{"content":"hi"}}],"usage":null}\n\n'
EMPTY = b'data: {"id":"1","choices":[],"prompt_filter_results":[]}\n\n'
BOTH = b'data: {"choices":[{"index":0,"delta":{}}],"usage":{"prompt_tokens":5,"completion_tokens":2}}\n\n'
USAGE = b'data: {"id":"1","choices":[],"usage":{"prompt_tokens":7,"completion_tokens":3}}\n\n'
SPACED = b'data:{ "usage" : {"prompt_tokens":7,\ndata: "completion_tokens":3} , "choices" : [ ] }\n\n'
DONE = b"data: [DONE]\n\n"


def stream(*events: bytes) -> bytes:
    """A provider's streamed answer, one chunk to an event."""
    head = SSE_HEAD.replace(b"Content-Type", b"Connection: close\r\nContent-Type")
    return head + b"".join(b"%x\r\n%b\r\n" % (len(event), event) for event in events) + LAST_CHUNK


# What the client sends, and what the provider gets where the client had not asked.
EDITED = {
    "absent": (b'{"model":"m","stream":true}', b"{" + ASKED + b',"model":"m","stream":true}'),
    "absent, spaced": (b' {\n "stream" : true }\r\n', b" {" + ASKED + b',\n "stream" : true }\r\n'),
    "false": (
        b'{"stream":true,"stream_options":{"include_usage":false},"n":1.0e0}',
        b'{"stream":true,"stream_options":{"include_usage":true},"n":1.0e0}',
    ),
    "false among others": (
        b'{"stream_options":{"a":[1,{"include_usage":true}], "include_usage" : false ,"b":2},"stream":true}',
        b'{"stream_options":{"a":[1,{"include_usage":true}], "include_usage" : true ,"b":2},"stream":true}',
    ),
    "null": (b'{"stream":true,"stream_options":{"include_usage":null}}', b'{"stream":true,' + ASKED + b"}"),
    "a string": (b'{"stream":true,"stream_options":{"include_usage":"true"}}', b'{"stream":true,' + ASKED + b"}"),
    "a number": (b'{"stream":true,"stream_options":{"include_usage":1}}', b'{"stream":true,' + ASKED + b"}"),
    "an object": (b'{"stream":true,"stream_options":{"include_usage":{"x":true}}}', b'{"stream":true,' + ASKED + b"}"),
    "options null": (b'{"stream_options":null,"stream":true}', b"{" + ASKED + b',"stream":true}'),
    "options a list": (b'{"stream_options":["include_usage"],"stream":true}', b"{" + ASKED + b',"stream":true}'),
    "options a string": (b'{"stream_options":"{}","stream":true}', b"{" + ASKED + b',"stream":true}'),
    "options true": (b'{"stream":true,"stream_options":true}', b'{"stream":true,' + ASKED + b"}"),
    "options empty": (b'{"stream_options":{},"stream":true}', b"{" + ASKED + b',"stream":true}'),
    "options with another member": (
        b'{"stream_options":{ "x":1},"stream":true}',
        b'{"stream_options":{"include_usage":true, "x":1},"stream":true}',
    ),
    "options twice": (
        b'{"stream_options":{"include_usage":true},"stream":true,"stream_options":{"include_usage":false}}',
        b'{"stream_options":{"include_usage":true},"stream":true,"stream_options":{"include_usage":true}}',
    ),
    "include_usage twice": (
        b'{"stream":true,"stream_options":{"include_usage":true,"include_usage":false}}',
        b'{"stream":true,"stream_options":{"include_usage":true,"include_usage":true}}',
    ),
    "stream twice": (b'{"stream":false,"stream":true}', b"{" + ASKED + b',"stream":false,"stream":true}'),
    "escaped names": (
        rb'{"str\u0065am":true,"stream\u005foptions":{"include_us\u0061ge":false}}',
        rb'{"str\u0065am":true,"stream\u005foptions":{"include_us\u0061ge":true}}',
    ),
    "decoys": (b"{" + DECOYS, b"{" + ASKED + b"," + DECOYS),
    "raw text": ('{"a":"é🙂\u2028","stream":true}'.encode(), b"{" + ASKED + ',"a":"é🙂\u2028","stream":true}'.encode()),
    "a lone surrogate": (rb'{"a":"\ud83d","stream":true}', b"{" + ASKED + rb',"a":"\ud83d","stream":true}'),
}

UNTOUCHED = {
    "no stream": b'{"model":"m","messages":[]}',
    "stream false": b'{"stream":false,"stream_options":{"include_usage":false}}',
    "stream a string": b'{"stream":"true"}',
    "stream one": b'{"stream":1}',
    "stream true, then false": b'{"stream":true,"stream":false}',
    "stream inside": b'{"messages":[{"stream":true}]}',
    "spaces and escapes": b' { "a" : 1.50 , "b":"\\u0041\\/" ,\t"c" : -0 }\n\n',
    "a list": b'[{"stream":true}]',
    "not JSON": b'{"stream":true',
    "two values": b'{"stream":true}{"stream":true}',
    "bytes": bytes(range(256)),
}


@pytest.mark.parametrize("name", EDITED)
def test_usage_is_asked_for(stack: Stack, peer: Peer, name: str) -> None:
    """The provider gets include_usage true and every other byte as sent; the client does not see the extra event."""
    sent, wanted = EDITED[name]
    answer = stream(ONE, EMPTY, BOTH, USAGE, DONE)
    head, body, reply = served(stack, peer, request(CHAT, sent), answer=answer)
    assert body == wanted
    assert values(head, b"content-length") == [b"%d" % len(wanted)]
    assert unchunked(reply.partition(b"\r\n\r\n")[2]) == ONE + EMPTY + BOTH + DONE
    row = stack.rows()[0]
    assert (row["input_tokens"], row["output_tokens"], row["usage_estimated"]) == (7, 3, False)


def test_the_table_means_what_it_says() -> None:
    """Read by an ordinary parser, with the last of equal names, every edited body streams and asks for usage."""
    for name, (_, wanted) in EDITED.items():
        if name == "a lone surrogate" or b"1E400" in wanted:
            continue
        decoded: dict[str, Any] = msgspec.json.decode(wanted)
        assert decoded["stream"] is True, name
        assert decoded["stream_options"]["include_usage"] is True, name


@pytest.mark.parametrize("name", UNTOUCHED)
def test_other_bodies_are_untouched(stack: Stack, peer: Peer, name: str) -> None:
    """What does not ask for a stream reaches the provider byte for byte."""
    _, body, _ = served(stack, peer, request(CHAT, UNTOUCHED[name]))
    assert body == UNTOUCHED[name]


@pytest.mark.parametrize(
    ("path", "key", "sent"),
    [
        (CHAT, KEY, b'{ "stream":true , ' + ASKED + b"}"),
        (CHAT, KEY, b'{"stream":true,"stream_options":{"include_usage":false,"include_usage":true}}'),
        (CHAT, BYO_KEY, b'{"stream":true}'),
        ("/openai/v1/responses", KEY, b'{"stream":true}'),
        ("/openai/v1/completions", BYO_KEY, b'{"stream":true}'),
        ("/anthropic/v1/messages", KEY, b'{"stream":true}'),
    ],
)
def test_who_asked_gets_it(stack: Stack, peer: Peer, path: str, key: str, sent: bytes) -> None:
    """Where the client asked, or where it is not ours to ask, the body passes as sent and so does every event."""
    answer = stream(ONE, BOTH, USAGE, DONE)
    _, body, reply = served(stack, peer, request(path, sent, key=key), answer=answer)
    assert body == sent
    assert reply.endswith(answer.partition(b"\r\n\r\n")[2])


@pytest.mark.parametrize("hidden", [USAGE, SPACED, USAGE.replace(b"\n", b"\r\n"), b": x\nevent: message\n" + USAGE])
def test_only_the_extra_event_is_hidden(stack: Stack, peer: Peer, hidden: bytes) -> None:
    """The usage event goes in every spelling; an event with choices and usage, or with neither, stays."""
    near = b'data: {"choices":[],"usage":null}\n\n'
    quoted = b'data: {"choices":[{"delta":{"content":"\\"choices\\":[],\\"usage\\":{}"}}]}\n\n'
    answer = stream(ONE, near, quoted, BOTH, hidden, BOTH, DONE)
    _, _, reply = served(stack, peer, request(CHAT, b'{"stream":true}'), answer=answer)
    assert unchunked(reply.partition(b"\r\n\r\n")[2]) == ONE + near + quoted + BOTH + BOTH + DONE


def test_hiding_in_an_answer_of_known_length(stack: Stack, peer: Peer) -> None:
    """A stream with a Content-Length is framed anew, so that the client does not wait for the hidden bytes."""
    body = ONE + USAGE + DONE
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
    _, _, reply = served(stack, peer, request(CHAT, b'{"stream":true}'), answer=head % len(body) + body)
    assert values(reply, b"content-length") == []
    assert unchunked(reply.partition(b"\r\n\r\n")[2]) == ONE + DONE


def test_an_error_instead_of_a_stream(stack: Stack, peer: Peer) -> None:
    """A provider's JSON error to a stream that we edited passes byte for byte."""
    error = b'{"error":{"message":"no","choices":[],"usage":{}}}'
    head = (
        b"HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
    )
    _, _, reply = served(stack, peer, request(CHAT, b'{"stream":true}'), answer=head % len(error) + error)
    assert reply.endswith(b"\r\n\r\n" + error)
    assert stack.rows()[0]["outcome"] == "upstream_error"
