"""The rules of .gitignore files, as ripgrep has them.

The last rule of a file that fits decides, and of several files the deepest that says anything. Rules are matched byte
by byte: `?` is one byte, so names are looked at as if they were Latin-1. A rule that means nothing is left out, and a
line that is not UTF-8 ends its file.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import msgspec

from beyond_agent.tools.globs import BadGlob, regex_of

if TYPE_CHECKING:
    from collections.abc import Iterator


class _Rule(msgspec.Struct, frozen=True, gc=False):
    fits: re.Pattern[str]
    ignores: bool
    directories_only: bool


class IgnoreFile:
    """The rules of one .gitignore."""

    __slots__ = ("_any", "_rules")

    def __init__(self, content: bytes) -> None:
        parsed = list(_parsed(content))
        self._rules = [_Rule(re.compile(text, re.DOTALL), ignores, only) for text, ignores, only in reversed(parsed)]
        # Most paths fit no rule, and one regex says so for all of them.
        self._any = re.compile("|".join(f"(?:{text})" for text, _, _ in parsed) or "(?!)", re.DOTALL)

    def verdict(self, path: str, *, directory: bool) -> bool | None:
        """Return whether a path, relative to the file's folder and as Latin-1, is ignored; None where no rule fits."""
        if self._any.fullmatch(path) is None:
            return None
        for rule in self._rules:
            if (directory or not rule.directories_only) and rule.fits.fullmatch(path) is not None:
                return rule.ignores
        return None


class IgnoreStack:
    """The rule files that hold in one folder, deepest first. `cut` is where a path relative to that folder begins."""

    __slots__ = ("_above", "_cut", "_rules")

    def __init__(self, rules: IgnoreFile, cut: int, above: IgnoreStack | None) -> None:
        self._rules = rules
        self._cut = cut
        self._above = above

    def ignored(self, path: str, *, directory: bool) -> bool:
        """Whether an absolute path, its bytes as Latin-1, is ignored."""
        layer: IgnoreStack | None = self
        while layer is not None:
            verdict = layer._rules.verdict(path[layer._cut :], directory=directory)  # noqa: SLF001 - its own kind
            if verdict is not None:
                return verdict
            layer = layer._above  # noqa: SLF001 - its own kind
        return False


def as_bytes_text(path: str) -> str:
    """Return a path with one character for each of its bytes."""
    return path if path.isascii() else os.fsencode(path).decode("latin-1")


def _parsed(content: bytes) -> Iterator[tuple[str, bool, bool]]:
    """Yield regex, whether it ignores, and whether it is for directories only, in the order of the file."""
    for line in content.removeprefix(b"\xef\xbb\xbf").split(b"\n"):
        try:
            text = line.removesuffix(b"\r").decode()
        except UnicodeDecodeError:
            return
        if text.startswith("#"):
            continue
        if not text.endswith("\\ "):
            text = text.rstrip()
        if text and (rule := _rule(text.encode().decode("latin-1"))) is not None:
            yield rule


def _rule(text: str) -> tuple[str, bool, bool] | None:
    ignores = True
    anchored = False
    if text.startswith(("\\!", "\\#")):
        text = text[1:]
    else:
        if text.startswith("!"):
            ignores, text = False, text[1:]
        if text.startswith("/"):
            anchored, text = True, text[1:]
    directories_only = text.endswith("/")
    if directories_only:
        text = text[:-1].removesuffix("\\")
    if not anchored and "/" not in text and text != "**":
        text = f"**/{text}"
    try:
        return regex_of(text), ignores, directories_only
    except BadGlob:
        return None
