"""The receive buffer: in-order packets at once, gaps for 40 ms, and nothing for ever."""

from __future__ import annotations

import random

from rtbridge.rtc.jitter import CAPACITY, JitterBuffer


def sequences(due: list[tuple[int, str]]) -> list[int]:
    assert all(packet == f"p{sequence}" for sequence, packet in due)
    return [sequence for sequence, _ in due]


class Feed:
    def __init__(self) -> None:
        self.buffer: JitterBuffer[str] = JitterBuffer()

    def push(self, sequence: int, now_s: float = 0.0) -> list[int]:
        return sequences(self.buffer.push(sequence, f"p{sequence}", now_s))

    def poll(self, now_s: float) -> list[int]:
        return sequences(self.buffer.poll(now_s))


def test_packets_in_order_leave_at_once() -> None:
    feed = Feed()
    assert [feed.push(n, n * 0.02) for n in (7, 8, 9)] == [[7], [8], [9]]
    assert feed.buffer.deadline() is None


def test_a_swapped_pair_is_put_in_order() -> None:
    feed = Feed()
    feed.push(1)
    assert feed.push(3) == []
    assert feed.push(2) == [2, 3]
    assert feed.buffer.counts.reordered == 1
    assert feed.buffer.counts.given_up == 0


def test_a_lost_packet_delays_the_next_by_at_most_40_ms() -> None:
    feed = Feed()
    feed.push(1, 0.0)
    assert feed.push(3, 0.04) == []
    assert feed.buffer.deadline() == 0.08
    assert feed.push(4, 0.06) == []
    assert feed.poll(0.079) == []
    assert feed.poll(0.08) == [3, 4]
    assert feed.buffer.deadline() is None
    assert feed.buffer.counts.given_up == 1


def test_two_gaps_are_given_up_one_after_the_other() -> None:
    feed = Feed()
    feed.push(1, 0.0)
    feed.push(3, 0.04)
    feed.push(5, 0.07)
    assert feed.poll(0.08) == [3]
    assert feed.buffer.deadline() == 0.07 + 0.04
    assert feed.poll(0.12) == [5]
    assert feed.buffer.counts.given_up == 2


def test_on_a_network_that_loses_but_never_reorders_the_wait_becomes_short() -> None:
    feed = Feed()
    feed.push(0)
    waits = []
    for n in range(30):
        feed.push(2 * n + 2, float(n))
        waits.append(feed.buffer.hold_s)
        assert feed.poll(n + waits[-1]) == [2 * n + 2]
    assert waits[0] == 0.04
    assert waits == sorted(waits, reverse=True)
    assert waits[-1] == 0.01


def test_what_comes_late_makes_it_patient_again() -> None:
    feed = Feed()
    feed.push(0)
    for n in range(30):
        feed.push(2 * n + 2, float(n))
        feed.poll(n + 0.5)
    assert feed.buffer.hold_s == 0.01
    assert feed.push(59, 29.6) == []
    assert feed.buffer.hold_s == 0.04


def test_reordering_that_was_seen_is_waited_for_half_as_long_again() -> None:
    feed = Feed()
    feed.push(0)
    for n in range(30):
        feed.push(2 * n + 2, float(n))
        feed.poll(n + 0.5)
    feed.push(62, 100.0)
    assert feed.push(61, 100.009) == [61, 62]
    assert abs(feed.buffer.hold_s - 0.0135) < 1e-6


def test_an_arrival_gives_an_old_gap_up_without_a_timer() -> None:
    feed = Feed()
    feed.push(1, 0.0)
    feed.push(3, 0.02)
    assert feed.push(4, 0.07) == [3, 4]


def test_what_comes_after_its_gap_was_given_up_is_late_and_dropped() -> None:
    feed = Feed()
    feed.push(1)
    feed.push(3)
    feed.poll(1.0)
    assert feed.push(2, 1.0) == []
    assert feed.push(3, 1.0) == []
    assert feed.buffer.counts.late == 2


def test_a_packet_that_waits_already_is_a_duplicate() -> None:
    feed = Feed()
    feed.push(1)
    feed.push(3)
    assert feed.push(3) == []
    assert feed.buffer.counts.duplicate == 1


def test_sequence_numbers_wrap() -> None:
    feed = Feed()
    assert feed.push(65_534) == [65_534]
    assert feed.push(0) == []
    assert feed.push(65_535) == [65_535, 0]
    assert feed.push(1) == [1]


def test_a_jump_of_a_thousand_is_a_new_stream_and_what_waited_goes_first() -> None:
    feed = Feed()
    feed.push(1)
    feed.push(3)
    assert feed.push(40_000) == [3, 40_000]
    assert feed.push(40_001) == [40_001]
    assert feed.buffer.counts.resets == 1


def test_no_more_than_the_capacity_ever_waits() -> None:
    feed = Feed()
    feed.push(0)
    out = [feed.push(n) for n in range(2, CAPACITY + 3)]
    assert out[:-1] == [[]] * CAPACITY
    assert out[-1] == list(range(2, CAPACITY + 3))


def test_any_order_within_40_ms_comes_out_in_order_and_whole() -> None:
    chance = random.Random(5)
    arrivals = sorted((n * 0.02 + chance.random() * 0.039, n) for n in range(500))
    feed = Feed()
    out: list[int] = []
    feed.push(0xFFFF, 0.0)
    for now_s, n in arrivals:
        out += feed.push(n, now_s)
    assert out == list(range(500))
    assert feed.buffer.counts.given_up == 0
