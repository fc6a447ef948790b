"""Sounds that people make without meaning anything, synthesised: coughs, laughs, hums, a keyboard, a room.

They stand in for recordings, and whatever is measured with them says "synthesised". Each is drawn by a random generator
that is given, so the same seed makes the same sound. All are 24 kHz mono as floats about -1 to 1, in no particular
level; `at_level` gives them one. The throat is a train of pulses or noise, shaped by the resonances of a mouth.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from rtbridge.core import pcm

Floats = npt.NDArray[np.float64]
Random = np.random.Generator

OPEN_MOUTH: Final = ((680.0, 90.0), (1250.0, 110.0), (2600.0, 170.0), (3500.0, 250.0))  # Hz, width in Hz
VOWELS: Final = (
    OPEN_MOUTH,
    ((300.0, 60.0), (2200.0, 120.0), (2900.0, 180.0), (3600.0, 250.0)),
    ((480.0, 70.0), (1750.0, 110.0), (2500.0, 170.0), (3500.0, 250.0)),
    ((450.0, 70.0), (900.0, 90.0), (2400.0, 170.0), (3400.0, 250.0)),
)
LIPS_CLOSED: Final = ((250.0, 60.0), (1000.0, 250.0))
THROAT: Final = ((550.0, 300.0), (1500.0, 400.0), (2700.0, 600.0), (4200.0, 900.0))


def at_level(sound: Floats, dbfs: float) -> bytes:
    """Return `sound` as 24 kHz mono s16le with its RMS, where it sounds, at `dbfs`."""
    loud = np.abs(sound) > 0.05 * np.abs(sound).max()
    rms = float(np.sqrt(np.mean(sound[loud] ** 2)))
    scaled = sound / rms * 32768 * 10 ** (dbfs / 20)
    return np.clip(np.round(scaled), -32767, 32767).astype("<i2").tobytes()


def cough(chance: Random) -> Floats:
    """Return one to three coughs: a burst, a rush of air, and often a hoarse rest of voice."""
    parts: list[Floats] = []
    for _ in range(int(chance.integers(1, 4))):
        burst = _noise(chance, chance.uniform(30, 60), THROAT) * 3
        rush = _noise(chance, chance.uniform(120, 240), THROAT)
        rush *= np.exp(-np.linspace(0, chance.uniform(1.5, 3), len(rush)))
        parts += [_faded(burst, 2, 10), rush]
        if chance.random() < 0.6:
            ms = chance.uniform(50, 110)
            pitch = chance.uniform(110, 240)
            rest = _voice(chance, ms, [pitch, pitch * 0.8], THROAT, jitter=0.12)
            rest = rest / np.abs(rest).max() * 0.5 + 0.5 * _unit(_noise(chance, ms, THROAT))[: len(rest)]
            parts.append(_faded(rest * np.abs(rush).max(), 10, 30))
        parts.append(_quiet(chance.uniform(120, 350)))
    return np.concatenate(parts)


def laugh(chance: Random) -> Floats:
    """Return a laugh: the same short vowel, breathed on, four or five times a second and falling."""
    parts: list[Floats] = []
    pitch = chance.uniform(170, 380)
    every_ms = chance.uniform(180, 240)
    for n in range(int(chance.integers(3, 8))):
        voiced_ms = every_ms * chance.uniform(0.42, 0.55)
        vowel = _unit(_voice(chance, voiced_ms, [pitch, pitch * 0.93], OPEN_MOUTH, jitter=0.02))
        breath = 0.18 * _unit(_noise(chance, every_ms - voiced_ms, OPEN_MOUTH))
        parts += [_faded(breath, 10, 10) * 0.93**n, _faded(vowel, 15, 35) * 0.93**n]
        pitch *= chance.uniform(0.93, 0.99)
    return np.concatenate(parts)


def hum(chance: Random) -> Floats:
    """Return "mm-hmm" with closed lips: a hum, a breath through the nose, a hum that is higher."""
    pitch = chance.uniform(100, 230)
    one = _voice(chance, chance.uniform(120, 190), [pitch, pitch * 0.95], LIPS_CLOSED, jitter=0.01)
    other = _voice(chance, chance.uniform(150, 230), [pitch * 1.1, pitch * 1.3], LIPS_CLOSED, jitter=0.01)
    breath = 0.03 * _unit(_noise(chance, chance.uniform(30, 70), LIPS_CLOSED))
    return np.concatenate([_faded(_unit(one), 20, 20), breath, _faded(_unit(other), 20, 50)])


def typing(chance: Random, ms: float = 1500) -> Floats:
    """Return a keyboard: strikes of a few ms, the body's thud, and each key's way back."""
    result = np.zeros(pcm.samples_of_ms(ms + 200))
    at_ms = 0.0
    while at_ms < ms:
        loud = chance.uniform(0.4, 1.0)
        _add(result, at_ms, loud * _strike(chance))
        _add(result, at_ms + chance.uniform(60, 100), 0.3 * loud * _strike(chance))
        at_ms += chance.uniform(90, 280)
    return result


def babble(chance: Random, ms: float) -> Floats:
    """Return syllables of changing vowels and pitch, as somebody speaks without words."""
    parts: list[Floats] = []
    pitch = chance.uniform(100, 220)
    made = 0.0
    while made < ms:
        long_ms = chance.uniform(140, 260)
        to = pitch * chance.uniform(0.85, 1.15)
        vowel = VOWELS[int(chance.integers(len(VOWELS)))]
        parts.append(_faded(_unit(_voice(chance, long_ms, [pitch, to], vowel, jitter=0.01)), 15, 20))
        gap_ms = chance.uniform(20, 70)
        parts.append(_faded(0.1 * _unit(_noise(chance, gap_ms, THROAT)), 5, 5))
        pitch, made = min(max(to, 90.0), 260.0), made + long_ms + gap_ms
    return np.concatenate(parts)[: pcm.samples_of_ms(ms)]


def room(chance: Random, samples: int, dbfs: float) -> Floats:
    """Return the noise of a quiet room at `dbfs`, in samples of s16."""
    spectrum = np.fft.rfft(chance.standard_normal(samples))
    spectrum /= np.sqrt(np.maximum(np.arange(len(spectrum)), 1.0))
    noise = np.fft.irfft(spectrum, samples)
    return np.asarray(noise / np.sqrt(np.mean(noise**2)) * 32768 * 10 ** (dbfs / 20))


def _strike(chance: Random) -> Floats:
    click = _noise(chance, 12, ((3500.0, 1500.0), (5500.0, 2000.0)))
    click = _unit(click) * np.exp(-np.linspace(0, 6, len(click)))
    n = np.arange(pcm.samples_of_ms(40))
    thud = np.sin(2 * np.pi * chance.uniform(150, 500) * n / pcm.RATE) * np.exp(-n / pcm.samples_of_ms(7))
    thud[: len(click)] += click
    return thud


def _voice(
    chance: Random,
    ms: float,
    pitches: Sequence[float],
    mouth: Sequence[tuple[float, float]],
    *,
    jitter: float,
) -> Floats:
    """Return pulses of a throat whose pitch goes through `pitches` (Hz), shaped by a mouth."""
    samples = pcm.samples_of_ms(ms)
    source = np.zeros(samples)
    at = 0.0
    while at < samples:
        source[int(at)] = 1.0 + 0.1 * chance.standard_normal()
        hz = float(np.interp(at / samples, np.linspace(0, 1, len(pitches)), pitches))
        at += pcm.RATE / hz * max(0.5, 1 + jitter * chance.standard_normal())
    return _shaped(source, mouth, fall=True)


def _noise(chance: Random, ms: float, mouth: Sequence[tuple[float, float]]) -> Floats:
    return _shaped(chance.standard_normal(pcm.samples_of_ms(ms)), mouth, fall=False)


def _shaped(source: Floats, mouth: Sequence[tuple[float, float]], *, fall: bool) -> Floats:
    """Return `source` through resonances; `fall` is a throat's own, 6 dB an octave from 150 Hz."""
    size = len(source) + pcm.samples_of_ms(40)
    hz = np.fft.rfftfreq(size, 1 / pcm.RATE)
    gain = np.ones(len(hz), np.complex128)
    for middle, width in mouth:
        gain *= middle**2 / (middle**2 - hz**2 + 1j * hz * width)
    if fall:
        gain /= 1 + 1j * hz / 150
    return np.asarray(np.fft.irfft(np.fft.rfft(source, size) * gain, size)[: len(source)])


def _faded(sound: Floats, in_ms: float, out_ms: float) -> Floats:
    shape = np.ones(len(sound))
    rise, fall = min(pcm.samples_of_ms(in_ms), len(sound)), min(pcm.samples_of_ms(out_ms), len(sound))
    shape[:rise] *= np.linspace(0, 1, rise)
    shape[len(sound) - fall :] *= np.linspace(1, 0, fall)
    return sound * shape


def _unit(sound: Floats) -> Floats:
    return sound / max(float(np.abs(sound).max()), 1e-9)


def _quiet(ms: float) -> Floats:
    return np.zeros(pcm.samples_of_ms(ms))


def _add(to: Floats, at_ms: float, sound: Floats) -> None:
    at = pcm.samples_of_ms(at_ms)
    sound = sound[: len(to) - at]
    to[at : at + len(sound)] += sound
