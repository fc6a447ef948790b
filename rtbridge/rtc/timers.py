"""What the media road needs of an event loop: its clock and its timers. asyncio's loop is one; so is a test's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol


class Timer(Protocol):
    """A timer that has been set (asyncio.TimerHandle)."""

    def cancel(self) -> None:
        """Do not call."""
        ...

    def when(self) -> float:
        """Return the time for which it was set."""
        ...


class Timers(Protocol):
    """A monotonic clock with timers (asyncio.AbstractEventLoop)."""

    def time(self) -> float:
        """Return the time in seconds."""
        ...

    def call_at(self, when: float, callback: Callable[[], object], /) -> Timer:
        """Call `callback()` at that time."""
        ...


class NamedTimers:
    """Timers by name: setting one anew is instead of what it was set for before."""

    def __init__(self, timers: Timers) -> None:
        self._timers = timers
        self._set: dict[str, Timer] = {}

    def after(self, name: str, delay_s: float, callback: Callable[[], object]) -> None:
        """Call `callback()` in `delay_s` seconds."""
        self.cancel(name)
        self._set[name] = self._timers.call_at(self._timers.time() + delay_s, callback)

    def cancel(self, name: str) -> None:
        """Do not call what was set under that name, if anything was."""
        if (timer := self._set.pop(name, None)) is not None:
            timer.cancel()

    def cancel_all(self) -> None:
        """Call nothing any more."""
        for name in tuple(self._set):
            self.cancel(name)
