"""A caller's recording of both sides, and where on its time line a voice ends or begins: by nobody's code but its own.

A stretch of 10 ms is heard when it is over -50 dBFS, from whichever ms it begins.
"""

from __future__ import annotations

import functools
from typing import Final

import numpy as np
import numpy.typing as npt

from rtbridge.bench.bargein_cases import HUMAN, SENTENCES, WORDS
from rtbridge.core import pcm
from rtbridge.replay.sound import read_sound

Line = npt.NDArray[np.int16]

WINDOW: Final = pcm.samples_of_ms(10)  # a longer one hears a voice before it begins and after it has ended
AUDIBLE: Final = 32768 * 10 ** (-50 / 20)
LONGEST_PAUSE_MS: Final = 210


def _levels(line: Line) -> npt.NDArray[np.float64]:
    """Return the RMS of the 10 ms from each whole ms on."""
    power = np.concatenate(([0.0], np.cumsum(line.astype(np.float64) ** 2)))
    begins = np.arange(0, max(0, len(line) - WINDOW) + 1, 24)
    return np.sqrt((power[begins + WINDOW] - power[begins]) / WINDOW)


def voice_span(line: Line) -> tuple[int, int] | None:
    """Return the first and last sample that can be heard, in stretches of 10 ms that are over -50 dBFS."""
    if len(line) < WINDOW:
        return None
    (loud,) = np.nonzero(_levels(line) > AUDIBLE)
    if not len(loud):
        return None
    first, last = int(loud[0]) * 24, int(loud[-1]) * 24
    heard = np.abs(line.astype(np.int32)) > AUDIBLE
    return first + int(np.argmax(heard[first : first + WINDOW])), last + WINDOW - 1 - int(
        np.argmax(heard[last : last + WINDOW][::-1])
    )


@functools.cache
def recordings() -> tuple[bytes, ...]:
    """Return human sentences and words of up to 2 s without a pause that an upstream could take for the end."""
    found = []
    for name in (*SENTENCES, *WORDS):
        sound = read_sound(HUMAN / f"{name}.wav", name).pcm
        line = np.frombuffer(sound, "<i2")
        (loud_ms,) = np.nonzero(_levels(line) > AUDIBLE)
        if 300 < len(loud_ms) < 2_000 and np.diff(loud_ms).max() < LONGEST_PAUSE_MS:
            found.append(sound)
    assert len(found) >= 12
    return tuple(found)


class Recording:
    """Both sides of a call on one time line, in samples since its beginning."""

    def __init__(self) -> None:
        self.said = bytearray()
        self._heard = np.zeros(0, np.int16)

    def hear(self, chunk: bytes, at_s: float) -> None:
        """Lay what was heard from `at_s` on onto the line."""
        at, end = round(at_s * pcm.RATE), round(at_s * pcm.RATE) + pcm.samples_of(chunk)
        if end > len(self._heard):
            self._heard = np.concatenate(
                (self._heard, np.zeros(max(end - len(self._heard), 60 * pcm.RATE), np.int16))
            )
        self._heard[at:end] = np.frombuffer(chunk, "<i2")

    def respond_ms(self, first: int, end: int) -> float:
        """Return the gap after what was said from sample `first` to `end`, up to what is heard next."""
        said = voice_span(np.frombuffer(bytes(self.said), "<i2")[first:end])
        assert said is not None
        after = first + said[1] + 1
        heard = voice_span(self._heard[after:])
        assert heard is not None
        return heard[0] * 1000 / pcm.RATE
