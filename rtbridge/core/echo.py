"""Echo guard: whether the caller's sound is our own agent, out of their loudspeaker and back through their microphone.

What was given to the caller lately is slid along what comes from them; where the two are the same sound, later and
quieter, they are like each other at one delay, and a person is at none. Likeness is the normalised cross-correlation
of the two with their spectra flattened, so that neither a room nor a loudspeaker hides it and pitch alone does not
make it. How loud the echo is does not matter.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from rtbridge.core import pcm
from rtbridge.core.voicing import Floats, Samples, decimated

LEAST_MS: Final = 60  # of sound, to be like anything
MOST_MS: Final = 400  # of it are compared, the last ones
LATEST_MS: Final = (
    800  # from our pull to their microphone's frame: both jitter buffers, the network, the room
)
REACH_MS: Final = MOST_MS + LATEST_MS
_FLATTEN: Final = 0.97


def likeness(caller: Samples, given: Samples) -> float:
    """Return how like `caller` (24 kHz) is to the best delayed piece of `given`, 0 to 1; both end now.

    Of less than 60 ms, and of silence, nothing is said: 0.
    """
    if len(caller) < pcm.samples_of_ms(LEAST_MS):
        return 0.0
    heard = _flat(caller[-pcm.samples_of_ms(MOST_MS) :])
    sent = _flat(given[-pcm.samples_of_ms(REACH_MS) :])
    if len(sent) < len(heard):
        sent = np.concatenate([np.zeros(len(heard) - len(sent)), sent])
    size = 1 << (len(sent) + len(heard)).bit_length()
    both = np.fft.irfft(np.fft.rfft(sent, size) * np.conj(np.fft.rfft(heard, size)), size)
    sliding = both[: len(sent) - len(heard) + 1]
    power = np.concatenate([[0.0], np.cumsum(sent * sent)])
    under = power[len(heard) :] - power[: len(power) - len(heard)]
    ours = float(heard @ heard)
    # Where next to nothing was given there is nothing to come back.
    loud = under > max(under.max() * 1e-4, len(heard) * 1.0)
    if ours < 1.0 or not loud.any():
        return 0.0
    return float(np.abs(sliding[loud] / np.sqrt(under[loud] * ours)).max())


def _flat(samples: Samples) -> Floats:
    """Return audio at 8 kHz with the fall of a voice's spectrum taken out."""
    low = decimated(samples)
    return low[1:] - _FLATTEN * low[:-1]
