"""`run` as a shell sees it: what stands on stdout and stderr, exit statuses, signals, sessions."""

from __future__ import annotations

import base64
import fcntl
import os
import signal
import subprocess
import sys
import termios
import time
from typing import TYPE_CHECKING

import msgspec
import pytest
from agent_run import User

from beyond_agent_core.testing import ModelServer, turn
from beyond_agent_core.testing.model_server_script import Status, error_status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from beyond_agent_core.testing.model_server_script import Entry

pytestmark = pytest.mark.e2e
LOOK = turn.calls(("bash", {"command": "echo seen"}), said="Let me look.")


class Model:
    """A model server whose script the test fills in, and a user who talks to it."""

    def __init__(self, folder: Path) -> None:
        self.script: list[Entry] = []
        self.server = ModelServer(iter(self._next, None))
        self.user = User(folder, self.server.url)

    def _next(self) -> Entry | None:
        return self.script.pop(0) if self.script else None

    def says(self, *entries: Entry) -> None:
        """Play these next."""
        self.script += entries


@pytest.fixture(name="model")
def _model(tmp_path: Path) -> Iterator[Model]:
    model = Model(tmp_path)
    with model.server:
        yield model


# -- what it prints


def test_stdout_has_the_text_of_the_assistant_and_nothing_else(model: Model) -> None:
    """`x=$(beyond-ai-agent run …)` gets text; tools and totals are on stderr, the totals last."""
    model.says(LOOK, turn.text("All done.\nYes."))
    done = model.user.run("do it")
    assert (done.status, done.out) == (0, "Let me look.\nAll done.\nYes.\n")
    assert done.err.splitlines() == ["[tool: bash]", "[done in 2 step(s); 20 in / 10 out tokens]"]


def test_final_prints_the_last_message_only(model: Model) -> None:
    """With --final what was said before the last message stays away from stdout."""
    model.says(LOOK, turn.text("All done."))
    assert model.user.run("do it", "--final").out == "All done.\n"


def test_json_is_a_line_for_the_session_and_then_one_for_each_event(model: Model) -> None:
    """The first line names the session, the others are numbered from 1, the last is agent_end."""
    model.says(LOOK, turn.text("Done."))
    done = model.user.run("do it", "--json")
    first, *events = done.lines
    assert first["kind"] == "session"
    assert first["id"].startswith("sess_")
    assert (first["model"], first["cwd"]) == ("claude-opus-4-8", str(model.user.cwd))
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert events[-1] == {"kind": "agent_end", "steps": 2, "outcome": "done", "stop_reason": "end_turn",
                          "undelivered": {"steers": 0, "follow_ups": 0}, "seq": len(events)}  # fmt: skip


def test_json_of_a_directory_whose_name_is_not_utf_8_is_whole(model: Model) -> None:
    """What cannot be said in JSON is a question mark there."""
    model.says(turn.text("hi"))
    model.user.cwd = model.user.cwd / os.fsdecode(b"odd\xff")
    model.user.cwd.mkdir()
    done = model.user.run("hi", "--json")
    assert (done.status, done.kinds[0], done.kinds[-1]) == (0, "session", "agent_end")
    assert done.lines[0]["cwd"].endswith("/odd?")


def test_a_void_attempt_is_told_behind_its_text(model: Model) -> None:
    """Text of an attempt that broke off stays on the stream, and stderr says that it counts for nothing."""
    model.says(turn.fail(after=3), turn.text("Whole."))
    done = model.user.run("do it", "--retry-base-delay-ms", "1")
    assert done.status == 0
    assert done.out.endswith("\nWhole.\n")
    assert done.err.splitlines()[0] == "[retrying: the text since the last tool is void]"


def test_no_display_library_is_loaded_off_a_terminal(model: Model) -> None:
    """In a pipe neither rich nor anything else heavy is imported."""
    model.says(turn.text("Hi."))
    code = (
        "import sys; from beyond_agent.__main__ import main; main(['run', 'hi']);"
        "print(sorted({name.partition('.')[0] for name in sys.modules} & {'rich', 'pydantic', 'anthropic', 'openai',"
        " 'PIL', 'httpx', 'jsonschema', 'pathlib', 'tomllib', 'uvloop'}))"
    )
    argv = [*model.user.argv()[:1], "-c", code]
    made = subprocess.run(argv, cwd=model.user.cwd, env=model.user.env, capture_output=True, check=True, timeout=60)
    assert made.stdout.decode().splitlines() == ["Hi.", "[]"]


