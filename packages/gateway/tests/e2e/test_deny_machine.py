"""Whatever is written, removed, compacted and disconnected, in any order: the set ends as the store is."""

from __future__ import annotations

import asyncio
import tempfile
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from deny_store import Store, Watching, config, store, watching
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from nats_server import NatsServer, serving

from beyond_gateway.deny import backoff, follow
from beyond_gateway.deny.entries import key_of

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.e2e

ENTRIES = st.sampled_from([0, 1, 2, ~0, ~1])
STEP = st.one_of(
    st.tuples(st.just("put"), ENTRIES, st.sampled_from([b"spend", b"fraud", b"?"])),
    st.tuples(st.just("delete"), ENTRIES, st.none()),
    st.tuples(st.just("purge"), ENTRIES, st.none()),
    st.tuples(st.just("other"), ENTRIES, st.none()),
    st.tuples(st.just("vanish"), ENTRIES, st.none()),
    st.tuples(st.sampled_from(["compact", "wipe", "recreate"]), st.none(), st.none()),
    st.tuples(st.sampled_from(["disconnect", "agree"]), st.none(), st.none()),
)
Step = tuple[str, int | None, bytes | None]
NUMBERS = count()


@pytest.fixture(scope="module")
def server() -> Iterator[NatsServer]:
    with serving() as running:
        yield running


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backoff, "FIRST_S", 0.05)
    monkeypatch.setattr(backoff, "LONGEST_S", 0.1)
    monkeypatch.setattr(follow, "LOOK_S", 0.2)
    monkeypatch.setattr(follow, "MISSING_S", 0.05)
    monkeypatch.setattr(follow, "DOUBT_S", 0.5)


async def act(bucket: Store, step: Step) -> None:
    """Do to the store what a step says."""
    name, entry, value = step
    match name:
        case "put":
            await bucket.put(entry or 0, value or b"")
        case "delete":
            await bucket.delete(entry or 0)
        case "purge":
            await bucket.kv.purge(key_of(entry or 0))
        case "other":
            await bucket.kv.put(f"other.{entry}".replace("-", "_"), b"spend")
        case "compact":
            await bucket.kv.purge_deletes(olderthan=-1)
        case "vanish":
            name = bucket.stream.removeprefix("KV_")
            await bucket.js.purge_stream(bucket.stream, subject=f"$KV.{name}.{key_of(entry or 0)}")
        case "wipe":
            await bucket.wipe()
        case "recreate":
            await bucket.drop()
            await bucket.create(history=1)
        case _:
            pass


async def agree(at: Watching, bucket: Store) -> None:
    """Wait until the set is what the store has."""
    wanted = await bucket.contents()
    for _ in range(2000):
        if at.contents == wanted:
            return
        await asyncio.sleep(0.005)
    raise AssertionError(f"the store has {wanted}, the set {at.contents}")


async def play(url: str, steps: list[Step], history: int, snapshot: Path) -> None:
    """Change the store, in turns while a watch follows it and while none does; each watch begins with the snapshot."""
    name = f"machine-{next(NUMBERS)}"
    following = config(url, name, snapshot)
    async with store(url, name, history=history) as bucket:
        turns: list[list[Step]] = [[]]
        for step in steps:
            if step[0] == "disconnect":
                turns.append([])
            else:
                turns[-1].append(step)
        for number, turn in enumerate(turns):
            away = bool(number % 2)
            for step in turn if away else ():
                await act(bucket, step)
            async with watching(following) as at:
                for step in () if away else turn:
                    if step[0] == "agree":
                        await agree(at, bucket)
                    else:
                        await act(bucket, step)
                await agree(at, bucket)
        await bucket.drop()


@given(steps=st.lists(STEP, max_size=20), history=st.sampled_from([1, 1, 3]))
@settings(
    max_examples=40,
    deadline=None,
    # A failing example takes a server's time to show, so shrinking would take minutes.
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_any_order_ends_in_the_store_s_state(server: NatsServer, steps: list[Step], history: int) -> None:
    """Changes while watching and while away, on buckets with and without history, with a snapshot between."""
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(play(server.url, steps, history, Path(folder) / "s"))
