"""The caller's line: as many samples as the RTP clock moved, whatever the network did."""

from __future__ import annotations

import itertools
import random

import numpy as np
import pytest

from rtbridge.core.mic import MicTimeline

FRAME = 480
TICKS = 960


def pcm(level: int = 1000, samples: int = FRAME) -> bytes:
    return np.full(samples, level, dtype="<i2").tobytes()


def values(data: bytes) -> list[int]:
    return [int(value) for value in np.frombuffer(data, dtype="<i2")]


class Line:
    """A MicTimeline fed with numbered 20 ms packets on a clock that keeps up."""

    def __init__(self, timeline: MicTimeline, *, sequence: int = 0, timestamp: int = 0) -> None:
        self.timeline = timeline
        self.sequence = sequence
        self.timestamp = timestamp

    def add(self, n: int, *, data: bytes | None = None, skew: int = 0, now_s: float | None = None) -> bytes:
        return self.timeline.add(
            sequence=(self.sequence + n) & 0xFFFF,
            timestamp=(self.timestamp + n * TICKS + skew) & 0xFFFFFFFF,
            pcm=pcm() if data is None else data,
            now_s=n * 0.02 if now_s is None else now_s,
        )


def test_packets_in_order_go_through_untouched() -> None:
    line = Line(MicTimeline())
    assert [line.add(n) for n in range(5)] == [pcm()] * 5
    assert line.timeline.samples == 5 * FRAME
    assert line.timeline.counts.packets == 5
    assert line.timeline.counts.silence_ms == 0


def test_a_lost_packet_becomes_silence_of_its_length_faded_at_both_edges() -> None:
    line = Line(MicTimeline())
    line.add(0)
    out = values(line.add(2))
    assert len(out) == 2 * FRAME
    gap, frame = out[:FRAME], out[FRAME:]
    assert gap[0] == 1000
    assert gap[60] == pytest.approx(500, abs=1)
    assert gap[120:] == [0] * (FRAME - 120)
    assert max(abs(b - a) for a, b in itertools.pairwise(gap)) < 20
    assert frame[0] == 0
    assert frame[60] == pytest.approx(500, abs=1)
    assert frame[120:] == [1000] * (FRAME - 120)
    assert line.timeline.counts.lost == 1
    assert line.timeline.counts.silence_ms == 20


def test_a_pause_of_dtx_is_silence_and_no_loss() -> None:
    line = Line(MicTimeline())
    line.add(0)
    out = line.timeline.add(sequence=1, timestamp=20 * TICKS, pcm=pcm(), now_s=0.4)
    assert len(values(out)) == 20 * FRAME
    assert line.timeline.counts.lost == 0
    assert line.timeline.counts.silence_ms == 380


def test_what_is_known_of_a_loss_fills_its_end_and_silence_the_rest() -> None:
    line = Line(MicTimeline())
    line.add(0)
    assert line.timeline.missing(3, 3 * TICKS) == 2 * FRAME
    out = values(
        line.timeline.add(sequence=3, timestamp=3 * TICKS, pcm=pcm(), now_s=0.06, known=pcm(700, FRAME))
    )
    assert out[0] == 1000
    assert out[120:FRAME] == [0] * (FRAME - 120)
    assert out[FRAME : 2 * FRAME] == [700] * FRAME
    assert out[2 * FRAME :] == [1000] * FRAME  # no fade: what is known leads into it
    counts = line.timeline.counts
    assert (counts.repaired_ms, counts.blank_ms, counts.silence_ms) == (20, 20, 20)


def test_more_than_is_missing_of_what_is_known_is_left_out_at_its_beginning() -> None:
    line = Line(MicTimeline())
    line.add(0)
    line.timeline.idle(FRAME, 0.02)
    known = pcm(600, FRAME) + pcm(700, FRAME)
    out = values(line.timeline.add(sequence=3, timestamp=3 * TICKS, pcm=pcm(), now_s=0.06, known=known))
    assert out == [700] * FRAME + [1000] * FRAME
    assert line.timeline.samples == 4 * FRAME


