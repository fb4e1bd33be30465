"""Error objects of providers, in the four shapes they come in, read into a `ProviderError`."""

from __future__ import annotations

from typing import Any

import msgspec

from beyond_wire.errors import MAX_EXCERPT, ProviderError


class _Error(msgspec.Struct, gc=False):
    type: Any = None
    code: Any = None
    message: Any = None
    retry_after: Any = None
    error: Any = None


_decoder = msgspec.json.Decoder(_Error)


def provider_error(data: bytes | str, *, named: bool = False) -> ProviderError | None:
    """Return the error that `data` carries, or None when it is no error object. Raises nothing, whatever the bytes.

    The shapes are `{"type":"error","error":{type,message}}`, `{"error":{…}}`, `{"error":"text"}` and
    `{"type":"error",code,message}` (wire contract, errors). With `named`, the event is already known to be an error
    (`event: error`): then there always is one, and data of no known shape becomes its message.
    """
    try:
        found = _decoder.decode(data)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        found = None
    if found is not None and (found.error is not None or found.type == "error"):
        return _read(found)
    if not named:
        return None
    if found is not None and (found.message is not None or found.code is not None):
        return _read(found)
    # Cut before decoding: four bytes hold at least one character.
    text = data if isinstance(data, str) else data[: 4 * MAX_EXCERPT].decode(errors="replace")
    return ProviderError(type="error", message=text[:MAX_EXCERPT])


def _read(found: _Error) -> ProviderError:
    inner = found.error
    if isinstance(inner, str):
        return ProviderError(type=_word(found.code) or "error", message=inner)
    fields = found
    if inner is not None:
        try:
            fields = msgspec.convert(inner, _Error)
        except msgspec.ValidationError:
            fields = found
    code = _word(fields.code)
    kind = _word(fields.type)
    if kind is None or (kind == "error" and inner is None):
        kind = code or "error"
    return ProviderError(
        type=kind,
        message=_word(fields.message) or "no message",
        provider_code=code,
        retry_after=_seconds(fields.retry_after),
    )


def _word(value: object) -> str | None:
    if isinstance(value, str):
        return value or None
    return str(value) if type(value) is int and abs(value) < 10**9 else None


def _seconds(value: object) -> float | None:
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 10**9:
        return float(value)
    return None


def raise_provider_error(data: bytes | str) -> None:
    """Raise the `ProviderError` that `data` carries; return where it is no error object."""
    fault = provider_error(data)
    if fault is not None:
        raise fault


def why(error: Exception) -> str:
    """Words for what the JSON reader refused."""
    return "nested too deeply" if isinstance(error, RecursionError) else str(error)
