"""One request through the gateway: what goes out on each side, and what happens when something fails."""

from __future__ import annotations

import time

import pytest
from exchanges import (
    ASKED,
    CHAT_PATH,
    CLOSED,
    COMPLETION,
    DELTA,
    DONE,
    RESPONSE,
    RESPONSE_ASKED,
    RESPONSES_PATH,
    SSE_HEAD,
    STREAMED,
    USAGE_EVENT,
    chunked,
    json_answer,
    post,
)
from playbook import BYO, IDS, POOL, Play

POOL_HEAD = b"host: api.openai.com\r\nauthorization: Bearer %b\r\naccept-encoding: identity\r\n" % POOL
ID = b"x-beyond-request-id: %b\r\n" % IDS[0]


def sent_on(path: bytes, body: bytes) -> bytes:
    """What a provider gets for a managed request of ours."""
    head = b"POST %b HTTP/1.1\r\n%bcontent-type: application/json\r\n" % (path, POOL_HEAD)
    return head + b"content-length: %d\r\n\r\n%b" % (len(body), body)


def with_id(response: bytes, number: int = 0, *, close: bool = False) -> bytes:
    """What the client gets for a response that passes as it came."""
    head, end, body = response.partition(b"\r\n\r\n")
    ours = b"\r\nx-beyond-request-id: " + IDS[number] + (b"\r\nconnection: close" if close else b"")
    return head + ours + end + body


# -- main paths


def test_a_managed_chat_is_sent_under_the_pool_key_and_billed_once() -> None:
    """The provider gets its own key, the client the answer with our id, and one row says what it cost."""
    with Play() as play:
        play.client_sends(post(CHAT_PATH, ASKED)).upstream_gets(sent_on(b"/v1/chat/completions", ASKED))
        play.upstream_sends(json_answer(COMPLETION)).client_gets(with_id(json_answer(COMPLETION)))
        play.client_stays().idle(1).one_row(
            model="gpt-4o-2024",
            requested_model="gpt-4o",
            input_tokens=9,
            output_tokens=4,
            outcome="ok",
            usage_estimated=False,
            stream=False,
            upstream_status=200,
            request_id=IDS[0].decode(),
        )


def test_a_stream_is_asked_for_its_usage_which_the_client_does_not_see() -> None:
    """A client that did not ask gets every event but the usage event; the row has its counts."""
    with Play() as play:
        play.client_sends(post(CHAT_PATH, STREAMED))
        body = STREAMED.replace(b"{", b'{"stream_options":{"include_usage":true},', 1)
        play.upstream_gets(sent_on(b"/v1/chat/completions", body))
        play.upstream_sends(SSE_HEAD)
        sse_head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
        play.client_gets(sse_head, ID, b"transfer-encoding: chunked\r\n\r\n")
        for event in (DELTA, DONE):
            play.upstream_sends(chunked(event + b"\n\n", end=b"")).client_gets(chunked(event + b"\n\n", end=b""))
        play.upstream_sends(chunked(USAGE_EVENT + b"\n\n", end=b"")).client_gets()
        play.upstream_sends(chunked()).client_gets(chunked())
        play.client_stays().idle(1).one_row(stream=True, input_tokens=9, output_tokens=4, outcome="ok")


def test_a_body_leaves_as_it_arrives_in_its_own_framing() -> None:
    """A body that need not be edited is passed on piece by piece, and so is its answer."""
    head, end, body = post(RESPONSES_PATH, RESPONSE_ASKED, chunks=True).partition(b"\r\n\r\n")
    with Play() as play:
        play.client_sends(head + end)
        framed = b"POST /v1/responses HTTP/1.1\r\n%bcontent-type: application/json\r\n" % POOL_HEAD
        play.upstream_gets(framed, b"transfer-encoding: chunked\r\n\r\n")
        play.client_sends(body[:9]).upstream_gets(body[:9]).client_sends(body[9:]).upstream_gets(body[9:])
        answer = with_id(json_answer(RESPONSE))
        play.upstream_sends(json_answer(RESPONSE)[:-5]).client_gets(answer[:-5])
        play.upstream_sends(RESPONSE[-5:]).client_gets(answer[-5:])
        play.one_row(model="gpt-4.1-x", requested_model="gpt-4.1", input_tokens=5, output_tokens=2)


