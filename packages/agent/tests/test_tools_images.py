from __future__ import annotations

import base64
import io
import random
import sys
from typing import TYPE_CHECKING, Any, cast

import pytest
from agent_file_tools import MemoryFiles, call, workplace
from PIL import Image

from beyond_agent.tools import images
from beyond_agent.tools.image_size import dimensions
from beyond_agent.tools.read import ReadTool
from beyond_agent_core.errors import InvalidInput

if TYPE_CHECKING:
    from beyond_agent_core.tools import ToolOutput

FORMATS = {"PNG": "image/png", "JPEG": "image/jpeg", "GIF": "image/gif", "WEBP": "image/webp", "BMP": "image/bmp"}


def packed(form: str, size: tuple[int, int] = (30, 20), mode: str = "RGB", **options: Any) -> bytes:
    target = io.BytesIO()
    Image.new(mode, size, 100).save(target, form, **options)
    return target.getvalue()


def noise(size: tuple[int, int]) -> bytes:
    target = io.BytesIO()
    pixels = random.Random(7).randbytes(size[0] * size[1] * 3)  # noqa: S311 - noise, the same in each run
    Image.frombytes("RGB", size, pixels).save(target, "PNG", compress_level=0)
    return target.getvalue()


def shown(content: bytes, name: str = "a", *, vision: bool = True) -> ToolOutput:
    return call(ReadTool(workplace(files=MemoryFiles(**{name: content}))), path=name, vision=vision)


def attached(output: ToolOutput) -> Image.Image:
    (source,) = output.images
    assert len(source.data) <= images.MOST_BASE64
    image = Image.open(io.BytesIO(base64.b64decode(source.data)))
    assert FORMATS[cast("str", image.format)] == source.media_type
    return image


def shown_without_pillow(content: bytes) -> ToolOutput:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "PIL", None)
        return shown(content)


@pytest.mark.parametrize(
    ("form", "options"),
    [
        *((form, {}) for form in FORMATS),
        ("JPEG", {"progressive": True}),
        ("JPEG", {"comment": b"c" * 300}),
        ("WEBP", {"lossless": True}),
        ("WEBP", {"exif": b"Exif\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0"}),
    ],
)
def test_headers_tell_type_and_size(form: str, options: dict[str, Any]) -> None:
    """Type and sides come from the first bytes, for every way these formats are written."""
    content = packed(form, **options)
    assert FORMATS[form] == images.media_type_of(content[: images.HEAD_BYTES])
    assert dimensions(content, FORMATS[form]) == (30, 20)


@pytest.mark.parametrize("form", FORMATS)
def test_a_header_cut_anywhere_is_a_size_or_none(form: str) -> None:
    """No piece of an image raises."""
    content = packed(form)
    assert {None, (30, 20)} == {dimensions(content[:end], FORMATS[form]) for end in range(len(content) + 1)}


def test_old_and_upside_down_bitmaps_are_measured() -> None:
    """A header of OS/2 has short sides, a negative height says top row first."""
    assert dimensions(b"BM" + bytes(12) + (12).to_bytes(4, "little") + b"\x05\0\x07\0", "image/bmp") == (5, 7)
    sides = (5).to_bytes(4, "little") + (2**32 - 7).to_bytes(4, "little")
    assert dimensions(b"BM" + bytes(12) + (40).to_bytes(4, "little") + sides, "image/bmp") == (5, 7)


@pytest.mark.parametrize("form", ["PNG", "JPEG", "GIF", "WEBP"])
def test_an_image_that_fits_is_attached_as_it_is(form: str) -> None:
    """Its name does not matter, its bytes go unchanged, and the text says what it is."""
    content = packed(form)
    output = shown(content, "a.txt")
    (source,) = output.images
    assert (FORMATS[form], content) == (source.media_type, base64.b64decode(source.data))
    assert output.text == f"[Image: {FORMATS[form]}, 30x20, {len(content)}B]"


@pytest.mark.parametrize("form", ["PNG", "JPEG", "GIF", "WEBP"])
def test_an_image_that_fits_needs_no_pillow(form: str) -> None:
    """The header alone says that it fits."""
    content = packed(form)
    assert base64.b64decode(shown_without_pillow(content).images[0].data) == content


@pytest.mark.parametrize("form", ["PNG", "JPEG", "GIF", "WEBP"])
def test_a_side_that_is_too_long_is_scaled(form: str) -> None:
    """The longer side becomes 2000 pixels, the other follows, and the text tells the original."""
    output = shown(packed(form, (4000, 1000)))
    image = attached(output)
    assert image.size == (2000, 500)
    assert image.format == ("JPEG" if form == "JPEG" else "PNG")
    assert output.text.startswith(f"[Image: {FORMATS[image.format or '']}, 2000x500, ")
    assert f", made of {FORMATS[form]}, 4000x1000, " in output.text


