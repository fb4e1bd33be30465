"""What managed keys may call."""

from __future__ import annotations

import pytest

from beyond_gateway.config import MANAGED_ENDPOINTS
from beyond_gateway.endpoints import Endpoints, is_chat, is_free
from beyond_gateway.errors import ENDPOINT_REFUSED

ALLOWED = Endpoints(MANAGED_ENDPOINTS)
POSTED = [
    b"/v1/chat/completions",
    b"/v1/completions",
    b"/v1/messages",
    b"/api/v1/messages",
    b"/v1/messages/count_tokens",
    b"/v1/responses",
    b"/v1/responses/compact",
    b"/v1/responses/input_tokens",
    b"/openai/v1/embeddings",
    b"/v1/images/generations",
    b"/v1/images/edits",
    b"/v1/audio/transcriptions",
    b"/v1/moderations",
]
REFUSED = [
    b"",
    b"/",
    b"/v1/files",
    b"/v1/batches",
    b"/v1/messages/batches",
    b"/v1/responses/resp_1",
    b"/v1/responses/resp_1/cancel",
    b"/v1/threads/thread_1/messages",
    b"/messages",
    b"/v1/chat/completions/chatcmpl_1",
    b"/v1/chat/completions/",
    b"/v1/chat/Completions",
    b"/v1/models/gpt-4o",
]


@pytest.mark.parametrize("path", POSTED)
def test_generation_is_reached_with_post_only(path: bytes) -> None:
    """Listed endings pass; another method is 405 and told which would do."""
    assert ALLOWED.refusal(b"POST", path) is None
    for method in (b"GET", b"DELETE", b"post"):
        refusal = ALLOWED.refusal(method, path)
        assert refusal is not None
        assert (refusal.status, refusal.allow) == (405, "POST")


@pytest.mark.parametrize("path", REFUSED)
@pytest.mark.parametrize("method", [b"GET", b"POST", b"DELETE"])
def test_everything_else_is_404(method: bytes, path: bytes) -> None:
    """What a shared pool key would open to other tenants is not there."""
    for _ in range(2):
        assert ALLOWED.refusal(method, path) is ENDPOINT_REFUSED


def test_models_are_listed_with_get() -> None:
    """The one GET of the list."""
    assert ALLOWED.refusal(b"GET", b"/v1/models") is None
    refusal = ALLOWED.refusal(b"POST", b"/v1/models")
    assert refusal is not None
    assert (refusal.status, refusal.allow) == (405, "GET")


def test_an_operators_list_replaces_ours() -> None:
    """Entries with a method, and two methods for one ending."""
    mine = Endpoints(["/rerank", "GET /rerank", "DELETE /x"])
    assert mine.refusal(b"POST", b"/v1/rerank") is None
    assert mine.refusal(b"GET", b"/v1/rerank") is None
    refusal = mine.refusal(b"PUT", b"/v1/rerank")
    assert refusal is not None
    assert refusal.allow == "POST, GET"
    assert mine.refusal(b"POST", b"/v1/chat/completions") is ENDPOINT_REFUSED


def test_memory_of_paths_is_bounded_and_changes_no_answer() -> None:
    """Past the bound paths are judged each time, and long ones always."""
    endpoints = Endpoints(MANAGED_ENDPOINTS)
    for number in range(Endpoints.REMEMBERED + 50):
        assert endpoints.refusal(b"POST", b"/%d/chat/completions" % number) is None
        assert endpoints.refusal(b"POST", b"/%d/files" % number) is ENDPOINT_REFUSED
    assert endpoints.refusal(b"POST", b"/" + b"x" * 5000 + b"/chat/completions") is None


def test_free_calls_and_chat_are_told_by_their_endings() -> None:
    """Which calls write a row only on usage, and whose body is held."""
    free = [path for path in [*POSTED, b"/v1/models"] if is_free(path)]
    assert free == [b"/v1/messages/count_tokens", b"/v1/responses/input_tokens", b"/v1/moderations", b"/v1/models"]
    assert [path for path in POSTED if is_chat(path)] == [b"/v1/chat/completions"]
