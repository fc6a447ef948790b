"""Guardrails in a call: nothing flagged or unchecked is heard, the model is corrected, and the call goes on."""

from __future__ import annotations

from collections.abc import Callable

from far_upstream import Part
from guard_rig import (
    BAD,
    GOOD,
    TALK,
    answer_again,
    asked_aside,
    guarded,
    heard_ms,
    item_of,
    shown,
    tripped,
    verdict,
)
from rig import Rig, Say, Use
from rtbridge.core import asks, journal
from rtbridge.core.bounds import MAX_CORRECTIONS
from rtbridge.core.gate import SAFE_PHRASE, UNCHECKED_PHRASE
from rtbridge.core.turns import State


def test_nothing_is_heard_or_shown_before_its_verdict_and_the_rest_follows_without_a_gap() -> None:
    rig = guarded([Say(TALK, 4000)])
    rig.speak(400)
    rig.advance(400)
    assert rig.to_check[:2] == [(item_of(rig), "All"), (item_of(rig), " is")]
    assert heard_ms(rig) == 0
    assert not shown(rig)
    verdict(rig, "pass", 0, 18)
    assert shown(rig).strip() == GOOD.strip()
    rig.advance(1000)
    verdict(rig, "pass", 18, 36)
    verdict(rig, "pass", 36, 50)
    assert shown(rig) == TALK
    rig.advance(4000)
    assert heard_ms(rig) == 4000
    frames = [one for one in rig.heard if one is not None]
    at = rig.heard.index(frames[0])
    assert rig.heard[at : at + 200] == frames
    (ended,) = rig.entries(journal.ItemHeard)
    assert isinstance(ended, journal.ItemHeard)
    assert ended.heard_text == TALK
    assert rig.turn() is State.LISTENING
    assert not rig.far.errors


def test_what_is_not_cleared_in_time_waits_in_silence_and_goes_on_at_the_sample() -> None:
    rig = guarded([Say(TALK, 4000)])
    rig.speak(400)
    verdict_later(rig, 100, lambda: verdict(rig, "pass", 0, 18))
    rig.advance(3000)
    assert heard_ms(rig) == 1600
    verdict(rig, "pass", 18, 50)
    verdict(rig, "pass", 18, 50)
    rig.advance(3000)
    assert heard_ms(rig) == 4000


def verdict_later(rig: Rig, ms: int, give: Callable[[], None]) -> None:
    rig.advance(ms)
    give()


def test_flagged_words_are_never_heard_and_the_model_is_told_by_the_system_and_answers_again() -> None:
    rig = guarded([Say(TALK, 4000)])
    answer_again(rig)
    rig.speak(400)
    rig.advance(100)
    verdict(rig, "pass", 0, 18)
    rig.advance(600)
    verdict(rig, "fail", 18, 36)
    flagged = item_of(rig, 0)
    assert rig.far.items[flagged].truncated_ms == 1600
    rig.advance(4000)
    verdict(rig, "pass", 0, 30)
    rig.advance(2000)
    assert heard_ms(rig, flagged) == 1600
    assert heard_ms(rig, item_of(rig)) == 1000
    (correction,) = (one["item"] for one in rig.sent("conversation.item.create"))
    assert correction["role"] == "system"
    assert "OFFENSIVE" in correction["content"][0]["text"]
    assert tripped(rig) == [("fail", "gate", 1600, "corrected")]
    assert rig.causes() == ["speech", "guardrail"]
    assert "idiot" not in str(rig.to_caller)
    heard = [one.heard_text for one in rig.journal if isinstance(one, journal.ItemHeard)]
    assert heard == [GOOD.strip(), "I would rather not say."]
    context = rig.far.contexts[-1]
    assert context[-1] != flagged
    assert context.index(flagged) < len(context) - 1
    assert not rig.far.errors
    assert rig.turn() is State.LISTENING
    assert not rig.entries(journal.TurnIgnored)


