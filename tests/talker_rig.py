"""A caller with a button to talk, whose every sample says which of theirs it is."""

from __future__ import annotations

from typing import Any

import numpy as np

from rig import Rig
from rtbridge.core import pcm

Wire = dict[str, Any]

BY_HAND: Wire = {"type": "session.update", "session": {"audio": {"input": {"turn_detection": None}}}}
BY_VAD: Wire = {
    "type": "session.update",
    "session": {"audio": {"input": {"turn_detection": {"type": "server_vad"}}}},
}
BEFORE = pcm.samples_of_ms(200)
TAIL = pcm.samples_of_ms(160)


def samples(first: int, end: int) -> bytes:
    """Return audio in which each sample says which of the caller's samples it is."""
    return (np.arange(first, end) % 30_000).astype("<i2").tobytes()


class Talker:
    """A caller whose every sample is numbered, and whose button is the test's."""

    def __init__(self, rig: Rig | None = None, *, by_hand: bool = True) -> None:
        self.rig = rig or Rig()
        self.said = 0
        if by_hand:
            self.rig.client(BY_HAND)

    def say(self, count: int, *, chunk: int = pcm.FRAME_SAMPLES) -> None:
        """Let the microphone give `count` more samples, and time pass with them."""
        end = self.said + count
        while self.said < end:
            step = min(chunk, end - self.said)
            self.rig.hear(samples(self.said, self.said + step))
            self.said += step
            self.rig.now += step / pcm.RATE

    def say_ms(self, ms: int) -> None:
        self.say(pcm.samples_of_ms(ms))

    def press(self, event_id: str = "c_press") -> int:
        """Press the button; return at which sample."""
        self.rig.client({"type": "input_audio_buffer.clear", "event_id": event_id})
        return self.said

    def release(self, event_id: str = "c_release") -> int:
        """Let it go, and ask for an answer, as a stock client does; return at which sample."""
        self.rig.client({"type": "input_audio_buffer.commit", "event_id": event_id})
        self.rig.client({"type": "response.create"})
        return self.said

    def errors(self) -> list[tuple[str, str]]:
        return [(one["error"]["code"], one["error"]["event_id"]) for one in self.rig.told("error")]
