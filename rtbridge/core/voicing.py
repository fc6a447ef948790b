"""Voicing: what kind of sound the caller makes, told by numbers alone and within a few hundred milliseconds.

A voice that speaks is periodic for a syllable at least, and its pitch moves smoothly. A cough, a keyboard and a door
are not. A hum with closed lips has nothing above a few hundred Hz; a laugh is the same short vowel again and again.
All of it is read from windows of 40 ms at 8 kHz, 10 ms apart: their level, their autocorrelation, their spectrum.
Nothing is computed but when somebody asks, and nothing is learned of anybody.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from rtbridge.core import pcm

Samples = npt.NDArray[np.int16]
Floats = npt.NDArray[np.float64]

RATE: Final = 8_000
HOP_MS: Final = 10
_FACTOR: Final = pcm.RATE // RATE
_HOP: Final = RATE * HOP_MS // 1000
_WINDOW: Final = 320  # 40 ms: three periods of a low voice
_FFT: Final = 1024
_PITCH: Final = slice(RATE // 420, RATE // 75)  # lags of 420 Hz to 75 Hz
_LIKE_ITSELF: Final = 0.6  # autocorrelation of a voiced window, at the lag of its pitch
_STEADY: Final = 0.2  # pitch changes by less from one window to the next
_LEAST_RUN: Final = 4  # windows that are anything
_SYLLABLE: Final = 7  # windows of a syllable that is said: the thud of a key rings for less
_QUIETEST: Final = 104.0  # 32768 * 10 ** (-50 / 20)
_LOUDEST_FLOOR: Final = 330.0  # a louder room is taken for this one
_OVER_FLOOR: Final = 3.0
_APART: Final = 30  # windows of quiet that end a sound
_HUM_HZ: Final = 600
_HUM_SHARE: Final = 0.008  # of its power, a hum has above that
_HUMMED: Final = 0.8  # of the voiced windows are a hum's
_BANDS: Final = 20  # up to 4 kHz, to tell one vowel from another
_LONGEST_HA: Final = 17  # windows of one syllable of a laugh
_HA_APART: Final = (11, 34)  # ... and how far from the next it begins
_BREATH: Final = 2  # between two of them, at least
_MOSTLY: Final = 0.65  # of the syllables are followed by their like
_SAME_VOWEL: Final = 0.9


@dataclass(frozen=True, slots=True)
class Sound:
    """The last sound of a stretch of audio. All zero where there is none."""

    span_ms: int = 0  # from where it begins to be audible to where it ceases
    voiced_ms: int = 0  # of it, in which a voice sounds
    quiet_ms: int = 0  # since it ceased; the whole stretch where there is no sound
    hummed: bool = False  # with closed lips
    laughed: bool = False


def sound_in(heard: Samples, floor: float = 0.0) -> Sound:
    """Return the last sound in `heard` (24 kHz mono); `floor` is the level of the room, as RMS of samples."""
    low = decimated(heard)
    if len(low) < _WINDOW:
        return Sound(quiet_ms=round(1000 * len(low) / RATE))
    windows = np.lib.stride_tricks.sliding_window_view(low, _WINDOW)[::_HOP]
    levels = np.sqrt(np.mean(windows * windows, axis=1))
    audible = levels > max(_QUIETEST, _OVER_FLOOR * min(floor, _LOUDEST_FLOOR))
    (at,) = np.nonzero(audible)
    if not len(at):
        return Sound(quiet_ms=len(levels) * HOP_MS)
    gaps = np.nonzero(np.diff(at) > _APART)[0]
    first, last = int(at[gaps[-1] + 1 if len(gaps) else 0]), int(at[-1])
    power, pitch = _pitched(windows[first : last + 1])
    pitch[~audible[first : last + 1]] = 0.0
    runs = _runs(pitch)
    said = [run for run in runs if run[1] - run[0] >= _SYLLABLE]
    voiced = sum(end - start for start, end in said)
    hummed = bool(voiced) and _hums(power, said) >= _HUMMED * voiced
    return Sound(
        span_ms=(last + 1 - first) * HOP_MS,
        voiced_ms=voiced * HOP_MS,
        quiet_ms=(len(levels) - 1 - last) * HOP_MS,
        hummed=hummed,
        laughed=not hummed and _laughs(power, runs),
    )


def voice_from(heard: Samples) -> int | None:
    """Return the ms after which a voice begins in `heard` (24 kHz mono); None where there is none."""
    low = decimated(heard)
    if len(low) < _WINDOW:
        return None
    windows = np.lib.stride_tricks.sliding_window_view(low, _WINDOW)[::_HOP]
    _, pitch = _pitched(windows)
    pitch[np.sqrt(np.mean(windows * windows, axis=1)) <= _QUIETEST] = 0.0
    return next((start * HOP_MS for start, _ in _runs(pitch)), None)


def decimated(heard: Samples) -> Floats:
    """Return audio of 24 kHz at 8 kHz, low-passed."""
    if len(heard) < len(_LOW_PASS):
        return np.zeros(0)
    return np.convolve(heard.astype(np.float64), _LOW_PASS, mode="valid")[::_FACTOR]


def _low_pass() -> Floats:
    n = np.arange(-24, 25)
    taps = np.sinc(n * 0.9 / _FACTOR) * np.hamming(len(n))
    return np.asarray(taps / taps.sum())


_LOW_PASS: Final = _low_pass()
_SHAPE: Final = np.hanning(_WINDOW)
_SHAPE_LIKE_ITSELF: Final = np.fft.irfft(np.abs(np.fft.rfft(_SHAPE, _FFT)) ** 2)


def _pitched(windows: Floats) -> tuple[Floats, Floats]:
    """Return the power spectrum of each window, and the lag of its pitch in samples, 0 where it has none."""
    shaped = (windows - windows.mean(axis=1, keepdims=True)) * _SHAPE
    power = np.abs(np.fft.rfft(shaped, _FFT, axis=1)) ** 2
    like = np.fft.irfft(power, axis=1)
    like = (
        like[:, _PITCH] / np.maximum(like[:, :1], 1.0) * (_SHAPE_LIKE_ITSELF[0] / _SHAPE_LIKE_ITSELF[_PITCH])
    )
    best = like.max(axis=1)
    # The first of its like: a voice is as like itself after two periods as after one.
    lag = np.argmax(like >= 0.85 * best[:, None], axis=1) + float(_PITCH.start)
    # At the shortest lag everything that is low is like itself: a pitch has a dip before it.
    lag[(best < _LIKE_ITSELF) | (like.min(axis=1) > 0.8 * best)] = 0.0
    return power, lag


def _runs(lags: Floats) -> list[tuple[int, int]]:
    """Return the stretches, from one window to before another, in which a pitch goes on smoothly."""
    runs: list[tuple[int, int]] = []
    start = 0
    for at in range(1, len(lags) + 1):
        if at < len(lags) and lags[at] and abs(lags[at] - lags[at - 1]) <= _STEADY * lags[at]:
            continue
        if at - start >= _LEAST_RUN and lags[start]:
            runs.append((start, at))
        start = at
    return runs


def _hums(power: Floats, runs: list[tuple[int, int]]) -> int:
    """Return how many of the voiced windows have next to nothing above a hum's."""
    over = power[:, _HUM_HZ * _FFT // RATE :].sum(axis=1) / np.maximum(power.sum(axis=1), 1.0)
    return sum(int(np.count_nonzero(over[start:end] < _HUM_SHARE)) for start, end in runs)


def _laughs(power: Floats, runs: list[tuple[int, int]]) -> bool:
    """Return whether it is the same short vowel again and again, at the pace of a laugh."""
    pairs = list(itertools.pairwise(runs))
    if not pairs or max(end - start for start, end in runs) > _LONGEST_HA:
        return False
    again = sum(
        _HA_APART[0] <= other[0] - one[0] <= _HA_APART[1]
        and other[0] - one[1] >= _BREATH
        and _likeness(_vowel(power, one), _vowel(power, other)) >= _SAME_VOWEL
        for one, other in pairs
    )
    return again >= _MOSTLY * len(pairs)


def _vowel(power: Floats, run: tuple[int, int]) -> Floats:
    """Return a run's spectrum in bands of 200 Hz, in dB about its mean."""
    mean = power[run[0] : run[1]].mean(axis=0)[1:]
    bands = 10 * np.log10(mean[: len(mean) // _BANDS * _BANDS].reshape(_BANDS, -1).sum(axis=1) + 1.0)
    return np.asarray(bands - bands.mean())


def _likeness(one: Floats, other: Floats) -> float:
    norm = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float(one @ other) / norm if norm else 0.0
