"""A gateway that runs out of file descriptors says so to those it cannot serve, and serves again when some are free."""

from __future__ import annotations

import re
import socket
from contextlib import ExitStack

import pytest
from stack import WAIT_S, chat, read_all, request, running, wait_for

pytestmark = pytest.mark.e2e

LIMIT, SPARE = 256, 32


def test_above_the_limit_clients_are_refused_cleanly_and_below_it_served_again() -> None:
    """Of 300 clients at 256 descriptors those beyond get 503, or an end where none is left to say it with."""
    with running(open_files=LIMIT) as (stack, _), ExitStack() as opened:
        lines = [
            opened.enter_context(socket.create_connection(("127.0.0.1", stack.port), timeout=WAIT_S))
            for _ in range(300)
        ]
        answers = [answer for answer in (read_all(line) for line in lines[LIMIT - SPARE :]) if answer]
        assert answers
        assert all(re.match(rb"HTTP/1\.1 503 .*\r\nretry-after: 1\r\n", answer, re.DOTALL) for answer in answers)
        lines[0].sendall(request(body=chat()))
        assert read_all(lines[0]).startswith(b"HTTP/1.1 200 ")
        assert stack.metric("ai_rejections_total", reason="no_descriptor") >= len(answers)
        opened.close()
        wait_for(lambda: stack.metric("ai_connections", side="client") == 0, "the clients' leaving")
        for _ in range(5):
            assert stack.raw(request(body=chat())).startswith(b"HTTP/1.1 200 ")
        assert [row["outcome"] for row in stack.rows(6)] == ["ok"] * 6
