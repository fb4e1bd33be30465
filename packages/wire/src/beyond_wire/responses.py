"""OpenAI Responses, as a dialect: this module is one, with the members that `types.Dialect` lists.

- `responses_encode`: a request to bytes
- `responses_decode`: the streaming decoder and the whole body
- `responses_shapes`: the wire's own types; `responses_read`: reading them; `responses_answer`: what they mean as events
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from beyond_wire.encoding import affinity_headers
from beyond_wire.responses_decode import ResponsesDecoder, decode_body
from beyond_wire.responses_encode import encode, encode_prepared

if TYPE_CHECKING:
    from beyond_wire.types import Caps, DialectName, ModelRequest

__all__ = ["decode_body", "decoder", "encode", "encode_prepared", "headers", "name", "path"]

name: DialectName = "responses"
"""Name of the format."""

path = "/v1/responses"
"""Path of the endpoint (wire contract, Responses)."""

AFFINITY_HEADERS = ("session_id", "x-client-request-id")
"""Headers that name the conversation, so that a router sends it where its cache is (wire contract, OpenAI headers)."""


def headers(request: ModelRequest, caps: Caps) -> dict[str, str]:  # noqa: ARG001 - the same surface for each dialect
    """Headers of this request beyond content type and credentials, names in lower case.

    Raises `EncodeError` for a cache key that no header can hold: only printable ASCII can.
    """
    return affinity_headers(request, AFFINITY_HEADERS)


def decoder() -> ResponsesDecoder:
    """Return a new decoder for one streamed answer."""
    return ResponsesDecoder()