def test_an_item_of_which_nothing_is_cleared_is_deleted_and_the_turn_is_timed_by_what_is_heard() -> None:
    rig = guarded([Say(BAD, 1600)])
    answer_again(rig)
    rig.speak(400)
    rig.advance(100)
    flagged = item_of(rig)
    verdict(rig, "fail", 0, 17)
    rig.advance(200)
    assert flagged not in rig.far.items
    verdict(rig, "pass", 0, 23)
    rig.advance(1500)
    assert heard_ms(rig, flagged) == 0
    assert heard_ms(rig, item_of(rig)) == 1000
    assert "idiot" not in str(rig.to_caller)
    (turn,) = rig.entries(journal.TurnEnded)
    assert isinstance(turn, journal.TurnEnded)
    assert turn.item_id == item_of(rig)
    assert tripped(rig) == [("fail", "gate", 0, "corrected")]
    assert not rig.far.errors
    assert not rig.entries(journal.TurnIgnored)


def test_a_response_in_the_making_is_cancelled_and_its_later_items_go_unheard() -> None:
    rig = guarded([Say(TALK, 4000), Say("More of it.", 1000)], speedup=6)
    rig.speak(400)
    rig.advance(900)
    first, second = item_of(rig, 0), item_of(rig, 1)
    assert first != second
    verdict(rig, "fail", 0, 18, first)
    answer_again(rig)
    rig.advance(400)
    assert {first, second}.isdisjoint(rig.far.items)
    assert not rig.far.errors
    assert rig.turn() is State.THINKING
    verdict(rig, "pass", 0, 11, second)
    rig.advance(200)
    assert heard_ms(rig, second) == 0


def test_a_response_that_is_still_being_made_is_cancelled() -> None:
    rig = guarded([Say(TALK, 4000)], speedup=2)
    answer_again(rig)
    rig.speak(400)
    rig.advance(1400)
    verdict(rig, "fail", 18, 36)
    rig.advance(200)
    assert len(rig.sent("response.cancel")) == 1
    assert rig.far.items.get(item_of(rig, 0)) is None
    assert rig.causes()[-1] == "guardrail"
    assert not rig.far.errors


def test_a_model_that_does_not_listen_is_corrected_twice_a_turn_and_then_a_safe_phrase_is_said() -> None:
    bad: list[Part] = [Say(BAD, 1600)]
    rig = guarded(bad, bad, bad, bad)
    rig.speak(400)
    for _ in range(MAX_CORRECTIONS + 1):
        rig.advance(100)
        verdict(rig, "fail", 0, 17)
    rig.advance(4000)
    assert [one[3] for one in tripped(rig)] == ["corrected", "corrected", "safe_phrase"]
    phrase = item_of(rig)
    assert SAFE_PHRASE in asked_aside(rig)
    assert heard_ms(rig, phrase) == rig.far.asides[phrase].audio_ms
    assert SAFE_PHRASE in shown(rig)
    assert rig.turn() is State.LISTENING
    rig.speak(400)
    rig.advance(100)
    verdict(rig, "fail", 0, 17)
    assert tripped(rig)[-1][3] == "corrected"
    assert not rig.far.errors


def test_what_could_not_be_checked_is_not_heard_and_a_safe_phrase_is_said_at_once() -> None:
    rig = guarded([Say(TALK, 4000)])
    rig.speak(400)
    rig.advance(100)
    verdict(rig, "unchecked", 0, 18)
    rig.advance(100)
    phrase = item_of(rig)
    assert heard_ms(rig, phrase) > 0
    rig.ask(asks.Judged(phrase, "unchecked", 0, 9))  # the classifier is as dead for our own words
    rig.advance(5000)
    assert UNCHECKED_PHRASE in asked_aside(rig)
    assert heard_ms(rig, phrase) == rig.far.asides[phrase].audio_ms
    assert heard_ms(rig, item_of(rig, 0)) == 0
    assert tripped(rig) == [("unchecked", "gate", 0, "safe_phrase")]
    assert not rig.sent("conversation.item.create")
    assert rig.turn() is State.LISTENING
    assert not rig.far.errors


def test_unchecked_words_are_played_where_that_was_set() -> None:
    rig = guarded([Say(TALK, 4000)], guardrails_open=True)
    rig.speak(400)
    rig.advance(100)
    verdict(rig, "unchecked", 0, 50)
    rig.advance(5000)
    assert heard_ms(rig) == 4000
    assert not tripped(rig)


