"""Several workers on one port: one truth, one ceiling, and the loss of one is only its own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest
from stack import BYO_KEY, KEY, WAIT_S, Stack, chat, read_all, read_answer, request, running, wait_for

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from stack import Provider

pytestmark = pytest.mark.e2e

WORKERS = 2


@pytest.fixture(scope="module")
def pair() -> Iterator[tuple[Stack, Provider]]:
    """A gateway of two workers before an embedded provider."""
    with running(config=f"workers = {WORKERS}") as both:
        wait_for(lambda: both[0].metric("ai_workers") == WORKERS, "both workers")
        yield both


@contextmanager
def lines(stack: Stack, count: int) -> Generator[list[socket.socket]]:
    """As many connections as make it sure that every worker has some."""
    with ExitStack() as opened:
        yield [opened.enter_context(stack.connect()) for _ in range(count)]


def ask(line: socket.socket, **more: str) -> bytes:
    line.sendall(request(body=chat(**more), close=False))
    return read_answer(line)


def test_both_workers_serve_and_the_metrics_tell_of_both(stack: Stack) -> None:
    """Requests over many connections reach both workers; every scrape adds up all of them."""
    before = stack.metric("ai_requests_total")
    with lines(stack, 32) as opened:
        for line in opened:
            assert b" 200 " in ask(line)
        busy = [pid for pid in stack.workers() if sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir()) > 20]
    assert len(busy) == WORKERS
    assert {stack.metric("ai_requests_total") for _ in range(8)} == {before + 32}
    assert len(stack.rows(32)) == 32


def test_rows_of_all_workers_stand_whole_in_one_file(stack: Stack) -> None:
    """Rows that two workers write at once never tear each other, and none is missing."""
    with lines(stack, 24) as opened:
        for _ in range(10):
            for line in opened:
                line.sendall(request(body=chat(), close=False))
            for line in opened:
                assert b" 200 " in read_answer(line)
    rows = stack.rows(240)
    assert len({row["request_id"] for row in rows}) == len(rows) == 240


def test_a_killed_worker_takes_only_its_own_exchanges_along(stack: Stack) -> None:
    """Streams of the other worker go on to their end; the dead one is replaced, and what it took is counted."""
    stack.forget_rows()
    restarts, lost = stack.metric("ai_worker_restarts_total"), stack.metric("ai_rows_lost_total")
    victim = stack.workers()[0]
    with lines(stack, 24) as opened:
        for line in opened:
            line.sendall(request(body=chat("mock:events=10,gap=0.06", stream=True)))
        for line in opened:
            assert b" 200 " in line.recv(15)
        os.kill(victim, signal.SIGKILL)
        ended = [read_all(line) for line in opened]
    whole = sum(answer.endswith(b"0\r\n\r\n") for answer in ended)
    assert 0 < whole < 24
    wait_for(lambda: victim not in stack.workers() and len(stack.workers()) == WORKERS, "a successor")
    wait_for(lambda: stack.metric("ai_workers") == WORKERS, "the successor's serving")
    rows = stack.rows(whole)
    assert [row["outcome"] for row in rows] == ["ok"] * whole
    assert stack.metric("ai_worker_restarts_total") == restarts + 1
    assert stack.metric("ai_rows_lost_total") == lost + 24 - whole
    assert stack.metric("ai_requests_in_flight") == 0
    assert stack.said("worker ended; another takes its place")[-1]["by"] == "SIGKILL"
    with lines(stack, 16) as opened:
        assert all(b" 200 " in ask(line) for line in opened)


def test_what_waited_for_a_killed_worker_is_served_by_its_successor(stack: Stack) -> None:
    """Connections that a hung worker has not accepted when it dies are answered, not reset."""
    victim = stack.workers()[1]
    os.kill(victim, signal.SIGSTOP)
    with lines(stack, 24) as opened:
        for line in opened:
            line.sendall(request(body=chat()))
        time.sleep(0.1)
        os.kill(victim, signal.SIGKILL)
        assert all(b" 200 " in read_all(line) for line in opened)
    wait_for(lambda: stack.metric("ai_workers") == WORKERS, "a successor")


def test_a_worker_that_ends_by_itself_is_replaced(stack: Stack) -> None:
    """SIGTERM to one worker alone drains that one; the gateway goes on with another in its place."""
    victim = stack.workers()[0]
    os.kill(victim, signal.SIGTERM)
    wait_for(lambda: victim not in stack.workers() and len(stack.workers()) == WORKERS, "a successor")
    assert b" 200 " in stack.raw(request(body=chat()))


FORKS_FAIL = """
import os
fork, calls = os.fork, []
def failing():
    calls.append(None)
    if len(calls) in ({numbers}):
        raise BlockingIOError(11, "Resource temporarily unavailable")
    return fork()
