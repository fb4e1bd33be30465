"""Rules of how a transport fails: what each failure is called, and what its text must not hold."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Final

from beyond_agent_core.testing.model_server_script import BrokenStream, Raw, Status, error_status
from beyond_agent_core.testing.transport_trial import KEY, MODELS, Trial
from beyond_agent_core.testing.turns import says

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from beyond_agent_core.testing.transport_trial import TransportFactory

_TEXT = "an answer that comes in many pieces"
_AFTER: Final = 6
"""Wire events before a stream breaks; each dialect has sent text by then."""
_STATUSES: Final = (
    (error_status(401), "unauthorized", False),
    (error_status(403), "http_status", False),
    (error_status(400, type="invalid_request_error"), "http_status", False),
    (error_status(400, "prompt is too long: 9 > 8", type="invalid_request_error"), "context_overflow", False),
    (error_status(429, "too many tokens per minute", type="rate_limit_error"), "http_status", True),
    (error_status(429, type="insufficient_quota"), "quota", False),
    *((error_status(status), "http_status", True) for status in (408, 409, 500, 502, 503, 504, 524, 529)),
    (error_status(501), "http_status", False),
)


async def tells_statuses(factory: TransportFactory) -> AsyncIterator[str]:
    """Each status is the fault that the retry policy expects, and says that nothing of an answer had come."""
    for answer, code, transient in _STATUSES:
        async with Trial(factory, [answer]) as trial:
            fault = (await trial.ask()).fault
            found = fault and (fault.code, fault.transient, fault.started, fault.status)
            if found != (code, transient, False, answer.status):
                yield f"{answer.status} {answer.body.decode()}: {found or trial.error!r}"


async def tells_how_long_to_wait(factory: TransportFactory) -> AsyncIterator[str]:
    """Retry-After, in seconds or as a date, is in the fault; a date in the past is 0."""
    ahead = datetime.now(UTC) + timedelta(seconds=100)
    dates = (format_datetime(ahead, usegmt=True), 90.0, 100.0), ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0, 0.0)
    for value, least, most in (("7", 7.0, 7.0), *dates):
        async with Trial(factory, [error_status(429, type="rate_limit_error", retry_after=value)]) as trial:
            fault = (await trial.ask()).fault
            if fault is None or fault.retry_after is None or not least <= fault.retry_after <= most:
                yield f"{value}: {None if fault is None else fault.retry_after}"


async def follows_no_redirect(factory: TransportFactory) -> AsyncIterator[str]:
    """A redirect is an error: it would take the key along."""
    async with Trial(factory, [Status(status=307, headers={"location": "/v1/messages"}), says("hi")]) as trial:
        fault = (await trial.ask()).fault
        if len(trial.server.requests) != 1 or fault is None or (fault.code, fault.transient) != ("http_status", False):
            yield f"{len(trial.server.requests)} requests, {fault}"


async def refuses_what_is_no_stream(factory: TransportFactory) -> AsyncIterator[str]:
    """A 200 that is no event stream is a bad frame, with the first 200 characters."""
    body = b"a" * 200 + b"b" * 200
    async with Trial(factory, [Status(status=200, body=body, headers={"content-type": "text/html"})]) as trial:
        fault = (await trial.ask()).fault
        if fault is None or fault.code != "bad_frame" or fault.transient:
            yield f"is {fault or trial.error!r}"
        elif "a" * 200 not in fault.message or "b" * 200 in fault.message:
            yield f"tells {fault.message}"


async def tells_a_cut(factory: TransportFactory) -> AsyncIterator[str]:
    """A stream that ends too early is truncated, behind all that came before."""
    for dialect in MODELS:
        cut, reset = (BrokenStream(turn=says(_TEXT), after=_AFTER, then=then) for then in ("cut", "reset"))
        async with Trial(factory, [cut, reset]) as trial:
            fault = (await trial.ask(dialect)).fault
            if fault is None or (fault.code, fault.transient, fault.started) != ("stream_truncated", True, True):
                yield f"{dialect}, cut: {fault or trial.error!r}"
            if not trial.text or not _TEXT.startswith(trial.text):
                yield f"{dialect}, cut: gives {trial.text!r} before"
            # What a reset leaves of the bytes before it is the kernel's affair.
            fault = (await trial.ask(dialect)).fault
            if fault is None or (fault.code, fault.transient) not in {
                ("stream_truncated", True),
                ("connect_failed", True),
            }:
                yield f"{dialect}, reset: {fault or trial.error!r}"


async def tells_a_providers_error(factory: TransportFactory) -> AsyncIterator[str]:
    """An error inside a stream is the provider's, behind all that came before."""
    for dialect in MODELS:
        for kind, transient in (("overloaded_error", True), ("insufficient_quota", False)):
            broken = BrokenStream(turn=says(_TEXT), after=_AFTER, then="error", error_type=kind, error_message="sorry")
            async with Trial(factory, [broken]) as trial:
                fault = (await trial.ask(dialect)).fault
                if fault is None or (fault.code, fault.transient) != ("provider_error", transient) or not trial.text:
                    yield f"{dialect}, {kind}: {fault or trial.error!r} behind {trial.text!r}"


async def tells_a_dead_end(factory: TransportFactory) -> AsyncIterator[str]:
    """Without a connection, or without a head on it, the connection has failed, and another may do."""
    async with Trial(factory, [Raw()]) as trial:
        for what in ("a connection that ends at once", "a port where nobody listens"):
            fault = (await trial.ask()).fault
            if fault is None or (fault.code, fault.transient, fault.started) != ("connect_failed", True, False):
                yield f"{what}: {fault or trial.error!r}"
            trial.server.__exit__(None, None, None)


async def keeps_the_key(factory: TransportFactory) -> AsyncIterator[str]:
    """The key is in no error, no repr and no log, whoever quotes it."""
    echo = f"bad key {KEY} of yours"
    answers = (
        *(error_status(status, echo) for status in (400, 401, 500)),
        Status(status=200, body=echo.encode(), headers={"content-type": "text/plain"}),
        BrokenStream(turn=says(_TEXT), after=_AFTER, then="error", error_type="api_error", error_message=echo),
        Raw(data=f"HTTP/1.1 {KEY}\r\n\r\n".encode()),
        says("hi"),
    )
    for answer in answers:
        async with Trial(factory, [answer]) as trial:
            await trial.ask()
            if KEY in trial.told():
                yield f"is told of {type(answer).__name__} {getattr(answer, 'status', '')}"


async def bounds_its_texts(factory: TransportFactory) -> AsyncIterator[str]:
    """Of the body of an error 4,000 characters are told, and that there were more."""
    async with Trial(factory, [Status(status=500, body=b"  " + b"a" * 4_000 + b"b" * 9_000)]) as trial:
        fault = (await trial.ask()).fault
        if fault is None or not fault.message.endswith("a" * 4_000 + "… [truncated]"):
            yield f"tells {None if fault is None else fault.message[-40:]}"


RULES = (
    tells_statuses,
    tells_how_long_to_wait,
    follows_no_redirect,
    refuses_what_is_no_stream,
    tells_a_cut,
    tells_a_providers_error,
    tells_a_dead_end,
    keeps_the_key,
    bounds_its_texts,
)
