"""The microphone road: packets in any order to one line of PCM, on a clock that the test moves."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from rtbridge.core.pcm import FRAME_BYTES, FRAME_SAMPLES
from rtbridge.rtc.codec import OpusEncoder
from rtbridge.rtc.ears import Ears
from rtbridge.rtc.rtp import RtpPacket

Tone = Callable[[int], bytes]
IDLE_WATCH = 1  # the timer that looks for silence


class Rig:
    def __init__(self, timers: Any, pull: Tone) -> None:
        self.timers = timers
        self.pull = pull
        self.encoder = OpusEncoder()
        self.heard = bytearray()
        self.errors: list[Exception] = []
        self.ears = Ears(timers=timers, payload_type=111, failed=self.errors.append)
        self.ears.hear = self.heard.extend

    def packet(
        self, n: int, *, ssrc: int = 1, payload_type: int = 111, payload: bytes | None = None
    ) -> RtpPacket:
        data = self.encoder.encode(self.pull(FRAME_SAMPLES)) if payload is None else payload
        return RtpPacket(payload_type, False, n & 0xFFFF, (n * 960) & 0xFFFFFFFF, ssrc, data)

    def feed(self, packet: RtpPacket) -> None:
        self.ears.packet(packet, self.timers.now_s)


def test_a_packet_in_order_is_heard_in_the_same_call(timers: Any, make_tone: Callable[..., Tone]) -> None:
    rig = Rig(timers, make_tone(440))
    rig.feed(rig.packet(0))
    assert len(rig.heard) == FRAME_BYTES
    assert timers.pending == IDLE_WATCH


def test_a_lost_packet_is_given_up_after_40_ms_without_another_arrival(
    timers: Any, make_tone: Callable[..., Tone]
) -> None:
    rig = Rig(timers, make_tone(440))
    rig.feed(rig.packet(0))
    rig.feed(rig.packet(2))
    assert len(rig.heard) == FRAME_BYTES
    timers.advance(0.0399)
    assert len(rig.heard) == FRAME_BYTES
    timers.advance(0.001)
    assert len(rig.heard) == 3 * FRAME_BYTES
    assert timers.pending == IDLE_WATCH


def test_any_impairment_keeps_the_sample_count(timers: Any, make_tone: Callable[..., Tone]) -> None:
    chance, rig = random.Random(8), Rig(timers, make_tone(440))
    packets = [rig.packet(n) for n in range(500)]
    arrivals = sorted(
        (n * 0.02 + chance.random() * 0.060, n) for n in range(500) if n in (0, 499) or chance.random() > 0.1
    )
    start = timers.now_s
    for at, n in arrivals:
        timers.advance(max(0.0, start + at - timers.now_s))
        rig.feed(packets[n])
    timers.advance(0.1)
    assert len(rig.heard) == 500 * FRAME_BYTES
    assert rig.ears.timeline.counts.lost > 0


def test_a_packet_that_does_not_decode_is_silence_of_its_length(
    timers: Any, make_tone: Callable[..., Tone]
) -> None:
    rig = Rig(timers, make_tone(440))
    rig.feed(rig.packet(0))
    rig.feed(rig.packet(1, payload=b"\xff\xff"))
    rig.feed(rig.packet(2, payload=b""))
    rig.feed(rig.packet(3))
    assert rig.ears.undecodable == 2
    assert len(rig.heard) == 4 * FRAME_BYTES


def test_other_payload_types_are_counted_and_dropped(timers: Any, make_tone: Callable[..., Tone]) -> None:
    rig = Rig(timers, make_tone(440))
    rig.feed(rig.packet(0, payload_type=126))
    assert rig.ears.wrong == 1
    assert not rig.heard


def test_a_second_stream_is_taken_only_when_the_first_has_fallen_silent(
    timers: Any, make_tone: Callable[..., Tone]
) -> None:
    rig = Rig(timers, make_tone(440))
    assert rig.ears.accepts(1, timers.now_s)
    rig.feed(rig.packet(0))
    assert not rig.ears.accepts(2, timers.now_s + 0.1)
    assert rig.ears.accepts(2, timers.now_s + 0.5)
    timers.advance(0.5)
    rig.feed(rig.packet(30_000, ssrc=2))
    rig.feed(rig.packet(30_001, ssrc=2))
    silent_frames = len(rig.heard) // FRAME_BYTES - 3
    assert silent_frames in (24, 25)  # half a second of silence between them
    assert not rig.ears.accepts(1, timers.now_s)
    assert rig.ears.timeline.counts.anchored == 2
    assert rig.ears.buffer.counts.given_up == 0


def test_a_microphone_that_stops_sending_is_heard_as_silence_in_real_time(
    timers: Any, make_tone: Callable[..., Tone]
) -> None:
    rig = Rig(timers, make_tone(440))
    rig.feed(rig.packet(0))
    timers.advance(0.19)
    assert len(rig.heard) == FRAME_BYTES
    timers.advance(0.02)
    assert len(rig.heard) == 11 * FRAME_BYTES
    timers.advance(0.79)
    assert len(rig.heard) == 50 * FRAME_BYTES
    assert not any(rig.heard[20 * FRAME_BYTES :])
    later = rig.packet(51)
    rig.feed(RtpPacket(111, False, 1, later.timestamp, 1, later.payload))
    assert len(rig.heard) == 52 * FRAME_BYTES
    rig.ears.stop()
    assert timers.pending == 0


def test_what_hear_raises_is_told(timers: Any, make_tone: Callable[..., Tone]) -> None:
    rig = Rig(timers, make_tone(440))

    def broken(pcm: bytes) -> None:
        raise ValueError("boom")

    rig.ears.hear = broken
    rig.feed(rig.packet(0))
    assert [str(error) for error in rig.errors] == ["boom"]


def test_after_stop_nothing_waits(timers: Any, make_tone: Callable[..., Tone]) -> None:
    rig = Rig(timers, make_tone(440))
    rig.feed(rig.packet(0))
    rig.feed(rig.packet(2))
    rig.ears.stop()
    assert timers.pending == 0
