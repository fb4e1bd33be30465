"""Which answer belongs to which path: the table of endpoints, matched by the END of the path.

Every vendor puts its own prefix before the same endings (`/openai/v1/chat/completions`, `/inference/v1/…`), so one
provider stands for all of them.
"""

from collections.abc import Callable, Iterator

import msgspec

from beyond_gateway.mock import chat, messages, responses, small
from beyond_gateway.mock.frames import Frame, Json
from beyond_gateway.mock.plan import Ask
from beyond_gateway.mock.small import InputBody
from beyond_gateway.mock.vendor import Vendor


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """One row: exactly one of `body`, `plain` and `fixed` makes the JSON answer; `frames` the stream."""

    ending: str
    method: str = "POST"
    vendor: Vendor = "openai"
    body: Callable[[Ask], Json] | None = None
    frames: Callable[[Ask], Iterator[Frame]] | None = None
    error_frame: Callable[[int], Frame] = chat.error_frame
    plain: Callable[[InputBody], Json] | None = None
    fixed: Callable[[], Json] | None = None


# Longer endings stand before the shorter ones they end with.
ENDPOINTS = (
    Endpoint(ending="/chat/completions", body=chat.body, frames=chat.frames),
    Endpoint(ending="/completions", body=small.completion, frames=small.completion_frames),
    Endpoint(ending="/messages/count_tokens", vendor="anthropic", body=small.count_tokens),
    Endpoint(
        ending="/messages",
        vendor="anthropic",
        body=messages.body,
        frames=messages.frames,
        error_frame=messages.error_frame,
    ),
    Endpoint(ending="/responses/input_tokens", body=small.input_tokens),
    Endpoint(ending="/responses/compact", body=small.compaction),
    Endpoint(ending="/responses", body=responses.body, frames=responses.frames, error_frame=responses.error_frame),
    Endpoint(ending="/embeddings", plain=small.embeddings),
    Endpoint(ending="/moderations", plain=small.moderations),
    Endpoint(ending="/images/generations", plain=small.images),
    Endpoint(ending="/images/edits", plain=small.images),
    Endpoint(ending="/audio/transcriptions", plain=small.transcription),
    Endpoint(ending="/models", method="GET", fixed=small.openai_models),
)
ANTHROPIC_MODELS = Endpoint(ending="/models", method="GET", vendor="anthropic", fixed=small.anthropic_models)


def find(method: str, path: str, *, anthropic: bool) -> Endpoint | None:
    """Return the row for this request, None when there is none; `anthropic`: the client speaks Anthropic's API."""
    method = "GET" if method == "HEAD" else method
    for endpoint in ENDPOINTS:
        if endpoint.method == method and path.endswith(endpoint.ending):
            return ANTHROPIC_MODELS if anthropic and endpoint.fixed else endpoint
    return None
