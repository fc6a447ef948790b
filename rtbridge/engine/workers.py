"""Threads for the models: as many as this process has cores, and what a caller waits for goes first.

More threads than cores would share them, and all calls would wait for the slowest: one after the other, each waits half
as long on average. What is due first is done first: an answer is due at once, the ears' head start in a pause when the
pause may turn out to be the end of the turn.

A voice makes sentences faster than they are played, so a sentence that follows one that is being heard has time. It is
made on threads of its own, which the system gives a core only as far as nobody else wants it (Linux; elsewhere they are
threads like the others): a long sentence, once begun, would otherwise keep another caller in silence.
"""

from __future__ import annotations

import functools
import heapq
import itertools
import os
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future
from enum import Enum
from typing import Any, Final, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

NAME: Final = "rtbridge-models"
NICER: Final = 10  # than the process


def make_way() -> None:
    """Have this thread run only as far as nobody else wants the core."""
    if sys.platform == "linux":  # elsewhere it would be the whole process that makes way
        thread = threading.get_native_id()
        nice = os.getpriority(os.PRIO_PROCESS, thread) + NICER
        os.setpriority(os.PRIO_PROCESS, thread, min(nice, 19))


class Urgency(Enum):
    """When work is due; the value is in seconds from now."""

    AWAITED = 0.0  # a caller hears nothing until it is done
    SOON = 0.3  # a caller may be waiting for it then
    AHEAD = 1.0  # a caller is hearing what comes before it


class Workers:
    """Threads that do what is due first, and work that has time on threads that make way for the others.

    They begin with the first work and end with the process.
    """

    def __init__(self, threads: int) -> None:
        self._crews = {
            Urgency.AWAITED: (first := _Crew(NAME, threads, makes_way=False)),
            Urgency.SOON: first,
            Urgency.AHEAD: _Crew(f"{NAME}-ahead", threads, makes_way=True),
        }

    def at(self, urgency: Urgency) -> Executor:
        """Return an executor whose work is that urgent."""
        return _Door(self._crews[urgency], urgency.value)


class _Crew:
    """Threads with one queue, ordered by when work is due."""

    def __init__(self, name: str, threads: int, *, makes_way: bool) -> None:
        self._name, self._threads, self._makes_way = name, threads, makes_way
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
        self._number = itertools.count()
        self._changed = threading.Condition()
        self._running = 0

    def put(self, due_in_s: float, work: Callable[[], None]) -> None:
        """Have `work` done; it may not raise."""
        with self._changed:
            heapq.heappush(self._queue, (time.monotonic() + due_in_s, next(self._number), work))
            if self._running < self._threads:
                self._running += 1
                name = f"{self._name}-{self._running}"
                threading.Thread(target=self._work, name=name, daemon=True).start()
            self._changed.notify()

    def _work(self) -> None:
        if self._makes_way:
            make_way()
        while True:
            with self._changed:
                while not self._queue:
                    self._changed.wait()
                *_, work = heapq.heappop(self._queue)
            work()
            del work  # holds audio


class _Door(Executor):
    def __init__(self, crew: _Crew, due_in_s: float) -> None:
        self._crew = crew
        self._due_in_s = due_in_s

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Return the future of `fn(...)`; cancelled before its turn comes, it is never run."""
        future: Future[T] = Future()
        self._crew.put(self._due_in_s, functools.partial(_run, future, fn, args, kwargs))
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