# -- what it is asked


def test_several_tasks_are_prompts_of_one_session(model: Model) -> None:
    """Each TASK is asked in its turn, with what was said before."""
    model.says(turn.text("One."), turn.text("Two."))
    done = model.user.run("first", "second")
    assert (done.status, done.out) == (0, "One.\nTwo.\n")
    assert [message["role"] for message in model.server.requests[1].json["messages"]] == ["user", "assistant", "user"]


def test_the_first_outcome_that_is_not_done_stops_the_rest(model: Model) -> None:
    """After a refusal the second task is not asked."""
    model.says(turn.refusal("No."), turn.text("Never."))
    done = model.user.run("first", "second")
    assert (done.status, len(model.server.requests)) == (3, 1)
    assert done.err.splitlines()[-2:] == ["[refused]", done.err.splitlines()[-1]]


def _asked(model: Model, request: int = 0) -> str:
    content = model.server.requests[request].json["messages"][0]["content"]
    return content if isinstance(content, str) else "".join(block.get("text", "") for block in content)


def test_files_and_stdin_go_before_the_task(model: Model) -> None:
    """Standard input is first, then files in their tags, then the task."""
    (model.user.cwd / "notes.md").write_text("a note\n")
    model.says(turn.text("ok"))
    assert model.user.run("@notes.md", "sum up", stdin=b"piped\n").status == 0
    assert _asked(model) == 'piped\n\n\n<file name="notes.md">\na note\n</file>\n\nsum up'


def test_stdin_is_the_task_where_there_is_none(model: Model) -> None:
    """A pipe alone is a task; the at sign is kept where it is doubled."""
    model.says(turn.text("ok"), turn.text("ok"))
    assert model.user.run(stdin=b"do the thing").status == 0
    assert model.user.run("@@home").status == 0
    assert [_asked(model, 0), _asked(model, 1)] == ["do the thing", "@home"]


def test_an_idle_pipe_is_left_out_with_a_notice(model: Model) -> None:
    """A pipe that nobody writes to does not hang the job."""
    model.says(turn.text("ok"))
    read, write = os.pipe()
    try:
        done = model.user.run("hi", stdin=read)
    finally:
        os.close(read)
        os.close(write)
    assert (done.status, _asked(model)) == (0, "hi")
    assert done.err.startswith("[standard input is left out: nothing came in 2 s; ")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "no task: say what to do"),
        (("@missing.md", "go"), "@missing.md: No such file or directory; "),
        (("@.", "go"), "@.: is a directory; name a file"),
        (("@big.txt", "go"), "@big.txt: is above 1 MiB; "),
        (("go", "--modle", "x"), "unrecognized arguments: --modle"),
        (("go", "--max-cost", "1"), "--max-cost: needs --prices"),
        (("go", "--approve", "write"), "--approve: must be off, writes, all or tools:A,B"),
        (("go", "--output-schema", '{"type":"object","not":{}}'), "not"),
        (("go", "--output-schema", '{"$ref":"https://example.com/x"}'), "$ref"),
        (("go", "--session", "a", "--continue"), "exclude each other"),
        (("/skill:nope", "--no-session"), "/skill:nope: there is no such skill"),
    ],
)
def test_what_cannot_be_asked_is_one_line_and_status_2(model: Model, words: tuple[str, ...], said: str) -> None:
    """A usage error names the argument and the mending; nothing is sent and nothing is on stdout."""
    (model.user.cwd / "big.txt").write_text("x" * (1024 * 1024 + 1))
    done = model.user.run(*words)
    assert (done.status, done.out, done.err.count("\n")) == (2, "", 1)
    assert said in done.err
    assert not model.server.requests


def test_without_a_key_the_line_says_how_to_give_one(model: Model) -> None:
    """No key: status 2 and the exact text."""
    done = model.user.run("hi", AI_AGENT_KEY="")
    assert (done.status, done.err) == (2, "beyond-ai-agent: no gateway key: pass --key or set AI_AGENT_KEY\n")


