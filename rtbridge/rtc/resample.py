"""Changing the sampling rate of one stream by a ratio of small whole numbers, exactly so many samples out as in. Pure.

A windowed-sinc low-pass in polyphase form (Crochiere and Rabiner, "Multirate Digital Signal Processing", §3.4), with
the past kept between calls: one of these a stream and direction. A resampler made anew for each frame loses its
delay every time, 3 % of the samples, and clicks.
"""

from __future__ import annotations

from math import gcd
from typing import Final

import numpy as np
from numpy.typing import NDArray

TAPS: Final = 24  # input samples that an output sample is made of, at the lower rate; the delay is half of it
BETA: Final = 6.0  # Kaiser window: 63 dB below


class Resampler:
    """s16le mono in at one rate, out at another. Feed it whole frames: `samples * up` must be a multiple of `down`."""

    def __init__(self, from_rate: int, to_rate: int) -> None:
        common = gcd(from_rate, to_rate)
        self._up, self._down = to_rate // common, from_rate // common
        step = max(self._up, self._down)
        length = TAPS * step
        at = np.arange(length) - (length - 1) / 2
        kernel = np.sinc(at / step) * np.kaiser(length, BETA)
        kernel *= self._up / kernel.sum()
        self._taps = -(-length // self._up)
        phases = np.zeros((self._up, self._taps), dtype=np.float32)
        for phase in range(self._up):
            part = kernel[phase :: self._up]
            phases[phase, self._taps - len(part) :] = part[::-1]
        self._phases = phases
        self._past = np.zeros(self._taps - 1, dtype=np.float32)

    def feed(self, pcm: bytes) -> bytes:
        """Return the next samples: `samples * to_rate / from_rate` of them. Raises ValueError for a fraction."""
        fresh = np.frombuffer(pcm, dtype="<i2").astype(np.float32)
        if len(fresh) * self._up % self._down:
            raise ValueError(f"{len(fresh)} samples times {self._up}/{self._down} is no whole number")
        line: NDArray[np.float32] = np.concatenate((self._past, fresh))
        self._past = line[len(line) - (self._taps - 1) :]
        windows = np.lib.stride_tricks.sliding_window_view(line, self._taps)
        if self._up == 1:
            return _rounded(windows[:: self._down] @ self._phases[0])
        steps = np.arange(len(fresh) * self._up // self._down) * self._down
        if self._down == 1:
            out = (windows @ self._phases.T).ravel()
        else:
            out = np.einsum("ij,ij->i", windows[steps // self._up], self._phases[steps % self._up])
        return _rounded(out)

    def reset(self) -> None:
        """Forget the past, as for a new stream."""
        self._past = np.zeros_like(self._past)


def _rounded(samples: NDArray[np.float32]) -> bytes:
    return np.clip(np.rint(samples), -32768, 32767).astype("<i2").tobytes()
