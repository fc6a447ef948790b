"""Threads for tools that are plain functions: bounded, apart from everybody else's, and waited for by nobody.

A function that hangs keeps its thread, and nothing can take it away. In the loop's own pool, which has a handful, a few
such tools would stop name lookups, speech and every other tool of the process. So a tool gets a thread of its own, up
to a bound; beyond it a tool fails at once. The threads are daemons: the process ends without them.

The SDK sends decorated functions to the loop's default executor by `asyncio.to_thread`. While a tool is invoked, what
is sent there comes here instead.
"""

from __future__ import annotations

import asyncio
import functools
import threading
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

MAX_THREADS: Final = 64  # tools of the whole process at work in threads at the same time


class ToolThreadsBusy(Exception):
    """As many tools as may work in threads do so already, or hang there."""


class ToolThreads(Executor):
    """A thread a task, at most `most` at once; a task over that is refused."""

    def __init__(self, most: int = MAX_THREADS) -> None:
        self._most = most
        self._lock = threading.Lock()
        self.busy = 0  # threads at work or hanging

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Run `fn` in a thread of its own. Raises ToolThreadsBusy."""
        with self._lock:
            if self.busy >= self._most:
                raise ToolThreadsBusy(f"{self._most} tools are at work in threads already")
            self.busy += 1
        future: Future[T] = Future()
        work = functools.partial(fn, *args, **kwargs)
        threading.Thread(target=self._work, args=(future, work), name="tool", daemon=True).start()
        return future

    def _work(self, future: Future[T], work: Callable[[], T]) -> None:
        try:
            if future.set_running_or_notify_cancel():
                try:
                    result = work()
                except BaseException as error:  # noqa: BLE001 - a thread's border: it is handed to whoever waits
                    future.set_exception(error)
                else:
                    future.set_result(result)
        finally:
            with self._lock:
                self.busy -= 1


class _LoopThreads(ThreadPoolExecutor):
    """A loop's default executor, but for what tools send to it."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        if _in_tool.get():
            return THREADS.submit(fn, *args, **kwargs)
        return super().submit(fn, *args, **kwargs)


THREADS: Final = ToolThreads()
_in_tool: ContextVar[bool] = ContextVar("in_tool", default=False)
_prepared: weakref.WeakSet[Any] = weakref.WeakSet()  # loops whose default executor knows tools


@contextmanager
def threads_of_its_own() -> Iterator[None]:
    """Let what the running task sends to the loop's threads within run in threads for tools."""
    loop = asyncio.get_running_loop()
    if loop not in _prepared:
        loop.set_default_executor(_LoopThreads())
        _prepared.add(loop)
    token = _in_tool.set(True)
    try:
        yield
    finally:
        _in_tool.reset(token)