def test_a_callers_own_key_passes_with_its_fields_and_is_not_billed() -> None:
    """Under a caller's own key the fields go on as sent, and no row is written."""
    request = post(CHAT_PATH, ASKED, b"X-Mine: 1", b"Connection: x-hop", b"X-Hop: 2", b"X-Beyond-A: 3", key=BYO)
    own = b"host: api.openai.com\r\nAuthorization: Bearer %b\r\nContent-Type: application/json\r\nX-Mine: 1\r\n" % BYO
    with Play() as play:
        play.client_sends(request)
        head = b"POST /v1/chat/completions HTTP/1.1\r\n" + own
        play.upstream_gets(head, b"content-length: %d\r\n\r\n" % len(ASKED), ASKED)
        play.upstream_sends(json_answer(COMPLETION)).client_gets(with_id(json_answer(COMPLETION))).no_row()


def test_head_and_body_go_out_in_one_write_on_a_kept_connection() -> None:
    """On an idle connection the head waits for the body bytes of the same read."""
    request = post(RESPONSES_PATH, RESPONSE_ASKED)
    with Play(warm="openai") as play:
        play.client_sends(request).upstream_gets(sent_on(b"/v1/responses", RESPONSE_ASKED))
        play.upstream_sends(json_answer(RESPONSE)).client_gets(with_id(json_answer(RESPONSE)))
        assert len(play.gateway.lines) == 1
        play.idle(1).one_row(outcome="ok")


def test_a_body_that_ends_with_the_connection_is_chunked_for_the_client() -> None:
    """The client's connection lives on although the provider's had to end."""
    with Play() as play:
        play.client_sends(post(RESPONSES_PATH, RESPONSE_ASKED)).upstream_rest()
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n" + ID + b"transfer-encoding: chunked\r\n\r\n"
        play.upstream_sends(CLOSED + RESPONSE).client_gets(head, chunked(RESPONSE, end=b""))
        play.upstream_ends().client_gets(chunked()).client_stays().idle(0).one_row(outcome="ok", output_tokens=2)


def test_an_old_client_gets_its_stream_without_chunks_and_closed() -> None:
    """HTTP/1.0 knows no chunks: the body is unframed and ends with the connection."""
    with Play() as play:
        play.client_sends(post(CHAT_PATH, STREAMED, minor=0)).upstream_rest()
        play.upstream_sends(SSE_HEAD + chunked(DELTA + b"\n\n", DONE + b"\n\n"))
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n" + ID + b"connection: close\r\n\r\n"
        play.client_gets(head, DELTA + b"\n\n" + DONE + b"\n\n").client_closes().idle(1).one_row(outcome="ok")


@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified"])
def test_a_response_without_a_body_ends_with_its_head(status: bytes) -> None:
    """204 and 304 are complete at once, whatever they declare."""
    with Play() as play:
        play.client_sends(post(CHAT_PATH, ASKED, key=BYO)).upstream_rest()
        play.upstream_sends(b"HTTP/1.1 %b\r\nEtag: x\r\n\r\n" % status)
        play.client_gets(b"HTTP/1.1 %b\r\nEtag: x\r\n%b\r\n" % (status, ID)).client_stays().idle(1).no_row()


