"""OpenAI Chat Completions, as a dialect: this module is one, with the members that `types.Dialect` lists.

- `chat_encode`: a request to bytes; `chat_messages`: its history in the wire's messages
- `chat_decode`: the streaming decoder and the whole body
- `chat_shapes`: the wire's own types; `chat_read`: reading them
- `chat_answer`: what they mean as events; `chat_calls`: tool calls put together from pieces
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from beyond_wire.chat_decode import ChatDecoder, decode_body
from beyond_wire.chat_encode import encode, encode_prepared
from beyond_wire.encoding import affinity_headers

if TYPE_CHECKING:
    from beyond_wire.types import Caps, DialectName, ModelRequest

__all__ = ["decode_body", "decoder", "encode", "encode_prepared", "headers", "name", "path"]

name: DialectName = "chat"
"""Name of the format."""

path = "/v1/chat/completions"
"""Path of the endpoint (wire contract, Chat)."""

AFFINITY_HEADERS = ("session_id", "x-client-request-id", "x-session-affinity")
"""Headers that name the conversation, so that a router sends it where its cache is (wire contract, OpenAI headers)."""


def headers(request: ModelRequest, caps: Caps) -> dict[str, str]:  # noqa: ARG001 - the same surface for each dialect
    """Headers of this request beyond content type and credentials, names in lower case.

    Raises `EncodeError` for a cache key that no header can hold: only printable ASCII can.
    """
    return affinity_headers(request, AFFINITY_HEADERS)


def decoder() -> ChatDecoder:
    """Return a new decoder for one streamed answer."""
    return ChatDecoder()
