"""A stored history made fit for one request: what a provider would refuse is mended, and nothing else is touched.

Sessions store what happened: turns that were cancelled, calls without results, turns of other models, images. Providers
want strict alternation, one result for each call, ids that they like, and no empty block. `prepare` makes one of the
other and never changes its input.

The contract numbers eleven steps. Three run before their number, with the same outcome except where noted:

- surrogates (11) first, because two ids may become equal by it;
- ids (9) and turns of other models (8) before messages are merged (5), because a merged message no longer says who made
  it; what step 8 empties is then filled by step 7.

Beside them names of calls are made valid, with the ids.

Every step looks back no further than the assistant message before, except for the ids already given. So where an
assistant message follows a user message, a history can be cut, and the part before the cut never changes again:
`Preparer` keeps that part.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from beyond_wire.encoding import culprit
from beyond_wire.errors import EncodeError
from beyond_wire.history_steps import (
    failed,
    merged,
    odd_names,
    with_fit_names,
    with_given_ids,
    with_missing_results,
    with_plain_foreign,
    with_results_first,
    without_blanks,
    without_failed,
    without_images,
    without_orphans,
    without_system,
)
from beyond_wire.surrogates import clean_messages, clean_text, clean_tool
from beyond_wire.tool_ids import ToolIds

if TYPE_CHECKING:
    from beyond_wire.types import Caps, Message, ModelRequest


def prepare(request: ModelRequest, caps: Caps) -> ModelRequest:
    """Return a request whose history each provider accepts in the dialect of `caps`; `request` stays as it was.

    Its messages alternate strictly and begin with the user's, each call has one result in the message after it, no
    block is empty, and no message carries facts for storage. Preparing twice is preparing once. A history without
    messages stays without. Raises `EncodeError` for arguments or schemas nested too deeply.
    """
    texts, messages = _fit(request, caps, request.messages, ToolIds(caps.dialect), opening=True)
    return _with_history(request, texts, messages)


class Preparer:
    """`prepare` for one conversation that grows: the same results, and work for the new messages only.

    It holds the prepared form of the messages up to the last place where the history can be cut. A request that does
    not begin with the very same message objects, or that goes to another model, starts afresh.
    """

    __slots__ = ("_fit", "_ids", "_key", "_source", "_texts")

    def __init__(self) -> None:
        self._forget(None, ToolIds("chat"))

    def __repr__(self) -> str:
        return f"<Preparer messages={len(self._source)} prepared={len(self._fit)}>"

    def prepare(self, request: ModelRequest, caps: Caps) -> ModelRequest:
        """Return what the function `prepare` returns. Raises as it does, and then forgets nothing."""
        key = (request.model, caps, request.block_images, odd_names(request.tools))
        if key != self._key or not self._begins(request.messages):
            self._forget(key, ToolIds(caps.dialect))
        known = len(self._source)
        cut = _last_cut(request.messages, known)
        if cut > known:
            # All or nothing: an interrupt in the middle must not leave ids given.
            ids = self._ids.copy()
            texts, messages = _fit(request, caps, request.messages[known:cut], ids, opening=not known)
            self._source += request.messages[known:cut]
            self._texts += texts
            self._fit += messages
            self._ids = ids
        rest = request.messages[cut:]
        texts, messages = _fit(request, caps, rest, self._ids.copy(), opening=not cut)
        return _with_history(request, self._texts + texts, self._fit + messages)

    def _begins(self, messages: tuple[Message, ...]) -> bool:
        # By identity: equal is not enough, as 1 equals true and encodes otherwise.
        return list(map(id, messages[: len(self._source)])) == list(map(id, self._source))

    def _forget(self, key: object, ids: ToolIds) -> None:
        self._key = key
        self._ids = ids
        self._source: tuple[Message, ...] = ()
        self._fit: tuple[Message, ...] = ()
        self._texts: tuple[str, ...] = ()


def _last_cut(messages: tuple[Message, ...], known: int) -> int:
    """Index of the last assistant message that follows a user message, among those that are sent; else `known`."""
    later: int | None = None
    for at in range(len(messages) - 1, known - 1, -1):
        message = messages[at]
        if failed(message) or message.role == "system":
            continue
        if message.role == "user" and later is not None:
            return later
        later = at if message.role == "assistant" else None
    return known


def _fit(
    request: ModelRequest, caps: Caps, source: tuple[Message, ...], ids: ToolIds, *, opening: bool
) -> tuple[tuple[str, ...], tuple[Message, ...]]:
    messages = without_failed(list(source))
    try:
        messages = clean_messages(messages)
    except RecursionError as error:
        raise EncodeError(culprit(request), "nested too deeply") from error
    texts, messages = without_system(messages)
    messages = with_missing_results(without_orphans(with_fit_names(messages, odd_names(request.tools))))
    messages = with_plain_foreign(with_given_ids(messages, ids, request.model), request.model)
    messages = without_blanks(with_results_first(merged(messages, opening=opening)))
    if request.block_images or not caps.vision:
        messages = without_images(messages)
    return tuple(texts), tuple(messages)


def _with_history(request: ModelRequest, texts: tuple[str, ...], messages: tuple[Message, ...]) -> ModelRequest:
    try:
        tools = tuple([clean_tool(tool) for tool in request.tools])
    except RecursionError as error:
        raise EncodeError(culprit(request), "nested too deeply") from error
    changed: dict[str, Any] = {
        name: clean_text(value)
        for name in ("model", "system", "cache_key", "user_id")
        if (value := getattr(request, name)) is not None
    }
    if texts:
        changed["system"] = "\n\n".join([changed["system"], *texts] if changed.get("system") else texts)
    return replace(request, **changed, tools=tools, messages=messages)