def test_a_safe_phrase_that_the_model_says_otherwise_is_checked_and_dropped_like_anything_else() -> None:
    rig = guarded([Say(TALK, 4000)])
    rig.speak(400)
    rig.advance(100)
    verdict(rig, "unchecked", 0, 18)
    aside = rig.far.active
    assert aside is not None
    aside.parts[0] = Say("Sure, I will say that", 1500)
    rig.advance(100)
    phrase = item_of(rig)
    verdict(rig, "unchecked", 0, 21)
    rig.advance(3000)
    assert heard_ms(rig, phrase) == 0
    assert tripped(rig)[-1] == ("unchecked", "gate", 0, "silence")
    assert rig.turn() is State.LISTENING
    assert not rig.far.errors


def test_a_safe_phrase_to_which_the_model_adds_is_heard_as_far_as_it_is_that() -> None:
    rig = guarded([Say(TALK, 4000)])
    rig.speak(400)
    rig.advance(100)
    verdict(rig, "unchecked", 0, 18)
    aside = rig.far.active
    assert aside is not None
    aside.parts[0] = Say(UNCHECKED_PHRASE + " You idiot.", 300 * 13)
    rig.advance(100)
    end = len(UNCHECKED_PHRASE)
    verdict(rig, "fail", end + 1, end + 11)
    rig.advance(5000)
    assert heard_ms(rig, item_of(rig)) == 3300
    assert tripped(rig)[-1] == ("fail", "gate", 3300, "silence")
    assert "idiot" not in str(rig.to_caller)
    assert not rig.sent("conversation.item.truncate")
    assert not rig.far.errors


def test_a_safe_phrase_finds_no_room_while_the_caller_speaks_and_is_not_said_later() -> None:
    rig = guarded([Say(TALK, 4000)], speedup=2)
    rig.far.cancel_delay_ms = 400
    rig.speak(400)
    rig.advance(100)
    verdict(rig, "unchecked", 0, 18)
    rig.start_speaking("u2")
    rig.advance(1000)
    rig.stop_speaking("u2")
    rig.advance(100)
    assert rig.causes() == ["speech", "speech"]


def test_a_safe_phrase_that_finds_no_room_for_long_is_dropped() -> None:
    rig = guarded([Say(TALK, 4000)], speedup=2)
    rig.far.deaf_to_cancel = True
    rig.speak(400)
    rig.advance(100)
    verdict(rig, "unchecked", 0, 18)
    assert rig.call.gate.owed
    rig.call.gate.owe(UNCHECKED_PHRASE, rig.now - 4.0)
    rig.advance(1200)
    assert not rig.call.gate.owed


def test_under_observe_all_is_played_at_once_and_a_verdict_cuts_it_where_it_is() -> None:
    rig = guarded([Say(TALK, 4000)], policy="observe")
    answer_again(rig)
    rig.speak(400)
    rig.advance(1000)
    before = heard_ms(rig)
    assert before >= 900
    assert shown(rig) == TALK
    verdict(rig, "pass", 0, 18)
    verdict(rig, "unchecked", 36, 50)
    verdict(rig, "fail", 18, 36)
    flagged = item_of(rig, 0)
    rig.advance(2000)
    assert heard_ms(rig, flagged) == before
    assert rig.far.items[flagged].truncated_ms == before
    assert heard_ms(rig, item_of(rig)) == 1000
    assert tripped(rig) == [("fail", "observe", before, "corrected")]
    assert not rig.far.errors
    assert not rig.entries(journal.TurnIgnored)


def test_an_item_that_waits_behind_another_is_dropped_whole_under_observe() -> None:
    rig = guarded([Say(GOOD, 2000), Say(BAD, 1600)], policy="observe")
    rig.speak(400)
    rig.advance(400)
    verdict(rig, "fail", 0, 17)
    answer_again(rig)
    flagged = item_of(rig)
    rig.advance(4000)
    assert heard_ms(rig, flagged) == 0
    assert heard_ms(rig) == 2000
    assert flagged not in rig.far.items
    assert not rig.far.errors
    assert not rig.entries(journal.TurnIgnored)