def test_a_continue_is_answered_at_admission_and_the_providers_is_swallowed() -> None:
    """The client is told to go on by us, once; another 1xx passes."""
    head, end, body = post(RESPONSES_PATH, RESPONSE_ASKED, b"Expect: 100-continue").partition(b"\r\n\r\n")
    hints = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n"
    with Play() as play:
        play.client_sends(head + end).client_gets(b"HTTP/1.1 100 Continue\r\n\r\n").upstream_rest()
        play.client_sends(body).upstream_gets(body)
        play.upstream_sends(b"HTTP/1.1 100 Continue\r\n\r\n").client_gets()
        play.upstream_sends(hints + b"\r\n").client_gets(hints + ID + b"\r\n")
        play.upstream_sends(json_answer(RESPONSE)).client_gets(with_id(json_answer(RESPONSE))).one_row(outcome="ok")


def test_a_pool_key_in_an_error_is_overwritten() -> None:
    """A provider that echoes our key in head and body tells the client stars."""
    body = b'{"error":"bad key %b"}' % POOL
    answer = b"HTTP/1.1 401 No\r\nX-Key: %b\r\nContent-Length: %d\r\n\r\n%b" % (POOL, len(body), body)
    with Play() as play:
        play.client_sends(post(CHAT_PATH, ASKED)).upstream_rest()
        at = answer.rindex(POOL) + 3
        play.upstream_sends(answer[:at], answer[at:])
        play.client_gets(with_id(answer.replace(POOL, b"*" * len(POOL))))
        play.one_row(outcome="upstream_error", upstream_status=401)


# -- what goes wrong


def test_refusals_are_answered_and_the_connection_serves_the_next_request() -> None:
    """A refused request is logged once, its body is thrown away, and the next one is served."""
    with Play() as play:
        play.client_sends(post(b"/nobody/v1/x", ASKED)).client_gets_error(404, "unknown provider").client_stays()
        play.client_sends(post(b"/openai/v1/files", ASKED))
        play.client_gets_error(404, "endpoint not available to managed keys")
        play.client_sends(post(CHAT_PATH, ASKED)).upstream_rest()
        play.upstream_sends(json_answer(COMPLETION)).client_gets(with_id(json_answer(COMPLETION), 2))
        play.one_row(outcome="ok")
        assert [line["status"] for line in play.diagnostics()] == [404, 404]


def test_a_client_that_reads_no_answers_gets_no_more_of_them() -> None:
    """Requests behind a full write buffer wait, and are read no more past a bound; each is answered once it empties."""
    request = b"GET /nobody/v1 HTTP/1.1\r\nHost: g\r\n\r\n"
    with Play() as play:
        play.client.stalls_when_written = True
        play.client_sends(request * 3)
        assert play.client_rest().count(b" 404 ") == 1
        play.client_sends(request * 4000)
        assert not play.client.is_reading()
        for left in range(3, 0, -1):
            play.client.peer_catches_up()
            assert play.run().client_rest().count(b" 404 ") == 1, left
        play.client.stalls_when_written = False
        play.client.peer_catches_up()
        assert play.run().client_rest().count(b" 404 ") == 4003 - 4
        assert play.client.is_reading()
        play.client_stays().no_row()


def test_a_malformed_head_is_400_and_the_end_of_the_connection() -> None:
    """Nothing behind a head that is not HTTP is read as a request."""
    with Play() as play:
        play.client_sends(b"GET / HTTP/1.1\r\nA : b\r\n\r\n" + post(CHAT_PATH, ASKED))
        play.client_gets_error(400, "malformed header field name").no_row()
        play.client_sends(post(CHAT_PATH, ASKED)).client_gets()
        assert play.client.half_closed


def test_a_bad_chunk_is_400_and_nothing_of_it_is_forwarded() -> None:
    """A body that is not chunked coding is refused, also when its request is already on its way."""
    for path in (CHAT_PATH, RESPONSES_PATH):
        with Play() as play:
            head, end, _ = post(path, ASKED, chunks=True).partition(b"\r\n\r\n")
            play.client_sends(head + end).upstream_rest()
            play.client_sends(b"zz\r\n").upstream_gets().client_gets_error(400, "bad chunk size line")
            play.one_row(outcome="client_cancelled")


