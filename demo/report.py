"""How the demo prints: aligned lines, colour only on a terminal."""

import sys
from collections.abc import Sequence

_GREEN, _RED, _YELLOW, _DIM = "32", "31", "33", "2"
_STATES = {"ok": _GREEN, "FAIL": _RED, "skip": _YELLOW}
_TEXT_WIDTH = 46


def say(text: str = "") -> None:
    """Print one line."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def result(state: str, name: str, got: str, row: str = "") -> None:
    """Print one call: `ok`, `FAIL` or `skip`, its name, what came back, its usage row."""
    mark = _coloured(f"{state:<4}", _STATES[state])
    say(f"  {mark}  {name:<28} {got:<{_TEXT_WIDTH + 2}}  {row}".rstrip())


def note(text: str) -> None:
    """Print a line that explains."""
    say(_coloured(text, _DIM))


def answer(text: str) -> str:
    """Return the text quoted, shortened to fit a line."""
    flat = " ".join(text.split())
    return f"“{flat if len(flat) <= _TEXT_WIDTH else flat[: _TEXT_WIDTH - 1] + '…'}”"


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print columns: the first to the left, the others, numbers, to the right."""
    widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]
    for line in (heads, *rows):
        cells = (f"{cell:>{width}}" for cell, width in zip(line[1:], widths[1:], strict=True))
        say("  ".join([f"  {line[0]:<{widths[0]}}", *cells]).rstrip())


def _coloured(text: str, colour: str) -> str:
    return f"\x1b[{colour}m{text}\x1b[0m" if sys.stdout.isatty() else text
