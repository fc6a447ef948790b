"""Speech for tests: recordings and synthetic callers as engine audio, and how well words were heard."""

from __future__ import annotations

import re
import subprocess
import wave
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soxr

from rtbridge.core.pcm import RATE, silence
from rtbridge.engine.load import load_models
from rtbridge.engine.meaning import Meaning
from rtbridge.engine.stt import MoonshineEars
from rtbridge.engine.tts import HibariVoice
from rtbridge.engine.vad import SileroModel

SECOND = silence(RATE)


def silero() -> SileroModel:
    return load_models().silero


def ears() -> MoonshineEars:
    return load_models().ears


def voice() -> HibariVoice:
    return load_models().voice


def meaning() -> Meaning:
    return load_models().meaning


def load_wav(path: Path) -> bytes:
    """Return a mono 16-bit WAV file as 24 kHz PCM."""
    with wave.open(str(path)) as file:
        assert (file.getnchannels(), file.getsampwidth()) == (1, 2)
        samples = np.frombuffer(file.readframes(file.getnframes()), np.int16).astype(np.float32)
        resampled = soxr.resample(samples, file.getframerate(), RATE)
    return pcm_of(resampled)


def pcm_of(samples: npt.NDArray[np.floating]) -> bytes:
    return bytes(np.clip(samples, -32768, 32767).astype("<i2").tobytes())


def samples_in(pcm: bytes) -> npt.NDArray[np.float64]:
    return np.frombuffer(pcm, "<i2").astype(np.float64)


def flite(text: str, folder: Path) -> bytes:
    """Return `text` spoken by flite's slt voice, which is not the engine's."""
    path = folder / "flite.wav"
    subprocess.run(["flite", "-voice", "slt", "-t", text, "-o", str(path)], check=True, capture_output=True)
    return load_wav(path)


def espeak(text: str, folder: Path) -> bytes:
    path = folder / "espeak.wav"
    subprocess.run(["espeak-ng", "-s", "150", "-w", str(path), text], check=True, capture_output=True)
    return load_wav(path)


def words(text: str) -> list[str]:
    plain = text.lower().replace("you're", "you are").replace("we'll", "we will")
    return re.findall(r"[a-z0-9']+", plain)


def word_errors(said: str, heard: str) -> int:
    """Return the least insertions, deletions and substitutions that turn `said` into `heard`."""
    a, b = words(said), words(heard)
    row = list(range(len(b) + 1))
    for i, one in enumerate(a, 1):
        before, row[0] = row[0], i
        for j, other in enumerate(b, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (one != other))
    return row[-1]


def pitch_hz(pcm: bytes) -> float:
    """Return the median fundamental of `pcm` by autocorrelation of its voiced 40 ms frames."""
    samples = samples_in(pcm)
    size, low, high = RATE // 25, RATE // 350, RATE // 70
    found = []
    for at in range(0, len(samples) - size, size):
        frame = samples[at : at + size] - samples[at : at + size].mean()
        power = np.correlate(frame, frame, "full")[size - 1 :]
        if power[0] < size * 300.0**2:
            continue
        lag = low + int(power[low:high].argmax())
        if power[lag] > 0.5 * power[0]:
            found.append(RATE / lag)
    return float(np.median(found))
