"""Tools that are plain functions and hang: they keep threads, and nobody else's."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
from typing import Any

import pytest
from agents.tool import invoke_function_tool
from agents.tool_context import ToolContext

from agents import FunctionTool, function_tool
from rtbridge.agents import tool_threads
from rtbridge.agents.tool_threads import MAX_THREADS, ToolThreads, ToolThreadsBusy
from rtbridge.agents.tools import guarded


async def call(tool: FunctionTool) -> Any:
    """Call it as the SDK does; the answer, parsed when it is JSON."""
    ctx = ToolContext(None, tool_name=tool.name, tool_call_id="call_1", tool_arguments="{}")
    answer = await invoke_function_tool(function_tool=tool, context=ctx, arguments="{}")
    return json.loads(answer) if answer.startswith("{") else answer


async def test_a_hundred_tools_that_hang_take_a_bounded_number_of_threads_and_leave_the_loops_own_alone() -> (
    None
):
    release = threading.Event()

    @function_tool
    def hang() -> str:
        release.wait(20)
        return "late"

    before = threading.active_count()
    tool = guarded(hang, timeout_s=1.0)
    hanging = asyncio.gather(*(call(tool) for _ in range(100)))
    while tool_threads.THREADS.busy < MAX_THREADS:  # noqa: ASYNC110 - threads that begin tell nobody
        await asyncio.sleep(0)
    async with asyncio.timeout(0.8):  # the loop's own threads are free
        assert await asyncio.gather(*(asyncio.to_thread(lambda: 7) for _ in range(20))) == [7] * 20
    assert sum(thread.name == "tool" for thread in threading.enumerate()) == MAX_THREADS
    answers = await hanging
    unknown = [answer for answer in answers if answer.get("status") == "unknown"]
    refused = [answer for answer in answers if answer.get("error", {}).get("type") == "tool_failed"]
    assert (len(unknown), len(refused)) == (MAX_THREADS, 100 - MAX_THREADS)
    release.set()
    for thread in threading.enumerate():
        if thread.name == "tool":
            await asyncio.to_thread(thread.join)
    assert tool_threads.THREADS.busy == 0
    assert threading.active_count() <= before + 20  # the loop's own, for the lines above

    @function_tool
    def work() -> str:
        return threading.current_thread().name

    assert await call(guarded(work)) == "tool"


def test_a_task_that_was_given_up_before_it_began_is_not_run_and_an_exception_is_handed_on() -> None:
    threads = ToolThreads(most=1)
    release = threading.Event()
    first = threads.submit(release.wait, 5)
    with pytest.raises(ToolThreadsBusy, match="1 tools"):
        threads.submit(release.wait)
    release.set()
    assert first.result(5)
    with pytest.raises(ZeroDivisionError):
        _free(threads).submit(lambda: 1 // 0).result(5)


def _free(threads: ToolThreads) -> ToolThreads:
    for thread in threading.enumerate():
        if thread.name == "tool":
            thread.join(5)
    return threads


HANGING = """
import asyncio, threading
from agents import function_tool
from agents.tool import invoke_function_tool
from agents.tool_context import ToolContext
from rtbridge.agents.tools import guarded

@function_tool
def hang() -> str:
    threading.Event().wait()

async def main():
    tool = guarded(hang, timeout_s=0.1)
    ctx = ToolContext(None, tool_name="hang", tool_call_id="c", tool_arguments="{}")
    print(await invoke_function_tool(function_tool=tool, context=ctx, arguments="{}"))

asyncio.run(main())
"""


def test_a_process_ends_although_a_tool_of_it_hangs() -> None:
    done = subprocess.run(
        [sys.executable, "-c", HANGING], capture_output=True, text=True, timeout=60, check=True
    )
    assert '"status": "unknown"' in done.stdout