os.fork = failing
"""


def test_a_successor_that_cannot_be_forked_yet_is_tried_again(tmp_path: Path) -> None:
    """Where the system has no room for a process the other workers serve on, and the successor comes later."""
    (tmp_path / "sitecustomize.py").write_text(FORKS_FAIL.format(numbers="3, 4"))
    with running(config=f"workers = {WORKERS}", environ={"PYTHONPATH": str(tmp_path)}) as (stack, _):
        wait_for(lambda: stack.metric("ai_workers") == WORKERS, "both workers")
        victim, other = stack.workers()
        os.kill(victim, signal.SIGKILL)
        wait_for(lambda: len(stack.workers()) == WORKERS and victim not in stack.workers(), "a successor")
        assert other in stack.workers()
        said = stack.said("a worker cannot be started")
        assert [line["error"] for line in said] == ["Resource temporarily unavailable"] * 2
        assert b" 200 " in stack.raw(request(body=chat()))
        assert stack.stop() == 0


def test_a_start_that_cannot_fork_ends(tmp_path: Path) -> None:
    """Where not all workers can be made at the start the gateway ends with the reason, and leaves none behind."""
    (tmp_path / "sitecustomize.py").write_text(FORKS_FAIL.format(numbers="2,"))
    (tmp_path / "config.toml").write_text('listen = "127.0.0.1:0"\nmetrics_listen = "127.0.0.1:0"\nworkers = 2\n')
    done = subprocess.run(
        [sys.executable, "-m", "beyond_gateway", "-c", "config.toml"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        timeout=WAIT_S,
        check=False,
    )
    assert done.returncode == 1
    assert b"a worker cannot be started" in done.stderr
    assert b"Traceback" not in done.stderr


def _passed(stack: Stack, count: int, key: str) -> int:
    """Requests of `count` that were not refused, sent at once over many connections within one second's window."""
    while time.monotonic() % 1.0 > 0.3:
        time.sleep(0.01)
    with lines(stack, 8) as opened:
        answers: list[bytes] = []
        for _ in range(count // 8):
            for line in opened:
                line.sendall(request("/openai/v1/models", method="GET", key=key, close=False))
            answers += [read_answer(line) for line in opened]
    assert {answer[9:12] for answer in answers} <= {b"200", b"429"}
    assert all(b"retry-after: 1\r\n" in answer.lower() for answer in answers if answer[9:12] == b"429")
    return sum(answer[9:12] == b"200" for answer in answers)


def test_one_ceiling_holds_for_all_workers() -> None:
    """A key gets its requests a second from the whole host, within a tenth, and so do all callers' own keys."""
    config = f"workers = {WORKERS}\nrate_limit_rps = 40\nbyo_rate_limit_rps = 20"
    with running(config=config) as (stack, _):
        wait_for(lambda: stack.metric("ai_workers") == WORKERS, "both workers")
        managed = stack.metric("ai_rejections_total", reason="rate_limited")
        assert 36 <= _passed(stack, 80, KEY) <= 44
        assert stack.metric("ai_rejections_total", reason="rate_limited") > managed
        assert 18 <= _passed(stack, 80, BYO_KEY) <= 22


def test_sigterm_ends_all_workers_when_the_last_stream_is_done() -> None:
    """The port closes at once, probes say draining, every stream ends whole, every row is written, status 0."""
    with running(config=f"workers = {WORKERS}") as (stack, _):
        wait_for(lambda: stack.metric("ai_workers") == WORKERS, "both workers")
        with lines(stack, 16) as opened:
            for line in opened:
                line.sendall(request(body=chat("mock:events=10,gap=0.1", stream=True)))
            for line in opened:
                assert b" 200 " in line.recv(15)
            stack.process.send_signal(signal.SIGTERM)
            wait_for(lambda: not _connects(stack), "the closed port")
            assert stack.page("/readyz")[0] == 503
            assert msgspec.json.decode(stack.page("/readyz")[1])["status"] == "draining"
            assert stack.page("/livez")[0] == 200
            assert all(read_all(line).endswith(b"0\r\n\r\n") for line in opened)
        assert stack.process.wait(WAIT_S) == 0
        assert [row["outcome"] for row in stack.rows(16)] == ["ok"] * 16


def _connects(stack: Stack) -> bool:
    try:
        socket.create_connection(("127.0.0.1", stack.port), timeout=1).close()
    except ConnectionRefusedError:
        return False
    return True


def test_workers_end_when_their_parent_is_gone() -> None:
    """A parent that is killed leaves no worker behind that nobody could stop or reload."""
    with running(config=f"workers = {WORKERS}") as (stack, _):
        wait_for(lambda: stack.metric("ai_workers") == WORKERS, "both workers")
        workers = stack.workers()
        stack.process.kill()
        stack.process.wait(WAIT_S)
        wait_for(lambda: not any(Path(f"/proc/{pid}/exe").exists() for pid in workers), "the end of the workers")


def _refused(path: Path, text: str) -> str:
    """What a gateway with this configuration says when it does not start."""
    path.write_text(text)
    command = [sys.executable, "-m", "beyond_gateway", "run", "-c", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=WAIT_S, check=False)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    return done.stderr


def test_a_second_gateway_does_not_share_the_port(tmp_path: Path) -> None:
    """A gateway started twice by mistake is told so, though its workers share a port among themselves."""
    with running(config=f"workers = {WORKERS}") as (stack, _):
        text = stack.config_path.read_text().replace('listen = "127.0.0.1:0"', f'listen = "127.0.0.1:{stack.port}"', 1)
        told = _refused(tmp_path / "second.toml", text)
        assert f"cannot listen on 127.0.0.1:{stack.port}: Address already in use" in told
        assert "AI_LISTEN" in told


def test_a_configuration_that_no_worker_can_use_ends_the_start(tmp_path: Path) -> None:
    """A configuration that fails only in use ends the start with status 2 and one line, not in a circle of restarts."""
    told = _refused(
        tmp_path / "config.toml",
        'listen = "127.0.0.1:0"\nmetrics_listen = "127.0.0.1:0"\nworkers = 2\nupstream_ca_file = "/nowhere.pem"\n',
    )
    assert told.count("upstream_ca_file: cannot read certificates from /nowhere.pem") == 1
