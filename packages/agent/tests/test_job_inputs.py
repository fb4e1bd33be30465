"""What a job is asked: tasks, files and standard input, in their order and within their bounds."""

from __future__ import annotations

import base64
import os
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import pytest

from beyond_agent.errors import UsageError
from beyond_agent.job.inputs import MOST_FILE, MOST_STDIN, NO_TASK, Asked, Stdin, gather

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from pathlib import Path

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)


@contextmanager
def piped(content: bytes) -> Generator[Stdin]:
    """Give a pipe that has this content and then its end, for as long as it is read."""
    read, write = os.pipe()

    def fill() -> None:
        with suppress(BrokenPipeError), os.fdopen(write, "wb") as pipe:
            pipe.write(content)

    filling = threading.Thread(target=fill)
    filling.start()
    try:
        yield Stdin(read, wait_s=5)
    finally:
        os.close(read)
        filling.join()


def asked(
    words: Sequence[str], cwd: Path | None = None, stdin: bytes = b"", **more: bool
) -> tuple[list[Asked], list[str]]:
    """Gather with a pipe as standard input."""
    with piped(stdin) as pipe:
        return gather(words, pipe, cwd=str(cwd or "/"), expand=str.upper, **more)


def test_only_tasks_are_expanded(tmp_path: Path) -> None:
    """Templates and skills are named by a task, never by what a file or a pipe holds beside it."""
    (tmp_path / "f").write_text("file")
    prompts, notices = asked(["@f", "task", "more"], tmp_path, b"pipe")
    assert [each.text for each in prompts] == ['pipe\n\n<file name="f">\nfile\n</file>\n\nTASK', "MORE"]
    assert notices == []


def test_a_pipe_is_expanded_where_it_is_the_task(tmp_path: Path) -> None:
    """Files stand before it, as before any first task; a byte order mark is no part of it."""
    (tmp_path / "f").write_text("file\n")
    prompts, _ = asked(["@f"], tmp_path, b"\xef\xbb\xbfpipe")
    assert [each.text for each in prompts] == ['<file name="f">\nfile\n</file>\n\nPIPE']


def test_an_image_is_attached_beside_its_name(tmp_path: Path) -> None:
    """By its bytes, whatever it is called."""
    (tmp_path / "shot").write_bytes(PNG)
    prompts, notices = asked(["@shot", "look"], tmp_path)
    assert [image.media_type for image in prompts[0].images] == ["image/png"]
    assert prompts[0].text.startswith('<file name="shot">')
    assert notices == []


@pytest.mark.parametrize(
    ("words", "stdin", "said"),
    [
        ([], b"", NO_TASK),
        ([], b" \n", NO_TASK),
        (["@f"], b"", NO_TASK),
        (["ok", "  "], b"", "TASK: an empty one was given"),
        (["-"], b"x" * (MOST_STDIN + 1), "standard input is above 10 MiB"),
        (["@binary", "go"], b"", "@binary: is neither text nor an image"),
        (["@big", "go"], b"", "@big: is above 1 MiB"),
        (["@fifo", "go"], b"", "@fifo: is no regular file"),
    ],
)
def test_what_cannot_be_asked_is_refused(tmp_path: Path, words: list[str], stdin: bytes, said: str) -> None:
    """Each is a usage error that names the argument; none of them waits."""
    (tmp_path / "f").write_text("file")
    (tmp_path / "binary").write_bytes(b"a\0b")
    (tmp_path / "big").write_text("x" * (MOST_FILE + 1))
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(UsageError) as raised:
        asked(words, tmp_path, stdin)
    assert str(raised.value).startswith(said)


def test_ten_mebibytes_of_standard_input_are_taken() -> None:
    """The bound itself is within it."""
    prompts, _ = asked(["-"], stdin=b"x" * MOST_STDIN)
    assert len(prompts[0].text) == MOST_STDIN


def test_standard_input_can_be_left_alone() -> None:
    """A pipe with something in it is not read then."""
    prompts, _ = asked(["task"], stdin=b"pipe", leave_stdin=True)
    assert [each.text for each in prompts] == ["TASK"]


def test_a_dash_waits_for_as_long_as_it_takes() -> None:
    """Where - asks for standard input, a pipe that is idle at first is waited for."""
    read, write = os.pipe()
    timer = threading.Timer(0.2, lambda: (os.write(write, b"late"), os.close(write)))
    timer.start()
    prompts, notices = gather(["task", "-"], Stdin(read, wait_s=0.01), cwd="/")
    timer.join()
    os.close(read)
    assert ([each.text for each in prompts], notices) == (["late\n\ntask"], [])


def test_a_closed_standard_input_is_none() -> None:
    """A process that was started without one does its task."""
    read, write = os.pipe()
    os.close(read)
    os.close(write)
    assert gather(["task"], Stdin(read), cwd="/")[0] == [Asked("task")]
