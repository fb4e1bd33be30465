from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from agent_search import context, nowhere, outcome, place
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from beyond_agent.machine.files import LocalFiles
from beyond_agent.machine.runner import LocalRunner
from beyond_agent.tools.find import FindTool
from beyond_agent.tools.grep import GrepTool
from beyond_agent.tools.search_ripgrep import installed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from beyond_agent.seams import Command, Entry, Finished

pytestmark = pytest.mark.e2e

Call = dict[str, Any]


def wheels() -> Sequence[str]:
    """Return the ripgrep that was installed with this package: the last of those that there are."""
    return installed()[-1:]


def on_path() -> Sequence[str]:
    """Return what is found on a PATH where ripgrep is."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", wheels()[0].rpartition("/")[0])
        return installed()


WAYS: Mapping[str, Callable[[], Sequence[str]]] = {"on PATH": on_path, "the wheel's": wheels, "Python": nowhere}


async def answers(cwd: str | Path, runner: LocalRunner, call: Call) -> dict[str, str]:
    """Return what each way answers to a call: of grep, or of find if it begins with that."""
    here = place(cwd, runner=runner)
    kind = FindTool if call.get("find") else GrepTool
    given_ = {key: value for key, value in call.items() if key != "find"}
    return {way: await outcome(kind(here, locate), **given_) for way, locate in WAYS.items()}


def same(cwd: str | Path, *calls: Call) -> list[str]:
    """Return the answers to some calls, which must be the same whichever way they are found."""

    async def ask() -> list[str]:
        runner = LocalRunner()
        try:
            texts: list[str] = []
            for call in calls:
                found = await answers(cwd, runner, call)
                assert {found["Python"]} == set(found.values()), (call, found)
                texts.append(found["Python"])
            return texts
        finally:
            runner.close()

    return asyncio.run(ask())


def made(root: Path, tree: Mapping[str, bytes]) -> Path:
    for path, content in tree.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content)
    return root


CORPUS = {
    ".gitignore": b"*.log\n/build/\n!keep.log\n",
    "src/.gitignore": b"gen/\nlocal.*\n!local.md\n",
    "a.py": b"import os\n--flag /usr/bin -e\nneedle\n",
    "src/b.py": b"def needle():\r\n    return 1\r\n",
    "src/local.py": b"needle",
    "src/local.md": b"needle",
    "src/gen/c.py": b"needle",
    "src/deep/d.ts": "caf\u00e9 needle \u6587\n".encode(),
    "build/e.py": b"needle",
    "sub/build/f.py": b"needle",
    "x.log": b"needle",
    "keep.log": b"needle",
    ".env": b"needle=1\n",
    ".git/config": b"needle",
    ".git/info/exclude": b"b.py\n",
    "src/.ignore": b"*\n",
    ".github/ci.yml": b"- needle\n",
    "binary": b"needle\n" * 9000 + b"\0",
    "utf16.txt": "needle \u00e9\n".encode("utf-16"),
    "latin.txt": b"needle \xe9\n",
    "long.js": b"needle" + b"x" * 9000 + b"\n",
    "-dash": b"needle\n",
    "we\nird": b"needle\n",
    "empty": b"",
}
PATTERNS = (
    r"needle|-e|--flag|/usr|-|/|^|$|^$|zzz|\bneedle\b|[[:alpha:]]+ .|\d|caf.|\w+\(\)|\/usr|(?i)NEEDLE|é|a.*n|\s1$"
)


def test_a_corpus_is_the_same_in_all_ways(tmp_path: Path) -> None:
    """Patterns, globs, folders, files, context, case and limits give one text through PATH, wheel and Python."""
    made(tmp_path, CORPUS)
    calls = [{"pattern": each} for each in PATTERNS.split("|")]
    calls += [
        {"pattern": "needle", "glob": glob}
        for glob in ("*.py", "!*.py", "src/**", "/src/*", "*.{py,ts}", "!src/", "?.py")
    ]
    calls += [{"pattern": "needle", "path": path} for path in ("src", "src/gen", "x.log", "we\nird", "binary", "-dash")]
    calls += [{"pattern": "needle", "limit": limit, "context": 1} for limit in (1, 2, 3, 100)]
    calls += [{"pattern": "n.e", "literal": True}, {"pattern": "NEEDLE", "ignore_case": True}]
    calls += [{"pattern": each} for each in ("(", "(?=a)", "a{2,1}", "[z-a]", "\\1", "a\nb")]
    calls += [
        {"find": True, "pattern": each} for each in ("*", "*.py", "src", "**/*.py", "/src/**", ".*", "d*", "[", "nope")
    ]
    calls += [{"find": True, "pattern": "*", "limit": limit} for limit in (1, 5, 99)]
    texts = same(tmp_path, *calls)
    first = ["-dash:1: needle", ".env:1: needle=1", ".github/ci.yml:1: - needle", "a.py:3: needle"]
    assert first == texts[0].split("\n")[:4]
    assert "keep.log:1: needle" in texts[0]
    assert not {"x.log", "build/e.py", "binary", ".git/config"} & {line.split(":")[0] for line in texts[0].split("\n")}


def test_above_every_limit_it_is_the_same(tmp_path: Path) -> None:
    """With more matches than are collected, and more files than are listed, the first in path order are shown."""
    for folder in range(12):
        made(tmp_path, {f"{folder:02}/{number:03}": b"hit\n" * 15 for number in range(80)})
    made(tmp_path, {f"many/{number:05}": b"" for number in range(10_050)})
    calls: list[Call] = [{"pattern": "hit"}, {"pattern": "hit", "limit": 3}, {"pattern": "hit", "limit": 20_000}]
    calls += [{"find": True, "pattern": "**"}, {"find": True, "pattern": "**", "limit": 20_000}]
    texts = same(tmp_path, *calls)
    assert texts[0].endswith(
        "00/006:10: hit\n\n[match limit 100 reached; use limit=200 for more, or a narrower pattern, path or glob]"
    )
    assert texts[4].split("\n")[-2].startswith("[result limit 10000 reached; ")


def test_what_cannot_be_read_is_the_same() -> None:
    """A user that may not read a file and a folder is told so in all ways."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        made(root, {"t/a": b"hit", "t/shut": b"hit", "t/no/x": b"hit", "t/.gitignore": b"["})
        program = shutil.copy(wheels()[0], root / "rg")
        (root / "t/shut").chmod(0)
        (root / "t/no").chmod(0)
        root.chmod(0o755)

        async def ask() -> list[list[str]]:
            runner = LocalRunner()
            here = place(root / "t", runner=runner)
            calls = [(GrepTool, "hit"), (GrepTool, "zzz"), (FindTool, "**")]
            try:
                return [
                    [await outcome(kind(here, locate), pattern=pattern) for kind, pattern in calls]
                    for locate in (lambda: (str(program),), nowhere)
                ]
            finally:
                runner.close()

        mask = os.geteuid()
        if mask == 0:
            os.seteuid(65534)
        try:
            by_ripgrep, by_python = asyncio.run(ask())
        finally:
            os.seteuid(mask)
            (root / "t/no").chmod(0o755)
    some = "some of the files or directories could not be read"
    assert by_ripgrep == by_python
    assert by_python == [
        f"a:1: hit\n\n[{some}]",
        f'ExecutionFailed: no matches for "zzz": {some}',
        ".gitignore\na\nshut\n\n[some of the directories could not be read]",
    ]


def test_only_ripgrep_understands_some_patterns(tmp_path: Path) -> None:
    """With it they find what they find; without it they are an error, never another result."""
    made(tmp_path, {"a": "é\nE\n".encode()})

    async def ask() -> dict[str, str]:
        runner = LocalRunner()
        try:
            return await answers(tmp_path, runner, {"pattern": "\\p{Lu}"})
        finally:
            runner.close()

    found = asyncio.run(ask())
    assert found["on PATH"] == found["the wheel's"] == "a:2: E"
    assert found["Python"] == "InvalidInput: only ripgrep understands this pattern, and it is not installed: \\p"


NAME_WORDS = "a b ab a.txt b.txt .h .git -x é A #c !n [x] build a-b \udcff .jj *"
NAMES = st.sampled_from([*NAME_WORDS.split(), "we\nird", "sp "])
RULE_WORDS = (
    "a b /a a/ *.txt !a.txt !a a/b **/a a/** a/**/b /a/* !/a/b #c \\#c \\!n [ab] [!a] * !*/ ? \\[x\\] [ a\\ "
    "{a,b} !build/ /build/ ** **/ *.* !.h .* a*b é / ! a//b !.git -x {a a} []a] we?ird **a a** !!n a[/]b"
)
RULES = st.sampled_from([*RULE_WORDS.split(), "sp ", "sp\\ "])
CONTENTS = st.sampled_from(
    [
        b"hi\n",
        b"",
        b"hi",
        b"x\nhi\nx\nHI\n",
        b"\xffhi\n",
        b"hi\0",
        b"hi\r\n",
        "hi é".encode("utf-16"),
        b"\xef\xbb\xbfhi",
        b"hi" * 3000,
    ]
)
LINKS = st.sampled_from([".", "..", "a", "/nope"])
TREES = st.recursive(
    st.one_of(CONTENTS, LINKS),
    lambda inner: st.tuples(st.dictionaries(NAMES, inner, max_size=6), st.lists(RULES, max_size=4)),
    max_leaves=25,
)
GLOB_WORDS = "* a *.txt a/* a/** **/a /a /a/* ** ? [ab]* {a,b}* [!a] é -x .* we* {a/b,b}"
GLOBS = st.sampled_from(GLOB_WORDS.split())


def grown(path: str, tree: Any) -> None:
    if isinstance(tree, bytes):
        Path(path).write_bytes(tree)
    elif isinstance(tree, str):
        Path(path).symlink_to(tree)
    else:
        Path(path).mkdir()
        children, rules = tree
        if rules:
            Path(path, ".gitignore").write_text("\n".join(rules))
        for name, child in children.items():
            grown(f"{path}/{name}", child)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(TREES, GLOBS, st.sampled_from(["", "!"]), st.sampled_from(["hi", "^$", "", "i\\b", "\\w+$"]), st.integers(1, 5))
def test_any_tree_is_the_same_in_all_ways(tree: Any, glob: str, sign: str, pattern: str, limit: int) -> None:
    """Rules at every level, negations, links in a circle and odd names are seen alike."""
    with tempfile.TemporaryDirectory() as folder:
        grown(f"{folder}/t", tree if isinstance(tree, tuple) else ({"a": tree}, []))
        below = next((each.name for each in Path(folder, "t").iterdir() if each.name.isprintable()), ".")
        same(
            f"{folder}/t",
            {"find": True, "pattern": glob},
            {"pattern": pattern, "glob": sign + glob, "limit": limit},
            {"pattern": pattern, "path": below, "context": 1},
        )


PIECE_WORDS = (
    "a b k s é \u017f \u212a 1 - _ . ^ $ \\b \\< \\> \\d \\D \\w \\W \\s \\S [ab] [^ab] [[:alpha:]] [\\w-] [^\\W_] "
    "[]a] [a-] [é-ü] \\x41 \\u{e9} \\t (a|b) (?:ab) (?<y>a) (?i) (?i:a) (?-i:a) (?=a) \\1 \\z \\p{Lu} \\h \\/ \\- "
    "{ } ] [ ( ) | a{2} a{,2} a{1,3} * + ? (a*)* () (|a) [z-a] \\ (?U)a [a&&b] .* (?x)"
)
PIECES = st.sampled_from(PIECE_WORDS.split())
LINE_WORDS = (
    "a b ab aab A k K \u212a s \u017f é É ß i İ \u0131 1 ٣ \t a-b _x éb aé a.b aaa { } [ ] ( ) "
    "\\ / a\r \x1c \x85 文字 x1 Ⓐ"
)
LINES = LINE_WORDS.split(" ")


@settings(max_examples=80, deadline=None)
@given(pieces=st.lists(PIECES, min_size=1, max_size=4), ignore_case=st.booleans())
def test_any_pattern_is_the_same_in_all_ways(pieces: list[str], *, ignore_case: bool) -> None:
    """It finds the same lines in ASCII, Unicode and neither, is refused alike, or is ripgrep's."""
    with tempfile.TemporaryDirectory() as folder:
        text = "\n".join(LINES).encode()
        made(Path(folder), {"ascii": b"\n".join(each.encode() for each in LINES if each.isascii()), "unicode": text})
        made(Path(folder), {"bytes": text.replace(b"\n", b"\xe9\n")})

        async def ask() -> dict[str, str]:
            runner = LocalRunner()
            call = {"pattern": "".join(pieces), "ignore_case": ignore_case, "limit": 1000}
            try:
                return await answers(folder, runner, call)
            finally:
                runner.close()

        found = asyncio.run(ask())
    assert found["on PATH"] == found["the wheel's"]
    if "only ripgrep understands" not in found["Python"]:
        assert found["Python"] == found["on PATH"]


@pytest.fixture(scope="module")
def large_tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("large")
    for folder in range(30):
        made(root, {f"{folder}/{number}": b"abcdefgh ijklmnop\n" * 400 for number in range(100)})
    return root


class Noticed:
    """Tells when a search has begun: a program is started, or a folder is read."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.begun = asyncio.Event()

    def notice(self) -> None:
        self._loop.call_soon_threadsafe(self.begun.set)


class NoticedFiles(LocalFiles):
    def __init__(self, noticed: Noticed) -> None:
        self._noticed = noticed

    def entries(self, path: str) -> Iterator[Entry]:
        self._noticed.notice()
        return super().entries(path)


class NoticedRunner(LocalRunner):
    def __init__(self, noticed: Noticed) -> None:
        super().__init__()
        self._noticed = noticed

    async def run(self, command: Command, output: Callable[[bytes], object]) -> Finished:
        self._noticed.notice()
        return await super().run(command, output)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", [GrepTool, FindTool])
def test_a_cancelled_search_stops_within_100_ms(large_tree: Path, way: str, kind: type[GrepTool | FindTool]) -> None:
    """However much there is to search, the call is over at once, and so is what it started."""

    async def cancelled() -> float:
        noticed = Noticed()
        runner = NoticedRunner(noticed)
        tool = kind(place(large_tree, NoticedFiles(noticed), runner), WAYS[way])
        try:
            async with asyncio.TaskGroup() as group:
                pattern = "*" if kind is FindTool else "([a-h]+ [i-p]+){2}[^q]*q$"
                task = group.create_task(tool.run({"pattern": pattern}, context()))
                await noticed.begun.wait()
                assert not task.done()
                start = time.monotonic()
                task.cancel()
                await asyncio.wait([task])
                took = time.monotonic() - start
                assert task.cancelled()
            await asyncio.get_running_loop().shutdown_default_executor()
            assert time.monotonic() - start < 0.5
            return took
        finally:
            runner.close()

    assert asyncio.run(cancelled()) < 0.1
