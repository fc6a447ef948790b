"""What is lost on the way, made good as far as it can be: in-band FEC of the next packet, then concealment.

A browser that is told `useinbandfec=1` sends each frame of speech a second time, smaller, in the packet after it
(LBRR: RFC 6716 §2.1.7). So of a loss the last frame comes back as speech; what lies before it is continued by the
decoder's own concealment, which sounds on as the voice did, and after 100 ms fades to silence: longer, it is a drone.

Everything here runs on the decoder that decodes the stream, before it decodes the packet after the loss: its state
is what concealment continues, and what the next packet builds on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from rtbridge.core.pcm import FRAME_SAMPLES, RATE, ms_of_samples, samples_of_ms, silence
from rtbridge.rtc.codec import OpusDecoder

CONCEAL_SAMPLES: Final = samples_of_ms(100)
UNIT: Final = RATE // 400  # libopus conceals whole 2.5 ms
FADE_FROM: Final = samples_of_ms(60)


@dataclass(slots=True)
class RepairCounts:
    """How losses were made good, in ms of audio."""

    fec_ms: int = 0  # came again in the packet after the loss
    concealed_ms: int = 0  # guessed
    faded_ms: int = 0  # silence after a guess that had gone on for long enough


class Repair:
    """Makes good the losses of what `decoder` decodes."""

    def __init__(self, decoder: OpusDecoder) -> None:
        self._decoder = decoder
        self.counts = RepairCounts()

    def fill(self, samples: int, following: bytes) -> bytes:
        """Return the last of `samples` lost ones, ending where the packet `following` begins.

        As many whole 2.5 ms as there are in `samples`. A packet that is none repeats nothing.
        """
        samples -= samples % UNIT
        again = min(samples, self._repeated(following))
        guessed = min(samples - again, CONCEAL_SAMPLES)
        faded = samples - again - guessed
        pieces = [self._conceal(guessed, fades=faded > 0), silence(faded)]
        if again:
            pieces.append(self._decoder.recover(following, again))
        self.counts.fec_ms += ms_of_samples(again)
        self.counts.concealed_ms += ms_of_samples(guessed)
        self.counts.faded_ms += ms_of_samples(faded)
        return b"".join(pieces)

    def _repeated(self, following: bytes) -> int:
        """Return how much of the loss the next packet says again."""
        return self._decoder.samples_in(following) if self._decoder.repeats_last(following) else 0

    def _conceal(self, samples: int, *, fades: bool) -> bytes:
        guess = b"".join(
            self._decoder.conceal(min(FRAME_SAMPLES, samples - at)) for at in range(0, samples, FRAME_SAMPLES)
        )
        if not fades:
            return guess
        level = np.frombuffer(guess, dtype="<i2").astype(np.float32)
        level[FADE_FROM:] *= np.linspace(1.0, 0.0, len(level) - FADE_FROM, dtype=np.float32)
        return level.astype("<i2").tobytes()