def test_only_lost_sequence_numbers_are_missing() -> None:
    line = Line(MicTimeline())
    assert line.timeline.missing(5, 5 * TICKS) == 0
    line.add(0)
    assert line.timeline.missing(1, TICKS) == 0
    assert line.timeline.missing(1, 30 * TICKS) == 0  # DTX
    assert line.timeline.missing(0xFFFF, 0xFFFFFFFF) == 0
    assert line.timeline.missing(4, 0xFFFFFFF0) == 0  # a newer packet with an older clock
    assert line.timeline.missing(500, 500 * TICKS) == 100 * FRAME


def test_silence_of_dtx_is_no_blank() -> None:
    line = Line(MicTimeline())
    line.add(0)
    line.timeline.add(sequence=1, timestamp=3 * TICKS, pcm=pcm(), now_s=0.06)
    assert line.timeline.samples == 4 * FRAME
    assert (line.timeline.counts.blank_ms, line.timeline.counts.silence_ms) == (0, 40)


def test_an_rtp_clock_of_8_khz_counts_the_same_time() -> None:
    timeline = MicTimeline(rtp_rate=8000)
    out = [timeline.add(sequence=n, timestamp=n * 160, pcm=pcm(), now_s=n * 0.02) for n in (0, 1, 2, 4)]
    assert [len(values(piece)) for piece in out] == [FRAME, FRAME, FRAME, 2 * FRAME]
    assert timeline.missing(8, 8 * 160) == 3 * FRAME


def test_late_and_duplicate_packets_add_nothing() -> None:
    line = Line(MicTimeline())
    line.add(0)
    line.add(2)
    assert line.add(1) == b""
    assert line.add(2) == b""
    assert line.timeline.counts.late == 1
    assert line.timeline.counts.duplicate == 1
    assert line.timeline.samples == 3 * FRAME


def test_sequence_numbers_and_timestamps_wrap() -> None:
    line = Line(MicTimeline(), sequence=0xFFFE, timestamp=0xFFFFFFFF - TICKS)
    for n in (0, 1, 3, 4):
        line.add(n)
    assert line.timeline.samples == 5 * FRAME
    assert line.timeline.counts.lost == 1
    assert line.timeline.counts.anchored == 1


def test_a_gap_over_two_seconds_is_cut_and_counted() -> None:
    line = Line(MicTimeline())
    line.add(0)
    out = line.add(1 + 500)
    assert values(out)[-FRAME + 120 :] == [1000] * (FRAME - 120)
    assert len(values(out)) == 48_000 + FRAME
    assert line.timeline.counts.skipped_ms == 8000
    assert line.timeline.counts.anchored == 2
    assert line.add(502) == pcm()


def test_a_clock_that_steps_back_begins_the_line_anew() -> None:
    line = Line(MicTimeline())
    line.add(0)
    assert line.timeline.add(sequence=1, timestamp=0xF0000000, pcm=pcm(), now_s=0.02) == pcm()
    assert line.timeline.add(sequence=2, timestamp=0xF0000000 + TICKS, pcm=pcm(), now_s=0.04) == pcm()
    assert line.timeline.counts.anchored == 2


def test_a_restart_takes_any_numbers_for_a_beginning() -> None:
    line = Line(MicTimeline())
    line.add(0)
    line.timeline.restart()
    assert line.timeline.add(sequence=40_000, timestamp=123, pcm=pcm(), now_s=0.02) == pcm()
    assert line.timeline.counts.lost == 0
    assert line.timeline.counts.anchored == 2


def test_audio_faster_than_time_is_let_through_for_three_seconds_and_then_dropped() -> None:
    line = Line(MicTimeline())
    through = sum(len(line.add(n, now_s=0.0)) for n in range(1000))
    assert through // 2 == 72_000
    assert line.timeline.counts.excess_ms == 17_000


def test_a_flood_ends_and_ordinary_speech_goes_on() -> None:
    line = Line(MicTimeline())
    for n in range(200):
        line.add(n, now_s=0.0)
    assert line.add(200, now_s=0.01) == b""
    assert line.add(201, now_s=1.0) == pcm()


def test_timestamps_that_jump_cannot_make_more_silence_than_time_has_passed() -> None:
    line = Line(MicTimeline())
    for n in range(50):
        line.timeline.add(sequence=n, timestamp=n * 96_000, pcm=pcm(), now_s=n * 0.02)
    assert line.timeline.samples <= 72_000 + 24_000 * 1.02 + FRAME


