"""Steering: bounded lanes, and each message in one place."""

from __future__ import annotations

import pytest

from beyond_agent_core.control import LANE, Control, Queued
from beyond_agent_core.errors import ConfigError, QueueFull
from beyond_wire.types import ImageSource


def test_a_full_lane_refuses_the_newest() -> None:
    """Sixty-four wait, the next is told so, the other lane is not touched."""
    control = Control()
    for number in range(LANE):
        control.steer(str(number))
    with pytest.raises(QueueFull, match="steering queue full"):
        control.steer("one more")
    control.follow_up("fine")
    assert control.pending() == (LANE, 1)
    assert control.clear() == (LANE, 1)
    assert control.pending() == (0, 0)


def test_one_at_a_time_or_all() -> None:
    """The mode of a lane says how many go at a boundary, oldest first."""
    for mode, wanted in (("one_at_a_time", ["a"]), ("all", ["a", "b"])):
        control = Control(steers=mode)  # pyright: ignore[reportArgumentType] - the table has plain strings
        control.steer("a")
        control.steer("b")
        taken: list[Queued] = []
        assert control.deliver_steers(taken.extend) == len(wanted)
        assert [message.text for message in taken] == wanted


def test_a_push_that_fails_leaves_the_message_in_its_lane() -> None:
    """Taking and pushing is one step: what was not pushed is still queued."""
    control = Control()
    control.steer("a")

    def fails(_: list[Queued]) -> None:
        raise ValueError("no room")

    with pytest.raises(ValueError, match="no room"):
        control.deliver_steers(fails)
    assert control.pending().steers == 1


def test_a_cancel_is_for_one_run_and_drops_nothing() -> None:
    """Without a run it is nothing; twice is once; a next run begins without it; queued messages stay."""
    control = Control()
    calls: list[int] = []
    control.changed = lambda: calls.append(1)
    control.follow_up("x")
    control.cancel()
    assert not control.cancelled
    control.begin()
    control.cancel()
    control.cancel()
    assert control.cancelled
    control.finish()
    control.begin()
    assert not control.cancelled
    assert control.pending().follow_ups == 1
    assert len(calls) == 4


def test_what_waits_can_be_shown() -> None:
    """The texts of each lane, oldest first; to look at them takes nothing out."""
    control = Control()
    control.steer("a")
    control.steer("b")
    control.follow_up("", [ImageSource(media_type="image/png", data="AA==")])
    assert control.queued() == (("a", "b"), ("",))
    assert control.pending() == (2, 1)


def test_a_model_is_switched_with_its_thinking() -> None:
    """A budget or an effort comes along, the last request counts, and what no model takes is refused at once."""
    control = Control()
    control.switch_model("a", 2048)
    control.switch_model("b", effort="high")
    for field, arguments in (("model", ("",)), ("thinking", ("a", 0)), ("effort", ("a", None, "huge"))):
        with pytest.raises(ConfigError) as told:
            control.switch_model(*arguments)  # pyright: ignore[reportArgumentType] - that is the point
        assert told.value.field == field
    assert control.take_model() == ("b", None, "high")
    assert control.take_model() is None


def test_a_bad_mode_is_named() -> None:
    """When the control is made, not at the first boundary."""
    with pytest.raises(ConfigError, match="steers: must be"):
        Control(steers="some")  # pyright: ignore[reportArgumentType] - that is the point
