"""The caller of `rtbridge talk`: hears 20 ms, says 20 ms, and knows when to begin and when to hang up. No clock.

It is driven as the script of a story is (script.py), by the same two roads, and counts time in frames.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final

from rtbridge.core import pcm
from rtbridge.replay.hearing import Hearing
from rtbridge.replay.talk_source import Source

GREETING_QUIET: Final = pcm.samples_of_ms(1_000)  # of silence until the greeting is taken to be over
NO_GREETING: Final = pcm.samples_of_ms(4_000)  # without a sound until none is waited for
TAIL: Final = pcm.samples_of_ms(3_000)  # of silence after the last answer
PATIENCE: Final = pcm.samples_of_ms(15_000)  # without any answer


class Talker:
    """One caller, through one call."""

    def __init__(self, source: Source, *, waits_for_greeting: bool) -> None:
        self.source = source
        self.told: Callable[[int, dict[str, Any]], None] = lambda at_ms, event: None
        self.heard = bytearray()  # 24 kHz mono s16le
        self.outbox: list[str] = []
        self.pressed: list[str] = []
        self.reason: str | None = None
        self._hearing = Hearing()
        self._now = 0  # samples heard
        self._speaking = not waits_for_greeting
        self._said_all_at: int | None = None

    @property
    def is_over(self) -> bool:
        """Say whether the call is over."""
        return self.reason is not None

    def tick(self, heard: bytes) -> bytes:
        """Take the 20 ms that are heard now and return what is said in the same 20 ms."""
        said = self._speak()
        self._now += pcm.FRAME_SAMPLES
        self._hearing.feed(heard)
        self.heard += heard
        return said

    def message(self, text: str) -> None:
        """Take a message of the data channel."""
        self.told(pcm.ms_of_samples(self._now), json.loads(text))

    def ended_by_peer(self, reason: str) -> None:
        """The other side has ended the call."""
        if self.reason is None:
            self.reason = reason

    def _speak(self) -> bytes:
        if not self._speaking:
            self._speaking = self._greeted()
        if self._said_all_at is not None:
            if self._answered(self._said_all_at):
                self.reason = "the caller hung up"
        elif self._speaking:
            frame = self.source.frame()
            if frame is not None:
                return frame
            self._said_all_at = self._now
        return bytes(pcm.FRAME_BYTES)

    def _greeted(self) -> bool:
        last = self._hearing.last_audible
        return self._now - last >= (GREETING_QUIET if last else NO_GREETING)

    def _answered(self, since: int) -> bool:
        last = self._hearing.last_audible
        return self._now - max(last, since) >= (TAIL if last > since else PATIENCE)
