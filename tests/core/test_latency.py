"""Where the time between the caller's last word and the agent's first went."""

from __future__ import annotations

from rtbridge.core.journal import TurnEnded
from rtbridge.core.latency import Stopwatch


def test_the_parts_of_a_spoken_turn_add_up_to_what_the_caller_waited() -> None:
    watch = Stopwatch()
    watch.turn_over(10.0, endpoint_ms=520)
    watch.requested(10.01)
    watch.first_audio(10.31, "a")
    turn = watch.heard(10.33, item_id="a", agent="greeter", lead_ms=45)
    assert turn == TurnEnded("a", "greeter", 520 + 330 + 45, 520, 10, 300, 20, 45)


def test_a_typed_turn_has_no_end_of_speech() -> None:
    watch = Stopwatch()
    watch.turn_over(1.0, endpoint_ms=None)
    assert watch.waiting
    watch.requested(1.0)
    assert not watch.waiting
    watch.first_audio(1.2, "a")
    turn = watch.heard(1.3, item_id="a", agent="g")
    assert turn is not None
    assert (turn.respond_ms, turn.endpoint_ms, turn.model_ms, turn.playout_ms) == (None, None, 200, 100)


def test_only_the_first_request_and_the_first_audio_count_and_each_turn_once() -> None:
    watch = Stopwatch()
    watch.turn_over(0.0, endpoint_ms=0)
    watch.requested(1.0)
    watch.requested(2.0)
    watch.first_audio(3.0, "a")
    watch.first_audio(4.0, "b")
    assert watch.heard(5.0, item_id="b", agent="g") is None
    turn = watch.heard(5.0, item_id="a", agent="g")
    assert turn is not None
    assert (turn.request_ms, turn.model_ms, turn.playout_ms) == (1000, 2000, 2000)
    assert watch.heard(6.0, item_id="a", agent="g") is None


def test_audio_before_the_request_is_the_rest_of_an_earlier_answer() -> None:
    watch = Stopwatch()
    watch.turn_over(0.0, endpoint_ms=0)
    watch.first_audio(0.1, "old")
    assert watch.heard(0.2, item_id="old", agent="g") is None
    watch.requested(1.0)
    assert watch.heard(1.1, item_id="old", agent="g") is None
    watch.dropped()
    watch.requested(2.0)
    watch.first_audio(2.0, "a")
    assert not watch.waiting
    assert watch.heard(2.0, item_id="a", agent="g") is None
