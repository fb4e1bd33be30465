"""The steps that make a history fit to send, each a function from messages to messages (wire contract, history).

`history` says in which order they run and why. A step returns the messages it does not change themselves, so that equal
histories stay equal and cheap.
"""

from __future__ import annotations

import re
from collections import deque
from typing import TYPE_CHECKING

from msgspec.structs import replace

from beyond_wire.types import (
    ImageBlock,
    Message,
    RedactedThinkingBlock,
    TextBlock,
    ThinkingBlock,
    ToolResultBlock,
    ToolUseBlock,
    tool_uses,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from beyond_wire.tool_ids import ToolIds
    from beyond_wire.types import ContentBlock, ToolDef

NO_RESULT = "no result recorded for this tool call"
"""Error result of a call whose result was never stored (wire contract, history)."""

NO_CONTENT = "(no content)"
"""Text of a message that would be empty (wire contract, history)."""

IMAGE_OMITTED = "(image omitted: model does not support images)"
"""Text in the place of a run of images (wire contract, history)."""

TOOL_IMAGE_OMITTED = "(tool image omitted: model does not support images)"
"""Text in the place of the images of a result (wire contract, history)."""

UNNAMED = "unnamed"
"""Name in a request of a call that has none."""

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_UNSAFE = re.compile(r"[^A-Za-z0-9_-]")

# Blocks that no provider accepts in the other role. In a stored history they are as lost as a result without its call.
_USER_ONLY = (ToolResultBlock, ImageBlock)
_ASSISTANT_ONLY = (ToolUseBlock, ThinkingBlock, RedactedThinkingBlock)


def without_failed(messages: list[Message]) -> list[Message]:
    """Messages that were neither aborted nor ended in an error."""
    return [message for message in messages if not failed(message)]


def failed(message: Message) -> bool:
    """Whether `message` is kept for the record only."""
    return message.aborted or message.error_message is not None


def without_system(messages: list[Message]) -> tuple[list[str], list[Message]]:
    """Texts of the system messages, blank ones left out, and the other messages; both in order."""
    system = [message for message in messages if message.role == "system"]
    if not system:
        return [], messages
    texts = [
        block.text
        for message in system
        for block in message.content
        if isinstance(block, TextBlock) and not _blank(block.text)
    ]
    return texts, [message for message in messages if message.role != "system"]


def without_orphans(messages: list[Message]) -> list[Message]:
    """Messages less the results whose call is not in the assistant message before them, and second results of a call.

    Blocks that stand in the wrong role go too.
    """
    kept: list[Message] = []
    unanswered: dict[str, int] = {}
    for message in messages:
        if message.role == "assistant":
            unanswered = _counted([call.id for call in tool_uses(message)])
            content = tuple([block for block in message.content if not isinstance(block, _USER_ONLY)])
        else:
            content = tuple([block for block in message.content if _belongs(block, unanswered)])
        kept.append(_with_content(message, content))
    return kept


def _belongs(block: ContentBlock, unanswered: dict[str, int]) -> bool:
    if isinstance(block, ToolResultBlock):
        return _take(unanswered, block.tool_use_id)
    return not isinstance(block, _ASSISTANT_ONLY)


def _counted(ids: list[str]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for one in ids:
        counts[one] = counts.get(one, 0) + 1
    return counts


def _take(counts: dict[str, int], one: str) -> bool:
    """Whether `one` was left in `counts`; one of it is taken."""
    left = counts.get(one, 0)
    counts[one] = left - 1
    return left > 0


def with_missing_results(messages: list[Message]) -> list[Message]:
    """Messages with an error result for each call that has none, in the next user message or in a new one."""
    whole: list[Message] = []
    owed: tuple[ToolResultBlock, ...] = ()
    for at, message in enumerate(messages):
        if not owed:
            whole.append(message)
        elif message.role == "user":
            whole.append(replace(message, content=message.content + owed))
        else:
            whole += [Message(role="user", content=owed), message]
        owed = _missing(messages, at) if message.role == "assistant" else ()
    if owed:
        whole.append(Message(role="user", content=owed))
    return whole


def _missing(messages: list[Message], at: int) -> tuple[ToolResultBlock, ...]:
    calls = [call.id for call in tool_uses(messages[at])]
    if not calls:
        return ()
    results: list[str] = []
    after = at + 1
    while after < len(messages) and messages[after].role == "user":
        results += [block.tool_use_id for block in messages[after].content if isinstance(block, ToolResultBlock)]
        after += 1
    if results == calls:
        return ()
    answered = _counted(results)
    return tuple(
        [
            ToolResultBlock(tool_use_id=call_id, content=NO_RESULT, is_error=True)
            for call_id in calls
            if not _take(answered, call_id)
        ]
    )


def with_given_ids(messages: list[Message], ids: ToolIds, model: str) -> list[Message]:
    """Messages whose calls have the ids that `ids` gives, and whose results follow their call.

    Each call has one result here; where calls of one turn share an id, the first result belongs to the first.
    """
    renamed: list[Message] = []
    given: dict[str, deque[str]] = {}
    for message in messages:
        content: list[ContentBlock] = []
        if message.role == "assistant":
            given = {}
        for block in message.content:
            new = block
            if isinstance(block, ToolUseBlock):
                new_id = ids.give(block.id, foreign=is_foreign(message, model))
                given.setdefault(block.id, deque()).append(new_id)
                new = block if new_id == block.id else replace(block, id=new_id)
            elif isinstance(block, ToolResultBlock):
                new_id = given[block.tool_use_id].popleft()
                new = block if new_id == block.tool_use_id else replace(block, tool_use_id=new_id)
            content.append(new)
        renamed.append(_with_content(message, tuple(content)))
    return renamed


def odd_names(tools: Iterable[ToolDef]) -> frozenset[str]:
    """Names of tools that not every provider takes; whoever offers such a one knows that his does."""
    return frozenset([tool.name for tool in tools if _NAME.fullmatch(tool.name) is None])


def with_fit_names(messages: list[Message], offered: frozenset[str]) -> list[Message]:
    """Messages whose calls have names that every provider takes, or one of `offered`.

    A model may call what nobody offered, by any name or none, and providers refuse a history with their own mistake.
    """
    return [
        message
        if message.role == "user"
        else _with_content(message, tuple([_fit_name(block, offered) for block in message.content]))
        for message in messages
    ]


def _fit_name(block: ContentBlock, offered: frozenset[str]) -> ContentBlock:
    if not isinstance(block, ToolUseBlock) or _NAME.fullmatch(block.name) is not None or block.name in offered:
        return block
    return replace(block, name=_UNSAFE.sub("_", block.name)[:64] or UNNAMED)


def is_foreign(message: Message, model: str) -> bool:
    """Whether `message` was made by another model than the one that will read it."""
    return message.model_id is not None and message.model_id != model


def with_plain_foreign(messages: list[Message], model: str) -> list[Message]:
    """Messages in which turns of other models hold only what every model can read.

    Thinking becomes text; redacted thinking, signatures and replay data go.
    """
    return [
        _with_content(message, tuple([plain for block in message.content for plain in _plain(block)]))
        if is_foreign(message, model)
        else message
        for message in messages
    ]


def _plain(block: ContentBlock) -> tuple[ContentBlock, ...]:
    if isinstance(block, ThinkingBlock):
        return () if _blank(block.thinking) else (TextBlock(text=block.thinking),)
    if isinstance(block, RedactedThinkingBlock):
        return ()
    if isinstance(block, TextBlock) and (block.id is not None or block.phase is not None):
        return (TextBlock(text=block.text),)
    if isinstance(block, ToolUseBlock) and block.thought_signature is not None:
        return (replace(block, thought_signature=None),)
    return (block,)


def merged(messages: list[Message], *, opening: bool) -> list[Message]:
    """Messages of strictly alternating roles, without the facts for storage: neighbours of one role become one.

    With `opening`, they are the start of a request: then a user message is put before a leading assistant.
    """
    whole: list[Message] = []
    if opening and messages and messages[0].role == "assistant":
        whole.append(Message(role="user", content=()))
    for message in messages:
        if whole and whole[-1].role == message.role:
            whole[-1] = Message(role=message.role, content=whole[-1].content + message.content)
        else:
            bare = Message(role=message.role, content=message.content)
            whole.append(message if message == bare else bare)
    return whole


def with_results_first(messages: list[Message]) -> list[Message]:
    """Messages in which results stand first, in the order of their calls; then text and images as they stood."""
    order: dict[str, int] = {}
    sorted_: list[Message] = []
    for message in messages:
        if message.role == "assistant":
            order = {call.id: at for at, call in enumerate(tool_uses(message))}
            sorted_.append(message)
            continue
        results = [block for block in message.content if isinstance(block, ToolResultBlock)]
        if results:
            results.sort(key=lambda result: order[result.tool_use_id])
            others = [block for block in message.content if not isinstance(block, ToolResultBlock)]
            sorted_.append(_with_content(message, (*results, *others)))
        else:
            sorted_.append(message)
    return sorted_


def without_blanks(messages: list[Message]) -> list[Message]:
    """Messages less text of white space only and unsigned thinking of the same; one left empty says so."""
    whole: list[Message] = []
    for message in messages:
        content = tuple([block for block in message.content if not _is_blank(block)])
        whole.append(_with_content(message, content or (TextBlock(text=NO_CONTENT),)))
    return whole


def _is_blank(block: ContentBlock) -> bool:
    if isinstance(block, TextBlock):
        return _blank(block.text)
    return isinstance(block, ThinkingBlock) and not block.signature and _blank(block.thinking)


def without_images(messages: list[Message]) -> list[Message]:
    """Messages with a text in the place of each run of images, and of the images of each result."""
    whole: list[Message] = []
    for message in messages:
        content: list[ContentBlock] = []
        in_run = False
        for block in message.content:
            if isinstance(block, ImageBlock):
                if not in_run:
                    content.append(TextBlock(text=IMAGE_OMITTED))
            elif isinstance(block, ToolResultBlock) and block.images:
                text = f"{block.content}\n{TOOL_IMAGE_OMITTED}" if block.content else TOOL_IMAGE_OMITTED
                content.append(replace(block, content=text, images=()))
            else:
                content.append(block)
            in_run = isinstance(block, ImageBlock)
        whole.append(_with_content(message, tuple(content)))
    return whole


def _with_content(message: Message, content: tuple[ContentBlock, ...]) -> Message:
    # Blocks that a step left alone are the same objects, for which comparing is only comparing addresses.
    return message if content == message.content else replace(message, content=content)


def _blank(text: str) -> bool:
    return not text or text.isspace()
