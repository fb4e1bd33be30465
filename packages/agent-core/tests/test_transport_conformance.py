"""Our transport keeps every rule of the conformance suite, and a double that breaks one of them is found out."""

from __future__ import annotations

import asyncio
import logging
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import pytest
from msgspec.structs import replace

from beyond_agent_core import client
from beyond_agent_core.client import HttpTransport
from beyond_agent_core.client_headers import request_headers
from beyond_agent_core.testing.transport_conformance import RULES, broken_rules, check_transport
from beyond_agent_core.transport import TransportFailed
from beyond_wire.dialects import DIALECTS
from beyond_wire.errors import ProviderError
from beyond_wire.types import TextDelta, UsageEvent

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping, Sequence

    from beyond_agent_core.errors import RunFault
    from beyond_agent_core.testing.transport_trial import TransportFactory
    from beyond_wire.types import DialectName, ModelRequest, StreamDecoder, StreamEvent, TokenUsage

pytestmark = pytest.mark.e2e
Failure: TypeAlias = TransportFailed | ProviderError


def test_our_transport_keeps_every_rule() -> None:
    """In all three dialects, against a real server."""
    asyncio.run(check_transport(HttpTransport))


def test_all_broken_rules_are_told() -> None:
    """A transport that does nothing is told every rule it breaks, not the first one."""

    class Silent(HttpTransport):
        async def stream(self, request: ModelRequest) -> AsyncGenerator[StreamEvent]:
            del request
            await asyncio.sleep(0)
            for event in ():
                yield event

    with pytest.raises(AssertionError) as told:
        asyncio.run(check_transport(Silent))
    assert all(f"- {name}: " in str(told.value) for name in ("posts_to_the_path", "gives_the_answer", "tells_a_cut"))


# -- doubles


def of_failures(becomes: Callable[[Failure], Failure | Literal["asks again"] | None]) -> TransportFactory:
    """Make of a failure another one, a second request, or None, an end like any other."""

    class Double(HttpTransport):
        async def stream(self, request: ModelRequest) -> AsyncGenerator[StreamEvent]:
            made: Failure | Literal["asks again"] | None = None
            try:
                async with aclosing(super().stream(request)) as events:
                    async for event in events:
                        yield event
            except (TransportFailed, ProviderError) as error:
                made = becomes(error)
            if made == "asks again":
                async for event in super().stream(request):
                    yield event
            elif made is not None:
                raise made

    return Double


def of_faults(change: Callable[[RunFault], RunFault | None]) -> TransportFactory:
    """Change the faults; None swallows one."""

    def becomes(error: Failure) -> Failure | None:
        if isinstance(error, ProviderError):
            return error
        changed = change(error.fault)
        return None if changed is None else TransportFailed(changed)

    return of_failures(becomes)


def status_of(error: Failure) -> int | None:
    return error.fault.status if isinstance(error, TransportFailed) else None


def of_requests(change: Callable[[ModelRequest], ModelRequest]) -> TransportFactory:
    class Double(HttpTransport):
        def stream(self, request: ModelRequest) -> AsyncGenerator[StreamEvent]:
            return super().stream(change(request))

    return Double


class NoUsage(HttpTransport):
    """Forgets what an answer cost."""

    async def stream(self, request: ModelRequest) -> AsyncGenerator[StreamEvent]:
        async with aclosing(super().stream(request)) as events:
            async for event in events:
                if not isinstance(event, UsageEvent):
                    yield event


class InArrears(HttpTransport):
    """Gives an answer when it has all of it."""

    async def stream(self, request: ModelRequest) -> AsyncGenerator[StreamEvent]:
        events: list[StreamEvent] = []
        fault: Exception | None = None
        try:
            async with aclosing(super().stream(request)) as stream:
                async for event in stream:
                    events.append(event)  # noqa: PERF401 - what came before an exception is kept
        except (TransportFailed, ProviderError) as error:
            fault = error
        for event in events:
            yield event
        if fault is not None:
            raise fault


def clinging() -> TransportFactory:
    """Keep streams that their user has left; the end of the event loop closes them."""
    kept: list[AsyncGenerator[StreamEvent]] = []

    class Double(HttpTransport):
        async def stream(self, request: ModelRequest) -> AsyncGenerator[StreamEvent]:
            kept.append(super().stream(request))
            async for event in kept[-1]:
                yield event

    return Double


