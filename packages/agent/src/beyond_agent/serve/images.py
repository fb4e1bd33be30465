"""Images that come with a prompt: known by their bytes and made to fit, or refused before anything is sent.

Whether the model sees them is not asked here, for another one may answer the next turn: the session keeps them, and one
that does not see is told so in their place (wire contract, history).
"""

from __future__ import annotations

import asyncio
import binascii
from typing import TYPE_CHECKING

from beyond_agent.serve.faults import CommandFault

if TYPE_CHECKING:
    from collections.abc import Sequence

    from beyond_agent.serve.commands import PromptImage
    from beyond_wire.types import ImageSource


async def images_of(given: Sequence[PromptImage]) -> tuple[ImageSource, ...]:
    """Return the images of a prompt as the model gets them. Raises CommandFault naming the first that is bad."""
    if not given:
        return ()
    # Scaling an image takes time that others' events should not wait for.
    return await asyncio.to_thread(lambda: tuple(_checked(at, each) for at, each in enumerate(given)))


def _checked(at: int, given: PromptImage) -> ImageSource:
    from beyond_agent.tools.images import HEAD_BYTES, attached, media_type_of  # noqa: PLC0415 - few prompts have one

    try:
        content = binascii.a2b_base64(given.data, strict_mode=True)
    except (binascii.Error, ValueError) as error:
        raise CommandFault("invalid_field", f"invalid `images[{at}].data`: expected base64: {error}") from None
    kind = media_type_of(content[:HEAD_BYTES])
    if kind is None:
        raise CommandFault("invalid_field", f"invalid `images[{at}].data`: expected a png, jpeg, gif, webp or bmp")
    if given.media_type.lower().replace("/jpg", "/jpeg") != kind:
        text = f"invalid `images[{at}].media_type`: expected {kind}, which the data is"
        raise CommandFault("invalid_field", text)
    made = attached(content, kind, len(content), vision=True)
    if not made.images:
        raise CommandFault("invalid_field", f"invalid `images[{at}].data`: {made.text}")
    return made.images[0]