def test_a_model_on_this_machine_is_asked_without_a_key(model: Model) -> None:
    """Direct mode, a loopback address and no key: the request is sent, and has no header for one."""
    model.says(turn.text("ok"))
    done = model.user.run("--direct", "hi", AI_BASE_URL=model.server.url, AI_API_KEY="")
    assert (done.status, done.out) == (0, "ok\n"), done.err
    assert not model.server.requests[0].headers.keys() & {"authorization", "x-api-key"}


# -- how it ends


@pytest.mark.parametrize("mode", [(), ("--json",)], ids=["text", "json"])
@pytest.mark.parametrize(
    ("entry", "status", "outcome"),
    [
        (turn.text("ok"), 0, "done"),
        (error_status(400, "bad request"), 1, "error"),
        (error_status(401, "unknown key"), 1, "error"),
        (error_status(402, "denied: no budget"), 1, "error"),
        (turn.refusal(), 3, "refused"),
        (LOOK, 4, "limit"),
    ],
)
def test_the_status_says_how_the_run_ended(
    model: Model, mode: tuple[str, ...], entry: Entry, status: int, outcome: str
) -> None:
    """0 done, 1 error, 3 refused, 4 limit; JSON ends with that agent_end; the totals are told in each case."""
    model.says(entry)
    done = model.user.run("hi", *mode, "--max-steps", "1")
    assert done.status == status
    assert done.err.splitlines()[-1].startswith("[done in ")
    if mode:
        assert done.lines[-1]["kind"] == "agent_end"
        assert done.lines[-1]["outcome"] == outcome
    elif isinstance(entry, Status):
        assert msgspec.json.decode(entry.body)["error"]["message"] in done.err


@pytest.mark.parametrize("mode", [(), ("--json",)], ids=["text", "json"])
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_cancels_the_run_and_keeps_its_session(
    model: Model, mode: tuple[str, ...], number: int, status: int
) -> None:
    """The process group of a running command is gone, the session says cancelled, and JSON has its agent_end."""
    model.says(turn.calls(("bash", {"command": "echo $$ > pid; sleep 600"})))
    process = model.user.start("run", "hi", *mode)
    _until(lambda: (model.user.cwd / "pid").exists() and (model.user.cwd / "pid").read_text().strip())
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == status
    if mode:
        assert out.splitlines()[-1].startswith(b'{"kind":"agent_end"')
        assert b'"outcome":"cancelled"' in out.splitlines()[-1]
    else:
        assert b"[cancelled]" in err
    assert '"outcome":"cancelled"' in model.user.session_files[-1].read_text().splitlines()[-1]
    pid = int((model.user.cwd / "pid").read_text())
    _until(lambda: not _alive(pid))


def test_a_second_signal_ends_the_process_at_once(model: Model) -> None:
    """Where the first cannot unwind because nobody reads stdout, the second does not wait for that."""
    model.says(turn.text("x" * 400_000))
    process = model.user.start("run", "hi")
    assert process.stdout is not None
    stdout = process.stdout.fileno()
    _until(lambda: _full(stdout))
    process.send_signal(signal.SIGINT)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.7)
    process.send_signal(signal.SIGINT)
    assert process.wait(5) == 130
    process.stdout.close()
    assert process.stderr is not None
    process.stderr.close()


@pytest.mark.parametrize("mode", [(), ("--json",)], ids=["text", "json"])
def test_a_reader_who_leaves_cancels_the_run(model: Model, mode: tuple[str, ...]) -> None:
    """`… | head -1` ends the job without a complaint and with status 0; the session has its end."""
    model.says(turn.text("a line\n" * 100_000))
    process = model.user.start("run", "hi", *mode)
    assert process.stdout is not None
    assert process.stdout.read(1)
    process.stdout.close()
    assert process.stderr is not None
    assert b"Traceback" not in process.stderr.read()
    process.stderr.close()
    assert process.wait(20) == 0
    assert '"run_end"' in model.user.session_files[-1].read_text().splitlines()[-1]


