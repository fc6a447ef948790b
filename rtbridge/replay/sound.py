"""What a caller of a story says, as 24 kHz mono: read from a file, or spoken by a program that is installed.

Everything is resampled once, here, before a call begins.
"""

from __future__ import annotations

import functools
import shutil
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import av
import av.error
import numpy as np

from rtbridge.core import pcm

MAX_S: Final = 120
SPEAK_TIMEOUT_S: Final = 30

# Programs with a voice that no agent has, best first; {out} and {text} are arguments of their own.
_SPEAKERS: Final = {
    "flite": ("-voice", "slt", "-o", "{out}", "-t", "{text}"),
    "espeak-ng": ("-v", "en-us", "-w", "{out}", "{text}"),
}


class BadSound(ValueError):
    """A sound that cannot be had; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Sound:
    """Something to be played into a call."""

    label: str  # the file as the story names it, or the words
    pcm: bytes = field(repr=False)  # 24 kHz mono s16le

    @property
    def ms(self) -> int:
        """Return how long it takes to play, rounded down."""
        return pcm.ms_of_samples(pcm.samples_of(self.pcm))


def read_sound(file: Path, label: str) -> Sound:
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
                if samples > MAX_S * pcm.RATE:
                    raise BadSound(f"longer than {MAX_S} s; cut it into turns")
            parts.extend(_samples(out) for out in resampler.resample(None))
    except (av.error.FFmpegError, IndexError) as error:
        raise BadSound("not an audio file that can be decoded; a 16-bit WAV always can") from error
    sound = Sound(label=label, pcm=b"".join(parts))
    if not np.frombuffer(sound.pcm, dtype="<i2").any():
        raise BadSound("nothing but silence in it")
    return sound


def speak(text: str) -> Sound:
    """Have `text` spoken by flite or espeak-ng. Raises BadSound where neither is installed, or both fail."""
    for program, arguments in _SPEAKERS.items():
        if found := shutil.which(program):
            return _spoken(text, found, arguments)
    raise BadSound(f"text is spoken by one of {', '.join(_SPEAKERS)}: install one, or say a WAV file instead")


@functools.lru_cache(maxsize=256)
def _spoken(text: str, program: str, arguments: tuple[str, ...]) -> Sound:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "spoken.wav")
        # The text is an argument of its own and led by a space: never a command, never an option.
        command = [program, *(a.format(out=out, text=f" {text}") for a in arguments)]
        try:
            subprocess.run(command, check=True, capture_output=True, timeout=SPEAK_TIMEOUT_S)
        except (OSError, subprocess.SubprocessError) as error:
            raise BadSound(f"{program} failed to speak it: {error}") from error
        return read_sound(out, label=text)


def _samples(frame: av.AudioFrame) -> bytes:
    return bytes(frame.planes[0])[: frame.samples * pcm.SAMPLE_BYTES]
