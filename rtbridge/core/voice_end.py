"""When the caller's voice ended, in loop time: what a latency is counted from.

Where in the caller's audio it ended is the ear's to say (audible.py), and there is no hangover in that: the very last
sample that can be heard. When that sample came is told by the whole line and not by its own packet. The line has as
many samples as the caller's clock has moved, so what came with the least delay lately tells when each sample was due:
a packet that was late, or waited for one that was lost, makes an answer late and no shorter.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from rtbridge.core import pcm
from rtbridge.core.audible import Ear

REMEMBERED_S: Final = 2.0
LOOK_EVERY: Final = pcm.samples_of_ms(1_000)  # well within what an ear keeps


class VoiceEnd:
    """The end of the last voice of one caller's ear."""

    def __init__(self, ear: Ear) -> None:
        self._ear = ear
        self._came: deque[tuple[float, float]] = (
            deque()
        )  # when, and when the line's first sample would have come
        self._known: int | None = None
        self._looked = 0

    def came(self, now: float, *, speaking: bool) -> None:
        """Note that the ear has heard the next audio; `speaking` tells that a turn is under way, however long."""
        self._came.append((now, now - self._ear.heard / pcm.RATE))
        while now - self._came[0][0] > REMEMBERED_S:
            self._came.popleft()
        if speaking and self._ear.heard - self._looked >= LOOK_EVERY:
            self._look()

    def forget(self) -> None:
        """Remember no voice but what the ear still has: a turn is over."""
        self._known = None

    def ended_s(self) -> float | None:
        """Return when the last voice ended; None where none is remembered."""
        self._look()
        if self._known is None:
            return None
        return self._known / pcm.RATE + min(first_s for _, first_s in self._came)

    def _look(self) -> None:
        self._looked = self._ear.heard
        end = self._ear.voice_end()
        self._known = self._known if end is None else end