@pytest.mark.parametrize("mode", [(), ("--plain",), ("--json",)], ids=["display", "plain", "json"])
def test_a_terminal_that_is_closed_cancels_the_run(model: Model, mode: tuple[str, ...]) -> None:
    """Its hang-up ends the run in order, although nothing can be shown any more; the session has its end."""
    model.says(turn.calls(("bash", {"command": "touch begun; sleep 60"})))
    mine, terminal = os.openpty()
    env = {**model.user.env, "TERM": "xterm-256color"}
    with subprocess.Popen(
        model.user.argv("run", "hi", *mode),
        cwd=model.user.cwd,
        env={name: value for name, value in env.items() if name != "NO_COLOR"},
        stdin=subprocess.DEVNULL,
        stdout=terminal,
        stderr=terminal,
        start_new_session=True,
    ) as process:
        os.close(terminal)
        _until((model.user.cwd / "begun").exists)
        os.close(mine)
        process.send_signal(signal.SIGHUP)
        assert process.wait(20) == 129
    end = model.user.session_files[-1].read_text().splitlines()[-1]
    assert '"run_end"' in end
    assert '"cancelled"' in end


def _until(fact: Callable[[], object]) -> None:
    end = time.monotonic() + 60
    while not fact():
        assert time.monotonic() < end
        time.sleep(0.02)


def _full(pipe: int) -> bool:
    """Whether a pipe has bytes and gets no more of them."""
    before = fcntl.ioctl(pipe, termios.FIONREAD, bytes(4))
    time.sleep(0.3)
    return before != bytes(4) and fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)) == before


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


# -- budgets


PRICES = ("--prices", "1000000,1000000")


@pytest.mark.parametrize(
    ("flags", "name"),
    [
        (("--max-steps", "1"), "max_steps"),
        (("--max-tokens-total", "10"), "max_tokens_total"),
        (("--max-seconds", "0.3"), "max_seconds"),
        (("--max-cost", "1", *PRICES), "max_cost"),
    ],
)
def test_each_budget_ends_with_4_and_its_session_goes_on(model: Model, flags: tuple[str, ...], name: str) -> None:
    """The event names the budget; `run --session` with more of it resumes the conversation."""
    model.says(turn.calls(("bash", {"command": "sleep 0.6"})), turn.text("Resumed."))
    done = model.user.run("hi", "--json", *flags)
    assert (done.status, done.lines[-1]["limit"]["name"]) == (4, name)
    again = model.user.run("go on", "--session", done.lines[0]["id"])
    assert (again.status, again.out) == (0, "Resumed.\n")
    assert len(model.server.requests[1].json["messages"]) >= 3


# -- structured output


SCHEMA = '{"type":"object","properties":{"n":{"type":"integer"}},"required":["n"]}'


def _answer(**payload: object) -> Entry:
    return turn.calls(("structured_output", dict(payload)))


@pytest.mark.parametrize("mode", [(), ("--json",)], ids=["text", "json"])
def test_a_structured_answer_is_the_last_line_of_stdout(model: Model, mode: tuple[str, ...]) -> None:
    """An invalid call is answered by what is wrong, the valid one ends the run; in text mode it stands alone."""
    model.says(turn.calls(("structured_output", {"n": "many"}), said="Counting."), _answer(n=3))
    done = model.user.run("count", "--output-schema", SCHEMA, *mode)
    assert (done.status, done.out.splitlines()[-1]) == (0, '{"n":3}')
    if not mode:
        assert done.out == '{"n":3}\n'
        assert "Counting." in done.err


def test_an_answer_is_no_write_that_needs_approval(model: Model) -> None:
    """With `--approve writes` and no terminal a structured answer comes all the same."""
    model.says(_answer(n=1))
    done = model.user.run("count", "--output-schema", SCHEMA, "--approve", "writes")
    assert (done.status, done.out) == (0, '{"n":1}\n')


def test_a_root_that_is_no_object_is_wrapped_and_unwrapped(model: Model) -> None:
    """A list is asked for inside an object, and printed as a list; the schema may be in a file."""
    (model.user.cwd / "list.json").write_text('{"type":"array","items":{"type":"string"}}')
    model.says(_answer(value=["a"]))
    assert model.user.run("list", "--output-schema", "list.json").out == '["a"]\n'


