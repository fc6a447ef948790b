"""The queue between the model and the speaker, on numbers."""

from __future__ import annotations

import pytest

from rtbridge.core import playout
from rtbridge.core.playout import Began, Drained, Played, Playout, Progress, Sounded


def samples(value: int, count: int) -> bytes:
    return value.to_bytes(2, "little") * count


def test_a_pull_is_always_as_long_as_asked_and_silence_is_not_counted() -> None:
    queue = Playout()
    assert queue.pull(4) == bytes(8)
    queue.push("a", 0, samples(1, 3))
    assert queue.pull(4) == samples(1, 3) + bytes(2)
    assert queue.playing == Progress("a", 0, pulled=3, pushed=3)
    assert queue.take_marks() == [Began("a")]


def test_an_item_that_has_begun_and_has_nothing_to_give_is_an_underrun_and_goes_on_later() -> None:
    queue = Playout()
    queue.push("a", 0, samples(1, 2))
    queue.pull(2)
    assert queue.underruns == 0
    queue.pull(2)
    assert queue.underruns == 1
    assert queue.playing == Progress("a", 0, pulled=2, pushed=2), "the silence was not heard of it"
    queue.push("a", 0, samples(2, 2))
    assert queue.pull(2) == samples(2, 2)


def test_two_items_meet_in_one_pull_without_a_gap_between_them() -> None:
    queue = Playout()
    queue.push("a", 0, samples(1, 3))
    queue.finish("a")
    queue.push("b", 0, samples(2, 5))
    queue.finish("b")
    assert queue.pull(4) == samples(1, 3) + samples(2, 1)
    assert queue.take_marks() == [Began("a"), Played(Progress("a", 0, 3, 3)), Began("b")]
    assert queue.queued_samples == 4
    queue.pull(10)
    assert queue.take_marks() == [Played(Progress("b", 0, 5, 5)), Drained()]


def test_an_item_sounds_where_its_first_sound_is_and_not_where_it_begins() -> None:
    queue = Playout()
    queue.push("a", 0, samples(0, 700))
    queue.push("a", 0, samples(0, 20) + samples(900, 1000))
    queue.pull(480)
    assert queue.take_marks() == [Began("a")]
    queue.paused = True
    queue.pull(480)
    queue.paused = False
    queue.pull(480)
    assert queue.take_marks() == [Sounded("a", at=240, lead=720)]
    queue.pull(480)
    assert queue.take_marks() == []
    queue.flush()
    queue.push("b", 0, samples(900, 600))
    queue.finish("b")
    queue.push("c", 0, samples(900, 600))
    queue.pull(480)
    assert queue.take_marks() == [Began("b"), Sounded("b", at=0, lead=0)]
    queue.pull(480)
    ended = Played(Progress("b", 0, 600, 600))
    assert queue.take_marks() == [ended, Began("c"), Sounded("c", at=120, lead=0)]


def test_a_silent_beginning_that_waits_at_its_limit_is_told_with_the_first_sound() -> None:
    queue = Playout()
    queue.push("a", 0, samples(0, 600) + samples(900, 1000))
    queue.limit("a", 0)
    queue.pull(480)  # it has not begun
    queue.limit("a", 480)
    for _ in range(3):
        queue.pull(480)
    queue.limit("a", None)
    queue.pull(480)
    assert queue.take_marks() == [Began("a"), Sounded("a", at=120, lead=600, withheld=960)]


def test_an_item_that_is_silent_to_its_end_never_sounds() -> None:
    queue = Playout()
    for _ in range(3):
        queue.push("a", 0, samples(1, 480))
    queue.finish("a")
    for _ in range(3):
        queue.pull(480)
    assert queue.take_marks() == [Began("a"), Played(Progress("a", 0, 1440, 1440)), Drained()]


def test_an_item_that_ends_after_all_of_it_was_pulled_is_played_at_once() -> None:
    queue = Playout()
    queue.push("a", 0, samples(1, 2))
    queue.pull(2)
    queue.take_marks()
    queue.finish("a")
    assert queue.take_marks() == [Played(Progress("a", 0, 2, 2)), Drained()]
    queue.finish("a")
    assert queue.take_marks() == []


def test_a_flush_says_how_far_each_item_had_come_and_leaves_no_marks() -> None:
    queue = Playout()
    queue.push("a", 0, samples(1, 5))
    queue.push("b", 1, samples(2, 7))
    queue.pull(2)
    queue.take_marks()
    assert queue.flush() == [Progress("a", 0, 2, 5), Progress("b", 1, 0, 7)]
    assert (queue.playing, queue.queued_samples, queue.take_marks()) == (None, 0, [])
    assert queue.pull(2) == bytes(4)


