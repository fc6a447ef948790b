"""What a caller of a story says, as 24 kHz mono, read from a file. Who speaks a text: caller_voice.py.

Everything is resampled once, here, before a call begins.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import av
import av.error
import numpy as np

from rtbridge.core import pcm

MAX_S: Final = 120


class BadSound(ValueError):
    """A sound that cannot be had; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Sound:
    """Something to be played into a call."""

    label: str  # the file as the story names it, or the words
    pcm: bytes = field(repr=False)  # 24 kHz mono s16le
    note: str | None = None  # what a report says about where it comes from

    @property
    def ms(self) -> int:
        """Return how long it takes to play, rounded down."""
        return pcm.ms_of_samples(pcm.samples_of(self.pcm))


def read_sound(file: Path, label: str, *, max_s: int = MAX_S) -> Sound:
    """Read any audio file that FFmpeg knows. Raises BadSound for what is none, is empty or is too long."""
    resampler = av.AudioResampler(format="s16", layout="mono", rate=pcm.RATE)
    parts: list[bytes] = []
    samples = 0
    try:
        with av.open(str(file)) as container:
            for frame in container.decode(audio=0):
                for out in resampler.resample(frame):
                    parts.append(_samples(out))
                    samples += out.samples
                if samples > max_s * pcm.RATE:
                    raise BadSound(f"longer than {max_s} s; cut it into turns")
            parts.extend(_samples(out) for out in resampler.resample(None))
    except (av.error.FFmpegError, IndexError) as error:
        raise BadSound("not an audio file that can be decoded; a 16-bit WAV always can") from error
    sound = Sound(label=label, pcm=b"".join(parts))
    if not np.frombuffer(sound.pcm, dtype="<i2").any():
        raise BadSound("nothing but silence in it")
    return sound


def _samples(frame: av.AudioFrame) -> bytes:
    return bytes(frame.planes[0])[: frame.samples * pcm.SAMPLE_BYTES]
