"""The input audio buffer: audio that was appended and not yet committed, and where in it somebody speaks.

Positions are samples heard since the connection began. That count is the only clock: a silence is as long as the audio
that holds it, however fast it arrives.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from rtbridge.core import pcm as audio
from rtbridge.engine.parts import Vad, VadConfig, VadEdge

MAX_SAMPLES: Final = 15 * 60 * audio.RATE
# With turn detection on and nobody speaking, older audio than this cannot become part of a turn by itself.
KEPT_SILENCE_SAMPLES: Final = 60 * audio.RATE


class InputBuffer:
    """What the caller said since the last commit."""

    def __init__(self, make_vad: Callable[[VadConfig], Vad]) -> None:
        self.heard = 0  # samples, of the whole connection
        self.speaking = False  # between the edges "started" and "stopped"
        self._make_vad = make_vad
        self._pcm = bytearray()
        self._config: VadConfig | None = None
        self._vad: Vad | None = None
        self._vad_began = 0

    def __len__(self) -> int:
        return len(self._pcm) // audio.SAMPLE_BYTES

    def configure(self, config: VadConfig | None) -> bool:
        """Detect turns by `config` from now on, or not at all. Returns whether that changed anything."""
        if config == self._config:
            return False
        self._config = config
        self._vad = None if config is None else self._make_vad(config)
        self._vad_began = self.heard
        return True

    def append(self, pcm: bytes) -> list[VadEdge]:
        """Hear `pcm` (24 kHz mono s16le) and return the edges in it, in samples of the connection."""
        self._pcm += pcm
        self.heard += audio.samples_of(pcm)
        if self._vad is None:
            return []
        edges = [VadEdge(edge.kind, edge.at_sample + self._vad_began) for edge in self._vad.feed(pcm)]
        if not self.speaking and not edges and len(self) > KEPT_SILENCE_SAMPLES:
            self._drop(len(self) - KEPT_SILENCE_SAMPLES)
        return edges

    def is_full(self, pcm: bytes) -> bool:
        """Return whether `pcm` would not fit any more."""
        return len(self) + len(pcm) // audio.SAMPLE_BYTES > MAX_SAMPLES

    def look(self, start: int, end: int) -> bytes:
        """Return the audio from sample `start` to `end` and leave it in."""
        first = self.heard - len(self)
        return bytes(
            self._pcm[max(0, start - first) * audio.SAMPLE_BYTES : (end - first) * audio.SAMPLE_BYTES]
        )

    def take(self, start: int, end: int) -> bytes:
        """Take the audio from sample `start` to `end` out; what lies before it is dropped."""
        self._drop(start - (self.heard - len(self)))
        return self._drop(end - (self.heard - len(self)))

    def take_all(self) -> bytes:
        """Take everything out and forget speech in progress."""
        self.forget_speech()
        return self._drop(len(self))

    def forget_speech(self) -> None:
        """Forget speech in progress: its end will not be reported."""
        self.speaking = False
        if self._vad is not None:
            self._vad.reset()

    def _drop(self, samples: int) -> bytes:
        size = max(0, samples) * audio.SAMPLE_BYTES
        taken = bytes(self._pcm[:size])
        del self._pcm[:size]
        return taken
