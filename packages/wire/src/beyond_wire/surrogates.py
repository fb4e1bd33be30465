"""Lone surrogates replaced by U+FFFD: a Python string may hold them, UTF-8 and so a JSON body may not.

They come from tools that decode file names and output, and from text cut inside an escape. A value that holds none,
which is nearly every one, is returned itself and not copied.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from msgspec.json import encode
from msgspec.structs import replace

from beyond_wire.types import (
    ImageBlock,
    ImageSource,
    RedactedThinkingBlock,
    TextBlock,
    ThinkingBlock,
    ToolResultBlock,
    ToolUseBlock,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from beyond_wire.types import ContentBlock, Message, ToolDef


def clean_text(text: str) -> str:
    """`text` with each lone surrogate replaced; two that form a pair become their character."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def clean_value(value: Any) -> Any:
    """Return a JSON value with all its strings cleaned, keys included. `RecursionError` where it is too deep."""
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, dict):
        return _clean_fields(cast("dict[Any, Any]", value))
    if isinstance(value, list | tuple):
        items = cast("list[Any]", value)
        cleaned = [clean_value(item) for item in items]
        return items if _same(cleaned, items) else cleaned
    return value


def _clean_fields(fields: dict[Any, Any]) -> dict[Any, Any]:
    names = [clean_value(name) for name in fields]
    items = [clean_value(item) for item in fields.values()]
    return fields if _same(names, fields) and _same(items, fields.values()) else dict(zip(names, items, strict=True))


def _same(cleaned: Iterable[object], source: Iterable[object]) -> bool:
    return all(new is old for new, old in zip(cleaned, source, strict=True))


def clean_messages(messages: list[Message]) -> list[Message]:
    """Messages with the strings of all their blocks cleaned. `RecursionError` where an input is nested too deeply."""
    try:
        # One encoding, thrown away, looks at every string in a tenth of the time that a walk takes.
        encode(messages)
    except (UnicodeEncodeError, TypeError):
        return [_clean_message(message) for message in messages]
    return messages


def _clean_message(message: Message) -> Message:
    content = tuple([_clean_block(block) for block in message.content])
    return message if _same(content, message.content) else replace(message, content=content)


def clean_tool(tool: ToolDef) -> ToolDef:
    """`tool` with its name, description and schema cleaned."""
    schema = clean_value(tool.input_schema)
    name, description = clean_text(tool.name), clean_text(tool.description)
    if schema is tool.input_schema and name is tool.name and description is tool.description:
        return tool
    return replace(tool, name=name, description=description, input_schema=schema)


def _clean_block(block: ContentBlock) -> ContentBlock:
    changed: dict[str, Any] = {}
    for name in _NAMES[type(block)]:
        value = getattr(block, name)
        cleaned = _clean_images(value) if name in _IMAGES else clean_value(value)
        if cleaned is not value:
            changed[name] = cleaned
    return replace(block, **changed) if changed else block


def _clean_images(images: ImageSource | tuple[ImageSource, ...]) -> ImageSource | tuple[ImageSource, ...]:
    if isinstance(images, tuple):
        cleaned = tuple([_clean_image(image) for image in images])
        return images if _same(cleaned, images) else cleaned
    return _clean_image(images)


def _clean_image(image: ImageSource) -> ImageSource:
    media_type, data = clean_text(image.media_type), clean_text(image.data)
    same = media_type is image.media_type and data is image.data
    return image if same else ImageSource(media_type=media_type, data=data)


_IMAGES = ("source", "images")
_NAMES: dict[type[ContentBlock], tuple[str, ...]] = {
    TextBlock: ("text", "id"),
    ThinkingBlock: ("thinking", "signature"),
    RedactedThinkingBlock: ("data",),
    ToolUseBlock: ("id", "name", "input", "thought_signature"),
    ToolResultBlock: ("tool_use_id", "content", "images"),
    ImageBlock: ("source",),
}