def test_a_paused_queue_gives_silence_and_loses_its_place_by_nothing() -> None:
    queue = Playout()
    queue.push("a", 0, samples(1, 4))
    queue.pull(1)
    queue.paused = True
    assert queue.pull(2) == bytes(4)
    queue.paused = False
    assert queue.pull(3) == samples(1, 3)


def test_an_item_without_a_sample_is_not_queued_so_that_it_cannot_end_without_having_begun() -> None:
    queue = Playout()
    assert queue.push("a", 0, b"") == 0
    queue.finish("a")
    assert not queue.holds("a")
    assert queue.take_marks() == []


def test_what_finds_no_room_is_counted_and_never_queued(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(playout, "MAX_QUEUED_SAMPLES", 5)
    queue = Playout()
    assert queue.push("a", 0, samples(1, 3)) == 0
    assert queue.push("a", 0, samples(1, 4)) == 2
    assert queue.push("b", 0, samples(1, 1)) == 1
    assert queue.queued_samples == 5
    assert not queue.holds("b")


def test_an_item_can_be_made_to_end_early_but_never_before_what_was_pulled() -> None:
    playout = Playout()
    playout.push("a", 0, b"\x01\x00" * 100)
    playout.push("a", 0, b"\x02\x00" * 100)
    playout.pull(50)
    playout.end_at(80)
    assert playout.queued_samples == 30
    assert playout.pull(40) == b"\x01\x00" * 30 + bytes(20)
    playout.push("b", 0, b"\x03\x00" * 100)
    playout.pull(60)
    playout.end_at(10)
    assert playout.queued_samples == 0
    assert playout.playing is None


def test_an_item_waits_at_its_limit_and_goes_on_at_the_very_sample() -> None:
    queue = Playout()
    queue.push("a", 0, samples(1, 10))
    queue.limit("a", 0)
    assert queue.pull(4) == bytes(8)
    assert queue.take_marks() == []
    queue.limit("a", 3)
    assert queue.pull(4) == samples(1, 3) + bytes(2)
    assert queue.pull(2) == bytes(4)
    assert queue.underruns == 0
    queue.limit("a", None)
    assert queue.pull(7) == samples(1, 7)


def test_who_is_behind_an_item_at_its_limit_waits_with_it() -> None:
    queue = Playout()
    queue.push("a", 0, samples(1, 4))
    queue.finish("a")
    queue.push("b", 0, samples(2, 4))
    queue.limit("a", 2)
    queue.limit("unknown", 2)
    assert queue.pull(6) == samples(1, 2) + bytes(8)
    assert queue.progress("b") == Progress("b", 0, pulled=0, pushed=4)
    assert queue.progress("unknown") is None


def test_any_item_can_be_ended_and_one_that_ends_before_its_first_sample_goes_without_a_mark() -> None:
    queue = Playout()
    queue.push("a", 0, samples(1, 4))
    queue.push("b", 0, samples(2, 4))
    queue.push("c", 0, samples(3, 4))
    queue.limit("b", 1)
    queue.end_at(0, "a")
    queue.end_at(2, "b")
    queue.end_at(0, "unknown")
    assert queue.take_marks() == []
    assert queue.pull(4) == samples(2, 2) + samples(3, 2)
    assert queue.queued_samples == 2
    assert [type(mark) for mark in queue.take_marks()] == [Began, Played, Began]


def test_the_queue_runs_dry_when_the_last_item_goes_unheard_after_one_that_was_heard() -> None:
    queue = Playout()
    queue.push("b", 0, samples(2, 4))
    queue.end_at(0, "b")
    assert queue.take_marks() == []
    queue.push("a", 0, samples(1, 4))
    queue.finish("a")
    queue.push("b", 0, samples(2, 4))
    queue.pull(4)
    assert [type(mark) for mark in queue.take_marks()] == [Began, Played]
    queue.end_at(0, "b")
    assert queue.take_marks() == [Drained()]


def test_the_quietest_place_before_a_sample_is_looked_for_in_what_was_not_pulled_yet() -> None:
    queue = Playout()
    loud, quiet = samples(9000, 240), samples(3, 240)
    queue.push("a", 0, quiet + loud * 30)
    queue.push("a", 0, loud * 30 + quiet + loud * 4)
    queue.push("a", 0, loud * 5 + samples(9000, 100))
    queue.push("a", 0, loud)
    assert queue.quiet_before("a", 240 * 71) == 240 * 62
    assert queue.quiet_before("a", 240 * 61) == 240 * 61  # all alike in the 400 ms before
    queue.pull(240 * 65)
    assert queue.quiet_before("a", 240 * 65 + 100) == 240 * 65  # less than 10 ms are left
    assert queue.quiet_before("a", 240 * 64) == 240 * 64
    assert queue.quiet_before("unknown", 5) == 5
