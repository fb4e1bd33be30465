"""One task of ten turns through an agent library, with its own scripted model: the median CPU milliseconds of a turn.

Nine turns call one tool, which returns a line; the tenth is text. Run by the interpreter of the environment that holds
the library: core_tasks.py NAME REPEATS
"""

from __future__ import annotations

import asyncio
import sys
import time
from importlib import import_module
from itertools import count
from statistics import median
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

TURNS = 10


def beyond_ai_agent_core() -> Callable[[], int]:
    """Ours: as any other harness would use it, with a watcher."""
    core: Any = import_module("beyond_agent_core")
    testing: Any = import_module("beyond_agent_core.testing")

    async def read(path: str) -> str:
        """Read a file."""
        return f"content of {path}"

    script = [*[testing.calls(("read", {"path": "a"}))] * (TURNS - 1), testing.says("done")]
    tools = [core.tool(read)]
    events = list[object]()

    def task() -> int:
        agent = core.Agent(testing.ScriptedTransport(script), model="claude-opus-4-8", tools=tools)
        return asyncio.run(agent.run(core.Session(), "go", on_event=events.append)).steps

    return task


def openai_agents() -> Callable[[], int]:
    """The OpenAI Agents SDK: a `Model` that answers from a list; tracing is off."""
    agents: Any = import_module("agents")
    responses: Any = import_module("openai.types.responses")
    agents.set_tracing_disabled(True)

    class Scripted(agents.Model):
        def __init__(self) -> None:
            self.asked = 0

        async def get_response(self, *_: Any, **__: Any) -> Any:
            self.asked += 1
            if self.asked < TURNS:
                item = responses.ResponseFunctionToolCall(
                    call_id=f"call_{self.asked}", name="read", arguments='{"path": "a"}', type="function_call"
                )
            else:
                text = responses.ResponseOutputText(text="done", type="output_text", annotations=[])
                item = responses.ResponseOutputMessage(
                    id="m", role="assistant", status="completed", type="message", content=[text]
                )
            return agents.ModelResponse(output=[item], usage=agents.Usage(), response_id=None)

        # Abstract in the SDK; `Runner.run` asks for whole answers only.
        stream_response: Any = None

    async def read(path: str) -> str:
        """Read a file."""
        return f"content of {path}"

    tools = [agents.function_tool(read)]

    def task() -> int:
        model = Scripted()
        agent = agents.Agent(name="bench", model=model, tools=tools)
        result = asyncio.run(agents.Runner.run(agent, "go", max_turns=TURNS + 1))
        assert result.final_output == "done"
        return model.asked

    return task


def pydantic_ai() -> Callable[[], int]:
    """Pydantic AI: its `FunctionModel`."""
    ai: Any = import_module("pydantic_ai")
    messages: Any = import_module("pydantic_ai.messages")
    function: Any = import_module("pydantic_ai.models.function")

    async def read(path: str) -> str:
        """Read a file."""
        return f"content of {path}"

    def task() -> int:
        numbers = count(1)
        asked = 0

        def answer(_: Any, __: Any) -> Any:
            nonlocal asked
            asked = next(numbers)
            last = asked >= TURNS
            part = messages.TextPart("done") if last else messages.ToolCallPart("read", {"path": "a"}, f"call_{asked}")
            return messages.ModelResponse(parts=[part])

        agent = ai.Agent(function.FunctionModel(answer), tools=[read])
        assert asyncio.run(agent.run("go")).output == "done"
        return asked

    return task


def mini_swe_agent() -> Callable[[], int]:
    """mini-swe-agent: its `DeterministicModel`; an environment that answers at once instead of its shell."""
    default: Any = import_module("minisweagent.agents.default")
    models: Any = import_module("minisweagent.models.test_models")
    exceptions: Any = import_module("minisweagent.exceptions")

    class Here:
        def execute(self, action: dict[str, Any], *_: Any, **__: Any) -> dict[str, Any]:
            if action["command"] == "done":
                raise exceptions.Submitted({"role": "exit", "content": "done", "extra": {"exit_status": "Submitted"}})
            return {"output": "content of a", "returncode": 0, "exception_info": ""}

        def get_template_vars(self, **_: Any) -> dict[str, Any]:
            return {}

        def serialize(self) -> dict[str, Any]:
            return {}

    outputs = [models.make_output("look", [{"command": "read a"}])] * (TURNS - 1)
    outputs = [*outputs, models.make_output("done", [{"command": "done"}])]

    def task() -> int:
        model = models.DeterministicModel(outputs=outputs)
        agent = default.DefaultAgent(model, Here(), system_template="s", instance_template="{{task}}", cost_limit=0.0)
        agent.run("go")
        return agent.n_calls

    return task


def main(name: str, repeats: int) -> None:
    """Print the median; the first run, which has what is done once, is not counted."""
    task = globals()[name]()
    assert task() == TURNS
    times: list[float] = []
    for _ in range(repeats):
        began = time.process_time()
        task()
        times.append(time.process_time() - began)
    print(median(times) / TURNS * 1e3)


main(sys.argv[1], int(sys.argv[2]))
