"""Transcripts that outlive their call: bounded, and only as long as the process."""

from __future__ import annotations

from rtbridge.history import MOST_CHARS, CallRecord, History, bounded


def record(number: int) -> CallRecord:
    return CallRecord(f"rtc_{number}", "s", "a", "", 1, (), "over")


def test_the_oldest_call_makes_room_and_the_newest_comes_first() -> None:
    history = History(2)
    for number in range(3):
        history.add(record(number))
    assert [one.call_id for one in history] == ["rtc_2", "rtc_1"]


def test_a_history_of_none_keeps_none() -> None:
    history = History(0)
    history.add(record(1))
    assert list(history) == []


def test_the_beginning_of_a_very_long_call_is_left_out_and_that_is_told() -> None:
    said = [("user", "x" * 1000) for _ in range(100)]
    kept, cut = bounded(said)
    assert cut
    assert sum(len(text) for _, text in kept) <= MOST_CHARS
    assert len(kept) == MOST_CHARS // 1000


def test_what_was_not_heard_is_no_line() -> None:
    assert bounded([("user", "Hi."), ("front", "")]) == ((("user", "Hi."),), False)
