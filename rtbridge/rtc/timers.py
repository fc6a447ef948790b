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
