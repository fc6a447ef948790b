"""A verdict that falls while it is decided whether the caller meant to interrupt holds, whatever is decided."""

from __future__ import annotations

import numpy as np
import pytest

from far_upstream import Part
from guard_rig import GOOD, TALK, answer_again, asked_aside, guarded, heard_ms, item_of, tripped, verdict
from rig import Loop, Rig, Say
from rtbridge.bench import sounds
from rtbridge.core import journal, pcm
from rtbridge.core.gate import UNCHECKED_PHRASE, Policy
from rtbridge.core.turns import State

QUIET = pcm.silence(pcm.samples_of_ms(6_000))
SPEECH = sounds.at_level(sounds.babble(np.random.default_rng(4), 3_000), -22)
COUGH = sounds.at_level(sounds.cough(np.random.default_rng(7))[: pcm.samples_of_ms(260)], -22)
CLEARED_MS, BEFORE_MS = 1600, 1000


def deciding(
    audio: bytes, *more: list[Part], policy: Policy = "gate", speedup: float = 50, played_ms: int = BEFORE_MS
) -> Rig:
    """Return a call whose agent is cleared for 1600 ms and paused by a sound after 1000 ms."""
    rig = guarded([Say(TALK, 4000)], *more, policy=policy, speedup=speedup)
    rig.speak(400)
    rig.advance(100)
    verdict(rig, "pass", 0, len(GOOD))
    while heard_ms(rig) < played_ms - 120:
        rig.advance(20)
    rig.voice = Loop(audio + QUIET)
    rig.far.speaking = True
    rig.advance(120)
    rig.begin_sound("u2")
    rig.advance(60)
    assert rig.turn() is State.DECIDING
    assert heard_ms(rig) == played_ms
    return rig


def coughed(rig: Rig) -> None:
    """Let time pass until the cough is over for everybody."""
    rig.advance(400)
    (dismissed,) = rig.entries(journal.BargeInDismissed)
    assert isinstance(dismissed, journal.BargeInDismissed)
    rig.advance(300)
    rig.far.speaking = False


def sound_is_whole(rig: Rig) -> bool:
    """Whether nobody was told of an error, and no event found a call that did not expect it."""
    return rig.far.errors == [] and rig.entries(journal.TurnIgnored) == []


def test_a_pass_makes_no_sound_while_it_is_decided_and_a_false_alarm_goes_on_at_the_sample() -> None:
    rig = deciding(COUGH)
    verdict(rig, "pass", len(GOOD), len(TALK))
    rig.advance(60)
    assert heard_ms(rig) == BEFORE_MS
    coughed(rig)
    rig.advance(4000)
    assert heard_ms(rig) == 4000
    assert tripped(rig) == []
    assert rig.sent("conversation.item.truncate") == []
    assert rig.turn() is State.LISTENING
    assert sound_is_whole(rig)


def test_a_pass_changes_nothing_about_what_was_heard_when_the_caller_meant_it() -> None:
    rig = deciding(SPEECH)
    verdict(rig, "pass", len(GOOD), len(TALK))
    rig.advance(1000)
    assert rig.turn() is State.CALLER_SPEAKING
    assert heard_ms(rig) == BEFORE_MS
    assert rig.far.items[item_of(rig, 0)].truncated_ms == BEFORE_MS
    (heard,) = rig.entries(journal.ItemHeard)
    assert isinstance(heard, journal.ItemHeard)
    assert heard.heard_text == "All is"
    assert sound_is_whole(rig)


def test_a_fail_is_never_heard_after_a_false_alarm_and_what_was_cleared_is() -> None:
    rig = deciding(COUGH)
    answer_again(rig)
    flagged = item_of(rig)
    verdict(rig, "fail", len(GOOD), 36)
    rig.advance(60)
    assert heard_ms(rig, flagged) == BEFORE_MS, "paused is paused"
    coughed(rig)
    verdict(rig, "pass", 0, 23)
    rig.advance(4000)
    assert heard_ms(rig, flagged) == CLEARED_MS
    assert rig.far.items[flagged].truncated_ms == CLEARED_MS
    assert heard_ms(rig, item_of(rig)) == 1000
    assert rig.causes() == ["speech", "guardrail"]
    assert tripped(rig) == [("fail", "gate", CLEARED_MS, "corrected")]
    assert "idiot" not in str(rig.to_caller)
    assert rig.turn() is State.LISTENING
    assert sound_is_whole(rig)


