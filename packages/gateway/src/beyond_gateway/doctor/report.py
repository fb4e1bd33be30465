"""One finding, and how findings are shown: a line each for a person, one object for a program.

Every text passes `masked` on its way out, the one place where secrets and control characters are taken out, so that a
check need not know which of its words came from somewhere else.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from beyond_gateway.redact import redact

if TYPE_CHECKING:
    from collections.abc import Iterable

    from beyond_gateway.redact import Secret

Status = Literal["ok", "fail", "note"]

_MARKS: Final = {"ok": "[ok]", "fail": "[FAIL]", "note": "[note]"}
_COLOURS: Final = {"ok": "32", "fail": "31", "note": "33"}


class Check(msgspec.Struct, frozen=True, omit_defaults=True):
    """One finding: what was looked at, how it is, what was seen, and how to mend it, which every failure says."""

    name: str
    status: Status
    detail: str
    mend: str | None = None


class _Report(msgspec.Struct):
    ok: bool
    checks: Sequence[Check]


def ok(name: str, detail: str) -> Check:
    """Return a finding that all is well."""
    return Check(name, "ok", detail)


def note(name: str, detail: str) -> Check:
    """Return something an operator should know, which is no failure."""
    return Check(name, "note", detail)


def fail(name: str, detail: str, mend: str) -> Check:
    """Return a failure; `mend` continues the words "mend it:"."""
    return Check(name, "fail", detail, mend)


def shown(host: str, port: int) -> str:
    """Return `host:port`, an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def healthy(checks: Iterable[Check]) -> bool:
    """Whether none of them is a failure."""
    return all(check.status != "fail" for check in checks)


def masked(checks: Iterable[Check], secrets: Sequence[Secret]) -> list[Check]:
    """Return the findings without any of `secrets`, managed keys, users in URLs, or characters a terminal obeys."""

    def clean(text: str) -> str:
        return "".join(letter if letter.isprintable() else "?" for letter in redact(text, secrets))

    return [
        Check(clean(check.name), check.status, clean(check.detail), None if check.mend is None else clean(check.mend))
        for check in checks
    ]


def lines(checks: Sequence[Check], *, colour: bool) -> list[str]:
    """Return one line for each finding, in order, with marks and names aligned."""
    width = max((len(check.name) for check in checks), default=0)
    done: list[str] = []
    for check in checks:
        mark = f"{_MARKS[check.status]:<6}"
        if colour:
            mark = f"\x1b[{_COLOURS[check.status]}m{mark}\x1b[0m"
        mend = f"; mend it: {check.mend}" if check.mend else ""
        done.append(f"{mark} {check.name:<{width}}  {check.detail}{mend}")
    return done


def as_json(checks: Sequence[Check]) -> bytes:
    """Return `{"ok":…,"checks":[{"name","status","detail","mend"?}]}`; status is `ok`, `fail` or `note`."""
    return msgspec.json.encode(_Report(healthy(checks), checks))
