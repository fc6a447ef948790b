"""Fillers: no wait in silence, nothing said twice in a row, and always out of the answer's way."""

from __future__ import annotations

import pytest

from rig import FarUpstream, Rig, Say, Use
from rtbridge.core import asks, journal
from rtbridge.core.filler import Filler
from rtbridge.core.plan import Plan

SLOW = [Use("look_up")]


def waiting(far: FarUpstream | None = None, **plan: object) -> Rig:
    """Return a call in which a tool has just been called."""
    given: dict[str, object] = {"fillers": ("One moment, please.", "Still with you."), **plan}
    rig = Rig(
        far=far or FarUpstream(),
        plan=Plan("rtc_1", "demo", "greeter", {}, word_times=True, greet=False, **given),  # type: ignore[arg-type]
    )
    rig.far.answers.extend([list(SLOW), [Say("Here is what I found.", 2000)]])
    rig.speak(300)
    while not rig.call.tools:
        rig.advance(20)
    return rig


def result(rig: Rig) -> None:
    rig.ask(asks.ToolOutput(next(iter(rig.call.tools)), "{}"))


def fillers(rig: Rig) -> list[str]:
    return [entry.text for entry in rig.journal if isinstance(entry, journal.FillerAsked)]


def longest_silence_ms(heard: list[str | None]) -> int:
    longest = run = 0
    for tag in heard:
        run = 0 if tag is not None else run + 20
        longest = max(longest, run)
    return longest


def test_a_result_within_1200_ms_needs_no_filler() -> None:
    rig = waiting()
    rig.advance(1080)
    result(rig)
    rig.advance(4000)
    assert fillers(rig) == []


@pytest.mark.parametrize("tool_ms", range(200, 8_001, 260))
def test_no_wait_for_a_tool_is_silent_for_more_than_2500_ms_and_the_answer_comes_at_once(
    tool_ms: int,
) -> None:
    rig = waiting(FarUpstream(birth_delay_ms=300))
    start = len(rig.heard)
    rig.advance(tool_ms)
    result(rig)
    answered = len(rig.heard)
    rig.advance(4000)
    answer = rig.far.tags[max(rig.far.tags)]
    assert rig.heard[answered:].count(answer) == 100
    assert longest_silence_ms(rig.heard[start : answered + rig.heard[answered:].index(answer)]) <= 2500
    assert rig.far.errors in ([], ["response_cancel_not_active"])
    assert all(one != two for one, two in zip(fillers(rig), fillers(rig)[1:], strict=False))


def test_a_filler_is_beside_the_conversation_and_cannot_call_tools() -> None:
    rig = waiting()
    rig.advance(1300)
    (create,) = [event for event in rig.sent("response.create") if "response" in event]
    assert create["response"]["conversation"] == "none"
    assert create["response"]["tools"] == []
    assert create["response"]["instructions"].endswith('"One moment, please."')


def test_a_result_before_the_fillers_first_sample_drops_it() -> None:
    rig = waiting(FarUpstream(birth_delay_ms=400))
    rig.advance(1300)
    assert fillers(rig) == ["One moment, please."]
    result(rig)
    rig.advance(4000)
    assert not set(rig.heard) & set(rig.far.asides)
    assert [entry.heard_text for entry in rig.journal if isinstance(entry, journal.ItemHeard)] == [
        "Here is what I found."
    ]


def test_a_filler_that_is_queued_and_not_heard_is_dropped_too() -> None:
    rig = waiting()
    rig.call.speech.playout.paused = True
    rig.advance(1500)
    assert rig.call.speech.playout.queued_samples
    result(rig)
    rig.call.speech.playout.paused = False
    rig.advance(3000)
    assert not set(rig.heard) & set(rig.far.asides)


def test_an_answer_cuts_a_filler_at_the_end_of_its_word() -> None:
    rig = waiting()
    rig.advance(1420)
    (aside,) = rig.far.asides
    assert aside in rig.heard
    result(rig)
    rig.advance(3000)
    cut = next(entry for entry in rig.journal if isinstance(entry, journal.ItemHeard))
    assert cut.item_id == aside
    assert cut.heard_text in ("One", "One moment,")
    assert rig.heard.count(aside) * 20 <= 620
    answer = rig.far.tags[max(rig.far.tags)]
    last = len(rig.heard) - 1 - rig.heard[::-1].index(aside)
    assert rig.heard[last + 1] == answer


