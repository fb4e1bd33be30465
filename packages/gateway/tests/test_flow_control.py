"""Back-pressure: a transport that is told to stop reads on when nobody stops it any more."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from beyond_gateway.flow_control import FAR_SIDE_FULL, NOT_CONNECTED, NOT_ITS_TURN, Valve

moves = st.lists(st.tuples(st.sampled_from([FAR_SIDE_FULL, NOT_CONNECTED, NOT_ITS_TURN]), st.booleans()), max_size=30)


class StoppingTransport(asyncio.Transport):
    """Reads or does not; to be told the same twice is a fault, as it was in old event loops."""

    def __init__(self) -> None:
        super().__init__()
        self.reading = True
        self.closing = False

    def is_closing(self) -> bool:
        return self.closing

    def pause_reading(self) -> None:
        assert self.reading
        assert not self.closing
        self.reading = False

    def resume_reading(self) -> None:
        assert not self.reading
        assert not self.closing
        self.reading = True


@given(moves)
def test_reading_goes_on_if_and_only_if_no_reason_is_set(steps: list[tuple[int, bool]]) -> None:
    """Whatever the order, reading stops with the first reason and goes on with the last one taken back."""
    transport = StoppingTransport()
    valve = Valve(transport)
    reasons: set[int] = set()
    for reason, stop in steps:
        valve.set(reason, stop=stop)
        reasons = reasons | {reason} if stop else reasons - {reason}
        assert transport.reading is not bool(reasons)
        assert valve.closed is bool(reasons)
        assert repr(valve) == f"<Valve {'closed' if reasons else 'open'}>"
    valve.open()
    assert transport.reading
    assert not valve.closed


@given(moves, st.integers(0, 30))
def test_a_closing_transport_is_left_alone(steps: list[tuple[int, bool]], at: int) -> None:
    """After a close the valve counts on and calls nothing: event loops raise or reopen otherwise."""
    transport = StoppingTransport()
    valve = Valve(transport)
    for number, (reason, stop) in enumerate(steps):
        transport.closing = number >= at
        valve.set(reason, stop=stop)
    transport.closing = True
    valve.open()
    assert not valve.closed
