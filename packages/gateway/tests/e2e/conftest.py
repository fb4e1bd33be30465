"""One gateway and one provider for the tests of a file, with an empty record and no rows at each test's start."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from stack import Provider, Stack, running

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def _pair() -> Iterator[tuple[Stack, Provider]]:
    with running() as pair:
        yield pair


@pytest.fixture
def stack(_pair: tuple[Stack, Provider]) -> Stack:
    """The gateway of this file, without rows."""
    _pair[0].forget_rows()
    return _pair[0]


@pytest.fixture
def provider(_pair: tuple[Stack, Provider]) -> Provider:
    """The provider behind it, without a record."""
    _pair[1].forget()
    return _pair[1]
