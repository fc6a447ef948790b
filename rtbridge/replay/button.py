"""The button to talk of a story's caller, and the finger on it: late down, and up before the last syllable is out.

What it sends is what a stock client sends: a session without turn detection, `input_audio_buffer.clear`, and
`input_audio_buffer.commit` with `response.create`. Times are samples of the call.
"""

from __future__ import annotations

import json
from collections import deque
from typing import Any, Final

from rtbridge.core import pcm

LATE: Final = pcm.samples_of_ms(150)  # pressed after the first sound
EARLY: Final = pcm.samples_of_ms(80)  # let go before the last
BY_HAND: Final = {"type": "realtime", "audio": {"input": {"turn_detection": None}}}


class Button:
    """What is to be sent over the data channel, and when."""

    def __init__(self, wanted: bool) -> None:
        self._wanted = wanted
        self._due: deque[tuple[int, dict[str, Any]]] = deque()
        if wanted:
            self._due.append((0, {"type": "session.update", "session": BY_HAND}))

    def use(self, start: int, end: int) -> None:
        """Press and let go for speech from `start` to `end`."""
        if not self._wanted:
            return
        pressed = start + LATE
        released = max(pressed + LATE, end - EARLY)
        self._due.append((pressed, {"type": "input_audio_buffer.clear"}))
        self._due.append((released, {"type": "input_audio_buffer.commit"}))
        self._due.append((released, {"type": "response.create"}))

    def events(self, now: int) -> list[str]:
        """Return what is due by now, in order."""
        due: list[str] = []
        while self._due and self._due[0][0] <= now:
            due.append(json.dumps(self._due.popleft()[1]))
        return due
