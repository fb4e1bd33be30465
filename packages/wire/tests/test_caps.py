"""Capabilities: the contract's table row by row, prefixes, and the choice of dialect."""

from __future__ import annotations

from typing import Any

import pytest

from beyond_wire import ANTHROPIC, CHAT, DIALECTS, RESPONSES, dialect_for
from beyond_wire.caps import ROWS, UNKNOWN, caps_for, dialect_name

K = 1000
OUT, COMPLETION = "max_tokens", "max_completion_tokens"
TABLE: list[tuple[str, int, int, str, str, bool, bool]] = [
    ("mystery-7b", 128 * K, 4_096, OUT, "none", False, False),
    ("claude-opus-4-6", 1000 * K, 128 * K, OUT, "adaptive", True, True),
    ("claude-opus-4-7-20260101", 1000 * K, 128 * K, OUT, "adaptive", True, True),
    ("claude-opus-4-8", 1000 * K, 128 * K, OUT, "adaptive", True, True),
    ("claude-sonnet-5", 1000 * K, 128 * K, OUT, "adaptive", True, True),
    ("claude-fable-5", 1000 * K, 128 * K, OUT, "adaptive", True, True),
    ("claude-sonnet-4-6", 1000 * K, 64 * K, OUT, "adaptive", True, True),
    ("claude-sonnet-4-20250514", 200 * K, 64 * K, OUT, "budget", True, False),
    ("claude-sonnet-4-5", 200 * K, 64 * K, OUT, "budget", True, False),
    ("claude-haiku-4-5", 200 * K, 64 * K, OUT, "budget", True, False),
    ("claude-opus-4-5", 200 * K, 64 * K, OUT, "budget", True, False),
    ("claude-3-7-sonnet-latest", 200 * K, 64 * K, OUT, "budget", True, False),
    ("claude-opus-4-1", 200 * K, 32 * K, OUT, "budget", True, False),
    ("claude-3-5-sonnet", 200 * K, 8_192, OUT, "none", True, False),
    ("claude-3-haiku-20240307", 200 * K, 4_096, OUT, "none", True, False),
    ("claude-3-opus", 200 * K, 4_096, OUT, "none", True, False),
    ("claude-3-sonnet", 200 * K, 4_096, OUT, "none", True, False),
    ("gpt-5", 400 * K, 128 * K, COMPLETION, "effort", True, True),
    ("gpt-5-mini", 400 * K, 128 * K, COMPLETION, "effort", True, True),
    ("gpt-5.1", 400 * K, 128 * K, COMPLETION, "effort", True, True),
    ("gpt-5.2-codex", 400 * K, 128 * K, COMPLETION, "effort", True, True),
    ("gpt-4.1-nano", 1_047_576, 32_768, OUT, "none", True, False),
    ("gpt-4o-mini", 128 * K, 16_384, OUT, "none", True, False),
    ("o1", 200 * K, 100 * K, COMPLETION, "effort", True, False),
    ("o3-pro", 200 * K, 100 * K, COMPLETION, "effort", True, False),
    ("o4-mini", 200 * K, 100 * K, COMPLETION, "effort", True, False),
]


@pytest.mark.parametrize(("model", "window", "max_output", "field", "thinking", "vision", "long_cache"), TABLE)
def test_table(
    model: str, window: int, max_output: int, field: str, thinking: str, *, vision: bool, long_cache: bool
) -> None:
    """Each row of the contract has its sizes, its output field, its way to think, vision and long cache."""
    caps = caps_for(model)
    assert (caps.window, caps.max_output, caps.output_field) == (window, max_output, field)
    assert (caps.thinking, caps.vision, caps.long_cache) == (thinking, vision, long_cache)


@pytest.mark.parametrize("model", [row[0] for row in TABLE])
def test_what_follows_from_the_way_to_think(model: str) -> None:
    """Budget and adaptive rows can be off, adaptive rows stream tools eagerly, effort rows take no temperature."""
    caps = caps_for(model)
    later = model.startswith("gpt-5.")
    assert caps.can_disable == (caps.thinking in ("budget", "adaptive") or later)
    assert caps.eager_tools == (caps.thinking == "adaptive")
    assert caps.temperature == (caps.thinking != "effort")
    assert bool(caps.efforts) == (caps.thinking != "none")


@pytest.mark.parametrize(
    ("model", "asked", "level"),
    [
        ("gpt-5", "off", "minimal"),
        ("gpt-5", "xhigh", "high"),
        ("gpt-5.1", "off", None),
        ("gpt-5.1", "minimal", "low"),
        ("gpt-5.1", "xhigh", "high"),
        ("gpt-5.2", "xhigh", "xhigh"),
        ("o3", "minimal", "low"),
        ("o3", "off", "low"),
        ("claude-opus-4-8", "minimal", "low"),
        ("claude-opus-4-8", "xhigh", "xhigh"),
        ("claude-sonnet-4-6", "xhigh", "high"),
        ("claude-sonnet-4-5", "minimal", "minimal"),
        ("claude-sonnet-4-5", "off", None),
        ("gpt-4o", "high", None),
        ("mystery", "off", None),
    ],
)
def test_effort_of_models(model: str, asked: Any, level: str | None) -> None:
    """A level becomes the nearest the model has, and off the floor of a model that always thinks."""
    assert caps_for(model).effort(asked) == level


def test_word_for_xhigh() -> None:
    """The highest effort is called max on one model."""
    assert [model for model, caps in ROWS.items() if caps.xhigh_word == "max"] == ["claude-opus-4-6"]


def test_longest_prefix_after_the_last_slash() -> None:
    """The vendor's path before the name does not matter, and a longer prefix wins over a shorter one."""
    assert caps_for("a/b/claude-opus-4-8").spoken("chat") == caps_for("claude-opus-4-8").spoken("chat")
    assert caps_for("openai/gpt-4o").spoken("responses") == caps_for("gpt-4o")
    assert caps_for("claude-opus-4-6").max_output > caps_for("claude-opus-4-5").max_output
    assert caps_for("gpt-5/other").window == UNKNOWN.window


@pytest.mark.parametrize(
    ("model", "dialect"),
    [
        ("claude-opus-4-8", "anthropic"),
        ("claude-next", "anthropic"),
        ("anthropic/claude-3-5", "anthropic"),
        ("bedrock/us.anthropic.nova", "anthropic"),
        ("gpt-4o", "responses"),
        ("gpt-5.1", "responses"),
        ("o1", "responses"),
        ("o3-mini", "responses"),
        ("o4-mini", "responses"),
        ("openai/gpt-5", "chat"),
        ("gpt-5/other", "chat"),
        ("gpt-3.5-turbo", "chat"),
        ("o2", "chat"),
        ("x/claude-3", "chat"),
        ("llama-3.3-70b", "chat"),
        ("", "chat"),
    ],
)
def test_dialect(model: str, dialect: str) -> None:
    """Claude and anthropic ids are Anthropic, bare OpenAI ids Responses, all others Chat."""
    assert dialect_name(model) == dialect
    assert caps_for(model).dialect == dialect


def test_each_model_is_asked_in_its_dialect() -> None:
    """`dialect_for` gives the format that a model's id suggests, and each format knows its name."""
    assert dialect_for("claude-opus-4-8") is ANTHROPIC
    assert dialect_for("gpt-5") is RESPONSES
    assert dialect_for("openrouter/gpt-5") is CHAT
    assert [dialect.name for dialect in (CHAT, RESPONSES, ANTHROPIC)] == list(DIALECTS)
    assert all(DIALECTS[name].path.startswith("/v1/") for name in DIALECTS)
