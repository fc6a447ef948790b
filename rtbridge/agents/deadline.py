"""A deadline that holds even for work that does not listen: when it is over, nobody waits any more.

`asyncio.timeout` cancels and then waits for as long as the work likes; code that swallows the cancellation, as retrying
clients do, would hold up the call. Here the work is cancelled too, and left behind if it stays; its result is dropped.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

import structlog

T = TypeVar("T")

GRACE_S: Final = 0.02  # for work that was cancelled, to clean up; who needs longer is left behind

log = structlog.get_logger("rtbridge.agents")
_left_behind: set[asyncio.Task[Any]] = set()  # held, since a loop keeps no task alive


class Late(Exception):
    """The deadline is over."""


async def within(limit_s: float, work: Coroutine[Any, Any, T]) -> T:
    """Return what `work` returns, and raise what it raises. Raises Late when it takes longer than `limit_s`.

    When the waiting task is cancelled, so is the work.
    """
    task = asyncio.get_running_loop().create_task(work)
    try:
        await asyncio.wait({task}, timeout=limit_s)
        if task.done():
            return task.result()
        raise Late
    finally:
        if not task.done():
            await _end(task)


async def _end(task: asyncio.Task[Any]) -> None:
    task.cancel()
    _left_behind.add(task)
    task.add_done_callback(_ended)
    await asyncio.wait({task}, timeout=GRACE_S)
    if not task.done():
        log.warning("work.left_behind", work=getattr(task.get_coro(), "__qualname__", ""))


def _ended(task: asyncio.Task[Any]) -> None:
    _left_behind.discard(task)
    if not task.cancelled():
        task.exception()  # looked at, so that nobody is told that it was not
