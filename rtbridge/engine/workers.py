"""Threads for the models: as many as this process has cores, and what a caller waits for goes first.

More threads than cores would share them, and all calls would wait for the slowest: one after the other, each waits half
as long on average. A voice makes sentences faster than they are played, so a sentence that follows one that is already
being heard can wait until no caller is left in silence.
"""

from __future__ import annotations

import functools
import heapq
import itertools
import os
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from enum import IntEnum
from typing import Any, Final, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

NAME: Final = "rtbridge-models"


class Urgency(IntEnum):
    """Who goes first."""

    AWAITED = 0  # a caller hears nothing until it is done
    AHEAD = 1  # a caller is hearing what comes before it


class Workers:
    """Threads that do the most urgent work first, and work of the same urgency in the order in which it came.

    They begin with the first work and end with the process.
    """

    def __init__(self, threads: int) -> None:
        self._queue: list[tuple[Urgency, int, Callable[[], None]]] = []
        self._number = itertools.count()
        self._changed = threading.Condition()
        self._threads = threads
        self._running = 0

    def at(self, urgency: Urgency) -> Executor:
        """Return an executor whose work is that urgent."""
        return _Door(self, urgency)

    def put(self, urgency: Urgency, work: Callable[[], None]) -> None:
        """Have `work` done; it may not raise."""
        with self._changed:
            heapq.heappush(self._queue, (urgency, next(self._number), work))
            if self._running < self._threads:
                self._running += 1
                threading.Thread(target=self._work, name=f"{NAME}-{self._running}", daemon=True).start()
            self._changed.notify()

    def _work(self) -> None:
        while True:
            with self._changed:
                while not self._queue:
                    self._changed.wait()
                *_, work = heapq.heappop(self._queue)
            work()
            del work  # holds audio


class _Door(Executor):
    def __init__(self, workers: Workers, urgency: Urgency) -> None:
        self._workers = workers
        self._urgency = urgency

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Return the future of `fn(...)`; cancelled before its turn comes, it is never run."""
        future: Future[T] = Future()
        self._workers.put(self._urgency, functools.partial(_run, future, fn, args, kwargs))
        return future


def _run(future: Future[Any], fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        result = fn(*args, **kwargs)
    except BaseException as error:  # noqa: BLE001  a thread's border: it is handed to whoever awaits it
        future.set_exception(error)
    else:
        future.set_result(result)


@functools.cache
def workers() -> Workers:
    """Return this process's threads for models: one a core that it may use."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return Workers(cores)