def test_a_bitmap_becomes_a_png() -> None:
    """Providers do not take bitmaps."""
    image = attached(shown(packed("BMP")))
    assert (image.format, image.size) == ("PNG", (30, 20))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "YCbCr", "I;16"])
def test_every_kind_of_pixels_is_scaled(mode: str) -> None:
    """Palettes, transparency, depth and inks do not stop it."""
    form = {"CMYK": "JPEG", "YCbCr": "JPEG"}.get(mode, "PNG")
    assert attached(shown(packed(form, (2500, 10), mode))).size == (2000, 8)


def test_deep_grey_stays_grey() -> None:
    """Sixteen bits become the upper eight, not white."""
    target = io.BytesIO()
    Image.new("I;16", (2500, 10), 30_000).save(target, "PNG")
    assert attached(shown(target.getvalue())).getpixel((5, 5)) == 30_000 // 256


def test_an_image_too_heavy_is_packed_harder() -> None:
    """Noise that no PNG packs becomes a JPEG within the bytes."""
    content = noise((1500, 1500))
    output = shown(content)
    image = attached(output)
    assert (image.format, image.size) == ("JPEG", (1500, 1500))
    assert "made of image/png, 1500x1500, 6.4MB" in output.text


def test_an_image_that_no_quality_makes_light_is_made_smaller(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sides shrink until the bytes fit."""
    monkeypatch.setattr(images, "MOST_BASE64", 4_000)
    assert max(attached(shown(noise((300, 300)))).size) < 300


def test_exif_turns_an_image() -> None:
    """A picture taken on its side is sent upright."""
    exif = Image.Exif()
    exif[0x0112] = 6
    output = shown(packed("JPEG", (30, 20), exif=exif))
    image = attached(output)
    assert image.size == (20, 30)
    assert 0x0112 not in image.getexif()


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (packed("PNG", (2001, 1)), "image/png, 2001x1"),
        (packed("BMP"), "image/bmp, 30x20"),
        (b"\x89PNG\r\n\x1a\n", "image/png"),
    ],
)
def test_without_pillow_what_must_be_converted_is_left_out(content: bytes, what: str) -> None:
    """It is no error; the text names what is missing."""
    output = shown_without_pillow(content)
    assert (output.images, output.is_error) == ((), False)
    assert output.text.startswith(f"[Image omitted: {what}, ")
    assert output.text.endswith("; it must be converted, and Pillow is not installed (extra `images`)]")


@pytest.mark.parametrize(
    ("content", "media_type"),
    [
        *((noise((30, 20))[:end], "image/png") for end in (20, 60, 200)),
        (packed("JPEG", (300, 200))[:-40], "image/jpeg"),
        (packed("GIF", (300, 200))[:-40], "image/gif"),
    ],
)
def test_a_damaged_image_is_left_out(content: bytes, media_type: str) -> None:
    """A provider would refuse it for ever, so it is not sent."""
    output = shown(content)
    assert output.images == ()
    assert output.text.startswith(f"[Image omitted: {media_type}, ")
    assert "; not readable: " in output.text


def test_too_many_pixels_are_not_unpacked() -> None:
    """A header that promises more memory than there may be is not followed."""
    content = packed("PNG", (1, 1))
    bomb = content[:16] + (30_000).to_bytes(4, "big") * 2 + content[24:]
    assert shown(bomb).text == f"[Image omitted: image/png, 30000x30000, {len(bomb)}B; more than 80 million pixels]"


def test_a_file_too_large_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a huge file only the first part is read, which is no image."""
    content = noise((30, 20))
    monkeypatch.setattr("beyond_agent.tools.read.HELD_BYTES", 1024)
    assert shown(content).text == "[Image omitted: image/png, 30x20, 1.8KB; more than 1.0KB]"


def test_a_model_without_vision_gets_a_note() -> None:
    """It is told what the file is, and nothing is attached."""
    content = packed("PNG")
    output = shown(content, vision=False)
    assert (output.text, output.images) == (
        f"[Image omitted: image/png, 30x20, {len(content)}B; this model takes no images]",
        (),
    )


def test_a_name_is_believed_where_the_bytes_are_neither_image_nor_text() -> None:
    """Such a file is left out as an image; text is text whatever its name, and other names are binary files."""
    assert shown(b"\0\1\2", "a.JPG").text.startswith("[Image omitted: image/jpeg, 3B; not readable: ")
    assert shown(b"version https://git-lfs\n", "a.png").text == "     1\tversion https://git-lfs"
    assert shown(b"BM is a brand of cars, and more\n", "a").text == "     1\tBM is a brand of cars, and more"
    with pytest.raises(InvalidInput, match="binary file"):
        shown(b"\0\1\2", "a.bin")
