"""The virtual clock: an asyncio loop whose time is a number, moved only when nothing is left to do.

Each turn of the loop polls the selector without waiting; only when nothing is ready does the clock jump to
the next timer. A minute of 20 ms frames takes as long as its computing. Work that a program sends to threads
runs at once, in place: computing costs no virtual time, so a slow machine cannot change a result, and the
order of things is the same in every run. What shall cost time in a story is a timer, not a thread.

Real sockets within the process would work (they are ready at once), but nothing on this loop may wait for the
world outside: aiortc does not run on it.
"""

from __future__ import annotations

import asyncio
import contextvars
import functools
import inspect
import os
import selectors
from collections.abc import Awaitable, Callable, Coroutine, Generator, Mapping
from concurrent.futures import Executor
from typing import Any, Final, ParamSpec, TypeVar

from rtbridge.errors import ReplayError

T = TypeVar("T")
P = ParamSpec("P")

NS: Final = 1_000_000_000
TASKS_NAMED: Final = 8  # how many waiting tasks a stall names


class ClockStalled(ReplayError):
    """Nothing is ready and no timer is set: what the program waits for can never come."""


class ClockLimit(ReplayError):
    """The virtual time that the run was given is over."""


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop on virtual time, starting at 0. Timers are exact to a nanosecond.

    When it stalls, or the next timer lies beyond `limit_s`, it cancels the task given to `watch`, so that
    the program can clean up, and keeps the reason in `verdict`; at a second stall it raises.
    """

    def __init__(self, *, limit_s: float) -> None:
        self._now_ns = 0
        self._limit_s = limit_s
        self._main: asyncio.Task[Any] | None = None
        self._tasks_made = 0
        self.verdict: ReplayError | None = None
        super().__init__(_JumpingSelector(self._jump))
        self.set_task_factory(_numbered_task)

    def time(self) -> float:
        """Return the virtual time in seconds since the loop was made."""
        return self._now_ns / NS

    def watch(self, main: asyncio.Task[Any] | None) -> None:
        """Name the task that is cancelled when the clock can go no further."""
        self._main = main

    def next_task_number(self) -> int:
        """Return 1, 2, 3 …: a hash for tasks that is the same in every run."""
        self._tasks_made += 1
        return self._tasks_made

    def run_in_executor(  # type: ignore[override]
        self, executor: Executor | None, func: Callable[..., T], *args: Any
    ) -> asyncio.Future[T]:
        """Run `func` here and now, in a copy of the context, and return a future that is done."""
        future: asyncio.Future[T] = self.create_future()
        try:
            future.set_result(contextvars.copy_context().run(func, *args))
        except StopIteration as stop:
            # A future cannot carry StopIteration (PEP 479); a thread's would be lost just the same.
            error = RuntimeError("StopIteration raised in run_in_executor")
            error.__cause__ = stop
            future.set_exception(error)
        except Exception as error:  # noqa: BLE001 - the border of a task: it is handed to whoever awaits it
            future.set_exception(error)
        return future

    def set_default_executor(self, executor: Executor) -> None:
        """Take none: it would have nothing to do, and its end would be waited for in real time."""

    def _jump(self, timeout_s: float | None) -> None:
        """Nothing is ready: move to the next timer, `timeout_s` from now, or end the run."""
        if timeout_s is None:
            self._give_up(
                ClockStalled(f"nothing can happen any more at {self.time():.3f} s; {self._waiting()}")
            )
            return
        then_ns = self._now_ns + round(timeout_s * NS)
        if then_ns > self._limit_s * NS and self.verdict is None:
            waits = self._waiting()
            self._give_up(ClockLimit(f"still running after {self._limit_s:g} s of virtual time; {waits}"))
            return
        self._now_ns = then_ns

    def _give_up(self, verdict: ReplayError) -> None:
        if self.verdict is not None or self._main is None or self._main.done():
            raise verdict if self.verdict is None else self.verdict
        self.verdict = verdict
        self.call_soon(self._main.cancel)

    def _waiting(self) -> str:
        tasks = sorted(asyncio.all_tasks(self), key=hash)
        if not tasks:
            return "no task is waiting"
        names = [_where(task) for task in tasks[:TASKS_NAMED]]
        if len(tasks) > TASKS_NAMED:
            names.append(f"and {len(tasks) - TASKS_NAMED} more")
        return "waiting: " + ", ".join(names)


def run_virtual(coro_fn: Callable[[], Awaitable[T]], *, limit_s: float) -> T:
    """Run `await coro_fn()` on a new virtual loop and return its result.

    Raises what it raises; ClockStalled when nothing can happen any more; ClockLimit past `limit_s` seconds
    of virtual time. In both cases it has been cancelled first and has cleaned up. KeyboardInterrupt passes.
    """
    loop = VirtualLoop(limit_s=limit_s)

    async def main() -> T:
        loop.watch(asyncio.current_task())
        return await coro_fn()

    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        try:
            result = runner.run(main())
        except asyncio.CancelledError:
            if loop.verdict is None:
                raise
            raise loop.verdict from None
        finally:
            loop.watch(None)
    if loop.verdict is not None:  # it swallowed the cancellation
        raise loop.verdict
    return result


def on_virtual_time(
    *, limit_s: float = 60.0
) -> Callable[[Callable[P, Coroutine[Any, Any, None]]], Callable[P, None]]:
    """Turn an async test into a plain one that runs on the virtual clock.

    Its fixtures must be plain ones: an async fixture belongs to another loop.
    """

    def decorate(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
        @functools.wraps(test)
        def run(*args: P.args, **kwargs: P.kwargs) -> None:
            run_virtual(lambda: test(*args, **kwargs), limit_s=limit_s)

        return run

    return decorate


class _JumpingSelector(selectors.BaseSelector):
    """The default selector, asked without waiting; where it would wait, it calls `jump(timeout)`."""

    def __init__(self, jump: Callable[[float | None], None]) -> None:
        self._inner = selectors.DefaultSelector()
        self._jump = jump

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = self._inner.select(0)
        if not ready and (timeout is None or timeout > 0):
            self._jump(timeout)
        return ready

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._inner.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._inner.unregister(fileobj)

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._inner.modify(fileobj, events, data)

    def close(self) -> None:
        self._inner.close()

    def get_key(self, fileobj: Any) -> selectors.SelectorKey:
        return self._inner.get_key(fileobj)

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._inner.get_map()


class _NumberedTask(asyncio.Task[Any]):
    """A task whose hash counts.

    TaskGroup and asyncio.wait keep tasks in sets and cancel them in set order; hashes made of addresses would
    make that order differ from run to run.
    """

    def __init__(self, coro: Any, *, loop: VirtualLoop, **kwargs: Any) -> None:
        self._number = loop.next_task_number()
        super().__init__(coro, loop=loop, **kwargs)

    def __hash__(self) -> int:
        return self._number


def _numbered_task(
    loop: asyncio.AbstractEventLoop, coro: Generator[Any, None, T] | Coroutine[Any, Any, T], **kwargs: Any
) -> asyncio.Task[T]:
    assert isinstance(loop, VirtualLoop)
    return _NumberedTask(coro, loop=loop, **kwargs)


def _where(task: asyncio.Task[Any]) -> str:
    """Return the task's name, the innermost coroutine outside asyncio it is in, and the line it waits at."""
    place = task.get_name()
    coro: Any = task.get_coro()
    while inspect.iscoroutine(coro):
        code = coro.cr_code
        if os.path.dirname(code.co_filename) != os.path.dirname(asyncio.__file__) and coro.cr_frame:
            place = f"{task.get_name()} ({coro.__qualname__} at {code.co_filename}:{coro.cr_frame.f_lineno})"
        coro = coro.cr_await
    return place
