"""The guard around a tool: one bounded answer, whatever the tool does."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import structlog
from agents.tool import invoke_function_tool
from agents.tool_context import ToolContext
from pydantic import BaseModel

from agents import FunctionTool, RunContextWrapper, function_tool
from rtbridge.agents.tools import MAX_OUTPUT_BYTES, bounded, guarded


async def call(tool: FunctionTool, arguments: str = "{}", context: Any = None) -> Any:
    """Call it as the SDK does; the answer, parsed when it is JSON."""
    ctx = ToolContext(context, tool_name=tool.name, tool_call_id="call_1", tool_arguments=arguments)
    answer = await invoke_function_tool(function_tool=tool, context=ctx, arguments=arguments)
    assert isinstance(answer, str)
    assert len(answer.encode()) <= MAX_OUTPUT_BYTES
    try:
        return json.loads(answer)
    except ValueError:
        return answer


async def test_a_tool_gets_its_arguments_and_the_calls_context() -> None:
    @function_tool
    async def greet(ctx: RunContextWrapper[dict[str, str]], name: str) -> str:
        return f"{ctx.context['greeting']} {name}"

    assert await call(guarded(greet), '{"name": "Jo"}', {"greeting": "Hi"}) == "Hi Jo"


async def test_arguments_that_do_not_fit_are_answered_and_the_tool_does_not_run() -> None:
    @function_tool
    async def find(zip_code: str) -> str:
        raise AssertionError("must not run")

    answer = await call(guarded(find), "{}")
    assert answer == {
        "error": {
            "type": "invalid_arguments",
            "field": "zip_code",
            "message": "find was not run: zip_code is missing. Ask the caller for what is missing, then call it "
            "again.",
        }
    }
    whole = await call(guarded(find), "[")
    assert whole["error"]["message"].startswith("find was not run: the arguments must be one JSON object.")
    assert "field" not in whole["error"]


async def test_a_tool_that_hangs_is_answered_after_its_timeout() -> None:
    cancelled = asyncio.Event()

    @function_tool
    async def hang() -> str:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()
        return ""

    answer = await call(guarded(hang, timeout_s=0.02))
    assert answer["status"] == "unknown"
    assert answer["error"]["type"] == "timeout"
    assert "longer than 0.02 s" in answer["error"]["message"]
    assert cancelled.is_set()


async def test_a_timeout_of_the_tools_own_wins() -> None:
    @function_tool(timeout=0.02)
    async def hang() -> str:
        await asyncio.Event().wait()
        return ""

    answer = await call(guarded(hang, timeout_s=60))
    assert "longer than 0.02 s" in answer["error"]["message"]


async def test_a_timeout_that_the_tool_raises_itself_is_a_failure() -> None:
    @function_tool
    async def ask() -> str:
        raise TimeoutError("the database")

    answer = await call(guarded(ask))
    assert answer["error"]["type"] == "tool_failed"


async def test_a_plain_function_works_in_a_thread_and_hanging_does_not_stop_the_loop() -> None:
    release = threading.Event()
    threads: list[str] = []

    @function_tool
    def block() -> str:
        threads.append(threading.current_thread().name)
        release.wait(5)
        return "late"

    answer = await call(guarded(block, timeout_s=0.05))
    release.set()
    assert answer["status"] == "unknown"
    assert threads != [threading.current_thread().name]


async def test_a_plain_invoker_written_by_hand_works_in_a_thread_too() -> None:
    threads: list[threading.Thread] = []

    def invoke(_ctx: Any, arguments: str) -> Any:
        threads.append(threading.current_thread())
        return arguments

    tool = FunctionTool(
        name="by_hand",
        description="",
        params_json_schema={"type": "object", "properties": {}},
        on_invoke_tool=invoke,
        strict_json_schema=False,
    )
    assert await call(guarded(tool), '{"a": 1}') == {"a": 1}
    assert threads != [threading.current_thread()]


@pytest.mark.parametrize("error", [RuntimeError("canary 42"), KeyError("canary 42"), ValueError("canary 42")])
async def test_what_a_tool_raises_stays_inside(error: Exception) -> None:
    @function_tool
    async def broken() -> str:
        raise error

    with structlog.testing.capture_logs() as lines:
        answer = await call(guarded(broken))
    assert answer == {
        "error": {
            "type": "tool_failed",
            "message": "broken failed. Tell the caller so plainly and offer another way.",
        }
    }
    [line] = lines
    assert line["event"] == "tool.failed"
    assert line["error"] == type(error).__name__
    assert "test_tools.py:" in line["at"]
    assert "canary" not in str(lines)


async def test_a_failure_handler_of_the_author_keeps_its_word() -> None:
    def explain(_ctx: RunContextWrapper[Any], error: Exception) -> str:
        return f"explained {type(error).__name__}"

    def give_up(_ctx: RunContextWrapper[Any], error: Exception) -> str:
        raise error

    @function_tool(failure_error_function=explain)
    async def explained() -> str:
        raise RuntimeError

    @function_tool(failure_error_function=None)
    async def raw() -> str:
        raise RuntimeError

    @function_tool(failure_error_function=give_up)
    async def worse() -> str:
        raise RuntimeError

    assert await call(guarded(explained)) == "explained RuntimeError"
    assert (await call(guarded(raw)))["error"]["type"] == "tool_failed"
    assert (await call(guarded(worse)))["error"]["type"] == "tool_failed"


async def test_ending_the_call_ends_the_tool() -> None:
    running = asyncio.Event()

    @function_tool
    async def hang() -> str:
        running.set()
        await asyncio.Event().wait()
        return ""

    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(call(guarded(hang)))
        await running.wait()
        task.cancel()
    assert task.cancelled()


async def test_the_authors_tool_is_left_as_it_was() -> None:
    @function_tool(timeout=3)
    async def fine() -> str:
        return "fine"

    before = (fine.on_invoke_tool, fine.timeout_seconds)
    served = guarded(fine)
    assert (fine.on_invoke_tool, fine.timeout_seconds) == before
    assert (served.name, served.params_json_schema) == (fine.name, fine.params_json_schema)


class Store(BaseModel):
    name: str
    zips: list[int]


@dataclass
class Order:
    id: str


def _circle() -> Any:
    circle: list[Any] = []
    circle.append(circle)
    return circle


@pytest.mark.parametrize(
    ("result", "text"),
    [
        ("as it is", "as it is"),
        (None, "true"),
        (True, "true"),
        ({"a": [1, "ü"]}, '{"a": [1, "ü"]}'),
        (Store(name="x", zips=[1]), '{"name": "x", "zips": [1]}'),
        (Order("SNP"), '{"id": "SNP"}'),
        (b"raw", "\"b'raw'\""),
        ("half \ud800 a pair", "half ? a pair"),
    ],
)
def test_a_result_of_any_type_becomes_text(result: Any, text: str) -> None:
    assert bounded(result) == text


@pytest.mark.parametrize("result", ["x" * 10_000_000, "ü" * 8000, "\x01" * 9000, "\\" * 9000, ["y" * 9000]])
def test_a_result_that_is_too_long_is_cut_and_says_so(result: Any) -> None:
    text = bounded(result)
    answer = json.loads(text)
    assert answer["truncated"] is True
    assert 0.5 * MAX_OUTPUT_BYTES < len(text.encode()) <= MAX_OUTPUT_BYTES


def test_a_result_of_exactly_eight_kib_is_not_cut() -> None:
    assert bounded("x" * MAX_OUTPUT_BYTES) == "x" * MAX_OUTPUT_BYTES
    assert json.loads(bounded("x" * (MAX_OUTPUT_BYTES + 1)))["truncated"] is True


def test_no_more_is_written_than_is_kept() -> None:
    class Endless(list[int]):
        taken = 0

        def __iter__(self) -> Iterator[int]:
            while True:
                self.taken += 1
                yield self.taken

    endless = Endless([1])
    assert json.loads(bounded(endless))["truncated"] is True
    assert endless.taken < MAX_OUTPUT_BYTES


async def test_a_result_that_is_no_json_is_a_failure() -> None:
    async def invoke(_ctx: ToolContext[Any], _arguments: str) -> Any:
        return _circle()

    tool = FunctionTool(
        name="circle",
        description="",
        params_json_schema={"type": "object", "properties": {}},
        on_invoke_tool=invoke,
        strict_json_schema=False,
    )
    assert (await call(guarded(tool)))["error"]["type"] == "tool_failed"
