"""The speaker: every 20 ms, exactly 480 samples are pulled, encoded and sent. The pull is the playback clock.

The schedule is absolute: frame n is due at phase + n x 20 ms of the loop's monotonic clock, so nothing drifts and
calls of one phase are served in one turn of the loop. Phases are 5 ms apart, which spreads the work without
cooling the caches. After a stall of the loop nothing is sent in a burst: the frames whose time has passed are
skipped, their place is left in the RTP timestamps, and the count says so.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from rtbridge.core.leg import Pull
from rtbridge.core.pcm import FRAME_BYTES, FRAME_SAMPLES, SILENT_FRAME
from rtbridge.rtc.formats import OPUS, Codec
from rtbridge.rtc.timers import Timer, Timers

FRAME_S: Final = 0.020
PHASES: Final = 4

Send = Callable[[bytes, int, bool], None]
"""`send(packet, ticks, marker)`: one packet, the RTP ticks since the first, and whether a gap precedes it."""


@dataclass(slots=True)
class SpeakerCounts:
    """What was sent, in frames of 20 ms."""

    frames: int = 0
    late: int = 0  # due more than 20 ms before they were sent or skipped
    skipped: int = 0  # never pulled, because their time had passed
    stalls: int = 0  # how often frames were skipped


class Speaker:
    """Pulls, encodes and sends while started. Everything runs in the loop's timer callbacks."""

    def __init__(
        self,
        *,
        timers: Timers,
        send: Send,
        failed: Callable[[Exception], None],
        phase: int = 0,
        codec: Codec = OPUS,
    ) -> None:
        """`failed` is told what `pull` or `send` raised; the speaker has stopped then."""
        self._timers = timers
        self._send = send
        self._failed = failed
        self._encoder = codec.encoder()
        self._frame_ticks = codec.frame_ticks
        self._phase_s = (phase % PHASES) * FRAME_S / PHASES
        self._timer: Timer | None = None
        self._slot = 0
        self._ticks = 0
        self.pull: Pull | None = None
        self.muted = False  # sends silence and does not pull: time stands still for the playout
        self.counts = SpeakerCounts()
        self._held_ms = codec.held_ms
        self.wire_ms = (
            codec.held_ms
        )  # from the last pull until its packet had left, and what the encoder held back

    def start(self) -> None:
        """Begin with the next slot of the schedule."""
        self._slot = math.ceil((self._timers.time() - self._phase_s) / FRAME_S)
        self._schedule()

    def stop(self) -> None:
        """Send no more; idempotent."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _due_s(self) -> float:
        return self._slot * FRAME_S + self._phase_s

    def _schedule(self) -> None:
        self._timer = self._timers.call_at(self._due_s(), self._tick)

    def _tick(self) -> None:
        marker = self.counts.frames == 0  # RFC 7587 §4.1: the marker is the beginning of a talkspurt
        behind = int((self._timers.time() - self._due_s()) / FRAME_S)
        if behind > 0:
            self._slot += behind
            self._ticks += behind * self._frame_ticks
            self.counts.late += behind
            self.counts.skipped += behind
            self.counts.stalls += 1
            marker = True
        pulled_s = self._timers.time()
        try:
            self._send(self._encoder.encode(self._next_frame()), self._ticks, marker)
        except Exception as error:  # noqa: BLE001 - a callback's border: one call's bug must not stay silent in the loop
            self.stop()
            self._failed(error)
            return
        self.wire_ms = (self._timers.time() - pulled_s) * 1000 + self._held_ms
        self.counts.frames += 1
        self._ticks += self._frame_ticks
        self._slot += 1
        if self._timer is not None:  # pull() may have ended the call
            self._schedule()

    def _next_frame(self) -> bytes:
        if self.pull is None or self.muted:
            return SILENT_FRAME
        pcm = self.pull(FRAME_SAMPLES)
        if len(pcm) != FRAME_BYTES:
            raise AssertionError(f"pull({FRAME_SAMPLES}) returned {len(pcm)} bytes, not {FRAME_BYTES}")
        return pcm
