"""Idle connections: which is taken, which is kept, which is let go."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from beyond_gateway.pool import MAX_IDLE, IdlePool

moves = st.lists(
    st.one_of(
        st.tuples(st.just("give"), st.integers(0, 9)),
        st.tuples(st.just("forget"), st.integers(0, 9)),
        st.just(("take", 0)),
    )
)


@given(moves, st.integers(1, 4))
def test_the_newest_goes_first_and_the_limit_holds(steps: list[tuple[str, int]], limit: int) -> None:
    """Against a plain list: last in, first out, never above the limit, and a full pool drops no older one."""
    pool: IdlePool[int] = IdlePool(limit)
    model: list[int] = []
    for move, connection in steps:
        if move == "take":
            assert pool.take() == (model.pop() if model else None)
        elif move == "forget":
            pool.forget(connection)
            model = [other for other in model if other != connection]
        elif connection not in model:
            assert pool.give_back(connection) is (len(model) < limit)
            model = [*model, connection][:limit]
        assert pool.idle() == model
        assert len(pool) == len(model) <= limit
        assert repr(pool) == f"<IdlePool idle={len(model)}>"


def test_a_burst_of_a_thousand_is_kept() -> None:
    """Without a limit given, 1024 idle connections stay."""
    pool: IdlePool[int] = IdlePool()
    kept = [pool.give_back(number) for number in range(MAX_IDLE + 1)]
    assert kept == [True] * 1024 + [False]
