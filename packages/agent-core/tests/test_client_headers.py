"""The head of a request, as bytes."""

from __future__ import annotations

import pytest

from beyond_agent_core.client_headers import request_head


@pytest.mark.parametrize(
    ("target", "headers"),
    [
        ("/v1 HTTP/1.1", []),
        ("", []),
        ("/é", []),
        ("/v1", [("a b", "c")]),
        ("/v1", [("a", "b\r\nc: d")]),
        ("/v1", [("a\n", "b")]),
        ("/v1", [("a", "é")]),
    ],
)
def test_what_no_head_can_hold_is_refused(target: str, headers: list[tuple[str, str]]) -> None:
    """And the text of the refusal quotes none of it."""
    with pytest.raises(ValueError, match=r"^not a (request target|header)$"):
        request_head(target, headers)
