"""A guard around each tool: whatever it does, the model gets one bounded answer and the call goes on.

Before: arguments that do not fit the schema are answered with an error that names the field: the tool does not run,
and no person is asked to approve it. During: plain functions work in threads of their own (tool_threads.py), and
nothing runs longer than its timeout. After: a result of any type becomes JSON of at most 8 KiB, and an exception
becomes an error that says nothing of its inside, but for Refused, whose words are meant for the model.
"""

from __future__ import annotations

import asyncio
import copy
import dataclasses
import functools
import inspect
import json
import traceback
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Final

import structlog
from agents.tool import (
    default_tool_error_function,
    resolve_function_tool_failure_error_function,
    set_function_tool_failure_error_function,
)
from agents.tool_context import ToolContext
from pydantic import BaseModel

from agents import FunctionTool, RunContextWrapper
from rtbridge.agents.arguments import check_arguments, check_value
from rtbridge.agents.deadline import Late, within
from rtbridge.agents.tool_threads import threads_of_its_own
from rtbridge.errors import Refused

DEFAULT_TIMEOUT_S: Final = 8.0
MAX_OUTPUT_BYTES: Final = 8 * 1024

Run = Callable[[ToolContext[Any], str], Awaitable[Any]]

log = structlog.get_logger("rtbridge.agents")


class TimedOut(Exception):
    """A tool that keeps its own time took longer than it may."""

    def __init__(self, limit_s: float) -> None:
        super().__init__(limit_s)
        self.limit_s = limit_s


def guarded(
    tool: FunctionTool, *, timeout_s: float = DEFAULT_TIMEOUT_S, run: Run | None = None
) -> FunctionTool:
    """Return a copy of `tool` that always answers; a timeout of the tool's own wins over `timeout_s`.

    `run` is what is run in place of the tool, when that happens elsewhere; it may raise TimedOut.
    """
    inner = copy.copy(tool)
    if resolve_function_tool_failure_error_function(inner) is default_tool_error_function:
        # The SDK's default text hides what was raised from us too; a handler of the author's own stays.
        set_function_tool_failure_error_function(inner, None)
    limit_s = tool.timeout_seconds or timeout_s

    async def invoke(ctx: ToolContext[Any], arguments: str) -> str:
        wrong = check_arguments(tool.params_json_schema, arguments)
        if wrong is not None:
            log.info("tool.refused", tool=tool.name, field=wrong.field, problem=wrong.problem)
            return _refusal(tool.name, wrong.field, wrong.problem)
        try:
            with threads_of_its_own():
                return await within(limit_s, _bounded(run or functools.partial(_run, inner), ctx, arguments))
        except Refused as no:
            log.info("tool.refused", tool=tool.name, field="", problem="refused by the scenario")
            return refused(str(no))
        except Exception as error:  # noqa: BLE001 - the border to code of the scenario, which may raise anything
            if isinstance(error, TimedOut | Late):
                after_s = error.limit_s if isinstance(error, TimedOut) else limit_s
                log.warning("tool.timed_out", tool=tool.name, timeout_s=after_s)
                return _timed_out(tool.name, after_s)
            # What was raised may hold what the caller said; where it was raised does not.
            log.error("tool.failed", tool=tool.name, error=type(error).__name__, at=_where(error))
            return _failed(tool.name)

    outer = copy.copy(tool)
    outer.on_invoke_tool = invoke
    outer.timeout_seconds = None
    if tool.needs_approval is not False:
        outer.needs_approval = _approval_where_it_can_run(tool)
    return outer


def _approval_where_it_can_run(tool: FunctionTool) -> Callable[..., Awaitable[bool]]:
    """Return a `needs_approval` that spares people what the guard refuses anyway: arguments that do not fit."""

    async def needs(ctx: RunContextWrapper[Any], arguments: dict[str, Any], call_id: str) -> bool:
        if check_value(tool.params_json_schema, arguments) is not None:
            return False
        wanted = tool.needs_approval
        if isinstance(wanted, bool):
            return wanted
        answer = wanted(ctx, arguments, call_id)  # may raise: then the call is answered with an error
        return bool(await answer if inspect.isawaitable(answer) else answer)

    return needs


async def _bounded(run: Run, ctx: ToolContext[Any], arguments: str) -> str:
    return bounded(await run(ctx, arguments))


async def _run(tool: FunctionTool, ctx: ToolContext[Any], arguments: str) -> Any:
    run = tool.on_invoke_tool
    if inspect.iscoroutinefunction(run) or inspect.iscoroutinefunction(getattr(run, "__call__", None)):  # noqa: B004
        return await run(ctx, arguments)  # decorated plain functions go to a thread by the SDK itself
    result = await asyncio.to_thread(run, ctx, arguments)
    return await result if inspect.isawaitable(result) else result


def bounded(result: Any) -> str:
    """Return `result` as text for the model: strings as they are, the rest as JSON, at most 8 KiB.

    A tool without logic (None) has done what it was asked: `true`. What is too long is cut and says so.
    """
    if isinstance(result, str):
        chunks: Iterator[str] = iter((result,))
    elif result is None:
        return "true"
    else:
        chunks = _json_chunks(result)
    text, size = [], 0
    for chunk in chunks:
        text.append(chunk[: MAX_OUTPUT_BYTES + 1])
        size += len(chunk)
        if size > MAX_OUTPUT_BYTES:  # no need to write all of ten megabytes to see that they are too many
            break
    whole = "".join(text)
    if size <= MAX_OUTPUT_BYTES and len(whole.encode(errors="replace")) <= MAX_OUTPUT_BYTES:
        return whole.encode(errors="replace").decode()
    return _cut(whole)


def refused(message: str, *, kind: str = "refused") -> str:
    """Return the output of a tool or handoff that was not done: an error the model can act on."""
    return _error(kind, message)


def _json_chunks(result: Any) -> Iterator[str]:
    if isinstance(result, BaseModel):
        result = result.model_dump(mode="json")
    elif dataclasses.is_dataclass(result) and not isinstance(result, type):
        result = dataclasses.asdict(result)
    return json.JSONEncoder(ensure_ascii=False, default=str).iterencode(result)


def _cut(text: str) -> str:
    kept = text[:MAX_OUTPUT_BYTES]
    while True:
        answer = _json({"truncated": True, "note": "Too long; this is its beginning.", "output": kept})
        over = len(answer.encode(errors="replace")) - MAX_OUTPUT_BYTES
        if over <= 0:
            return answer.encode(errors="replace").decode()
        # A character takes at most 6 bytes here (an escaped control), so this never cuts more than needed by much.
        kept = kept[: len(kept) - max(1, over // 6)]


def _refusal(name: str, field: str, problem: str) -> str:
    where = f"{field} {problem}" if field else f"the arguments {problem}"
    message = f"{name} was not run: {where}. Ask the caller for what is missing, then call it again."
    return _error("invalid_arguments", message, field=field or None)


def _failed(name: str) -> str:
    return _error("tool_failed", f"{name} failed. Tell the caller so plainly and offer another way.")


def _timed_out(name: str, limit_s: float) -> str:
    message = (
        f"{name} took longer than {limit_s:g} s. Whether it took effect is not known: tell the caller so, and do "
        "not call it again before you have looked it up."
    )
    return _json({"status": "unknown", "error": {"type": "timeout", "message": message}})


def _error(kind: str, message: str, **more: str | None) -> str:
    fields = {key: value for key, value in more.items() if value is not None}
    return _json({"error": {"type": kind, **fields, "message": message}})


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _where(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    return f"{frames[-1].filename}:{frames[-1].lineno}" if frames else ""
