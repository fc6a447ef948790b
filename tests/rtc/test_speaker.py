"""The 20 ms road out, on a clock that the test moves."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from rtbridge.core.pcm import FRAME_SAMPLES, SILENT_FRAME
from rtbridge.rtc.codec import OpusDecoder
from rtbridge.rtc.formats import OPUS
from rtbridge.rtc.speaker import Speaker

FRAME_TICKS = 960  # RFC 7587 §4.1: the RTP clock of Opus is 48 kHz, whatever is encoded


class Wire:
    """What a speaker sent, and when."""

    def __init__(self, timers: Any, *, phase: int = 0) -> None:
        self.timers = timers
        self.packets: list[tuple[float, bytes, int, bool]] = []
        self.errors: list[Exception] = []
        self.pulled: list[int] = []
        self.speaker = Speaker(timers=timers, send=self._send, failed=self.errors.append, phase=phase)

    def _send(self, packet: bytes, ticks: int, marker: bool) -> None:
        self.packets.append((self.timers.now_s, packet, ticks, marker))

    def pull(self, samples: int) -> bytes:
        self.pulled.append(samples)
        return bytes(range(1, 241)) * (samples * 2 // 240)

    @property
    def ticks(self) -> list[int]:
        return [ticks for _, _, ticks, _ in self.packets]


def test_every_20_ms_exactly_480_samples_are_pulled_and_sent(timers: Any) -> None:
    wire = Wire(timers)
    wire.speaker.pull = wire.pull
    wire.speaker.start()
    timers.advance(10.0)
    assert wire.pulled == [FRAME_SAMPLES] * len(wire.packets)
    assert len(wire.packets) in (500, 501)
    times = [at for at, _, _, _ in wire.packets]
    assert times == pytest.approx([times[0] + n * 0.02 for n in range(len(times))], abs=1e-9)
    assert wire.ticks == [n * FRAME_TICKS for n in range(len(times))]
    assert [marker for _, _, _, marker in wire.packets].count(True) == 1
    assert wire.speaker.counts.late == 0


def test_calls_of_one_phase_are_due_together_and_phases_5_ms_apart(timers: Any) -> None:
    wires = [Wire(timers, phase=phase) for phase in (0, 1, 2, 3, 4)]
    for wire in wires:
        wire.speaker.start()
    timers.advance(0.5)
    phases = [round(wire.packets[0][0] * 1000) % 20 for wire in wires]
    assert phases == [0, 5, 10, 15, 0]


def test_after_a_stall_nothing_bursts_and_the_timestamps_keep_the_place(timers: Any) -> None:
    wire = Wire(timers)
    wire.speaker.pull = wire.pull
    wire.speaker.start()
    timers.advance(0.1)
    before = len(wire.packets)
    timers.advance(0.3, stalled=True)
    assert len(wire.packets) == before + 1
    assert wire.packets[-1][3]
    timers.advance(0.1)
    counts = wire.speaker.counts
    assert counts.stalls == 1
    assert counts.late == counts.skipped
    assert 13 <= counts.skipped <= 15
    steps = {b - a for a, b in zip(wire.ticks[before:], wire.ticks[before + 1 :], strict=False)}
    assert steps == {FRAME_TICKS}
    assert wire.ticks[before] - wire.ticks[before - 1] == (counts.skipped + 1) * FRAME_TICKS
    assert len(wire.pulled) == len(wire.packets)


def test_a_tick_a_little_late_skips_nothing(timers: Any) -> None:
    wire = Wire(timers)
    wire.speaker.start()
    timers.advance(0.1)
    timers.advance(0.035, stalled=True)
    timers.advance(0.1)
    assert wire.speaker.counts.skipped <= 1
    assert wire.ticks[-1] == (len(wire.ticks) - 1 + wire.speaker.counts.skipped) * FRAME_TICKS


def test_silence_goes_out_before_anybody_pulls_and_while_muted(timers: Any) -> None:
    wire, decoder = Wire(timers), OpusDecoder()
    wire.speaker.start()
    timers.advance(0.2)
    wire.speaker.pull = wire.pull
    wire.speaker.muted = True
    timers.advance(0.2)
    assert wire.pulled == []
    assert {decoder.decode(packet) for _, packet, _, _ in wire.packets} == {SILENT_FRAME}
    wire.speaker.muted = False
    timers.advance(0.1)
    assert len(wire.pulled) == 5


def test_what_pull_raises_stops_the_speaker_and_is_told(timers: Any) -> None:
    wire = Wire(timers)
    wire.speaker.pull = lambda samples: b"short"
    wire.speaker.start()
    timers.advance(1.0)
    assert [str(error) for error in wire.errors] == ["pull(480) returned 5 bytes, not 960"]
    assert wire.packets == []
    assert timers.pending == 0


def test_a_speaker_stopped_from_within_pull_sets_no_timer(timers: Any) -> None:
    wire = Wire(timers)

    def last(samples: int) -> bytes:
        wire.speaker.stop()
        return bytes(samples * 2)

    wire.speaker.pull = last
    wire.speaker.start()
    timers.advance(1.0)
    assert len(wire.packets) == 1
    assert timers.pending == 0
    wire.speaker.stop()


class SlowEncoder:
    """Takes its time, on the test's clock."""

    def __init__(self, timers: Any) -> None:
        self._timers = timers
        self.takes_s = 0.0

    def encode(self, pcm: bytes) -> bytes:
        self._timers.now_s += self.takes_s
        return pcm[:3]


def test_what_the_encoder_takes_and_holds_back_is_told_as_the_wires(timers: Any) -> None:
    slow = SlowEncoder(timers)
    codec = replace(OPUS, encoder=lambda: slow)
    speaker = Speaker(timers=timers, send=lambda *_: None, failed=lambda error: None, codec=codec)
    assert speaker.wire_ms == 2.5
    speaker.start()
    timers.advance(0.1)
    assert speaker.wire_ms == pytest.approx(2.5)
    slow.takes_s = 0.008
    timers.advance(0.1)
    assert speaker.wire_ms == pytest.approx(10.5)
