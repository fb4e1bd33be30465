"""A session: grows at its end, is stored whole, and has one run at a time."""

from __future__ import annotations

import pytest

from beyond_agent_core.errors import SessionBusy, SessionInvalid
from beyond_agent_core.session import Provenance, Session
from beyond_agent_core.testing import says
from beyond_wire.types import ImageSource, TokenUsage


def test_a_snapshot_does_not_see_what_comes_later() -> None:
    """A request in flight holds the messages there were, and shares them."""
    session = Session()
    session.user("one")
    snapshot = session.messages
    session.user("two")
    assert len(snapshot) == 1
    assert session.messages[0] is snapshot[0]


def test_it_comes_back_from_json_as_it_was() -> None:
    """Messages, counts and images survive; text without later fields loads with defaults."""
    session = Session()
    session.user("look", (ImageSource(media_type="image/png", data="QUJD"),))
    usage = TokenUsage(input_tokens=3, cache_read_tokens=40, cache_write_tokens=5, output_tokens=7)
    session.commit(says("seen").message, usage)
    again = Session.decode(session.encode())
    assert again == session
    assert (again.steps, again.last_input_tokens, again.last_output_tokens) == (1, 48, 7)
    assert again.usage == usage
    assert Session.decode(b"{}") == Session()


@pytest.mark.parametrize(
    ("text", "path"),
    [
        (b'{"messages": 3}', "$.messages"),
        (b'{"messages": [{"role": "user", "content": [{"type": "nonsense"}]}]}', "$.messages[0].content[0].type"),
        (b'{"steps": "x"}', "$.steps"),
        (b"{", "truncated"),
        (b'{"messages": [{"role": "user", "content": [{"type": "text", "text": "\xff"}]}]}', "invalid start byte"),
        ('{"messages": "\udcff"}', "surrogates not allowed"),
        (b'{"later": ' + b"[" * 5_000 + b"]" * 5_000 + b"}", "recursion"),
    ],
)
def test_what_cannot_be_loaded_is_named_by_its_path(text: bytes | str, path: str) -> None:
    """Nothing is guessed."""
    with pytest.raises(SessionInvalid, match="session: ") as told:
        Session.decode(text)
    assert path in str(told.value)


def test_a_second_run_is_refused_and_the_first_goes_on() -> None:
    """Until it is released."""
    session = Session()
    session.take()
    with pytest.raises(SessionBusy):
        session.take()
    session.release()
    session.take()


def test_a_compaction_replaces_messages_and_keeps_totals() -> None:
    """What it cost is added, the size of the next prompt is unknown, and where it came from survives JSON."""
    session = Session()
    session.user("one")
    session.commit(says("seen").message, TokenUsage(input_tokens=3, output_tokens=7))
    summary = says("short").message
    known = Provenance(summary="short", first_kept=2, read_files=("a",), failures=1, broken_for="m")
    session.compact([summary], known, TokenUsage(input_tokens=10))
    assert (session.messages, session.steps, session.input_tokens, session.output_tokens) == ((summary,), 1, 13, 7)
    assert (session.last_input_tokens, session.last_output_tokens, session.last_usage_message_count) == (0, 0, 0)
    assert Session.decode(session.encode()).compaction == known
