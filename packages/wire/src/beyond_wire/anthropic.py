"""Anthropic Messages, as a dialect: this module is one, with the members that `types.Dialect` lists.

- `anthropic_encode`: a request to bytes, and where cache marks stand; `anthropic_thinking`: how reasoning is asked for
- `anthropic_decode`: the streaming decoder and the whole body
- `anthropic_shapes`: the wire's own types; `anthropic_read`: reading them; `anthropic_answer`: what they mean as events
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from beyond_wire.anthropic_decode import AnthropicDecoder, decode_body
from beyond_wire.anthropic_encode import encode, encode_prepared

if TYPE_CHECKING:
    from beyond_wire.types import Caps, DialectName, ModelRequest

__all__ = ["decode_body", "decoder", "encode", "encode_prepared", "headers", "name", "path"]

name: DialectName = "anthropic"
"""Name of the format."""

path = "/v1/messages"
"""Path of the endpoint (wire contract, Anthropic)."""

VERSION = "2023-06-01"
"""Version of the API that is spoken (wire contract, Anthropic)."""

INTERLEAVED_THINKING = "interleaved-thinking-2025-05-14"
"""Beta that lets a budget model think between tool calls, as adaptive models do anyway (wire contract, Anthropic)."""

FINE_GRAINED_TOOLS = "fine-grained-tool-streaming-2025-05-14"
"""Beta that streams arguments as they are written, where tools cannot ask for it (wire contract, Anthropic)."""


def headers(request: ModelRequest, caps: Caps) -> dict[str, str]:
    """Headers of this request beyond content type and credentials, names in lower case."""
    betas: list[str] = []
    if caps.thinking == "budget":
        betas.append(INTERLEAVED_THINKING)
    if request.tools and not caps.eager_tools:
        betas.append(FINE_GRAINED_TOOLS)
    version = {"anthropic-version": VERSION}
    return {**version, "anthropic-beta": ",".join(betas)} if betas else version


def decoder() -> AnthropicDecoder:
    """Return a new decoder for one streamed answer."""
    return AnthropicDecoder()