def test_after_a_fail_that_the_caller_cut_short_the_model_keeps_what_was_heard_and_answers_the_caller() -> (
    None
):
    rig = deciding(SPEECH)
    flagged = item_of(rig)
    verdict(rig, "fail", len(GOOD), 36)
    rig.advance(1000)
    assert rig.turn() is State.CALLER_SPEAKING
    assert rig.far.items[flagged].truncated_ms == BEFORE_MS, "not what was cleared: it was not heard"
    assert rig.far.active is None
    answer_again(rig, "Very well.", 600)
    rig.stop_speaking("u2", "wait")
    rig.advance(100)
    verdict(rig, "pass", 0, 10)
    rig.advance(1500)
    assert heard_ms(rig) == BEFORE_MS
    assert heard_ms(rig, item_of(rig)) == 600
    assert any(item.role == "system" for item in rig.far.items.values())
    assert "idiot" not in str(rig.to_caller)
    assert rig.turn() is State.LISTENING
    assert sound_is_whole(rig)


@pytest.mark.parametrize("speedup", [50.0, 1.5])
def test_what_could_not_be_checked_in_time_is_a_safe_phrase_after_a_false_alarm(speedup: float) -> None:
    rig = deciding(COUGH, speedup=speedup)
    held = item_of(rig)
    verdict(rig, "unchecked", len(GOOD), 36)
    rig.advance(60)
    assert heard_ms(rig, held) == BEFORE_MS
    coughed(rig)
    rig.advance(6000)
    assert heard_ms(rig, held) == CLEARED_MS
    assert UNCHECKED_PHRASE in asked_aside(rig)
    phrase = item_of(rig)
    assert heard_ms(rig, phrase) == rig.far.asides[phrase].audio_ms
    assert tripped(rig) == [("unchecked", "gate", CLEARED_MS, "safe_phrase")]
    assert rig.turn() is State.LISTENING
    assert sound_is_whole(rig)


@pytest.mark.parametrize("speedup", [50.0, 1.5])
def test_no_safe_phrase_is_said_into_the_words_of_who_meant_to_interrupt(speedup: float) -> None:
    rig = deciding(SPEECH, speedup=speedup)
    verdict(rig, "unchecked", len(GOOD), 36)
    rig.advance(1500)
    assert rig.turn() is State.CALLER_SPEAKING
    assert rig.far.items[item_of(rig, 0)].truncated_ms == BEFORE_MS
    assert rig.heard[-70:] == [None] * 70
    assert rig.far.active is None
    assert not rig.call.gate.owed
    answer_again(rig, "Very well.", 600)
    rig.stop_speaking("u2", "wait")
    rig.advance(100)
    verdict(rig, "pass", 0, 10)
    rig.advance(1500)
    assert heard_ms(rig, item_of(rig)) == 600
    assert rig.causes()[-1] == "speech"
    assert sound_is_whole(rig)


@pytest.mark.parametrize("state", ["fail", "unchecked"])
def test_a_verdict_on_an_item_whose_cleared_part_was_out_leaves_a_call_that_goes_on(state: str) -> None:
    for audio, after in ((COUGH, State.LISTENING), (SPEECH, State.CALLER_SPEAKING)):
        rig = deciding(audio, played_ms=CLEARED_MS)
        answer_again(rig)
        verdict(rig, state, len(GOOD), 36)
        rig.advance(400)
        if audio is COUGH:
            rig.advance(300)
            rig.far.speaking = False
            if state == "fail":
                verdict(rig, "pass", 0, 23)
        rig.advance(6000)
        assert rig.turn() is after
        assert heard_ms(rig) == CLEARED_MS
        assert rig.far.items[item_of(rig, 0)].truncated_ms == CLEARED_MS
        assert sound_is_whole(rig)


def test_under_observe_a_fail_cuts_what_is_paused_where_it_is() -> None:
    rig = deciding(COUGH, policy="observe")
    answer_again(rig)
    flagged = item_of(rig)
    verdict(rig, "fail", len(GOOD), 36)
    coughed(rig)
    rig.advance(3000)
    assert heard_ms(rig, flagged) == BEFORE_MS
    assert rig.far.items[flagged].truncated_ms == BEFORE_MS
    assert heard_ms(rig, item_of(rig)) == 1000
    assert rig.turn() is State.LISTENING
    assert sound_is_whole(rig)
