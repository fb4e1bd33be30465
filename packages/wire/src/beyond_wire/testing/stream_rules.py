"""What every dialect does with a stream: each rule yields, in words, where the dialect of these tables breaks it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from beyond_wire.errors import StreamTruncated, WireError
from beyond_wire.tails import usage_from_tail
from beyond_wire.testing.chunking import byte_by_byte, every_way
from beyond_wire.testing.telling import ends, frames, is_whole, told
from beyond_wire.types import ContentBlockStop, MessageStart, MessageStop, TokenUsage, UsageEvent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from beyond_wire.testing.recorded import Tables
    from beyond_wire.testing.telling import Told
    from beyond_wire.types import StreamEvent
    from beyond_wire.usage import Family

_OUTPUT = ("output_tokens", "reasoning_tokens")


def every_way_to_cut(tables: Tables) -> Iterator[str]:
    """Whole, byte by byte, at every single cut and at random cuts a stream gives its events and its fault."""
    for turn in tables.turns:
        for chunks in every_way(turn.stream):
            got = told(tables.dialect, chunks)
            if (got.events, got.code) != (turn.events, turn.fault):
                yield f"{turn.name} in {[len(chunk) for chunk in chunks][:3]}… bytes gives {got}"
                break


def shape(tables: Tables) -> Iterator[str]:
    """Start is first and once; blocks are numbered without gaps and stop once; usage and stop are last and once."""
    for turn in tables.turns:
        events = told(tables.dialect, [turn.stream]).events
        if reason := _misshapen(events, clean=turn.fault is None):
            yield f"{turn.name}: {reason} in {events}"


def _misshapen(events: tuple[StreamEvent, ...], *, clean: bool) -> str:
    kinds = [type(event) for event in events]
    if MessageStart in kinds[1:] or (kinds and kinds[0] is not MessageStart):
        return "message_start is not first and once"
    opened: set[int] = set()
    stopped: set[int] = set()
    for event in events:
        index: int | None = getattr(event, "index", None)
        if index is None:
            continue
        if index in stopped:
            return f"block {index} goes on after its stop"
        opened.add(index)
        if isinstance(event, ContentBlockStop):
            stopped.add(index)
    if opened != set(range(len(opened))):
        return "block numbers have gaps"
    if not clean:
        return ""
    if stopped != opened:
        return "a block has no stop"
    last = kinds[-2:] == [UsageEvent, MessageStop] and not {UsageEvent, MessageStop} & set(kinds[:-2])
    return "" if last else "usage and message_stop are not last and once"


def cut_between_events(tables: Tables) -> Iterator[str]:
    """Cut before the event that completes it, a stream is truncated, with the events and the usage known so far."""
    for turn in tables.clean:
        pieces = frames(turn.stream)
        for count in range(len(pieces) + 1):
            stream = b"".join(pieces[:count])
            got = told(tables.dialect, pieces[:count])
            complete = ends(tables, stream)
            if complete and got.fault is not None:
                yield f"{turn.name}: complete after {count} events, but {got}"
            elif not complete and not (_truncated(tables, got) and got.begins(turn)):
                yield f"{turn.name}: cut after {count} events, but {got}"
            elif reason := _miscounted(tables.family, stream, got.usage):
                yield f"{turn.name} cut after {count} events: {reason}"


def cut_at_every_byte(tables: Tables) -> Iterator[str]:
    """Cut at any byte before the end of its completing event, a stream is truncated, inside of an event too."""
    for turn in tables.clean:
        for end in range(len(turn.stream)):
            got = told(tables.dialect, [turn.stream[:end]])
            if ends(tables, turn.stream[:end]):
                fine = got.fault is None or isinstance(got.fault, StreamTruncated)
            else:
                fine = _truncated(tables, got) and got.begins(turn)
            if not fine:
                yield f"{turn.name}: cut at byte {end}, but {got}"
                break


def _truncated(tables: Tables, got: Told) -> bool:
    fault = got.fault
    return isinstance(fault, StreamTruncated) and str(fault) == tables.truncated and fault.retryable


def after_a_fault(tables: Tables) -> Iterator[str]:
    """After a fault every call raises the same fault again, without events, and the usage stays known."""
    for turn in tables.turns:
        if turn.fault is None:
            continue
        decoder = tables.dialect.decoder()
        faults: list[WireError] = []
        known: list[TokenUsage] = []
        calls: list[Callable[[], object]] = [partial(decoder.feed, turn.stream), partial(decoder.feed, b"\n")]
        calls += [decoder.finish, decoder.finish]
        for call in calls:
            try:
                call()
            except WireError as fault:
                faults.append(fault)
                known.append(decoder.usage)
        same = {(type(fault), str(fault), fault.retryable) for fault in faults}
        if len(faults) < 2 or len(same) != 1 or any(fault.events for fault in faults[1:]):
            yield f"{turn.name} raises {[(fault, fault.events) for fault in faults]}"
        elif any(usage != known[0] for usage in known):
            yield f"{turn.name} forgets its usage: {known}"


def after_the_end(tables: Tables) -> Iterator[str]:
    """After the terminal event all bytes are ignored: errors, broken JSON, invalid UTF-8, lines without end."""
    for turn in tables.clean:
        stream = turn.stream if turn.stream.endswith(b"\n\n") else turn.stream + b"\n\n"
        if not is_whole(tables.dialect, stream):
            continue  # only the end of the body ends it
        for tail in (b"data: {oops\n\n", b"event: error\ndata: x\n\n", b"data: \xff\n\n", b"data: " + b"x" * 100):
            for chunks in ([stream + tail], [stream, tail], byte_by_byte(stream + tail)):
                got = told(tables.dialect, chunks)
                if got.fault is not None or got.events != turn.events:
                    yield f"{turn.name} and then {tail[:20]!r} gives {got}"


def after_finish(tables: Tables) -> Iterator[str]:
    """Finishing twice gives nothing more; feeding a finished decoder is a RuntimeError."""
    decoder = tables.dialect.decoder()
    decoder.feed(tables.clean[0].stream)
    decoder.finish()
    if decoder.finish() != []:
        yield "the second finish gives events"
    try:
        decoder.feed(b"")
    except RuntimeError as error:
        if "after finish" not in str(error):
            yield f"feed after finish raises {error!r}"
    else:
        yield "feed after finish raises nothing"


def usage_as_the_gateway_reads_it(tables: Tables) -> Iterator[str]:
    """Over every recorded stream the decoder counts what the gateway bills: usage is read once."""
    for turn in tables.clean:
        if reason := _miscounted(tables.family, turn.stream, told(tables.dialect, [turn.stream]).usage):
            yield f"{turn.name}: {reason}"
    for stream in tables.streams:
        got = told(tables.dialect, [stream.body])
        # The gateway, which only meters, reads on behind the fault at which a decoder stops.
        if got.code in {None, "stream_truncated"} and (reason := _miscounted(tables.family, stream.body, got.usage)):
            yield f"{stream.name}: {reason}"
        elif stream.error is (got.code != "provider_error"):
            yield f"{stream.name} ends in {got.fault!r}"


def _miscounted(family: Family, stream: bytes, usage: TokenUsage) -> str:
    """Return how `usage` differs from what the gateway reads in `stream`; empty where it does not."""
    facts = usage_from_tail(family, stream)
    bill = TokenUsage() if facts is None else facts.to_token_usage()
    # Of a cut Anthropic answer the gateway leaves out the output that its beginning counted.
    unknown = _OUTPUT if facts is not None and facts.output_tokens is None else ()
    names = [name for name in TokenUsage.__struct_fields__ if name not in unknown]
    wrong = [name for name in names if getattr(bill, name) != getattr(usage, name)]
    return f"{wrong} differ: {usage} against {facts}" if wrong else ""


RULES = (
    every_way_to_cut,
    shape,
    cut_between_events,
    cut_at_every_byte,
    after_a_fault,
    after_the_end,
    after_finish,
    usage_as_the_gateway_reads_it,
)
"""All rules of streams."""
