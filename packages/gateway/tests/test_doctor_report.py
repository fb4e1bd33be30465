"""Findings as lines and as JSON, without secrets."""

from __future__ import annotations

import msgspec

from beyond_gateway.doctor.report import as_json, fail, healthy, lines, masked, note, ok, shown
from beyond_gateway.redact import Secret

FOUND = [ok("config", "loads"), fail("nats", "refused", "start it"), note("a longer name", "so so")]


def test_a_line_each_aligned_with_how_to_mend() -> None:
    """Marks and names are columns; only a failure has a second half."""
    assert lines(FOUND, colour=False) == [
        "[ok]   config         loads",
        "[FAIL] nats           refused; mend it: start it",
        "[note] a longer name  so so",
    ]


def test_colour_is_around_the_marks_only() -> None:
    """Each status has its colour, and the text between the codes is that without colour."""
    coloured = lines(FOUND, colour=True)
    assert [line[:5] for line in coloured] == ["\x1b[32m", "\x1b[31m", "\x1b[33m"]
    plain = [line.replace(line[:5], "").replace("\x1b[0m", "") for line in coloured]
    assert plain == lines(FOUND, colour=False)
    assert all(line.index("\x1b[0m") == 5 + 6 for line in coloured)


def test_json_is_one_object() -> None:
    """The verdict, and every finding in order; `mend` only where there is one."""
    assert msgspec.json.decode(as_json(FOUND)) == {
        "ok": False,
        "checks": [
            {"name": "config", "status": "ok", "detail": "loads"},
            {"name": "nats", "status": "fail", "detail": "refused", "mend": "start it"},
            {"name": "a longer name", "status": "note", "detail": "so so"},
        ],
    }


def test_only_a_failure_is_unhealthy() -> None:
    """Notes do not fail, nothing does not either; the JSON says the same."""
    for found, verdict in (([], True), (FOUND, False), ([FOUND[0], FOUND[2]], True)):
        assert healthy(found) is verdict
        assert msgspec.json.decode(as_json(found))["ok"] is verdict


def test_secrets_and_control_characters_are_taken_out() -> None:
    """A pool key, a managed key, a URL's user and an escape sequence survive in no part of a finding."""
    texts = ("key sk-one", "bai_v1.1.abc", "nats://me:secret@host", "\x1b[2J\nnext \x07")
    found = masked([fail(text, text, text) for text in texts], [Secret("sk-one")])
    for check, clean in zip(found, ("key ***", "***", "nats://***@host", "?[2J?next ?"), strict=True):
        assert (check.name, check.detail, check.mend) == (clean, clean, clean)


def test_an_address_in_text() -> None:
    """IPv6 has brackets."""
    assert (shown("a.example", 1), shown("::1", 2)) == ("a.example:1", "[::1]:2")