def test_nothing_of_an_interrupted_filler_is_truncated_or_deleted() -> None:
    rig = waiting()
    rig.advance(1500)
    rig.start_speaking("u2")
    rig.advance(200)
    assert rig.sent("conversation.item.truncate") == []
    assert rig.sent("conversation.item.delete") == []
    rig.stop_speaking("u2")
    rig.advance(3000)
    assert rig.far.errors in ([], ["response_cancel_not_active"])


def test_a_filler_that_is_interrupted_before_its_audio_came_leaves_nothing_to_delete() -> None:
    rig = waiting(FarUpstream(speedup=0.4, cancel_delay_ms=100))
    rig.advance(1260)
    rig.start_speaking("u2")
    rig.advance(400)
    assert rig.sent("conversation.item.delete") == []


def test_nobody_is_filled_in_while_the_caller_speaks_or_when_the_scenario_has_no_fillers() -> None:
    rig = waiting()
    rig.advance(400)
    rig.start_speaking("u2")
    rig.advance(3000)
    assert fillers(rig) == []
    quiet = waiting(fillers=())
    quiet.advance(5000)
    assert fillers(quiet) == []


def test_a_filler_that_the_upstream_refuses_or_forgets_is_not_asked_for_twice() -> None:
    rig = waiting()
    rig.far.active = None
    rig.upstream({"type": "response.created", "response": {"id": "foreign"}})
    rig.advance(1300)
    assert fillers(rig) == []
    rig.upstream({"type": "response.done", "response": {"id": "foreign", "status": "completed"}})
    rig.advance(1300)
    assert len(fillers(rig)) == 1


def test_a_filler_that_the_upstream_lets_fail_is_not_asked_for_again() -> None:
    rig = waiting(FarUpstream(speedup=0.01))
    rig.advance(1300)
    far = rig.far
    assert far.active is not None
    response_id, far.active = far.active.response_id, None
    rig.upstream({"type": "response.done", "response": {"id": response_id, "status": "failed"}})
    assert len([event for event in rig.sent("response.create") if "response" in event]) == 1


def test_a_filler_refused_because_another_response_is_active_is_not_asked_for_later() -> None:
    rig = waiting()
    rig.far.active = None
    take = rig.far.take

    def refuse(event: dict[str, object]) -> list[dict[str, object]]:
        if event["type"] == "response.create" and "response" in event:
            return rig.far.error(event, "conversation_already_has_active_response")
        return take(event)

    rig.far.take = refuse  # type: ignore[method-assign]
    rig.advance(1300)
    rig.far.take = take  # type: ignore[method-assign]
    rig.upstream({"type": "response.done", "response": {"id": "foreign", "status": "completed"}})
    rig.advance(100)
    assert len(fillers(rig)) == 1
    assert len([event for event in rig.sent("response.create") if "response" in event]) == 0


def test_phrases_go_round() -> None:
    filler = Filler(("a", "b"))
    assert [filler.take(0) for _ in range(3)] == ["a", "b", "a"]
    assert Filler(()).due(0) is None
    assert filler.due(5.0) == 6.2


def test_a_wait_for_a_person_has_its_own_words_and_longer_pauses_and_repeats_nothing_at_the_seam() -> None:
    filler = Filler(("a", "b"), ("b", "c"))
    assert filler.due(5.0, patient=True) == 6.2
    assert [filler.take(7.0, patient=True), filler.take(7.0), filler.take(7.0)] == ["b", "a", "b"]
    assert filler.take(8.0, patient=True) == "c"
    assert filler.due(5.0, patient=True) == 9.8
    assert filler.take(9.0, patient=True) == "b"
    assert Filler(("a", "b"), ("a", "b")).due(9.0, patient=True) == 10.2
    shared = Filler(("a", "b"), ("a", "b"))
    assert [shared.take(0), shared.take(0, patient=True)] == ["a", "b"]
    assert Filler((), ("a", "b")).due(0) is None
