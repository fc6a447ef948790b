"""MicTimeline: the caller's audio as one gap-free line of 24 kHz PCM, by the caller's own RTP clock.

Decoded packets come in with their RTP sequence number and timestamp; what goes out has exactly as many samples as
the RTP clock has moved. What was lost, and what a sender with DTX never sent, becomes silence of the right length,
faded at both edges, or what is `known` of it: the shell asks `missing()` before it adds a packet, and repairs what
it can. A line that is cut short instead puts words of two sentences next to each other, and every later time in the
call is wrong.

Nothing waits in here: the far end is a buffer, not a loudspeaker. Two bounds keep a broken or hostile sender from
making audio out of nothing: a gap is filled up to `max_gap_ms` and then jumped over, and no more than `ahead_ms`
(the longer one) of audio is ever let through beyond what real time allows. `now_s` is monotonic and comes in as an
argument.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from rtbridge.core.pcm import RATE, SAMPLE_BYTES, ms_of_samples, samples_of, samples_of_ms

RTP_RATE: Final = 48_000  # RFC 7587 §4.1: the RTP clock of Opus, whatever rate is decoded
FADE_SAMPLES: Final = samples_of_ms(5)
DRAIN_RATE: Final = (
    1.02  # how much faster than real time the allowance refills: clocks differ, browsers resample
)


@dataclass(slots=True)
class MicCounts:
    """What happened to the caller's audio. Packets, except where the name has a unit."""

    packets: int = 0
    beside: int = 0  # of the stream, and without audio
    lost: int = 0  # sequence numbers that never came, or too late
    late: int = 0  # came after their place was filled
    duplicate: int = 0
    repaired_ms: int = 0  # of losses, with what was known of them
    blank_ms: int = 0  # of losses, with silence
    silence_ms: int = 0  # put in, for losses and for DTX
    owed_ms: int = 0  # silence put in while audio was only late: taken back from later gaps
    skipped_ms: int = 0  # RTP time that was jumped over because a gap was too long
    anchored: int = 0  # how often the line began anew: 1 for an ordinary call
    excess_ms: int = 0  # audio dropped because it came faster than time passes


