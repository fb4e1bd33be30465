"""The budget of bodies held whole is the host's, not each worker's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import playbook
from exchanges import ASKED, CHAT_PATH, COMPLETION, json_answer, post
from playbook import Play

from beyond_gateway.host.shared import Shared
from beyond_gateway.metrics.worker import WorkerMetrics
from beyond_gateway.providers import build_table

if TYPE_CHECKING:
    import pytest

    from beyond_gateway.config import Config


def test_what_another_worker_holds_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A chat is refused while another worker holds the budget, and served when that has given it back."""
    shared = Shared(2)

    def of_two(config: Config) -> Shared:
        shared.register(row.name for row in build_table(config).values())
        return shared

    monkeypatch.setattr(playbook, "play_shared", of_two)
    other = WorkerMetrics(shared.metrics(1))
    with Play(max_buffered_body_bytes=len(ASKED)) as play:
        other.buffered(1)
        play.client_sends(post(CHAT_PATH, ASKED)).client_gets_error(503, "provider temporarily unavailable")
        other.buffered(0)
        play.client_sends(post(CHAT_PATH, ASKED)).upstream_rest()
        play.upstream_sends(json_answer(COMPLETION))
        assert play.client_rest().startswith(b"HTTP/1.1 200 ")
        assert [row["outcome"] for row in play.rows()] == ["upstream_error", "ok"]
        play.balanced()
