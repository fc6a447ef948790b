"""The caller's microphone road: RTP packets in, gap-free 24 kHz PCM out, at once and on the loop.

Unprotected packets go through the receive buffer, repair, the decoder and MicTimeline in one call: no thread, no
queue, no task. Losses of Opus are repaired (repair.py); a loss of another codec is silence of its length. Keys that
the caller presses are packets of the same stream (telephone_event.py), and leave it in their place.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from rtbridge.core.leg import Hear
from rtbridge.core.mic import MicTimeline
from rtbridge.core.pcm import FRAME_MS, FRAME_SAMPLES, samples_of_ms
from rtbridge.rtc.codec import CodecError, OpusDecoder
from rtbridge.rtc.formats import OPUS, Codec
from rtbridge.rtc.jitter import JitterBuffer
from rtbridge.rtc.repair import Repair, RepairCounts
from rtbridge.rtc.rtp import RtpPacket
from rtbridge.rtc.telephone_event import KeysHeard
from rtbridge.rtc.timers import Timer, Timers

IDLE_S: Final = (
    0.2  # nothing for so long is silence, not jitter; Opus DTX sends every 400 ms (RFC 6716 §2.1.9)
)
SILENT_S: Final = 0.5  # a stream must have been silent so long before another SSRC takes its place


class Ears:
    """One caller's audio stream. Not thread-safe; used on one loop."""

    def __init__(
        self,
        *,
        timers: Timers,
        payload_type: int,
        failed: Callable[[Exception], None],
        codec: Codec = OPUS,
        key_type: int | None = None,
        pressed: Callable[[str], None] = lambda key: None,
    ) -> None:
        """`failed` is told what `hear` raised: a bug of ours, for the owner to end the call with.

        `key_type` is the payload type of telephone-events; `pressed` is told of each key, once.
        """
        self._timers = timers
        self._payload_type = payload_type
        self._key_type = key_type
        self._pressed = pressed
        self._failed = failed
        self._decoder = codec.decoder()
        self._repair = Repair(self._decoder) if isinstance(self._decoder, OpusDecoder) else None
        self._buffer: JitterBuffer[RtpPacket] = JitterBuffer()
        self._timer: Timer | None = None
        self._ssrc: int | None = None
        self._heard_s = 0.0
        self._idle_timer: Timer | None = None
        self._idled = 0  # samples of silence since the last packet
        self.keys = KeysHeard()
        self.timeline = MicTimeline(rtp_rate=codec.clock_rate)
        self.hear: Hear | None = None
        self.wrong = 0  # packets of another payload type
        self.undecodable = 0

    @property
    def buffer(self) -> JitterBuffer[RtpPacket]:
        """The receive buffer, for its counts."""
        return self._buffer

    @property
    def repaired(self) -> RepairCounts:
        """How losses were made good."""
        return RepairCounts() if self._repair is None else self._repair.counts

    def accepts(self, ssrc: int, now_s: float) -> bool:
        """Tell whether packets of `ssrc` belong to the caller's voice: one stream at a time."""
        return self._ssrc in (None, ssrc) or now_s - self._heard_s >= SILENT_S

    def packet(self, packet: RtpPacket, now_s: float) -> None:
        """Take one authenticated packet whose SSRC was accepted."""
        if packet.payload_type not in (self._payload_type, self._key_type):
            self.wrong += 1
            return
        if packet.ssrc != self._ssrc:
            if self._ssrc is not None:
                self._decoder.reset()
                counts, self._buffer = self._buffer.counts, JitterBuffer()
                self._buffer.counts = counts
                self.timeline.restart()
                self.keys = KeysHeard()
            self._ssrc = packet.ssrc
        if packet.payload_type == self._payload_type:
            self._heard_s = now_s
            self._idled = 0
            if self._idle_timer is None:
                self._idle_timer = self._timers.call_at(now_s + IDLE_S, self._idle)
        due = self._buffer.push(packet.sequence, packet, now_s)
        if due:
            self._deliver(due, now_s)
        self._arm()

    def stop(self) -> None:
        """Forget what waits; idempotent."""
        self._disarm()
        if self._idle_timer is not None:
            self._idle_timer.cancel()
            self._idle_timer = None

    def _idle(self) -> None:
        """Let silence be heard while nothing comes: at once what has passed, then as time passes.

        Without it a caller who mutes the microphone in mid-sentence would never be heard to have finished.
        """
        now_s = self._timers.time()
        quiet_s = now_s - self._heard_s
        if quiet_s < IDLE_S:
            self._idle_timer = self._timers.call_at(self._heard_s + IDLE_S, self._idle)
            return
        self._idle_timer = self._timers.call_at(now_s + FRAME_MS / 1000, self._idle)
        frames = (samples_of_ms(quiet_s * 1000) - self._idled) // FRAME_SAMPLES
        self._idled += frames * FRAME_SAMPLES
        try:
            for _ in range(frames):
                line = self.timeline.idle(FRAME_SAMPLES, now_s)
                if line and self.hear is not None:
                    self.hear(line)
        except Exception as error:  # noqa: BLE001 - a callback's border: the loop would only log it
            self._failed(error)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arm(self) -> None:
        deadline = self._buffer.deadline()
        if deadline is None:
            self._disarm()
        elif self._timer is None or self._timer.when() != deadline:
            self._disarm()
            self._timer = self._timers.call_at(deadline, self._give_up)

    def _give_up(self) -> None:
        self._timer = None
        now_s = self._timers.time()
        self._deliver(self._buffer.poll(now_s), now_s)
        self._arm()

    def _deliver(self, due: list[tuple[int, RtpPacket]], now_s: float) -> None:
        try:
            self._pass(due, now_s)
        except Exception as error:  # noqa: BLE001 - a callback's border: the loop would only log it
            self._failed(error)

    def _pass(self, due: list[tuple[int, RtpPacket]], now_s: float) -> None:
        for sequence, packet in due:
            if packet.payload_type == self._key_type:
                self.timeline.beside(sequence)
                for key in self.keys.take(packet):
                    self._pressed(key)
                continue
            missing = self.timeline.missing(sequence, packet.timestamp)
            try:
                # Before the packet itself is decoded: what it builds on is what repair leaves in the decoder.
                known = self._repair.fill(missing, packet.payload) if missing and self._repair else b""
                pcm = self._decoder.decode(packet.payload)
            except CodecError:
                # Not counted as heard: the next packet's timestamp tells the timeline how much is missing.
                self.undecodable += 1
                continue
            line = self.timeline.add(
                sequence=sequence, timestamp=packet.timestamp, pcm=pcm, now_s=now_s, known=known
            )
            if line and self.hear is not None:
                self.hear(line)
