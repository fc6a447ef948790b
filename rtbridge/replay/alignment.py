"""An item's audio in the recording of what was heard: where it begins, how much of it is there, and where it pauses.

On the virtual road samples pass unchanged, so what the upstream made is found in the recording bit by bit. Nothing here
knows the journal: it is the witness that the journal is held against. Positions are samples.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from rtbridge.core import pcm
from rtbridge.replay.hearing import audible_span

PROBE_SAMPLES: Final = pcm.samples_of_ms(20)
PAUSE_SAMPLES: Final = pcm.samples_of_ms(600)  # no decision about an interruption takes longer
SLIPS: Final = (
    0,
    120,
    240,
    480,
    960,
)  # where an item may go on after a pause that ends with a fade: up to 40 ms


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of an item that was heard without a break."""

    item: int  # where it begins in the item
    heard: int  # ... and in the recording
    length: int

    @property
    def item_end(self) -> int:
        """Return where it ends in the item."""
        return self.item + self.length

    @property
    def heard_end(self) -> int:
        """Return where it ends in the recording."""
        return self.heard + self.length


def place_of(heard: bytes, made: bytes, *, since: int) -> int | None:
    """Return the sample of a recording at which an item's audio begins, from sample `since` on; None: nowhere."""
    start = audible_span(made).start
    at = _find(heard, _probe(made, start), since)
    return None if at is None else at - start


def held(heard: bytes, made: bytes, *, since: int) -> tuple[int, int]:
    """Return how much of an item a recording holds from sample `since` on, at least and at most.

    It may have been held back meanwhile, as long as it takes to decide whether it was interrupted. In a pause of its
    own the recording holds silence, whether it played on or was cut there.
    """
    start = audible_span(made).start
    at = _find(heard, _probe(made, start), since)
    if at is None:
        return 0, start
    track, item = np.frombuffer(heard, "<i2"), np.frombuffer(made, "<i2")
    end = start
    while at is not None:
        same = _same(track[at:], item[end:])
        end, at = end + same, at + same
        rest = np.flatnonzero(item[end:])
        goes_on = end + int(rest[0]) if len(rest) else len(item)
        window = heard[: (at + PAUSE_SAMPLES) * pcm.SAMPLE_BYTES]
        at = _find(window, _probe(made, goes_on), at) if goes_on + PROBE_SAMPLES <= len(item) else None
        end = end if at is None else goes_on
    sounding = np.flatnonzero(item[start:end])
    return start + (int(sounding[-1]) + 1 if len(sounding) else 0), end


def pieces_of(heard: bytes, made: bytes, *, since: int, until: int) -> tuple[Piece, ...]:
    """Return the pieces in which an item was heard between samples `since` and `until` of a recording, in order."""
    track, item = np.frombuffer(heard, "<i2")[:until], np.frombuffer(made, "<i2")
    window = heard[: until * pcm.SAMPLE_BYTES]
    pieces: list[Piece] = []
    start = audible_span(made).start
    at = _find(window, _probe(made, start), since)
    while at is not None:
        length = _same(track[at:], item[start:])
        pieces.append(Piece(start, at, length))
        rest = np.flatnonzero(item[start + length :])
        if not len(rest):
            break
        after, at = start + length + int(rest[0]), None
        for slip in SLIPS:
            probe = _probe(made, after + slip)
            if len(probe) == PROBE_SAMPLES * pcm.SAMPLE_BYTES and any(probe):
                at = _find(window, probe, pieces[-1].heard_end)
            if at is not None:
                start = after + slip
                break
    return tuple(pieces)


def heard_of(heard: bytes, part: bytes, *, since: int, until: int) -> int:
    """Return how many samples of `part` of an item, silence left out, a recording holds, in their order.

    Counted in whole 10 ms, wherever between samples `since` and `until` they begin.
    """
    step = pcm.samples_of_ms(10)
    at, found = since, 0
    window = heard[: until * pcm.SAMPLE_BYTES]
    for begin in range(0, pcm.samples_of(part) - step + 1, step):
        probe = part[begin * pcm.SAMPLE_BYTES : (begin + step) * pcm.SAMPLE_BYTES]
        place = _find(window, probe, at) if any(probe) else None
        if place is not None:
            found += step
            at = place + step
    return found


def _probe(made: bytes, start: int) -> bytes:
    return made[start * pcm.SAMPLE_BYTES : (start + PROBE_SAMPLES) * pcm.SAMPLE_BYTES]


def _same(
    one: np.ndarray[tuple[int, ...], np.dtype[np.int16]],
    other: np.ndarray[tuple[int, ...], np.dtype[np.int16]],
) -> int:
    """Return for how many samples two stretches are alike."""
    length = min(len(one), len(other))
    differ = np.flatnonzero(one[:length] != other[:length])
    return int(differ[0]) if len(differ) else length


def _find(stream: bytes, probe: bytes, since: int) -> int | None:
    """Return the first sample, from `since` on, at which `probe` begins in `stream`."""
    at = stream.find(probe, since * pcm.SAMPLE_BYTES)
    while at > 0 and at % 2:  # half a sample off is another sound
        at = stream.find(probe, at + 1)
    return at // 2 if at >= 0 else None
