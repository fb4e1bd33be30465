"""Clients, providers, the network and the clock in any order: whatever they do, every exchange balances.

`FUZZ_EXAMPLES` makes the search longer: `make fuzz` sets it, the ordinary run takes a few seconds.
"""

from __future__ import annotations

import os

from fuzz.balance import check, check_end
from fuzz.free_play import SECONDS, SIZES, FreePlay
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

which = st.integers(0, 1)
kinds = st.integers(0, 150)
sizes = st.integers(0, len(SIZES) - 1)
BUDGETS = [536_870_912, 536_870_912, 100]
MUCH = len(SIZES) - 1


class ExchangeMachine(RuleBasedStateMachine):
    """Moves of everybody at any time; the invariants hold after each, and at the end nothing is left over."""

    @initialize(instant=st.booleans(), breaks=st.booleans(), budget=st.sampled_from(BUDGETS), goes=st.booleans())
    def begin(self, *, instant: bool, breaks: bool, budget: int, goes: bool) -> None:
        self.everybody_goes = goes
        self.play = FreePlay(instant=instant, breaks=breaks, max_buffered_body_bytes=budget).__enter__()

    def teardown(self) -> None:
        play = self.play
        error: BaseException | None = None
        try:
            if not self.everybody_goes:
                play.drains().cuts()
            play.everybody_leaves()
            check_end(play)
        except BaseException as fault:
            error = fault
            raise
        finally:
            play.client_rest()
            play.upstream_rest()
            play.__exit__(type(error) if error else None, error, None)

    @rule(which=which, kind=kinds)
    def client_asks(self, which: int, kind: int) -> None:
        self.play.asks(which, kind)

    @rule(which=which, size=sizes)
    def client_sends(self, which: int, size: int) -> None:
        self.play.sends(which, size)

    @rule(which=which, kind=kinds, answer=kinds, size=sizes)
    def exchange_goes_well(self, which: int, kind: int, answer: int, size: int) -> None:
        self.play.asks(which, kind).sends(which, MUCH).dialled(0, 0).answers(which, answer, MUCH)
        self.play.answers(which, answer, size)

    @rule(which=which, kind=kinds, size=sizes)
    def upstream_sends(self, which: int, kind: int, size: int) -> None:
        self.play.answers(which, kind, size)

    @rule(which=which)
    def upstream_speaks_unasked(self, which: int) -> None:
        self.play.speaks_unasked(which)

    @rule(which=which, stalls=st.booleans())
    def client_reads(self, which: int, *, stalls: bool) -> None:
        self.play.reads(which, stalls=stalls)

    @rule(which=which, stalls=st.booleans())
    def upstream_reads(self, which: int, *, stalls: bool) -> None:
        self.play.upstream_reads(which, stalls=stalls)

    @rule(how=st.integers(0, len(SECONDS) - 1))
    def time_passes(self, how: int) -> None:
        self.play.time_passes(how)

    @rule(which=which, resets=st.booleans())
    def client_goes(self, which: int, *, resets: bool) -> None:
        self.play.leaves(which, resets=resets)

    @rule()
    def client_connects(self) -> None:
        self.play.client_connects()

    @rule(which=which, resets=st.booleans())
    def upstream_goes(self, which: int, *, resets: bool) -> None:
        self.play.upstream_goes(which, resets=resets)

    @rule(which=which, how=st.integers(0, 3))
    def dialling_ends(self, which: int, how: int) -> None:
        self.play.dialled(which, how)

    @rule(cuts=st.integers(0, 5))
    def gateway_shuts_down(self, cuts: int) -> None:
        if cuts == 1:
            self.play.cuts()
        elif cuts == 0:
            self.play.drains()

    @invariant()
    def everything_balances(self) -> None:
        check(self.play)


TestExchange = ExchangeMachine.TestCase
TestExchange.settings = settings(
    max_examples=int(os.environ.get("FUZZ_EXAMPLES", "120")),
    stateful_step_count=40,
    deadline=None,
    report_multiple_bugs=False,
    suppress_health_check=[HealthCheck.too_slow],
)
