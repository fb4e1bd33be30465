"""The public surface is pinned."""

from __future__ import annotations

import beyond_wire


def test_public_names() -> None:
    """The package exports exactly these names, and each exists."""
    assert beyond_wire.__all__ == [
        "DeltaCounter",
        "Family",
        "SseBadUtf8",
        "SseEvent",
        "SseLineTooLong",
        "SseParser",
        "UsageFacts",
        "WireError",
        "error_in_tail",
        "estimate_output_tokens",
        "facts_and_model",
        "model_from_body",
        "model_from_head",
        "prompt_text_bytes",
        "usage_from_body",
        "usage_from_tail",
    ]
    assert all(hasattr(beyond_wire, name) for name in beyond_wire.__all__)