def test_a_provider_that_cannot_be_reached_is_502() -> None:
    """No connection: the request was never sent, and its row says so."""
    with Play() as play:
        play.gateway.reachable = False
        play.client_sends(post(CHAT_PATH, ASKED)).client_gets_error(502, "no provider could be reached")
        play.client_stays().one_row(outcome="upstream_error", upstream_status=None, input_tokens=None)


@pytest.mark.parametrize("error", [UnicodeError("label empty or too long"), ValueError(), RuntimeError()])
def test_a_dial_that_fails_in_an_unknown_way_is_502_too(error: Exception) -> None:
    """Whatever an event loop or a resolver raises, the client is answered and the exchange ends."""

    async def fails(*_: object, **__: object) -> None:
        raise error

    with Play() as play:
        vars(play.loop)["create_connection"] = fails
        play.client_sends(post(CHAT_PATH, ASKED)).client_gets_error(502, "no provider could be reached")
        play.client_stays().one_row(outcome="upstream_error", upstream_status=None, input_tokens=None)


def test_a_stale_connection_is_replaced_once() -> None:
    """A kept connection that dies before any byte of an answer is retried on a fresh one; that one is not."""
    with Play(warm="openai") as play:
        wanted = sent_on(b"/v1/chat/completions", ASKED)
        play.client_sends(post(CHAT_PATH, ASKED)).upstream_gets(wanted)
        play.upstream_dies().upstream_gets(wanted).client_gets()
        play.upstream_dies().upstream_gets()
        play.client_gets_error(502, "upstream failed after receiving the request").one_row(outcome="upstream_error")


def test_a_connection_that_died_late_or_had_answered_is_not_replaced() -> None:
    """What may have been processed is never sent twice."""
    for late in (True, False):
        with Play(warm="openai") as play:
            play.client_sends(post(CHAT_PATH, ASKED)).upstream_gets(sent_on(b"/v1/chat/completions", ASKED))
            if late:
                play.ticks(1.5)
            else:
                play.upstream_sends(b"H")
            play.upstream_dies().upstream_gets()
            play.client_gets_error(502, "upstream failed after receiving the request").one_row(outcome="upstream_error")


def test_a_truncated_answer_never_looks_whole() -> None:
    """The provider dies in the middle of a stream: the client's connection ends without the last chunk."""
    with Play() as play:
        play.client_sends(post(CHAT_PATH, STREAMED)).upstream_rest()
        play.upstream_sends(SSE_HEAD + chunked(DELTA + b"\n\n", end=b"")).client_rest()
        play.upstream_dies().client_gets().client_closes().one_row(outcome="cut_short", usage_estimated=True)


def test_an_answer_before_the_body_ends_closes_the_client() -> None:
    """A provider that answers early has not read the rest: neither connection is used again."""
    with Play() as play:
        request = post(RESPONSES_PATH, RESPONSE_ASKED)
        play.client_sends(request[:-5]).upstream_rest()
        play.upstream_sends(json_answer(RESPONSE)).client_gets(with_id(json_answer(RESPONSE), close=True))
        play.idle(0).one_row(outcome="ok")
        assert play.client.half_closed


def test_bytes_behind_an_answer_make_a_connection_unusable() -> None:
    """What a provider says unasked would be taken for the next answer."""
    with Play() as play:
        play.client_sends(post(CHAT_PATH, ASKED)).upstream_rest()
        play.upstream_sends(json_answer(COMPLETION) + b"x").client_gets(with_id(json_answer(COMPLETION)))
        play.idle(0).one_row(outcome="ok")


def test_a_long_next_request_that_waits_leaves_the_provider_its_time() -> None:
    """An answer may take the read timeout, not the write timeout, behind which a pipelined body stopped the reading."""
    with Play(read_timeout_secs=300.0, write_timeout_secs=60.0) as play:
        play.client_sends(post(RESPONSES_PATH, RESPONSE_ASKED) + post(RESPONSES_PATH, b"x" * 70_000))
        play.upstream_rest()
        assert not play.client.is_reading()
        play.ticks(61.0).upstream_sends(json_answer(RESPONSE)).client_gets(with_id(json_answer(RESPONSE)))
        play.client_leaves().upstream_rest()
        assert [row["outcome"] for row in play.rows()] == ["ok", "client_cancelled"]


