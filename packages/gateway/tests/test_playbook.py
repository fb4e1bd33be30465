"""The playbook fails where a test forgot to look: otherwise a transcript with a gap would pass."""

from __future__ import annotations

import pytest
from exchanges import SHAPES
from playbook import KEY, Play


def test_a_playbook_that_is_never_finished_fails() -> None:
    """Without a look at the rows a playbook proves nothing about the bill."""
    with pytest.raises(AssertionError, match="without a look at its usage rows"), Play() as play:
        play.client_sends(b"GET /")


def test_bytes_that_nobody_asked_for_fail() -> None:
    """What comes out on either side and is not named in the transcript is a fault."""
    shape = SHAPES[0]
    with pytest.raises(AssertionError, match="a provider got"), Play() as play:
        play.client_sends(shape.request).upstream_sends(shape.response).one_row(outcome="ok").client_rest()
    with pytest.raises(AssertionError, match="the client got"), Play() as play:
        play.client_sends(shape.request).upstream_sends(shape.response).one_row(outcome="ok").upstream_rest()


def test_a_difference_is_shown_as_a_diff() -> None:
    """Line by line, so that a transcript can be read."""
    with pytest.raises(AssertionError, match=r"-b'HTTP/1\.1 200 OK") as caught, Play() as play:
        play.client_sends(b"GET / HTTP/1.1\r\nHost: gw\r\n\r\n").client_gets(b"HTTP/1.1 200 OK\r\n")
    assert "+b'HTTP/1.1 404 Not Found" in str(caught.value)
    assert KEY.decode() not in str(caught.value)