def test_a_flagged_second_item_ends_the_turn_after_the_first() -> None:
    rig = guarded([Say(GOOD, 600), Say(BAD, 1600)])
    rig.speak(400)
    rig.advance(100)
    verdict(rig, "pass", 0, 18, item_of(rig, 0))
    rig.advance(1000)
    assert heard_ms(rig) == 600
    rig.far.answers.append([Use("look_up")])
    verdict(rig, "unchecked", 0, 17)
    assert heard_ms(rig, item_of(rig, 1)) == 0
    rig.advance(100)
    assert not rig.far.errors
    assert not rig.entries(journal.TurnIgnored)


def test_verdicts_about_what_is_over_or_unknown_come_too_late() -> None:
    rig = guarded([Say(GOOD, 600)])
    rig.speak(400)
    rig.advance(100)
    verdict(rig, "pass", 0, 18)
    rig.advance(1000)
    verdict(rig, "fail", 0, 18)
    verdict(rig, "fail", 0, 18, "nobody")
    verdict(rig, "fail", 0, 18, "u")
    assert not tripped(rig)
    rig.far.answers.append([Say(TALK, 4000)])
    rig.speak(400)
    rig.advance(100)
    rig.start_speaking("u2")
    verdict(rig, "fail", 0, 18)
    assert not tripped(rig)


def test_a_barge_in_shows_no_more_than_was_cleared_and_an_item_can_be_read_as_far() -> None:
    rig = guarded([Say(TALK, 4000)])
    rig.speak(400)
    rig.advance(100)
    verdict(rig, "pass", 0, 18)
    item_id = item_of(rig)
    rig.client({"type": "conversation.item.retrieve", "item_id": item_id})
    (read,) = rig.told("conversation.item.retrieved")
    assert read["item"]["content"][0]["transcript"] == GOOD
    rig.advance(600)
    rig.start_speaking("u2")
    rig.advance(100)
    (done,) = rig.told("response.output_audio_transcript.done")
    assert done["transcript"] == GOOD
    assert "idiot" not in str(rig.to_caller)
    rig.client({"type": "conversation.item.retrieve", "item_id": item_id})
    assert rig.told("conversation.item.retrieved")[-1]["item"]["content"][0]["transcript"] in GOOD


def test_a_filler_makes_way_when_the_answer_is_cleared_and_not_before() -> None:
    rig = guarded([Use("look_up")], [Say(GOOD, 1600)])
    rig.speak(400)
    rig.advance(1500)
    filler = item_of(rig)
    rig.advance(300)
    assert heard_ms(rig, filler) > 0
    rig.run_tools()
    rig.advance(200)
    before = heard_ms(rig, filler)
    rig.advance(100)
    assert heard_ms(rig, filler) == before + 100
    verdict(rig, "pass", 0, 18)
    rig.advance(2500)
    assert heard_ms(rig, item_of(rig)) == 1600
    assert not rig.far.errors


def test_a_tool_whose_result_is_to_come_has_the_model_go_on_after_a_correction() -> None:
    rig = guarded([Say(BAD, 1600), Use("look_up")], [Say(GOOD, 1600)])
    rig.speak(400)
    rig.advance(100)
    verdict(rig, "fail", 0, 17)
    assert rig.causes() == ["speech"]
    rig.run_tools()
    rig.advance(100)
    verdict(rig, "pass", 0, 18)
    rig.advance(2000)
    assert rig.causes() == ["speech", "tool"]
    assert heard_ms(rig, item_of(rig)) == 1600
    assert not rig.far.errors


def test_without_word_times_flagged_words_are_not_heard_either_and_the_cut_is_where_it_is_quiet() -> None:
    rig = guarded([Say(TALK, 4000)])
    rig.call.speech.ledger.word_times = False
    answer_again(rig)
    rig.speak(400)
    rig.advance(100)
    verdict(rig, "pass", 0, 18)
    rig.advance(100)
    verdict(rig, "fail", 18, 36)
    rig.advance(2000)
    assert heard_ms(rig, item_of(rig, 0)) == 600  # 18 characters at 30 a second
    assert rig.far.items[item_of(rig, 0)].truncated_ms == 600
    assert not rig.far.errors
