"""Ears of a caller: where in a stream of audio there is sound, to the sample.

Nothing here understands words. A window of 10 ms is loud when its level is over -50 dBFS; loud windows less than
200 ms apart are one burst, from its first audible sample to its last. Fewer than three loud windows are a
click and no burst. The stream may be cut anywhere: the bursts are the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from rtbridge.core import pcm

WINDOW_SAMPLES: Final = pcm.RATE // 100
AUDIBLE: Final = 104  # 32768 * 10 ** (-50 / 20)
GAP_SAMPLES: Final = pcm.samples_of_ms(200)
LEAST_WINDOWS: Final = 3


@dataclass(frozen=True, slots=True)
class Burst:
    """Sound from sample `start` up to, not including, sample `end` of the stream."""

    start: int
    end: int


class Hearing:
    """Finds bursts in one stream of 24 kHz mono s16le."""

    def __init__(self) -> None:
        self._ended: list[Burst] = []
        self._rest = b""
        self._at = 0  # samples looked at, whole windows
        self._start = 0
        self._end = 0
        self._loud = 0  # loud windows of the burst that is going on

    @property
    def bursts(self) -> tuple[Burst, ...]:
        """Return all bursts so far, the last one perhaps still growing."""
        growing = (Burst(self._start, self._end),) if self._loud >= LEAST_WINDOWS else ()
        return (*self._ended, *growing)

    def first_after(self, sample: int) -> Burst | None:
        """Return the first burst that began at `sample` or later."""
        return next((burst for burst in self.bursts if burst.start >= sample), None)

    @property
    def last_audible(self) -> int:
        """Return the end of the last burst; 0 where there was none."""
        bursts = self.bursts
        return bursts[-1].end if bursts else 0

    def feed(self, chunk: bytes) -> None:
        """Hear the next samples, any number of them."""
        data = self._rest + chunk
        whole = len(data) // (WINDOW_SAMPLES * pcm.SAMPLE_BYTES) * WINDOW_SAMPLES
        self._rest = data[whole * pcm.SAMPLE_BYTES :]
        windows = np.frombuffer(data, dtype="<i2", count=whole).reshape(-1, WINDOW_SAMPLES).astype(np.int64)
        energies = np.einsum("ij,ij->i", windows, windows)
        for window, energy in zip(windows, energies.tolist(), strict=True):
            self._window(window, energy)
            self._at += WINDOW_SAMPLES

    def _window(self, window: np.ndarray[tuple[int, ...], np.dtype[np.int64]], energy: int) -> None:
        if self._loud and self._at - self._end >= GAP_SAMPLES:
            if self._loud >= LEAST_WINDOWS:
                self._ended.append(Burst(self._start, self._end))
            self._loud = 0
        if energy <= AUDIBLE * AUDIBLE * WINDOW_SAMPLES:
            return
        (audible,) = np.nonzero(np.abs(window) > AUDIBLE)
        if not self._loud:
            self._start = self._at + int(audible[0])
        self._end = self._at + int(audible[-1]) + 1
        self._loud += 1


def bursts_of(stream: bytes) -> tuple[Burst, ...]:
    """Return the bursts of a whole recording (24 kHz mono s16le)."""
    hearing = Hearing()
    hearing.feed(stream)
    return hearing.bursts


def audible_span(sound: bytes) -> Burst:
    """Return where `sound` is audible, from first to last sample; the whole of it where nothing is loud."""
    bursts = bursts_of(sound)
    if not bursts:
        return Burst(0, pcm.samples_of(sound))
    return Burst(bursts[0].start, bursts[-1].end)
