"""Every input that fuzzing has kept is fed once more, without the fuzzer, to what it was kept for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from fuzz import oracle
from fuzz.targets import TARGETS

ROOT = Path(__file__).parents[3]
CORPUS = ROOT / "fuzz" / "corpus"


def files(name: str = "*") -> list[Path]:
    return sorted(path for path in CORPUS.glob(f"{name}/*") if path.is_file())


@pytest.mark.parametrize("name", TARGETS)
def test_a_kept_input_breaks_nothing(name: str) -> None:
    """Each target accepts or refuses what is kept for it as it promises, cut into whatever pieces."""
    inputs = files(name)
    assert inputs, "a target without a corpus"
    broken: list[str] = []
    for path in inputs:
        try:
            TARGETS[name](path.read_bytes())
        except Exception as fault:  # noqa: BLE001 - whatever a target raises is the finding; all are told at once
            broken.append(f"{path.relative_to(ROOT)}: {type(fault).__name__}: {str(fault)[:200]}")
    assert not broken, "\n".join(broken)


def test_the_corpus_is_small_and_belongs_to_targets() -> None:
    """A clone stays light: below 300 KiB and 500 files, none of them for a target that is gone."""
    kept = files()
    assert {path.parent.name for path in kept} == set(TARGETS)
    assert len(kept) < 500
    assert sum(path.stat().st_size for path in kept) < 300 * 1024


def test_a_disagreement_between_two_ways_to_cut_is_found() -> None:
    """The oracle tells a reader that sees the borders of its reads."""
    subject = oracle.pieces(b"\x01\x02\x00abcd")
    assert subject.whole == b"abcd"
    assert subject.ways == [[b"abcd"], [b"ab", b"cd"], [b"a", b"b", b"c", b"d"]]
    assert oracle.one_answer(subject, b"".join) == b"abcd"
    with pytest.raises(AssertionError, match="whole: 1"):
        oracle.one_answer(subject, len)


def test_one_input_is_replayed_from_the_command_line(tmp_path: Path) -> None:
    """`--replay` feeds one file to one target, ends with status 0, and with a traceback where the target breaks."""
    fine = files("managed_key")[0]
    assert _replay("managed_key", fine) == 0
    assert _replay("nobody", fine) == 2
    assert _replay("managed_key", tmp_path / "absent") == 1


def _replay(name: str, path: Path) -> int:
    command = [sys.executable, "-m", "fuzz", name, "--replay", str(path)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, check=False, timeout=60).returncode
