"""Where the time between the caller's last word and the agent's first went."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from rtbridge.core import pcm
from rtbridge.core.journal import LATENCY_PARTS, TurnEnded
from rtbridge.core.latency import MAX_ITEMS, Stopwatch
from rtbridge.core.playout import Sounded
from rtbridge.core.requests import Response, Want


def response(asked_s: float, created_s: float) -> Response:
    return Response("r", Want("speech"), asked_s=asked_s, created_s=created_s)


def sound(
    watch: Stopwatch, item_id: str, sound_s: float, *, lead_s: float = 0.0, withheld_s: float = 0.0
) -> None:
    """Let the first sound of an item of the greeter be pulled."""
    lead, withheld = round(lead_s * pcm.RATE), round(withheld_s * pcm.RATE)
    watch.sounded(Sounded(item_id, 240, lead, withheld), agent="greeter", now=sound_s - 0.01)


def parts_of(turn: TurnEnded | None) -> dict[str, int]:
    """Return the parts that are not 0, short of their unit."""
    assert turn is not None
    told = turn.as_dict()
    assert turn.respond_ms is None or turn.respond_ms == sum(told.get(part, 0) for part in LATENCY_PARTS)
    return {part.removesuffix("_ms"): told[part] for part in LATENCY_PARTS if told.get(part)}


def test_the_parts_of_a_spoken_turn_add_up_to_what_the_caller_waited() -> None:
    watch = Stopwatch()
    watch.turn_over(10.0, voice_end_s=9.48)
    watch.committed(10.02, voice_end_s=9.48)
    watch.requested(10.05)
    watch.first_audio(10.4, "a", response(10.05, 10.1))
    watch.cleared(10.6, "a")
    watch.cleared(10.8, "a")
    assert watch.sent(0.0) is None
    sound(watch, "a", 10.7, lead_s=0.045)
    assert watch.sent(2.6, rtt_ms=81.0) == TurnEnded(
        "a", "greeter", 1223, 520, 20, 30, 0, 50, 300, 200, 55, 45, 3, ear_estimate_ms=40
    )
    assert watch.sent(2.6) is None


def test_the_sum_is_not_off_by_a_rounding_a_part() -> None:
    watch = Stopwatch()
    watch.turn_over(0.0004, voice_end_s=0.0)
    watch.committed(0.0008, voice_end_s=None)
    watch.requested(0.0012)
    watch.first_audio(0.0020, "a", response(0.0012, 0.0016))
    watch.cleared(0.0024, "a")
    sound(watch, "a", 0.0032, lead_s=0.0004)
    turn = watch.sent(0.4)
    assert turn is not None
    assert turn.respond_ms == 4
    assert sum(parts_of(turn).values()) == 4


def delayed(stage: str) -> TurnEnded | None:
    """Time a turn in which every stage takes 10 ms, and one takes 500 ms."""
    clock = [100.0]

    def after(name: str) -> float:
        clock[0] += 0.5 if name == stage else 0.01
        return clock[0]

    watch = Stopwatch()
    voice_end_s = clock[0]
    watch.turn_over(after("endpoint"), voice_end_s=voice_end_s)
    watch.committed(after("commit"), voice_end_s=voice_end_s)
    watch.requested(after("request"))
    spoken = response(after("tools"), after("created"))
    watch.first_audio(after("model"), "a", spoken)
    watch.cleared(after("gate"), "a")
    began_s = after("playout")
    sound_s = after("lead")
    sound(watch, "a", sound_s, lead_s=sound_s - began_s)
    return watch.sent(500 if stage == "wire" else 10)


@pytest.mark.parametrize("part", LATENCY_PARTS)
def test_a_delay_in_one_stage_is_told_of_that_stage_and_of_no_other(part: str) -> None:
    stage = part.removesuffix("_ms")
    told = parts_of(delayed(stage))
    assert told == {other.removesuffix("_ms"): 500 if other == part else 10 for other in LATENCY_PARTS}


def test_a_typed_turn_has_no_end_of_speech() -> None:
    watch = Stopwatch()
    watch.turn_over(1.0, voice_end_s=None)
    assert watch.waiting
    watch.requested(1.0)
    assert not watch.waiting
    watch.first_audio(1.2, "a", response(1.0, 1.05))
    sound(watch, "a", 1.3)
    turn = watch.sent(0.0)
    assert turn is not None
    assert (turn.respond_ms, turn.endpoint_ms, turn.commit_ms, turn.ear_estimate_ms) == (
        None,
        None,
        None,
        None,
    )
    assert parts_of(turn) == {"created": 50, "model": 150, "playout": 100}


def test_a_clients_commit_ends_a_turn_also_where_it_has_asked_for_the_answer_already() -> None:
    commits: tuple[Callable[[Stopwatch], None], ...] = (
        lambda watch: watch.turn_over(
            2.0, voice_end_s=None
        ),  # the create was read before the commit was answered
        lambda watch: watch.committed(2.0, voice_end_s=1.8),
    )
    for first in commits:
        watch = Stopwatch()
        first(watch)
        watch.requested(2.0)
        if first is commits[0]:
            watch.committed(2.1, voice_end_s=1.8)
        watch.first_audio(2.4, "a", response(2.0, 2.2))
        sound(watch, "a", 2.4)
        assert parts_of(watch.sent(0.0)) == {"endpoint": 200, "created": 200, "model": 200}


def test_a_voice_may_end_after_the_button_was_let_go() -> None:
    watch = Stopwatch()
    watch.turn_over(1.0, voice_end_s=None)  # the client asks at once
    watch.committed(1.16, voice_end_s=1.1)  # ... and the commit waits for the tail
    watch.requested(1.16)
    watch.first_audio(1.5, "a", response(1.16, 1.2))
    sound(watch, "a", 1.5)
    assert parts_of(watch.sent(0.0)) == {"commit": 60, "created": 40, "model": 300}


def test_a_second_commit_is_a_turn_of_its_own() -> None:
    watch = Stopwatch()
    watch.committed(1.2, voice_end_s=1.1)
    watch.requested(1.2)
    watch.committed(3.0, voice_end_s=2.9)
    assert watch.waiting
    watch.requested(3.0)
    watch.first_audio(3.1, "old", response(1.2, 1.3))
    sound(watch, "old", 3.1)
    assert watch.sent(0.0) is None
    watch.first_audio(3.2, "a", response(3.0, 3.0))
    sound(watch, "a", 3.2)
    assert parts_of(watch.sent(0.0)) == {"endpoint": 100, "model": 200}


def test_what_is_heard_first_is_the_answer_and_what_came_before_it_took_its_time() -> None:
    watch = Stopwatch()
    watch.turn_over(0.0, voice_end_s=0.0)
    watch.requested(1.0)
    watch.first_audio(2.0, "withheld", response(1.0, 1.5))
    watch.first_audio(2.5, "withheld", response(1.0, 1.5))
    watch.first_audio(4.0, "a", response(3.0, 3.5))
    watch.requested(5.0)
    sound(watch, "b", 5.0)
    assert watch.sent(0.0) is None
    sound(watch, "a", 6.0)
    turn = watch.sent(0.0)
    assert parts_of(turn) == {"request": 1000, "tools": 2000, "created": 500, "model": 500, "playout": 2000}
    sound(watch, "a", 7.0)
    assert watch.sent(0.0) is None, "each turn is told once"


def test_what_was_asked_for_before_the_turn_was_over_answers_an_earlier_one() -> None:
    watch = Stopwatch()
    watch.first_audio(0.1, "none", response(0.0, 0.0))
    watch.cleared(0.1, "none")
    watch.turn_over(1.0, voice_end_s=1.0)
    watch.first_audio(1.1, "old", response(0.9, 1.05))
    watch.cleared(1.1, "old")
    sound(watch, "old", 1.2)
    assert watch.sent(0.0) is None
    watch.dropped()
    watch.requested(2.0)
    assert not watch.waiting
    sound(watch, "a", 2.0)
    assert watch.sent(0.0) is None


def test_a_gate_that_holds_a_silent_beginning_back_is_the_one_that_is_blamed() -> None:
    watch = Stopwatch()
    watch.turn_over(1.0, voice_end_s=1.0)
    watch.requested(1.0)
    watch.first_audio(1.1, "a", response(1.0, 1.0))
    watch.cleared(1.15, "a")
    sound(watch, "a", 1.5, lead_s=0.2, withheld_s=0.08)
    assert parts_of(watch.sent(0.0)) == {"model": 100, "gate": 130, "playout": 70, "lead": 200}


def test_an_upstream_that_answers_by_itself_is_timed_as_well() -> None:
    watch = Stopwatch()
    watch.turn_over(1.0, voice_end_s=0.5)
    watch.first_audio(1.4, "a", response(1.2, 1.2))
    sound(watch, "a", 1.4)
    assert parts_of(watch.sent(0.0)) == {"endpoint": 500, "request": 200, "model": 200}


def test_a_turn_keeps_no_more_than_so_many_items_that_are_not_heard() -> None:
    watch = Stopwatch()
    watch.turn_over(1.0, voice_end_s=1.0)
    for number in range(MAX_ITEMS + 1):
        watch.first_audio(1.1, str(number), response(1.0, 1.0))
    sound(watch, str(MAX_ITEMS), 1.2)
    assert watch.sent(0.0) is None
