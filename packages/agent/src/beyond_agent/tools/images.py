"""Images for the model: known by their bytes, measured by their headers, and made to fit by Pillow where it is there.

Providers refuse a request for ever when one image in its transcript is too large or damaged, so an image that cannot be
made fit is left out and its place says why.
"""

from __future__ import annotations

import base64
import os
from typing import TYPE_CHECKING, Final, NamedTuple

from beyond_agent.tools.image_size import dimensions
from beyond_agent.tools.text import size_text
from beyond_agent_core.tools import ToolOutput
from beyond_wire.types import ImageSource

if TYPE_CHECKING:
    from PIL.Image import Image

HEAD_BYTES: Final = 4100
"""Bytes in which an image is known (agent contract, tools)."""
MOST_BASE64: Final = 4_718_592
MOST_SIDE: Final = 2000
"""Characters of base64, 4.5 Mi, and pixels of a side, of an attached image (agent contract, tools)."""
MOST_PIXELS: Final = 80_000_000
"""Pixels that are unpacked to be scaled: 320 MB of memory, below what Pillow warns of."""

_TYPES: Final = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".gif": "image/gif",
    ".webp": "image/webp",
    ".bmp": "image/bmp",
}
_QUALITIES: Final = (85, 70, 50)


class _Fitted(NamedTuple):
    media_type: str
    content: bytes
    size: tuple[int, int]


class _Unfit(Exception):  # noqa: N818 - it says what was met
    """The image cannot be attached; the text says why."""


def media_type_of(head: bytes) -> str | None:
    """Return the media type that the first bytes of a file show, None where it is no image that is known here."""
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if head.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "image/webp"
    # `BM` alone begins many a text; the length of the second header does not.
    if head.startswith(b"BM") and int.from_bytes(head[14:18], "little") in {12, 40, 52, 56, 64, 108, 124}:
        return "image/bmp"
    return None


def media_type_by_name(path: str) -> str | None:
    """Return the media type that the end of a file's name promises."""
    return _TYPES.get(os.path.splitext(path)[1].lower())  # noqa: PTH122 - paths are text here


def attached(content: bytes, media_type: str, size: int, *, vision: bool) -> ToolOutput:
    """Return an image for the model, made to fit, with a note of what it is; where that cannot be, the reason.

    `size` is that of the file, of which `content` may be the first bytes only.
    """
    origin = _note(media_type, dimensions(content, media_type), size)
    if not vision:
        return ToolOutput(text=f"[Image omitted: {origin}; this model takes no images]")
    if len(content) < size:
        return ToolOutput(text=f"[Image omitted: {origin}; more than {size_text(len(content))}]")
    try:
        fitted = _fitted(content, media_type)
    except _Unfit as error:
        return ToolOutput(text=f"[Image omitted: {origin}; {error}]")
    note = origin
    if fitted.content is not content:
        note = f"{_note(fitted.media_type, fitted.size, len(fitted.content))}, made of {origin}"
    data = base64.b64encode(fitted.content).decode()
    return ToolOutput(text=f"[Image: {note}]", images=(ImageSource(media_type=fitted.media_type, data=data),))


def _note(media_type: str, size: tuple[int, int] | None, length: int) -> str:
    sides = "" if size is None else f"{size[0]}x{size[1]}, "
    return f"{media_type}, {sides}{size_text(length)}"


def _fitted(content: bytes, media_type: str) -> _Fitted:
    """Return the image within the bounds, as it is where it is within. Raises _Unfit."""
    size = dimensions(content, media_type)
    if size is not None and size[0] * size[1] > MOST_PIXELS:
        raise _Unfit(f"more than {MOST_PIXELS // 1_000_000} million pixels")
    fits = size is not None and 0 < max(size) <= MOST_SIDE and _base64_length(len(content)) <= MOST_BASE64
    fits = fits and media_type != "image/bmp"
    try:
        from PIL import Image as pillow  # noqa: N813, PLC0415 - an extra, and slow to import
    except ImportError:
        if size is not None and fits:
            return _Fitted(media_type, content, size)
        raise _Unfit("it must be converted, and Pillow is not installed (extra `images`)") from None
    import io  # noqa: PLC0415 - with Pillow only

    try:
        with pillow.open(io.BytesIO(content), formats=("PNG", "JPEG", "GIF", "WEBP", "BMP")) as image:
            turned = image.getexif().get(0x0112, 1) != 1
            if fits and not turned:
                image.load()
                return _Fitted(media_type, content, image.size)
            return _made_to_fit(image)
    except _Unfit:
        raise
    except Exception as error:
        # A decoder may raise anything about damaged bytes.
        raise _Unfit(f"not readable: {error}") from error


def _made_to_fit(image: Image) -> _Fitted:
    """Return the first frame, upright, no side too long, in PNG or, where that is too much, in ever less JPEG."""
    from PIL import ImageOps  # noqa: PLC0415 - as above

    upright = ImageOps.exif_transpose(image)
    if upright.mode.startswith("I"):
        # Pillow would cut 16 bits of grey off at 255, which makes nearly all of it white.
        upright = upright.point(_high_byte).convert("L")  # pyright: ignore[reportUnknownMemberType] - an untyped lut
    if upright.mode not in {"RGB", "RGBA", "L", "LA"}:
        upright = upright.convert("RGBA" if upright.has_transparency_data else "RGB")
    upright.thumbnail((MOST_SIDE, MOST_SIDE))
    if image.format != "JPEG":
        packed = _packed(upright, "PNG")
        if _base64_length(len(packed)) <= MOST_BASE64:
            return _Fitted("image/png", packed, upright.size)
    opaque = upright.convert("RGB")
    while True:
        for quality in _QUALITIES:
            packed = _packed(opaque, "JPEG", quality=quality)
            if _base64_length(len(packed)) <= MOST_BASE64:
                return _Fitted("image/jpeg", packed, opaque.size)
        opaque.thumbnail((opaque.width * 3 // 4, opaque.height * 3 // 4))


def _high_byte(grey: float) -> float:
    return grey * (1 / 256)


def _packed(image: Image, form: str, **options: int) -> bytes:
    import io  # noqa: PLC0415 - as above

    target = io.BytesIO()
    image.save(target, form, **options)
    return target.getvalue()


def _base64_length(length: int) -> int:
    return (length + 2) // 3 * 4
