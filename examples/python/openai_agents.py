"""OpenAI's Agents SDK with tools made of a box. Its model is a script here, so that it runs without a key: put yours in its place.

pip install openai-agents boxrun-sdk
"""

import asyncio
import json
from collections.abc import Callable
from typing import Any

from agents import Agent, Model, ModelResponse, Runner, Usage, function_tool, set_tracing_disabled
from agents.items import ToolCallOutputItem
from boxrun_sdk import BoxRunClient
from boxrun_sdk.client import BoxHandle
from openai.types.responses import ResponseFunctionToolCall, ResponseOutputMessage, ResponseOutputText

# Traces would go to OpenAI.
set_tracing_disabled(True)


def tools_of(box: BoxHandle) -> list[Any]:
    @function_tool
    async def write_file(path: str, content: str) -> str:
        """Writes a file below /work."""
        await box.files.write(path, content)
        return f"wrote {path}"

    @function_tool
    async def shell(command: str) -> str:
        """Runs a line of shell in /work and returns its exit code and output."""
        ended = await box.shell(command, workdir="/work", timeout_ms=60_000)
        return json.dumps({"exit_code": ended.exit_code, "stdout": ended.stdout, "stderr": ended.stderr})

    return [write_file, shell]


class ScriptedModel(Model):
    def __init__(self) -> None:
        self._script: list[Callable[[str], Any]] = [
            lambda _: call("write_file", path="/work/data.txt", content="3\n4\n5\n"),
            lambda _: call("shell", command="awk '{ sum += $1 } END { print sum }' data.txt"),
            lambda seen: say(f"The sum is {json.loads(seen)['stdout'].strip()}."),
        ]
        self._calls = 0

    async def get_response(self, system_instructions: Any, input: Any, *rest: Any, **options: Any) -> ModelResponse:
        seen = input if isinstance(input, str) else str(input[-1].get("output", ""))
        answer = self._script[self._calls](seen)
        self._calls += 1
        return ModelResponse(output=[answer], usage=Usage(), response_id=None)

    def stream_response(self, *rest: Any, **options: Any) -> Any:
        raise NotImplementedError("this script does not stream")


def call(name: str, **arguments: str) -> ResponseFunctionToolCall:
    return ResponseFunctionToolCall(
        type="function_call", call_id=f"call_{name}", name=name, arguments=json.dumps(arguments)
    )


def say(text: str) -> ResponseOutputMessage:
    content = ResponseOutputText(type="output_text", text=text, annotations=[])
    return ResponseOutputMessage(id="message", type="message", role="assistant", status="completed", content=[content])


async def main() -> None:
    async with BoxRunClient() as client, await client.create("base", memory_mb=256) as box:
        agent = Agent(
            name="worker", instructions="You have a box of your own.", model=ScriptedModel(), tools=tools_of(box)
        )
        result = await Runner.run(agent, "Put 3, 4 and 5 into a file and add them up.")
        for item in result.new_items:
            if isinstance(item, ToolCallOutputItem):
                print(f"tool: {item.output}")
        print(result.final_output)


asyncio.run(main())
