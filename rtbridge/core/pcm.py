"""The one audio format inside the bridge, and its arithmetic.

Everything between the two legs is 24 kHz mono s16le in frames of 20 ms. Conversions to and from other
rates happen once a direction, at the legs. Nothing here touches sample values.
"""

from __future__ import annotations

from typing import Final

RATE: Final = 24_000  # samples a second
SAMPLE_BYTES: Final = 2
FRAME_MS: Final = 20
FRAME_SAMPLES: Final = RATE * FRAME_MS // 1000
FRAME_BYTES: Final = FRAME_SAMPLES * SAMPLE_BYTES
SILENT_FRAME: Final = bytes(FRAME_BYTES)


def samples_of(pcm: bytes | memoryview) -> int:
    """Return how many samples `pcm` (24 kHz mono s16le) holds. Raises ValueError on half a sample."""
    samples, rest = divmod(len(pcm), SAMPLE_BYTES)
    if rest:
        raise ValueError(f"{len(pcm)} bytes are not whole 16-bit samples")
    return samples


def ms_of_samples(samples: int) -> int:
    """Return whole milliseconds of `samples`, rounded down: a truncation never claims more than was."""
    return samples * 1000 // RATE


def samples_of_ms(ms: float) -> int:
    """Return the samples in `ms` milliseconds, rounded down."""
    return int(ms * RATE // 1000)


def silence(samples: int) -> bytes:
    """Return `samples` of digital silence."""
    return bytes(samples * SAMPLE_BYTES)
