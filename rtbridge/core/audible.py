"""Where a voice can be heard in audio, to the sample: the bridge's own witness, beside what the upstream says.

A window of 10 ms is loud when its level is over -50 dBFS, and three times over the quietest tenth of what was heard
lately, so that a fan in the room is not taken for a voice. Fewer than three loud windows within 200 ms are a click.
Nothing is computed while audio passes: the last two seconds are kept, and looked at when a turn is over, or when
somebody makes a sound over the agent.
"""

from __future__ import annotations

from collections import deque
from typing import Final

import numpy as np
import numpy.typing as npt

from rtbridge.core import pcm

MEMORY_SAMPLES: Final = pcm.samples_of_ms(2_000)
AUDIBLE: Final = 104  # 32768 * 10 ** (-50 / 20)
_WINDOW: Final = pcm.samples_of_ms(10)
_NEAR: Final = 20  # windows before a loud one in which it finds its like
_LEAST: Final = 3
_OVER_FLOOR: Final = 3.0
_LOUDEST_FLOOR: Final = 330.0  # who speaks without a pause has no room to be heard in
NEAR_SAMPLES: Final = _NEAR * _WINDOW


class Ear:
    """The last two seconds of one stream, 24 kHz mono s16le."""

    def __init__(self) -> None:
        self._chunks: deque[bytes] = deque()
        self.heard = 0  # samples, in all
        self._samples = 0  # that are kept

    def hear(self, chunk: bytes) -> None:
        """Take the next audio."""
        self._chunks.append(chunk)
        self._samples += pcm.samples_of(chunk)
        self.heard += pcm.samples_of(chunk)
        while self._samples - pcm.samples_of(self._chunks[0]) >= MEMORY_SAMPLES:
            self._samples -= pcm.samples_of(self._chunks.popleft())

    def last(self, samples: int) -> npt.NDArray[np.int16]:
        """Return the last `samples` samples of what is kept, or all of it."""
        kept = np.frombuffer(b"".join(self._chunks), "<i2")
        return kept[max(0, len(kept) - samples) :]

    def floor(self) -> float:
        """Return the level of the quietest tenth of what is kept, as RMS of samples: the room."""
        levels = self._levels()
        return float(np.percentile(levels, 10)) if len(levels) else 0.0

    def voice_end(self) -> int | None:
        """Return how many samples had come when the last voice ended; None where none is in what is kept."""
        windows, levels = self._windows(), self._levels()
        whole = windows.size
        if not whole:
            return None
        level = max(float(AUDIBLE), _OVER_FLOOR * min(self.floor(), _LOUDEST_FLOOR))
        loud = levels > level
        near = np.convolve(loud, np.ones(_NEAR), mode="full")[: len(loud)]
        (voiced,) = np.nonzero(loud & (near >= _LEAST))
        if not len(voiced):
            return None
        last = int(voiced[-1])
        (audible,) = np.nonzero(np.abs(windows[last]) > level)
        end = last * _WINDOW + int(audible[-1]) + 1
        return self.heard - (whole - end)

    def _windows(self) -> npt.NDArray[np.float64]:
        heard = np.frombuffer(b"".join(self._chunks), "<i2")
        whole = len(heard) // _WINDOW * _WINDOW
        return heard[len(heard) - whole :].reshape(-1, _WINDOW).astype(np.float64)  # the last is a whole one

    def _levels(self) -> npt.NDArray[np.float64]:
        windows = self._windows()
        return np.asarray(np.sqrt(np.mean(windows * windows, axis=1)))


def quietest_end(sound: bytes) -> int:
    """Return where the quietest 10 ms of some audio end, the latest of several: most likely between two words."""
    heard = np.frombuffer(sound, "<i2").astype(np.float64)
    whole = len(heard) // _WINDOW
    if not whole:
        return 0
    levels = np.mean(heard[: whole * _WINDOW].reshape(whole, _WINDOW) ** 2, axis=1)
    return (whole - int(np.argmin(levels[::-1]))) * _WINDOW


def sound_within(sound: bytes, samples: int) -> int | None:
    """Return the first sample of a voice that begins in the first `samples` of some audio; None where none does.

    What comes after them tells a voice from a click: as much of the next 200 ms as there is.
    """
    heard = np.frombuffer(sound, "<i2").astype(np.float64)
    windows = heard[: len(heard) // _WINDOW * _WINDOW].reshape(-1, _WINDOW)
    loud = np.mean(windows * windows, axis=1) > AUDIBLE * AUDIBLE
    for first in np.nonzero(loud[: -(-samples // _WINDOW)])[0].tolist():
        near = loud[first : first + _NEAR]
        if np.count_nonzero(near) >= min(_LEAST, len(near)):
            at = first * _WINDOW + int(np.argmax(np.abs(windows[first]) > AUDIBLE))
            return at if at < samples else None
    return None
