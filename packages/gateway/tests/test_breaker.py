"""A provider's circuit breaker: when it opens, how it finds out, and that all workers see one."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from beyond_gateway.guards.breaker import PROBE, Breaker

if TYPE_CHECKING:
    from collections.abc import Callable

THRESHOLD, WINDOW_S, RESET_S = 4, 10.0, 30.0
START = 1000.0


def memory() -> memoryview[float]:
    return memoryview(bytearray(Breaker.CELLS * 8)).cast("d")


def breaker(cells: memoryview[float] | None = None, threshold: int = THRESHOLD) -> Breaker:
    return Breaker(memory() if cells is None else cells, threshold, WINDOW_S, RESET_S)


def opened(cells: memoryview[float] | None = None) -> Breaker:
    """A breaker that opened at START."""
    made = breaker(cells)
    fail(made, THRESHOLD)
    assert made.state(START) == "open"
    return made


def fail(made: Breaker, times: int, now: float = START) -> None:
    for _ in range(times):
        made.failure(now, probe=False)


def succeed(made: Breaker, times: int, now: float = START) -> None:
    for _ in range(times):
        made.success(now, probe=False)


def test_it_opens_at_the_threshold() -> None:
    """One failure below it every request goes; at it none does, and each is told how long to wait."""
    made = breaker()
    fail(made, THRESHOLD - 1)
    assert made.ask(START) == 0
    fail(made, 1)
    assert [made.ask(START + after) for after in (0.0, 0.5, 1.0, 28.9, 29.99)] == [30, 30, 29, 2, 1]


@pytest.mark.parametrize(("good", "state"), [(0, "open"), (5, "open"), (6, "open"), (7, "closed")])
def test_it_opens_only_where_failures_are_as_many_as_successes(good: int, state: str) -> None:
    """A busy provider with some failures stays in use."""
    made = breaker()
    succeed(made, good)
    fail(made, 6)
    assert made.state(START) == state


def test_what_is_older_than_the_window_does_not_count() -> None:
    """Failures spread over more than the window never add up, nor do old successes hold it closed."""
    made = breaker()
    succeed(made, 1000)
    for number in range(40):
        fail(made, 1, START + 10 + number * WINDOW_S / (THRESHOLD - 1))
    assert made.state(START + 200) == "closed"
    fail(made, THRESHOLD, START + 200)
    assert made.state(START + 200) == "open"


@pytest.mark.parametrize(("later", "state"), [(8.999, "open"), (10.0, "closed")])
@pytest.mark.parametrize("begin", [START, START + 0.999])
def test_the_window_slides(begin: float, later: float, state: str) -> None:
    """All of the last nine tenths of the window counts, and nothing older than the window."""
    made = breaker()
    fail(made, THRESHOLD - 1, begin)
    fail(made, 1, begin + later)
    assert made.state(begin + later) == state


@pytest.mark.parametrize(("later", "state"), [(8.999, "closed"), (10.0, "open")])
def test_successes_leave_the_window_too(later: float, state: str) -> None:
    """Successes older than the window do not keep the breaker closed."""
    made = breaker()
    succeed(made, 100)
    fail(made, THRESHOLD, START + later)
    assert made.state(START + later) == state


def test_one_request_probes_and_the_others_wait() -> None:
    """After the reset time exactly one request goes, whichever worker asks, and the rest are told one second."""
    cells = memory()
    workers = [opened(cells), breaker(cells), breaker(cells)]
    now = START + RESET_S
    assert workers[0].state(now) == "half-open"
    assert [worker.ask(now + 0.1) for worker in workers * 2] == [PROBE, 1, 1, 1, 1, 1]


def test_a_probe_that_succeeds_closes_it_with_nothing_counted() -> None:
    """The provider is back for all workers, and it takes the whole threshold to open again."""
    cells = memory()
    one, other = opened(cells), breaker(cells)
    assert one.ask(START + 30) == PROBE
    one.success(START + 31, probe=True)
    assert other.ask(START + 31) == 0
    fail(other, THRESHOLD - 1, START + 31)
    assert one.state(START + 31) == "closed"
    fail(other, 1, START + 31)
    assert one.ask(START + 31) == 30


def test_closing_forgets_what_is_still_in_the_window() -> None:
    """Where the reset time is shorter than the window, the failures that opened it do not open it again."""
    made = breaker()
    made.set_limits(THRESHOLD, WINDOW_S, 1.0)
    fail(made, THRESHOLD)
    assert made.ask(START + 1) == PROBE
    made.success(START + 1, probe=True)
    fail(made, THRESHOLD - 1, START + 1)
    assert made.state(START + 1) == "closed"


def test_a_probe_that_fails_opens_it_again() -> None:
    """For the whole reset time, after which the next request probes."""
    made = opened()
    assert made.ask(START + 40) == PROBE
    made.failure(START + 45, probe=True)
    assert made.ask(START + 45) == 30
    assert made.ask(START + 74.9) == 1
    assert made.ask(START + 75) == PROBE


def test_a_probe_lost_to_a_cancel_is_given_back() -> None:
    """The next request probes at once, and again only one."""
    made = opened()
    assert made.ask(START + 30) == PROBE
    made.give_back()
    assert [made.ask(START + 30.1) for _ in range(2)] == [PROBE, 1]


def test_a_probe_whose_worker_died_is_replaced() -> None:
    """After the reset time another request probes; which of the two ends first decides."""
    made = opened()
    assert made.ask(START + 30) == PROBE
    assert made.ask(START + 59.9) == 1
    assert [made.ask(START + 60) for _ in range(2)] == [PROBE, 1]
    made.success(START + 61, probe=True)
    made.failure(START + 62, probe=True)
    assert made.ask(START + 62) == 0


# What each event does in each state, beside the state after it: closed has 3 failures of 4, open has been so for 10 s.
EVENTS: dict[str, Callable[[Breaker, float], None]] = {
    "success": lambda made, now: made.success(now, probe=False),
    "failure": lambda made, now: made.failure(now, probe=False),
    "probe succeeds": lambda made, now: made.success(now, probe=True),
    "probe fails": lambda made, now: made.failure(now, probe=True),
    "given back": lambda made, _: made.give_back(),
}
AFTER = {
    ("closed", "success"): ("closed", 0),
    ("closed", "failure"): ("open", 30),
    ("closed", "probe succeeds"): ("closed", 0),
    ("closed", "probe fails"): ("open", 30),
    ("closed", "given back"): ("closed", 0),
    ("open", "success"): ("open", 20),
    ("open", "failure"): ("open", 20),
    ("open", "probe succeeds"): ("open", 20),
    ("open", "probe fails"): ("open", 20),
    ("open", "given back"): ("open", 20),
    ("half-open", "success"): ("half-open", 1),
    ("half-open", "failure"): ("half-open", 1),
    ("half-open", "probe succeeds"): ("closed", 0),
    ("half-open", "probe fails"): ("open", 30),
    ("half-open", "given back"): ("half-open", PROBE),
}


@pytest.mark.parametrize(("state", "event"), AFTER)
def test_the_table_of_transitions(state: str, event: str) -> None:
    """What was admitted before an opening neither closes the breaker nor keeps it open, and takes no probe's place."""
    made, now = breaker(), START
    fail(made, THRESHOLD - 1)
    if state != "closed":
        fail(made, 1)
        now += 10 if state == "open" else 31
    if state == "half-open":
        assert made.ask(now) == PROBE
    assert made.state(now) == state
    EVENTS[event](made, now)
    assert (made.state(now), made.ask(now)) == AFTER[state, event]


