"""Width and height of an image from its header, so that one that fits needs no decoder."""

from __future__ import annotations

# Start-of-frame markers of JPEG; C4, C8 and CC of that range are tables.
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


def dimensions(content: bytes, media_type: str) -> tuple[int, int] | None:
    """Return (width, height) in pixels, None where the header is cut short or not of this type."""
    try:
        return _READERS[media_type](content)
    except (IndexError, KeyError):
        return None


def _png(content: bytes) -> tuple[int, int] | None:
    if content[12:16] != b"IHDR":
        return None
    return _big(content, 16, 4), _big(content, 20, 4)


def _gif(content: bytes) -> tuple[int, int] | None:
    return (_little(content, 6, 2), _little(content, 8, 2)) if content.startswith(b"GIF8") else None


def _bmp(content: bytes) -> tuple[int, int] | None:
    if not content.startswith(b"BM"):
        return None
    if _little(content, 14, 4) == 12:
        return _little(content, 18, 2), _little(content, 20, 2)
    height = _little(content, 22, 4)
    # A negative height says that the top row comes first.
    return _little(content, 18, 4), min(height, 2**32 - height)


def _webp(content: bytes) -> tuple[int, int] | None:
    form = content[12:16]
    if form == b"VP8X":
        return _little(content, 24, 3) + 1, _little(content, 27, 3) + 1
    if form == b"VP8L":
        sides = _little(content, 21, 4)
        return (sides & 0x3FFF) + 1, (sides >> 14 & 0x3FFF) + 1
    if form == b"VP8 ":
        return _little(content, 26, 2) & 0x3FFF, _little(content, 28, 2) & 0x3FFF
    return None


def _jpeg(content: bytes) -> tuple[int, int] | None:
    """Walk from segment to segment, each `FF`, marker, length, to the one that begins the frame."""
    at = 2
    while content[at] == 0xFF:
        marker = content[at + 1]
        if marker == 0xFF:
            at += 1
        elif marker in _FRAMES:
            return _big(content, at + 7, 2), _big(content, at + 5, 2)
        else:
            at += 2 + _big(content, at + 2, 2)
    return None


def _big(content: bytes, start: int, length: int) -> int:
    return int.from_bytes(_exactly(content, start, length), "big")


def _little(content: bytes, start: int, length: int) -> int:
    return int.from_bytes(_exactly(content, start, length), "little")


def _exactly(content: bytes, start: int, length: int) -> bytes:
    found = content[start : start + length]
    if len(found) < length:
        raise IndexError
    return found


_READERS = {"image/png": _png, "image/jpeg": _jpeg, "image/gif": _gif, "image/webp": _webp, "image/bmp": _bmp}
