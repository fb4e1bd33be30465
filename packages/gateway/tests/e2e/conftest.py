"""One gateway for the tests of a file, and what stands behind it; no rows and an empty record at each test's start.

Behind it is the embedded provider (`provider`), or, where the file has `PLAYED`, a hand-played one (`peer`); `PLAYED`
holds options of `peer.played`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from peer import Peer, played
from stack import Provider, Stack, running

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def pair(request: pytest.FixtureRequest) -> Iterator[tuple[Stack, Any]]:
    """The gateway and what stands behind it."""
    module: object = request.node.getparent(pytest.Module).obj
    options: dict[str, str] | None = getattr(module, "PLAYED", None)
    with running() if options is None else played(**options) as both:
        yield both


@pytest.fixture
def stack(pair: tuple[Stack, Any]) -> Stack:
    """The gateway of this file, without rows."""
    pair[0].forget_rows()
    return pair[0]


@pytest.fixture
def provider(pair: tuple[Stack, Provider]) -> Provider:
    """The embedded provider behind it, without a record."""
    pair[1].forget()
    return pair[1]


@pytest.fixture
def peer(pair: tuple[Stack, Peer]) -> Peer:
    """The hand-played provider behind it, without connections."""
    pair[1].hang_up()
    return pair[1]