def test_outcomes_while_it_is_not_closed_leave_no_count() -> None:
    """What ends during an opening is forgotten; what ends after the closing counts, whenever it was admitted."""
    made = opened()
    fail(made, 50, START + 29)
    assert made.ask(START + 30) == PROBE
    fail(made, 50, START + 30)
    made.success(START + 30, probe=True)
    fail(made, THRESHOLD - 1, START + 30)
    assert made.state(START + 30) == "closed"
    fail(made, 1, START + 30)
    assert made.state(START + 30) == "open"


def test_threshold_zero_is_no_breaker() -> None:
    """Nothing is counted and nothing refused; a reload that sets a threshold finds no old count."""
    cells = memory()
    made = breaker(cells, 0)
    fail(made, 1000)
    succeed(made, 10)
    assert (made.ask(START), made.state(START), any(cells)) == (0, "closed", False)
    made.set_limits(1, WINDOW_S, RESET_S)
    fail(made, 1)
    assert made.ask(START) == 30
    made.set_limits(0, WINDOW_S, RESET_S)
    assert (made.ask(START), made.state(START)) == (0, "closed")


def test_limits_change_on_a_reload() -> None:
    """New limits hold for the next outcome; counts under another window are not taken for counts under this one."""
    made = breaker()
    fail(made, THRESHOLD - 1)
    made.set_limits(THRESHOLD, 2 * WINDOW_S, 5.0)
    fail(made, THRESHOLD - 1)
    assert made.state(START) == "closed"
    fail(made, 1)
    assert made.ask(START) == 5
    assert made.ask(START + 5) == PROBE
    made.set_limits(THRESHOLD, WINDOW_S, 2.0)
    made.failure(START + 6, probe=True)
    assert made.ask(START + 8) == PROBE