class MicTimeline:
    """One caller's line. Feed it packets in order of sequence number; it copes with what is not."""

    def __init__(self, *, rtp_rate: int = RTP_RATE, max_gap_ms: int = 2000, ahead_ms: int = 3000) -> None:
        """`rtp_rate` is the codec's RTP clock, which need not be the rate of its audio."""
        self._rtp_rate = rtp_rate
        self._max_gap = samples_of_ms(max_gap_ms)
        self._ahead_limit = samples_of_ms(ahead_ms)
        self._sequence: int | None = None  # the newest added, 16 bits
        self._timestamp = 0  # the RTP time at which the line ends, 32 bits
        self._tail = 0  # the last sample that went out, for the fade
        self._quiet = (
            0  # samples of silence put in since the newest packet, before anyone knew how many were due
        )
        self._owed = 0  # samples of such silence that turned out to be too much
        self._ahead = 0.0  # samples let through beyond real time
        self._asked_s = 0.0
        self.counts = MicCounts()
        self.samples = 0  # all that went out

    def missing(self, sequence: int, timestamp: int) -> int:
        """Return how many samples were lost before the packet with this header; 0 for DTX, and for what add() refuses.

        At most `max_gap_ms`: what is longer is not a loss to be repaired.
        """
        if self._sequence is None or _signed(sequence - self._sequence, 16) <= 1:
            return 0
        return min(max(0, self._gap(timestamp)), self._max_gap)

    def add(self, *, sequence: int, timestamp: int, pcm: bytes, now_s: float, known: bytes = b"") -> bytes:
        """Add one decoded packet; return the PCM that follows what was returned before: the gap, then `pcm`.

        `sequence` and `timestamp` are the RTP header's (RFC 3550 §5.1), 16 and 32 bits, wrapping. `known` is what
        repair made of the loss before it, ending where `pcm` begins. Returns b"" for a packet that came twice or
        too late.
        """
        counts = self.counts
        counts.packets += 1
        self._drain(now_s)
        if self._sequence is None:
            counts.anchored += 1
            return self._pass(sequence, timestamp, pcm)
        step = _signed(sequence - self._sequence, 16)
        if step == 0:
            counts.duplicate += 1
            return b""
        if step < 0:
            counts.late += 1
            return b""
        counts.lost += step - 1
        gap = self._gap(timestamp)
        if gap >= 0:
            gap = self._settle(gap)
        if gap == 0:
            return self._pass(sequence, timestamp, pcm)
        if gap < 0:
            # The packet is newer and its clock is older: the sender began a new line.
            counts.anchored += 1
            self._quiet = 0
            return self._pass(sequence, timestamp, pcm)
        if gap > self._max_gap:
            counts.anchored += 1
            counts.skipped_ms += ms_of_samples(gap - self._max_gap)
            gap = self._max_gap
        filler = self._fill(gap, known[-gap * SAMPLE_BYTES :], lost=step > 1)
        return filler + self._pass(sequence, timestamp, pcm if known else _fade_in(pcm))

    def beside(self, sequence: int) -> None:
        """Note a packet of the stream that holds no audio, in its place: a telephone-event (RFC 4733 §2.5).

        The time that it takes is a gap, to be silent by the next packet's timestamp, and not a loss.
        """
        if self._sequence is None:
            return
        step = _signed(sequence - self._sequence, 16)
        if step > 0:
            self.counts.lost += step - 1
            self.counts.beside += 1
            self._sequence = sequence

    def restart(self) -> None:
        """Begin anew with the next packet, whatever its numbers: the sender is another one."""
        self._sequence = None
        self._quiet = self._owed = 0

    def idle(self, samples: int, now_s: float) -> bytes:
        """Return `samples` of silence because nothing comes, so that whoever listens hears time pass.

        A sender that is muted or uses DTX says by silence on the wire that the caller is silent. The next packet's
        timestamp tells how much silence was due; what was put in here counts towards it. Nothing before the first.
        """
        if self._sequence is None:
            return b""
        self._drain(now_s)
        samples = min(samples, self._room())
        self._quiet += samples
        self.counts.silence_ms += ms_of_samples(samples)
        return self._emit(_fade_out(self._tail, samples))

    def _gap(self, timestamp: int) -> int:
        """Return how many samples of RTP time lie between the line's end and a packet."""
        return _signed(timestamp - self._timestamp, 32) * RATE // self._rtp_rate

    def _settle(self, gap: int) -> int:
        """Return what of a gap is still to be filled, after the silence that was put in before it was known."""
        surplus = self._quiet + self._owed - gap
        self._quiet = 0
        self._owed = max(0, surplus)
        self.counts.owed_ms = ms_of_samples(self._owed)
        return max(0, -surplus)

    def _drain(self, now_s: float) -> None:
        if self.samples:
            self._ahead = max(0.0, self._ahead - (now_s - self._asked_s) * RATE * DRAIN_RATE)
        self._asked_s = now_s

    def _pass(self, sequence: int, timestamp: int, pcm: bytes) -> bytes:
        samples = samples_of(pcm)
        self._sequence = sequence
        self._timestamp = (timestamp + samples * self._rtp_rate // RATE) & 0xFFFFFFFF
        if samples > self._room():
            self.counts.excess_ms += ms_of_samples(samples)
            return b""
        return self._emit(pcm)

    def _fill(self, samples: int, known: bytes, *, lost: bool) -> bytes:
        """Return `samples` of a gap, `known` at its end; silence first where less is known."""
        samples = min(samples, self._room())
        known = known[: samples * SAMPLE_BYTES]
        repaired = samples_of(known)
        silent = samples - repaired
        self.counts.repaired_ms += ms_of_samples(repaired)
        self.counts.silence_ms += ms_of_samples(silent)
        if lost:
            self.counts.blank_ms += ms_of_samples(silent)
        return self._emit(_fade_out(self._tail, silent) + known)

    def _room(self) -> int:
        return int(self._ahead_limit - self._ahead)

    def _emit(self, pcm: bytes) -> bytes:
        if pcm:
            samples = samples_of(pcm)
            self.samples += samples
            self._ahead += samples
            self._tail = int.from_bytes(pcm[-SAMPLE_BYTES:], "little", signed=True)
        return pcm


def _signed(difference: int, bits: int) -> int:
    """Return the difference of two wrapping counters as the shorter way round."""
    half = 1 << (bits - 1)
    return ((difference + half) & ((1 << bits) - 1)) - half


def _fade_out(level: int, samples: int) -> bytes:
    """Return `samples` of silence that begin at `level` instead of with a click."""
    pcm = np.zeros(samples, dtype="<i2")
    edge = min(samples, FADE_SAMPLES)
    pcm[:edge] = np.linspace(level, 0, edge, endpoint=False).astype("<i2")
    return pcm.tobytes()


def _fade_in(pcm: bytes) -> bytes:
    samples = np.frombuffer(pcm, dtype="<i2").astype(np.float32)
    edge = min(samples.size, FADE_SAMPLES)
    samples[:edge] *= np.linspace(0.0, 1.0, edge, endpoint=False, dtype=np.float32)
    return samples.astype("<i2").tobytes()