def test_bodies_held_whole_have_a_budget() -> None:
    """Above `max_buffered_body_bytes` a chat gets 503 and gives its bytes back."""
    with Play(max_buffered_body_bytes=len(ASKED) - 1) as play:
        for chunks in (False, True):
            play.client_sends(post(CHAT_PATH, ASKED, chunks=chunks))
            play.client_gets_error(503, "provider temporarily unavailable")
            assert play.gateway.buffered_bytes == 0
        assert [row["outcome"] for row in play.rows()] == ["upstream_error"] * 2
        play.balanced()


@pytest.mark.parametrize("path", [CHAT_PATH, RESPONSES_PATH])
def test_a_long_body_that_waited_for_its_turn_is_read_to_its_end(path: bytes) -> None:
    """Bytes that come between the end of one answer and the next request's turn do not stop its body for good."""
    long = post(path, b"x" * 200_000)
    with Play() as play:
        play.client_sends(post(RESPONSES_PATH, RESPONSE_ASKED) + long[:70_000], long[70_000:140_000], long[140_000:])
        play.upstream_rest()
        play.upstream_sends(json_answer(RESPONSE)).client_gets(with_id(json_answer(RESPONSE)))
        assert play.upstream_rest().endswith(b"x" * 200_000)
        play.upstream_sends(json_answer(RESPONSE)).client_gets(with_id(json_answer(RESPONSE), 1))
        assert [row["outcome"] for row in play.rows()] == ["ok", "ok"]
        play.client_stays().idle(1).balanced()


def test_a_full_row_queue_refuses_managed_requests_only() -> None:
    """Rows that cannot be written stop what would be billed, and nothing else."""
    with Play() as play:
        play.gateway.rows = type(play.gateway.rows)(1, play.loop, limit=0)
        play.client_sends(post(CHAT_PATH, ASKED)).client_gets_error(503, "provider temporarily unavailable")
        play.client_sends(post(CHAT_PATH, ASKED, key=BYO)).upstream_rest()
        play.upstream_sends(json_answer(COMPLETION)).client_gets(with_id(json_answer(COMPLETION), 1)).no_row()


def test_a_client_that_stalls_on_the_last_byte_leaves_a_reusable_connection() -> None:
    """The provider's connection is read again before it is kept: it stood still for this client only."""
    with Play() as play:
        play.client_sends(post(CHAT_PATH, ASKED)).upstream_rest()
        play.client.stalls_when_written = True
        play.upstream_sends(json_answer(COMPLETION)).client_gets(with_id(json_answer(COMPLETION)))
        assert play.client.stalled
        play.idle(1).one_row(outcome="ok")


@pytest.mark.parametrize("more", [1000, 100_000])
def test_a_long_body_is_read_on_after_a_provider_that_cannot_be_reached(more: int) -> None:
    """Reading stopped while nobody was connected; it goes on when that is over, or the answer is lost with a reset."""
    with Play() as play:
        play.gateway.reachable = None
        body = b"x" * (70_000 + more)
        request = post(RESPONSES_PATH, body, key=BYO)
        play.client_sends(request[:-more])
        assert not play.client.reading
        play.dialling_ends(reachable=False).client_gets_error(502, "no provider could be reached").no_row()
        assert play.client.reading


def test_empty_lines_before_a_request_cost_what_their_bytes_do() -> None:
    """A read full of empty lines takes milliseconds, not a copy of all that follows for each, and is then served."""
    with Play() as play:
        begun = time.process_time()
        play.client_sends(b"\r\n" * 262_144)
        assert time.process_time() - begun < 1.0
        play.client_sends(b"GET /nobody/v1 HTTP/1.1\r\nHost: g\r\n\r\n").client_gets_error(404, "unknown provider")
        play.client_stays().no_row()
