"""The target that is a whole gateway: an input's bytes are the moves of a free play, four for each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fuzz.balance import check, check_end
from fuzz.free_play import FreePlay

if TYPE_CHECKING:
    from collections.abc import Callable

MOVES: Final[tuple[Callable[[FreePlay, int, int, int], object], ...]] = (
    lambda play, which, kind, _: play.asks(which, kind),
    lambda play, which, size, _: play.sends(which, size),
    lambda play, which, kind, size: play.answers(which, kind, size),
    lambda play, which, how, _: play.dialled(which, how),
    lambda play, which, kind, answer: (
        play.asks(which, kind).sends(which, -1).dialled(0, 0).answers(which, answer, -1).answers(which, answer, -1)
    ),
    lambda play, which, stalls, _: play.reads(which, stalls=bool(stalls % 2)),
    lambda play, which, stalls, _: play.upstream_reads(which, stalls=bool(stalls % 2)),
    lambda play, which, resets, _: play.leaves(which, resets=bool(resets % 2)),
    lambda play, which, resets, _: play.upstream_goes(which, resets=bool(resets % 2)),
    lambda play, how, _, __: play.time_passes(how),
    lambda play, _, __, ___: play.client_connects(),
    lambda play, which, _, __: play.speaks_unasked(which),
    lambda play, how, _, __: play.cuts() if how % 8 == 1 else play.drains() if how % 8 == 2 else play,
)
"""Everything that anybody can do, each taking three small numbers."""

_MOVES_AT_MOST = 60


def exchange(data: bytes) -> None:
    way, moves = (data[0] if data else 0), data[1 : 1 + 4 * _MOVES_AT_MOST]
    budget = 100 if way & 2 else 1 << 20
    with FreePlay(instant=bool(way & 1), breaks=bool(way & 8), max_buffered_body_bytes=budget) as play:
        for at in range(0, len(moves) - 3, 4):
            move, *numbers = moves[at : at + 4]
            MOVES[move % len(MOVES)](play, *numbers)
            check(play)
        if way & 4:
            play.cuts()
        play.everybody_leaves()
        check_end(play)
        play.client_rest()
        play.upstream_rest()
