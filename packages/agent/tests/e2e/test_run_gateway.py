"""`run` through the real gateway in dev mode: keys, all three formats, refusals, and usage rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from agent_run import User
from demo.processes import Gateway

from beyond_agent_core.testing import ModelServer, turn

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.e2e


@pytest.fixture(name="model")
def _model() -> Iterator[ModelServer]:
    script = [turn.calls(("bash", {"command": "echo seen"})), turn.text("Done.")]
    with ModelServer(script) as server:
        yield server


@pytest.fixture(name="gateway")
def _gateway(tmp_path: Path, model: ModelServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Gateway]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    names = ("OPENAI", "ANTHROPIC")
    settings = {f"AI_PROVIDER_AUTHORITY_{name}": f"127.0.0.1:{model.port}" for name in names}
    with Gateway(str(tmp_path / "state"), settings) as gateway:
        yield gateway


@pytest.mark.parametrize(
    ("flags", "path"),
    [
        (("--model", "claude-opus-4-8"), "/v1/messages"),
        (("--model", "gpt-5.2"), "/v1/responses"),
        (("--model", "gpt-5.2", "--dialect", "chat"), "/v1/chat/completions"),
    ],
)
def test_all_three_formats_go_through_with_the_key_swapped(
    tmp_path: Path, gateway: Gateway, model: ModelServer, flags: tuple[str, ...], path: str
) -> None:
    """Virtual key in, pool key upstream; two turns, two rows, whose tokens are the agent's count."""
    user = User(tmp_path, gateway.origin)
    done = user.run("go", *flags, AI_AGENT_KEY=gateway.key)
    assert (done.status, done.out) == (0, "Done.\n")
    assert [request.path for request in model.requests] == [path, path]
    for request in model.requests:
        assert gateway.key not in str(request.headers)
        assert "sk-embedded" in str(request.headers)
    rows = [gateway.row(), gateway.row()]
    taken, given = sum(row.input_tokens or 0 for row in rows), sum(row.output_tokens or 0 for row in rows)
    assert done.err.splitlines()[-1] == f"[done in 2 step(s); {taken} in / {given} out tokens]"


def test_a_wrong_key_is_refused_in_the_gateways_words(tmp_path: Path, gateway: Gateway, model: ModelServer) -> None:
    """401: its reason in one line, status 1, nothing upstream, the session kept, the key in no output."""
    user = User(tmp_path, gateway.origin)
    key = "bai_v1." + "A" * 60
    done = user.run("go", AI_AGENT_KEY=key)
    assert done.status == 1
    assert "invalid API key" in done.err
    assert "Traceback" not in done.err
    assert key not in done.out + done.err
    assert not model.requests
    assert len(user.session_files) == 1