class Deaf(HttpTransport):
    """Goes on waiting for an event when it is cancelled."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self._waits: list[asyncio.Future[StreamEvent]] = []

    async def stream(self, request: ModelRequest) -> AsyncGenerator[StreamEvent]:
        events = super().stream(request)
        while True:
            wait = asyncio.ensure_future(anext(events))
            self._waits.append(wait)
            try:
                event = await asyncio.shield(wait)
            except StopAsyncIteration:
                return
            try:
                yield event
            except GeneratorExit:
                await events.aclose()
                raise


class Stubborn(HttpTransport):
    """Tries a second time, and tells the first failure."""

    async def stream(self, request: ModelRequest) -> AsyncGenerator[StreamEvent]:
        try:
            async with aclosing(super().stream(request)) as events:
                async for event in events:
                    yield event
        except TransportFailed as error:
            if error.fault.status == 503:
                with suppress(TransportFailed):
                    await anext(super().stream(request))
            raise


class Chatty(HttpTransport):
    """Logs its key."""

    async def _key(self) -> str:
        key = await super()._key()
        logging.getLogger("chatty").debug("the key is %s", key)
        return key


class Open(HttpTransport):
    """Shows its key."""

    def __repr__(self) -> str:
        return f"<Open {self._credentials and self._credentials()}>"


def doubled_v1(url: str, credentials: Callable[[], str]) -> HttpTransport:
    return HttpTransport(f"{url}/v1" if url.endswith("/v1") else url, credentials)


def one_key(url: str, credentials: Callable[[], str]) -> HttpTransport:
    keys: list[str] = []

    def first() -> str:
        if not keys:
            keys.append(credentials())
        return keys[0]

    return HttpTransport(url, first)


DOUBLES: Mapping[str, Sequence[TransportFactory]] = {
    "posts_to_the_path": [doubled_v1],
    "sends_the_request": [of_requests(lambda request: replace(request, max_tokens=1))],
    "asks_for_the_key_each_time": [one_key],
    "makes_one_attempt": [Stubborn],
    "gives_the_answer": [NoUsage],
    "gives_events_as_they_come": [InArrears],
    "closes_when_left": [clinging()],
    "closes_when_cancelled": [Deaf],
    "tells_statuses": [of_faults(lambda fault: replace(fault, transient=fault.transient and fault.status != 409))],
    "tells_how_long_to_wait": [of_faults(lambda fault: replace(fault, retry_after=None))],
    "follows_no_redirect": [of_failures(lambda error: "asks again" if status_of(error) == 307 else error)],
    "refuses_what_is_no_stream": [of_faults(lambda fault: None if fault.status == 200 else fault)],
    "tells_a_cut": [of_faults(lambda fault: None if fault.code == "stream_truncated" else fault)],
    "tells_a_providers_error": [of_failures(lambda error: None if isinstance(error, ProviderError) else error)],
    "tells_a_dead_end": [
        of_faults(lambda fault: replace(fault, transient=fault.code != "connect_failed" and fault.transient))
    ],
    "keeps_the_key": [Chatty, Open],
    "bounds_its_texts": [of_faults(lambda fault: replace(fault, message=fault.message.removesuffix("… [truncated]")))],
}


@pytest.mark.parametrize(
    ("rule", "double"), [(rule, double) for rule, doubles in DOUBLES.items() for double in doubles]
)
def test_a_double_is_found_out(rule: str, double: TransportFactory) -> None:
    """By the rule that it breaks, and by no other."""
    assert names(double) == [rule]


def test_a_double_that_takes_packed_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Headers that ask for gzip break one rule."""

    def packed(*given: Any, **named: Any) -> dict[str, str]:
        return {**request_headers(*given, **named), "accept-encoding": "gzip"}

    monkeypatch.setattr(client, "request_headers", packed)
    assert names(HttpTransport) == ["asks_for_plain_bytes"]


def test_a_double_that_hears_keep_alives(monkeypatch: pytest.MonkeyPatch) -> None:
    """A decoder that makes an event of a comment breaks one rule."""

    class Decoder:
        def __init__(self, name: DialectName) -> None:
            self._real: StreamDecoder = DIALECTS[name].decoder()
            self.finish = self._real.finish

        @property
        def usage(self) -> TokenUsage:
            return self._real.usage

        def feed(self, chunk: bytes) -> list[StreamEvent]:
            heard: list[StreamEvent] = [TextDelta(index=0, text="")] if b": keep-alive" in chunk else []
            return heard + self._real.feed(chunk)

    class Dialect:
        def __init__(self, name: DialectName) -> None:
            self.real = DIALECTS[name]

        def __getattr__(self, name: str) -> Any:
            return getattr(self.real, name)

        def decoder(self) -> Decoder:
            return Decoder(self.real.name)

    monkeypatch.setattr(client, "dialect_named", Dialect)
    assert names(HttpTransport) == ["ignores_keep_alives"]


def test_every_rule_has_its_double() -> None:
    """No rule is without a transport that breaks it."""
    assert {*DOUBLES, "asks_for_plain_bytes", "ignores_keep_alives"} == {rule.__name__ for rule in RULES}


def names(factory: TransportFactory) -> list[str]:
    return [line.partition(":")[0].removeprefix("- ") for line in asyncio.run(broken_rules(factory))]
