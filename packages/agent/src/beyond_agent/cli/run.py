"""`run`: one job in this directory. Reads from top to bottom what happens between the command line and the exit status.

Contract: agent contract, run.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from beyond_agent.cli.starting import about_the_model, opened
from beyond_agent.errors import DONE, AgentFault
from beyond_agent.flags import parser_for
from beyond_agent.startup import harness_for, here, read_options

if TYPE_CHECKING:
    from beyond_agent.harness import Harness, Site
    from beyond_agent.job.inputs import Asked
    from beyond_agent.job.show import Show
    from beyond_agent.job.structured import StructuredOutput
    from beyond_agent.options import Options

_USAGE: Final = "beyond-ai-agent run [flags] TASK... [@FILE...] [-]"
NO_GATEWAY: Final = (
    "that is the gateway's built-in address: set AI_GATEWAY_URL to yours, or AI_BASE_URL and AI_API_KEY to a provider's"
)
_DESCRIBE: Final = """\
Does one job in this directory and ends. Each TASK is a prompt, in order; @FILE puts a file before the first;
standard input, where it is a pipe, goes before all, and - waits for it.

The answer goes to standard output, everything else to standard error. Exit status: 0 done, 1 error, 2 usage,
3 refused, 4 a budget was used up, 128 + signal when cancelled."""


def main(argv: list[str]) -> int:
    """Do the job; return the exit status. Raises CommandError."""
    places = here(os.environ)
    options = read_options("run", argv, parser_for("run", _USAGE, _DESCRIBE), os.environ, places)
    harness = harness_for(options, os.environ)
    site = harness.site(places.cwd)
    from beyond_agent.job.inputs import Stdin, gather  # noqa: PLC0415 - settings that are wrong need none of it

    answer = _answer(options, places.cwd)
    prompts, notices = gather(
        options.task,
        Stdin(),
        cwd=places.cwd,
        expand=site.prompt.shortcuts.expand,
        leave_stdin=options.no_stdin,
    )
    show = _show(options)
    for notice in (*site.prompt.notices, *notices):
        show.notice(notice)
    from asyncio import run  # noqa: PLC0415 - as above

    return run(_work(harness, site, prompts, show, answer))


async def _work(harness: Harness, site: Site, prompts: list[Asked], show: Show, answer: StructuredOutput | None) -> int:
    from beyond_agent.job.output import OutputClosed  # noqa: PLC0415 - as above
    from beyond_agent.job.work import Job  # noqa: PLC0415 - as above
    from beyond_agent.policy.tty import TerminalAsker  # noqa: PLC0415 - as above
    from beyond_agent.sessions.errors import SessionError  # noqa: PLC0415 - as above

    more = () if answer is None else (answer,)
    ask = TerminalAsker(harness.options.approve_timeout_ms / 1000, aside=show.aside)
    # A tool that there is not is refused before a session is touched.
    gate = harness.gate(site, ask, more)
    _, stored = opened(harness, site)
    try:
        chosen = harness.choice_for(stored)
        for notice in _about(harness, chosen.model, prompts):
            show.notice(notice)
        stored.change_model(chosen.model)
        stored.change_thinking(chosen.thinking)
        show.session(stored.id, chosen.model, site.cwd)
        agent = harness.agent(site, chosen, gate, checkpoint=stored.checkpoint, cache_key=stored.id, more=more)
        if stored.skipped.count:
            show.notice(f"session {stored.path}: {stored.skipped}")
        job = Job(agent, stored, show, answer, again=_again(harness.options, site, stored.path))
        status = await job.work(prompts)
        if job.error_code == "connect_failed" and _names_no_endpoint(harness.options):
            show.notice(NO_GATEWAY)
    except OutputClosed:
        # The reader was gone before the first line.
        return DONE
    except SessionError as error:
        raise AgentFault(error.code, str(error)) from None
    else:
        return status
    finally:
        stored.close()
        harness.close()


def _again(options: Options, site: Site, path: str | None) -> str:
    """Return the flag with which a further run goes on: `-c` knows the folder of this directory only."""
    if path is None or (options.session_dir is None and os.path.dirname(path) == site.places.sessions):  # noqa: PTH120 - paths are text here
        return "-c"
    from shlex import quote  # noqa: PLC0415 - few keep sessions elsewhere

    return f"--session {quote(path)}"


def _names_no_endpoint(options: Options) -> bool:
    return "gateway_url" not in options.stated and not os.environ.get("AI_BASE_URL")


def _about(harness: Harness, model: str, prompts: list[Asked]) -> list[str]:
    """Return what a person should know of the model that answers these prompts."""
    notices = about_the_model(harness, model)
    if any(asked.images for asked in prompts) and not harness.caps(model).vision:
        notices.append(f"{model} does not see images: those attached are left out of what it is told")
    return notices


def _show(options: Options) -> Show:
    """Return what the job is shown by: a display only where a person looks at both streams."""
    from beyond_agent.job.output import Messages, Output  # noqa: PLC0415 - as above

    out, err = Output(1), Messages(2)
    structured = options.output_schema is not None
    if options.json:
        from beyond_agent.job.show_json import JsonShow  # noqa: PLC0415 - one of three

        return JsonShow(out, err)
    if _for_a_person(options):
        from beyond_agent.job.show_terminal import TerminalShow  # noqa: PLC0415 - one of three

        return TerminalShow(out, final=options.final, payload_only=structured)
    from beyond_agent.job.show_text import TextShow  # noqa: PLC0415 - one of three

    return TextShow(out, err, final=options.final, payload_only=structured)


def _for_a_person(options: Options) -> bool:
    if options.plain or os.environ.get("NO_COLOR") or os.environ.get("TERM", "dumb") == "dumb":
        return False
    return os.isatty(1) and os.isatty(2)


def _answer(options: Options, cwd: str) -> StructuredOutput | None:
    if options.output_schema is None:
        return None
    from beyond_agent.job.structured import tool_for  # noqa: PLC0415 - few jobs want one

    return tool_for(options.output_schema, options.output_description, cwd)
