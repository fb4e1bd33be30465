"""Diagnostic lines: their shape, their cap, and what never stands in them."""

from __future__ import annotations

import asyncio
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import msgspec
from exchanges import CHAT_PATH, STREAMED, json_answer, post
from playbook import BYO, KEY, POOL, Play

from beyond_gateway.errors import INVALID_KEY, bad_request
from beyond_gateway.log import LINES_PER_SECOND, Log
from beyond_gateway.usage_rows import LineWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path


class Clock:
    """Seconds that a test sets."""

    def __init__(self) -> None:
        self.now = 50.0

    def __call__(self) -> float:
        return self.now


@contextmanager
def logging(path: Path) -> Generator[tuple[Log, Clock, Callable[[], list[dict[str, Any]]]]]:
    """A log on a file, its clock, and the lines written so far."""
    loop = asyncio.new_event_loop()
    fd = os.open(path, os.O_RDWR | os.O_CREAT)
    clock = Clock()
    log = Log(LineWriter(fd, loop), clock)

    def lines() -> list[dict[str, Any]]:
        log.close()
        return [msgspec.json.decode(line) for line in path.read_bytes().splitlines()]

    yield log, clock, lines
    os.close(fd)
    loop.close()


def test_a_refusal_is_one_line_with_id_status_and_type(tmp_path: Path) -> None:
    """The line names the request and what it got; the envelope is the one of all our lines."""
    with logging(tmp_path / "log") as (log, _, lines):
        log.refused("abc", INVALID_KEY)
        (line,) = lines()
    assert line.pop("timestamp").endswith("Z")
    fields = {"message": "refused", "request_id": "abc", "status": 401, "type": "authentication_error"}
    assert line == {"level": "WARN", "fields": fields | {"reason": "invalid_key"}, "target": "ai.gateway"}


def test_a_hundred_lines_a_second_and_then_a_count(tmp_path: Path) -> None:
    """The 101st refusal of a second is counted; the count is told with the next second's first line."""
    with logging(tmp_path / "log") as (log, clock, lines):
        for number in range(LINES_PER_SECOND + 23):
            clock.now += 0.001
            log.refused(f"{number}", INVALID_KEY)
        assert len(lines()) == 100
        clock.now += 1.0
        log.warning("provider cannot be reached", provider="openai")
        log.warning("again")
        told = [line["fields"] for line in lines()[100:]]
    first, *others = told
    assert first == {"message": "lines suppressed", "count": 23}
    assert [fields["message"] for fields in others] == ["provider cannot be reached", "again"]


def test_the_cap_is_for_each_second(tmp_path: Path) -> None:
    """A full second leaves the next one its hundred, and nothing is counted twice."""
    with logging(tmp_path / "log") as (log, clock, lines):
        for _ in range(3):
            for _ in range(LINES_PER_SECOND + 1):
                log.refused("x", INVALID_KEY)
            clock.now += 1.0
        messages = [line["fields"]["message"] for line in lines()]
        counts = [line["fields"]["count"] for line in lines() if "count" in line["fields"]]
    assert messages.count("refused") == 300
    assert counts == [1, 1]


def test_what_an_operator_must_see_is_not_capped(tmp_path: Path) -> None:
    """Life-cycle lines come through a flood of refusals."""
    with logging(tmp_path / "log") as (log, _, lines):
        for _ in range(LINES_PER_SECOND * 2):
            log.refused("x", bad_request("no"))
        log.info("draining", in_flight=1)
        assert lines()[-1]["fields"] == {"message": "draining", "in_flight": 1}
        assert lines()[-1]["level"] == "INFO"


def test_no_secret_and_no_body_in_any_line() -> None:
    """Keys, prompts and header values of refused and failed requests stay out of rows and diagnostics."""
    secret = b"S3CR3T-prompt"
    forged = KEY[:-4] + b"AAAA"
    with Play() as play:
        for key in (forged, KEY, BYO):
            for path in (b"/nobody/x", b"/openai/v1/files", CHAT_PATH + b"?key=" + key):
                play.client_sends(post(path, STREAMED.replace(b"[]", b'["%b"]' % secret), b"X-A: " + secret, key=key))
                if play.busy:
                    play.upstream_sends(json_answer(b"{}"))
        play.client_rest()
        play.upstream_rest()
        text = repr([play.rows(), play.diagnostics(), play.gateway, play.connection, play.gateway.lines])
    assert "refused" in text
    for hidden in (secret, KEY, forged, BYO, POOL):
        assert hidden.decode() not in text