def test_no_silence_is_made_when_there_is_no_time_for_it() -> None:
    line = Line(MicTimeline(ahead_ms=40))
    for n in range(3):
        line.add(n, now_s=0.0)
    assert line.add(5, now_s=0.0) == b""
    assert line.timeline.samples == 2 * FRAME


@pytest.mark.parametrize("ptime_ms", [10, 20, 40, 60])
def test_any_packet_time_keeps_the_count(ptime_ms: int) -> None:
    timeline = MicTimeline()
    samples = 24 * ptime_ms
    for n in range(100):
        if n % 10 != 5:
            timeline.add(
                sequence=n, timestamp=n * samples * 2, pcm=pcm(samples=samples), now_s=n * ptime_ms / 1000
            )
    assert timeline.samples == 100 * samples


@pytest.mark.parametrize("loss", [0.01, 0.05, 0.1, 0.3])
def test_the_count_is_rtp_time_within_one_frame_at_every_loss_rate(loss: float) -> None:
    chance = random.Random(int(loss * 100))
    line = Line(MicTimeline(), sequence=65_000, timestamp=0xFFFF0000)
    last = 0
    for n in range(3000):
        if n == 0 or chance.random() >= loss:
            line.add(n)
            last = n
    assert line.timeline.samples == (last + 1) * FRAME


def test_half_a_sample_is_an_error() -> None:
    with pytest.raises(ValueError, match="whole 16-bit samples"):
        MicTimeline().add(sequence=0, timestamp=0, pcm=b"abc", now_s=0.0)


def test_silence_while_nothing_comes_counts_towards_the_gap_that_the_next_packet_tells() -> None:
    line = Line(MicTimeline())
    line.add(0)
    idle = [line.timeline.idle(FRAME, 0.2 + n * 0.02) for n in range(5)]
    assert values(idle[0])[0] == 1000
    assert values(idle[4]) == [0] * FRAME
    assert len(values(line.add(10))) == 5 * FRAME
    assert line.timeline.samples == 11 * FRAME
    assert line.timeline.counts.owed_ms == 0


def test_audio_that_was_only_late_is_all_heard_and_the_surplus_of_silence_is_taken_from_a_later_gap() -> None:
    line = Line(MicTimeline())
    line.add(0)
    for n in range(3):
        line.timeline.idle(FRAME, 0.2 + n * 0.02)
    assert values(line.add(1, now_s=0.3)) == values(pcm())
    assert line.timeline.counts.owed_ms == 60
    assert len(values(line.add(7))) == 3 * FRAME
    assert line.timeline.counts.owed_ms == 0
    assert line.timeline.samples == 8 * FRAME


def test_no_silence_is_made_before_the_first_packet_nor_beyond_real_time() -> None:
    timeline = MicTimeline(ahead_ms=100)
    assert timeline.idle(FRAME, 0.0) == b""
    line = Line(timeline)
    line.add(0)
    assert sum(len(values(timeline.idle(FRAME, 0.0))) for _ in range(20)) <= 5 * FRAME
    timeline.restart()
    assert timeline.idle(FRAME, 1.0) == b""


def test_a_sender_that_begins_a_new_line_is_not_charged_for_the_silence_before_it() -> None:
    line = Line(MicTimeline(), timestamp=500_000)
    line.add(0)
    line.timeline.idle(FRAME, 0.2)
    line.add(1, skew=-100_000)
    assert line.timeline.counts.owed_ms == 0
    assert len(values(line.add(3, skew=-100_000))) == 2 * FRAME


def test_packets_without_audio_are_no_loss_and_their_time_is_silence() -> None:
    line = Line(MicTimeline(), sequence=0xFFFD)
    line.timeline.beside(0xFFFC)
    line.add(0)
    for n in (1, 2, 4, 4, 3):  # one is lost, one comes twice, and one too late
        line.timeline.beside((0xFFFD + n) & 0xFFFF)
    assert line.timeline.missing((0xFFFD + 5) & 0xFFFF, 5 * TICKS) == 0
    assert len(values(line.add(5))) == 5 * FRAME
    counts = line.timeline.counts
    assert (counts.beside, counts.lost, counts.silence_ms, counts.blank_ms) == (3, 1, 80, 0)
