"""One exchange in any pieces: to the provider, to the client and to the bill it is the same."""

from __future__ import annotations

from functools import cache
from itertools import pairwise

import pytest
from exchanges import NAMES, SHAPES, Shape
from hypothesis import given, settings
from hypothesis import strategies as st
from playbook import IDS, Play, Seen, payload, seen

FEW = settings(max_examples=25, deadline=None)


def cut(data: bytes, places: list[int]) -> list[bytes]:
    """`data` in pieces, cut at `places`."""
    edges = [0, *sorted({place % len(data) for place in places} - {0}), len(data)]
    return [data[start:stop] for start, stop in pairwise(edges)]


def relay(shape: Shape, request: list[bytes], response: list[bytes], *, warm: bool = False) -> Seen:
    with Play(warm="openai" if warm else None) as play:
        play.client_sends(*request).upstream_sends(*response)
        if shape.ends:
            play.upstream_ends()
        play.balanced()
        return seen(play)


def same(shape: Shape, one: Seen, other: Seen) -> None:
    """Both runs are one exchange to the provider, to the client and to the bill."""
    assert one.upstream == other.upstream
    assert one.rows == other.rows
    assert len(one.rows) == shape.managed
    if shape.raw:
        assert one.client == other.client
    else:
        assert payload(one.client) == payload(other.client)


@cache
def uncut(shape: Shape) -> Seen:
    """The exchange when each side's bytes come in one piece."""
    return relay(shape, [shape.request], [shape.response])


places = st.lists(st.integers(0, 10_000), max_size=12)
EVERY = list(range(1000))


@pytest.mark.parametrize("shape", SHAPES, ids=NAMES)
@pytest.mark.parametrize("warm", [False, True], ids=["fresh", "kept"])
def test_every_single_cut_gives_the_same_exchange(shape: Shape, warm: bool) -> None:  # noqa: FBT001 - parametrized
    """One cut at any byte of either side (every fourth on a kept connection) changes nothing that anybody sees."""
    whole = uncut(shape)
    step = 4 if warm else 1
    for at in range(1, len(shape.request), step):
        same(shape, relay(shape, cut(shape.request, [at]), [shape.response], warm=warm), whole)
    for at in range(1, len(shape.response), step):
        same(shape, relay(shape, [shape.request], cut(shape.response, [at]), warm=warm), whole)


@pytest.mark.parametrize("shape", SHAPES, ids=NAMES)
@FEW
@given(asked=places, answered=places, warm=st.booleans())
def test_any_pieces_give_the_same_exchange(shape: Shape, asked: list[int], answered: list[int], *, warm: bool) -> None:
    """Cuts at random on both sides change nothing that anybody sees."""
    run = relay(shape, cut(shape.request, asked), cut(shape.response, answered), warm=warm)
    same(shape, run, uncut(shape))


@pytest.mark.parametrize("shape", SHAPES, ids=NAMES)
def test_single_bytes_give_the_same_exchange(shape: Shape) -> None:
    """Byte by byte on both sides, nothing changes that anybody sees."""
    same(shape, relay(shape, cut(shape.request, EVERY), cut(shape.response, EVERY)), uncut(shape))


@FEW
@given(asked=places, pair=st.permutations(SHAPES[:6]))
def test_pipelined_requests_are_answered_in_order(asked: list[int], pair: list[Shape]) -> None:
    """Requests sent without waiting are answered one after another, however they are cut."""
    shapes = pair[:3]
    with Play() as play:
        play.client_sends(*cut(b"".join(shape.request for shape in shapes), asked))
        for number, shape in enumerate(shapes, 1):
            assert play.gateway.begun == number
            play.upstream_rest()
            play.upstream_sends(shape.response)
            head, body = payload(play.client_rest())
            assert body == payload(uncut(shape).client)[1]
            assert IDS[number - 1] in head
        assert len(play.gateway.lines) == 1
        assert len(play.rows()) == 3
        play.balanced().upstream_rest()
