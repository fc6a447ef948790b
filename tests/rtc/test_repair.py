"""Losses made good: what the next packet repeats, what is guessed, and always exactly as many samples as were lost."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

from rtbridge.agents.scenario import default_root
from rtbridge.core.pcm import FRAME_BYTES, FRAME_SAMPLES, SILENT_FRAME, samples_of
from rtbridge.replay.sound import read_sound
from rtbridge.rtc.codec import Application, OpusDecoder, OpusEncoder
from rtbridge.rtc.ears import Ears
from rtbridge.rtc.repair import CONCEAL_SAMPLES, Repair
from rtbridge.rtc.rtp import RtpPacket

SPEECH = read_sound(default_root() / "simple_handoff" / "audio" / "topic_ocean.wav", label="ocean").pcm


def voice(frames: int, *, fec: bool = True) -> list[bytes]:
    """Return packets of somebody who talks on, as a browser sends them when 20 % get lost."""
    encoder = OpusEncoder(
        application=Application.VOIP, bitrate=32_000, complexity=5, expected_loss_percent=20 if fec else 0
    )
    talk = SPEECH * (1 + frames * FRAME_BYTES // len(SPEECH))
    return [encoder.encode(talk[n * FRAME_BYTES : (n + 1) * FRAME_BYTES]) for n in range(frames)]


def talking(packets: list[bytes], ahead: int) -> int:
    """Return a number in mid-speech: packet n - 1 sounds, and n + `ahead` repeats the one before it."""
    decoder = OpusDecoder()
    levels = [level(decoder.decode(packet)) for packet in packets]
    return next(
        n
        for n in range(10, len(packets) - ahead)
        if min(levels[n - 3 : n + ahead]) > 1000 and decoder.repeats_last(packets[n + ahead])
    )


def level(pcm: bytes) -> float:
    return float(np.sqrt(np.mean(np.frombuffer(pcm, "<i2").astype(np.float64) ** 2)))


def after(packets: list[bytes]) -> tuple[Repair, OpusDecoder]:
    decoder = OpusDecoder()
    for packet in packets:
        decoder.decode(packet)
    return Repair(decoder), decoder


def test_one_lost_frame_comes_again_in_the_next_packet_almost_as_it_was() -> None:
    packets = voice(100)
    n = talking(packets, 1)
    repair, _ = after(packets[:n])
    _, whole = after(packets[:n])
    truth = np.frombuffer(whole.decode(packets[n]), "<i2").astype(float)
    again = np.frombuffer(repair.fill(FRAME_SAMPLES, packets[n + 1]), "<i2").astype(float)
    assert len(again) == FRAME_SAMPLES
    assert (repair.counts.fec_ms, repair.counts.concealed_ms) == (20, 0)
    assert np.corrcoef(truth, again)[0, 1] > 0.8


def test_of_a_longer_loss_the_last_frame_comes_again_and_the_rest_is_guessed() -> None:
    packets = voice(100)
    n = talking(packets, 3)
    repair, _ = after(packets[:n])
    pcm = repair.fill(3 * FRAME_SAMPLES, packets[n + 3])
    assert len(pcm) == 3 * FRAME_BYTES
    assert (repair.counts.fec_ms, repair.counts.concealed_ms, repair.counts.faded_ms) == (20, 40, 0)
    assert level(pcm[:FRAME_BYTES]) > 300


def test_without_fec_everything_is_guessed_and_after_100_ms_it_is_silence() -> None:
    n = talking(voice(100), 3)
    packets = voice(100, fec=False)
    repair, _ = after(packets[:n])
    pcm = repair.fill(10 * FRAME_SAMPLES, packets[n + 10])
    assert (repair.counts.fec_ms, repair.counts.concealed_ms, repair.counts.faded_ms) == (0, 100, 100)
    assert level(pcm[:FRAME_BYTES]) > 300
    assert level(pcm[4 * FRAME_BYTES : 5 * FRAME_BYTES]) < level(pcm[2 * FRAME_BYTES : 3 * FRAME_BYTES])
    assert pcm[5 * FRAME_BYTES :] == 5 * SILENT_FRAME


@pytest.mark.parametrize("samples", [0, 1, 59, 60, 100, 479, 480, 481, 961, 2400, 2401, 9999, 48_000])
def test_as_many_samples_as_were_lost_in_whole_2_ms_and_a_half(samples: int) -> None:
    packets = voice(100)
    n = talking(packets, 1)
    repair, decoder = after(packets[:n])
    assert samples_of(repair.fill(samples, packets[n + 1])) == samples - samples % 60
    assert len(decoder.decode(packets[n + 1])) == FRAME_BYTES
    counts = repair.counts
    assert abs(counts.fec_ms + counts.concealed_ms + counts.faded_ms - samples / 24) < 5
    assert counts.concealed_ms <= CONCEAL_SAMPLES / 24


def test_a_packet_that_is_none_repeats_nothing() -> None:
    for packet in (b"", b"\x08", b"\xff\xff"):
        repair = Repair(OpusDecoder())
        assert samples_of(repair.fill(FRAME_SAMPLES, packet)) == FRAME_SAMPLES
        assert repair.counts.fec_ms == 0


class Line:
    """Ears that keep what they hear."""

    def __init__(self, timers: Any) -> None:
        self.timers = timers
        self.heard = bytearray()
        self.ears = Ears(timers=timers, payload_type=111, failed=self._failed)
        self.ears.hear = self.heard.extend

    def _failed(self, error: Exception) -> None:
        raise error

    def feed(self, n: int, payload: bytes) -> None:
        self.ears.packet(
            RtpPacket(111, False, n & 0xFFFF, (n * 960) & 0xFFFFFFFF, 1, payload), self.timers.now_s
        )


def test_reordering_within_the_wait_is_bit_exact(timers: Any) -> None:
    packets = voice(200)
    in_order, shuffled = Line(timers), Line(timers)
    for n, packet in enumerate(packets):
        in_order.feed(n, packet)
        timers.advance(0.02)
    in_order.ears.stop()
    chance = random.Random(5)
    arrivals = sorted((n * 0.02 + (0.035 if chance.random() < 0.1 else 0.0), n) for n in range(1, 200))
    shuffled.feed(0, packets[0])
    start_s = timers.now_s
    for at_s, n in arrivals:
        timers.advance(max(0.0, start_s + at_s - timers.now_s))
        shuffled.feed(n, packets[n])
    timers.advance(0.05)
    assert shuffled.ears.buffer.counts.reordered > 5
    assert shuffled.ears.buffer.counts.given_up == 0
    assert bytes(shuffled.heard) == bytes(in_order.heard)


@pytest.mark.parametrize("loss", [0.02, 0.1, 0.3])
def test_at_every_loss_the_line_is_rtp_time_and_none_of_it_is_blank(timers: Any, loss: float) -> None:
    packets, line, chance = voice(600), Line(timers), random.Random(7)
    lost = 0
    for n, packet in enumerate(packets):
        if 0 < n < 599 and chance.random() < loss:
            lost += 1
        else:
            line.feed(n, packet)
        assert len(line.heard) <= (n + 1) * FRAME_BYTES
        timers.advance(0.02)
    timers.advance(0.05)
    assert len(line.heard) == 600 * FRAME_BYTES
    repaired = line.ears.repaired
    assert line.ears.timeline.counts.blank_ms == 0
    assert repaired.fec_ms + repaired.concealed_ms + repaired.faded_ms == 20 * lost
    assert repaired.fec_ms > 0.4 * 20 * lost