def test_a_schema_that_nests_too_deep_is_one_line_and_status_2(model: Model) -> None:
    """Nothing is asked then."""
    done = model.user.run("hi", "--output-schema", '{"a":' + "[" * 5000 + "]" * 5000 + "}")
    assert (done.status, done.out, done.err.count("\n")) == (2, "", 1)
    assert done.err.startswith("beyond-ai-agent: --output-schema: ")
    assert not model.server.requests


def test_the_model_is_reminded_twice_of_the_answer_that_is_missing(model: Model) -> None:
    """Stopping without a call is answered by a reminder; after two the job fails and says what is missing."""
    model.says(turn.text("Three."), turn.text("Three!"), turn.text("I said three."))
    done = model.user.run("count", "--output-schema", SCHEMA)
    assert (done.status, done.out, len(model.server.requests)) == (1, "", 3)
    assert "structured_output_missing" in done.err


def test_of_several_tasks_the_last_one_answers(model: Model) -> None:
    """The answer to an earlier task is not taken for that of a later one, which is reminded of its own."""
    model.says(_answer(n=1), turn.text("Two."), _answer(n=2))
    assert model.user.run("first", "second", "--output-schema", SCHEMA).out == '{"n":2}\n'


def test_a_reminder_may_help(model: Model) -> None:
    """An answer that comes after a reminder counts."""
    model.says(turn.text("Three."), _answer(n=3))
    assert model.user.run("count", "--output-schema", SCHEMA).out == '{"n":3}\n'


# -- sessions and settings


def test_continue_goes_on_with_the_newest_session(model: Model) -> None:
    """-c sends what was said before; without sessions it begins one."""
    model.says(turn.text("One."), turn.text("Two."))
    assert model.user.run("first", "-c").status == 0
    assert model.user.run("second", "-c").status == 0
    assert len(model.server.requests[1].json["messages"]) == 3
    assert len(model.user.session_files) == 1


@pytest.mark.parametrize(
    "flags", [(), ("-c",), ("--session-id", "mine"), ("--name", "x"), ("--takeover",), ("--session-dir", "here")]
)
def test_no_session_writes_nothing_whatever_else_is_set(model: Model, flags: tuple[str, ...]) -> None:
    """--no-session leaves no file, neither in the user's folders nor in the project."""
    model.says(turn.text("ok"))
    assert model.user.run("hi", "--no-session", *flags).status == 0
    assert [path for path in (*model.user.home.rglob("*"), *model.user.cwd.rglob("*")) if path.is_file()] == []


def test_no_session_with_a_session_that_is_there_reads_it_only(model: Model) -> None:
    """What it says is known to the model, and its file stays as it was."""
    model.says(turn.text("One."), turn.text("Two."))
    model.user.run("first")
    (file,) = model.user.session_files
    before = file.read_bytes()
    assert model.user.run("second", "--no-session", "--session", str(file)).status == 0
    assert len(model.server.requests[1].json["messages"]) == 3
    assert file.read_bytes() == before


def test_what_nobody_has_named_is_said_to_be_built_in(model: Model) -> None:
    """Where the gateway's address was forgotten, the last line says how to give it; where one was given, nothing."""
    model.user.env.pop("AI_GATEWAY_URL")
    done = model.user.run("hi", "--no-retry", http_proxy="http://127.0.0.1:9")
    assert done.status == 1
    assert "the gateway's built-in address: set AI_GATEWAY_URL" in done.err
    named = model.user.run("hi", "--no-retry", AI_GATEWAY_URL="http://127.0.0.1:9")
    assert (named.status, "built-in" in named.err) == (1, False)


def test_an_unwritable_session_folder_is_named(model: Model) -> None:
    """One line, status 1, and the way around."""
    (model.user.home / "file").write_text("")
    done = model.user.run("hi", "--session-dir", str(model.user.home / "file" / "below"))
    assert (done.status, done.err.count("\n")) == (1, 1)
    assert str(model.user.home / "file" / "below") in done.err
    assert "--no-session" in done.err


def test_a_disk_that_is_full_when_the_model_changes_is_one_line(model: Model) -> None:
    """A session that cannot take the first line of a job ends it with status 1."""
    model.says(turn.text("hi"))
    assert model.user.run("hi").status == 0
    limit = model.user.session_files[-1].stat().st_size + 5
    made = _limited(model.user, limit, "run", "-c", "go on", "--model", "gpt-5")
    assert (made.returncode, made.stderr.count(b"\n")) == (1, 1), made.stderr
    assert made.stderr.startswith(b"beyond-ai-agent: cannot write ")