def test_a_full_count_stays_full() -> None:
    """More than a million outcomes in a tenth of the window do not run over into another count."""
    cells = memory()
    made = breaker(cells, threshold=2)
    made.success(START, probe=False)
    at = next(at for at, cell in enumerate(cells) if cell)
    cells[at] += 2.0**20 - 2.0
    full = cells[at]
    succeed(made, 3)
    assert cells[at] == full
    fail(made, 2)
    assert made.state(START) == "closed"


@given(st.floats(0.0, 3e8), st.floats(1e-6, 1e6))
def test_any_clock_and_window_count_the_same(now: float, window_s: float) -> None:
    """Years of uptime and any window that a configuration may have: the threshold is exact within one moment."""
    made = Breaker(memory(), 3, window_s, 1.0)
    fail(made, 2, now)
    assert made.state(now) == "closed"
    fail(made, 1, now)
    assert made.state(now) == "open"


def test_the_repr_is_its_rules() -> None:
    """One line, for logs and tests."""
    assert repr(breaker()) == "<Breaker opens=4 in 10 s reset=30 s>"
    assert repr(breaker(threshold=0)) == "<Breaker opens=never reset=30 s>"


class BreakerMachine(RuleBasedStateMachine):
    """Several workers over one memory against lists of moments."""

    @initialize(
        threshold=st.integers(1, 5), window_s=st.sampled_from([1.0, 10.0]), reset_s=st.sampled_from([0.5, 30.0])
    )
    def begin(self, threshold: int, window_s: float, reset_s: float) -> None:
        cells = memory()
        self.workers = [Breaker(cells, threshold, window_s, reset_s) for _ in range(3)]
        self.threshold, self.part_s, self.reset_s = threshold, window_s / 10, reset_s
        self.now = START
        self.good: list[float] = []
        self.bad: list[float] = []
        self.open_until: float | None = None
        self.probe_until: float | None = None
        self.probes = 0

    def in_window(self, moments: list[float]) -> int:
        return sum(self.now // self.part_s - moment // self.part_s < 10 for moment in moments)

    def open(self) -> None:
        self.open_until, self.probe_until = self.now + self.reset_s, None

    def may_probe(self) -> bool:
        return self.open_until is not None and self.now >= self.open_until

    @rule(seconds=st.sampled_from([0.01, 0.1, 0.3, 1.0, 5.0, 10.0, 30.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule(worker=st.integers(0, 2))
    def ask(self, worker: int) -> None:
        if self.open_until is None:
            expected = 0
        elif self.now < self.open_until:
            expected = ceil(self.open_until - self.now)
        elif self.probe_until is not None and self.now < self.probe_until:
            expected = 1
        else:
            expected, self.probe_until = PROBE, self.now + self.reset_s
            self.probes += 1
        assert self.workers[worker].ask(self.now) == expected

    @rule(worker=st.integers(0, 2), times=st.integers(1, 4))
    def success(self, worker: int, times: int) -> None:
        succeed(self.workers[worker], times, self.now)
        if self.open_until is None:
            self.good += [self.now] * times

    @rule(worker=st.integers(0, 2))
    def failure(self, worker: int) -> None:
        fail(self.workers[worker], 1, self.now)
        self.count_failure()

    def count_failure(self) -> None:
        if self.open_until is None:
            self.bad.append(self.now)
            failures = self.in_window(self.bad)
            if failures >= self.threshold and failures >= self.in_window(self.good):
                self.open()

    @precondition(lambda self: self.probes > 0)
    @rule(worker=st.integers(0, 2))
    def probe_succeeds(self, worker: int) -> None:
        self.probes -= 1
        self.workers[worker].success(self.now, probe=True)
        if self.open_until is None:
            self.good.append(self.now)
        elif self.may_probe():
            self.good, self.bad, self.open_until, self.probe_until = [], [], None, None

    @precondition(lambda self: self.probes > 0)
    @rule(worker=st.integers(0, 2))
    def probe_fails(self, worker: int) -> None:
        self.probes -= 1
        self.workers[worker].failure(self.now, probe=True)
        if self.may_probe():
            self.open()
        else:
            self.count_failure()

    @precondition(lambda self: self.probes > 0)
    @rule(worker=st.integers(0, 2))
    def probe_is_given_back(self, worker: int) -> None:
        self.probes -= 1
        self.workers[worker].give_back()
        self.probe_until = None

    @invariant()
    def all_workers_see_one_state(self) -> None:
        expected = "closed" if self.open_until is None else "open" if self.now < self.open_until else "half-open"
        assert {worker.state(self.now) for worker in self.workers} == {expected}


TestBreakerMachine = BreakerMachine.TestCase
TestBreakerMachine.settings = settings(max_examples=60, stateful_step_count=40)
