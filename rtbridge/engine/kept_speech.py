"""Sentences that were made before: what an agent says in every call, a greeting or a filler, costs its voice once.

The same text, voice and speed give the same bytes, so nobody can tell a sentence that was kept from one that was made.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Final

from rtbridge.engine.parts import Spoken

MAX_BYTES: Final = 32 * 1024 * 1024  # eleven minutes of speech


class KeptSpeech:
    """The sentences of a process that were said last, by whatever tells them apart. Thread-safe."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        """Keep at most `max_bytes` of audio."""
        self._max_bytes = max_bytes
        self._bytes = 0
        self._kept: OrderedDict[Hashable, Spoken] = OrderedDict()
        self._lock = threading.Lock()

    def get_or_make(self, key: Hashable, make: Callable[[], Spoken]) -> Spoken:
        """Return what is kept under `key`, or make it. Two threads that ask at once may both make it."""
        with self._lock:
            if (spoken := self._kept.get(key)) is not None:
                self._kept.move_to_end(key)
                return spoken
        spoken = make()
        with self._lock:
            if key not in self._kept:
                self._kept[key] = spoken
                self._bytes += len(spoken.pcm)
            while self._bytes > self._max_bytes:
                _, dropped = self._kept.popitem(last=False)
                self._bytes -= len(dropped.pcm)
        return spoken