def test_a_run_whose_end_cannot_be_stored_is_not_told_as_done(model: Model) -> None:
    """The one end that is told is an error, as the status says."""
    model.says(turn.text("hi"), turn.text("hi"))
    assert model.user.run("hi").status == 0
    limit = model.user.session_files[-1].stat().st_size - 5
    made = _limited(model.user, limit, "run", "hi", "--json")
    assert made.returncode == 1
    ends = [line for line in map(msgspec.json.decode, made.stdout.splitlines()) if line["kind"] == "agent_end"]
    assert [(end["outcome"], end["error_code"]) for end in ends] == [("error", "io")]


def _limited(user: User, most: int, *words: str) -> subprocess.CompletedProcess[bytes]:
    """Run a command whose files can have so many bytes."""
    return subprocess.run(
        [sys.executable, "-c", _LIMITED, str(most), *user.argv(*words)],
        cwd=user.cwd,
        env={**user.env, "PYTHONDONTWRITEBYTECODE": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        timeout=60,
    )


_LIMITED = """
import os, resource, sys
limit = int(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
os.execv(sys.argv[2], sys.argv[2:])
"""


def test_a_tool_that_there_is_not_is_refused_before_there_is_a_session(model: Model) -> None:
    """A typo in a rule leaves no session behind, and stdout empty."""
    done = model.user.run("hi", "--json", "--deny-tool", "nosuch")
    assert (done.status, done.out, done.err.count("\n")) == (2, "", 1)
    assert not model.user.session_files


def test_an_unknown_model_works_with_one_notice(model: Model) -> None:
    """The least is assumed of it, and stderr says where more can be said."""
    model.says(turn.text("ok"))
    done = model.user.run("hi", "--model", "acme/new-1")
    assert done.status == 0
    assert done.err.splitlines()[0].startswith("[nothing is known of the model acme/new-1: ")
    assert model.server.requests[0].path.endswith("/chat/completions")


def test_notices_are_about_the_model_that_answers(model: Model) -> None:
    """A session that is gone on with has its own model: what is said of it is not about the one of the settings."""
    png = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
    (model.user.cwd / "shot.png").write_bytes(base64.b64decode(png))
    model.says(turn.text("ok"), turn.text("ok"))
    model.user.run("hi", "--model", "acme/blind-1")
    done = model.user.run("look", "@shot.png", "-c")
    assert done.status == 0
    assert done.err.startswith("[nothing is known of the model acme/blind-1: ")
    assert "acme/blind-1 does not see images: those attached are left out" in done.err
    assert model.server.requests[1].json["model"] == "acme/blind-1"


def test_a_gateway_that_is_away_is_one_clear_error(model: Model) -> None:
    """Nobody listens: the address is named, the key is not, and the session is kept."""
    done = model.user.run("hi", "--no-retry", AI_GATEWAY_URL="http://127.0.0.1:1")
    assert done.status == 1
    assert "127.0.0.1:1" in done.err
    assert "Traceback" not in done.err
    assert len(model.user.session_files) == 1


def test_a_provider_key_in_the_environment_gets_nowhere(model: Model) -> None:
    """In gateway mode it is in no request, no child and no file; the gateway's own key is in no child either."""
    secret = "sk-ant-provider-0123456789"
    model.says(turn.calls(("bash", {"command": "env; cat /proc/$PPID/cmdline | tr '\\0' ' '"})), turn.text("ok"))
    done = model.user.run("hi", "--json", AI_API_KEY=secret)
    assert done.status == 0
    seen = b"".join(request.body + str(request.headers).encode() for request in model.server.requests)
    assert secret.encode() not in seen
    own = model.user.env["AI_AGENT_KEY"].encode()
    assert all(own not in request.body for request in model.server.requests)
    for path in model.user.home.rglob("*"):
        if path.is_file():
            assert secret.encode() not in path.read_bytes()
            assert own not in path.read_bytes()
    assert secret not in done.out + done.err
