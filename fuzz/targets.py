"""What is fed with hostile bytes: one function a parser, which raises for anything but its documented answers.

Every input is accepted or refused with the error that the parser promises; what is accepted must agree with `oracle`.
Where bytes may arrive in pieces an input begins with its cuts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fuzz import bodies, exchange, heads, values

if TYPE_CHECKING:
    from collections.abc import Callable

TARGETS: Final[dict[str, Callable[[bytes], None]]] = {
    **heads.TARGETS,
    **bodies.TARGETS,
    **values.TARGETS,
    "exchange": exchange.exchange,
}
"""Every target by its name, which is that of its corpus too."""
