"""One target under atheris, in a process of its own: libFuzzer never returns, and a finding ends the process.

Started by `python -m fuzz` as `python -m fuzz.one TARGET [libFuzzer's flags and folders]`.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any


def main() -> None:
    name, *arguments = sys.argv[1:]
    atheris: Any = import_module("atheris")  # installed by `make fuzz` only, so that types are checked without it
    # Not its hook for regular expressions, which fails on patterns of bytes (3.0.0): `words.dict` has their literals.
    with atheris.instrument_imports(include=["beyond_gateway", "beyond_wire", "fuzz"]):
        targets: dict[str, Any] = import_module("fuzz.targets").TARGETS
    # A merge starts this program again by its first argument, through a shell.
    atheris.Setup([f"{sys.executable} -m fuzz.one {name}", *arguments], targets[name])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
