"""A press of the button to talk, whatever the agent is at: it is interrupted as by a voice that is sure of itself."""

from __future__ import annotations

from rig import FarUpstream, Rig, Say, Use
from rtbridge.core import journal, pcm
from rtbridge.core.barge_in import BargeIn
from rtbridge.core.plan import Plan
from rtbridge.core.turns import State
from talker_rig import BEFORE, BY_HAND, TAIL, Talker, samples


def test_a_press_interrupts_the_agent_as_a_voice_does_but_at_once() -> None:
    talker = Talker()
    talker.rig.far.answers.append([Say("A long answer that nobody wants to hear.", 4000)])
    talker.rig.write("hello")
    talker.rig.advance(1000)
    (item_id,) = [one for one, item in talker.rig.far.items.items() if item.role == "assistant"]
    assert talker.rig.turn() is State.AGENT_SPEAKING
    talker.press()
    heard_ms = talker.rig.heard.count(item_id) * 20
    assert talker.rig.turn() is State.CALLER_SPEAKING
    (cut,) = talker.rig.sent("conversation.item.truncate")
    assert (cut["item_id"], cut["audio_end_ms"]) == (item_id, heard_ms)
    (barge_in,) = talker.rig.entries(journal.BargeInConfirmed)
    assert isinstance(barge_in, journal.BargeInConfirmed)
    assert (barge_in.heard_ms, barge_in.paused_ms) == (heard_ms, 0)
    talker.rig.advance(1000)
    assert talker.rig.heard[-50:] == [None] * 50


def test_a_press_takes_back_an_answer_of_which_nothing_was_heard() -> None:
    talker = Talker(Rig(far=FarUpstream(birth_delay_ms=40)))
    talker.rig.advance(40)
    talker.rig.write("hello")
    talker.press()
    talker.rig.advance(200)
    assert [item for item in talker.rig.far.items.values() if item.role == "assistant"] == []
    assert talker.rig.turn() is State.CALLER_SPEAKING
    assert talker.rig.far.errors == []


def test_words_that_may_not_be_interrupted_are_heard_while_the_caller_already_speaks() -> None:
    line = "This call is recorded."
    plan = Plan(
        "rtc_1",
        "demo",
        "greeter",
        word_times=True,
        greet=False,
        barge_in={"greeter": BargeIn(uninterruptible=(line,))},
    )
    talker = Talker(Rig(plan=plan))
    talker.rig.far.answers.append([Say(f"{line} And now to something completely different.", 4000)])
    talker.rig.write("hello")
    talker.rig.advance(400)
    talker.press()
    assert talker.rig.turn() is State.AGENT_SPEAKING
    talker.rig.advance(3000)
    assert talker.rig.turn() is State.CALLER_SPEAKING
    (cut,) = talker.rig.sent("conversation.item.truncate")
    words = talker.rig.call.speech.ledger.words(cut["item_id"], pcm.samples_of_ms(cut["audio_end_ms"]))
    assert words.heard.startswith(line)
    assert "different" in words.unheard


def test_who_lets_go_during_words_that_may_not_be_interrupted_is_answered_after_them() -> None:
    line = "This call is recorded for training."
    guarded = {"greeter": BargeIn(uninterruptible=(line,))}
    plan = Plan("rtc_1", "demo", "greeter", word_times=True, greet=False, barge_in=guarded)
    talker = Talker(Rig(plan=plan))
    talker.rig.far.answers.append([Say(line, 3000)])
    talker.rig.write("hello")
    talker.rig.advance(800)
    talker.press()
    talker.say_ms(400)
    talker.release()
    talker.say(TAIL)
    talker.rig.advance(5000)
    assert talker.rig.sent("conversation.item.truncate") == []
    assert talker.rig.creates == 2
    assert talker.rig.turn() is State.LISTENING


def test_a_tap_during_words_that_may_not_be_interrupted_changes_nothing() -> None:
    line = "This call is recorded for training."
    guarded = {"greeter": BargeIn(uninterruptible=(line,))}
    plan = Plan("rtc_1", "demo", "greeter", word_times=True, greet=False, barge_in=guarded)
    talker = Talker(Rig(plan=plan))
    talker.rig.far.answers.append([Say(f"{line} And more.", 3000)])
    talker.rig.write("hello")
    talker.rig.advance(800)
    talker.press()
    talker.say_ms(60)
    talker.rig.client({"type": "input_audio_buffer.commit", "event_id": "c_tap"})
    assert talker.errors() == [("input_audio_buffer_commit_empty", "c_tap")]
    talker.rig.advance(5000)
    assert talker.rig.sent("conversation.item.truncate") == []
    assert talker.rig.turn() is State.LISTENING


def test_who_still_speaks_when_such_words_are_over_is_speaking() -> None:
    line = "This call is recorded for training."
    guarded = {"greeter": BargeIn(uninterruptible=(line,))}
    plan = Plan("rtc_1", "demo", "greeter", word_times=True, greet=False, barge_in=guarded)
    talker = Talker(Rig(plan=plan))
    talker.rig.far.answers.append([Say(line, 600)])
    talker.rig.write("hello")
    talker.rig.advance(200)
    talker.press()
    talker.rig.advance(1500)
    assert talker.rig.turn() is State.CALLER_SPEAKING
    assert talker.rig.sent("conversation.item.truncate") == []


def test_a_press_while_a_tool_runs_holds_the_answer_until_the_turn_is_there() -> None:
    talker = Talker()
    talker.rig.far.answers.append([Use("look_up")])
    talker.rig.write("where is it?")
    talker.rig.advance(100)
    talker.press()
    talker.rig.run_tools("it is on its way")
    talker.rig.advance(2000)
    assert (talker.rig.creates, talker.rig.turn()) == (1, State.CALLER_SPEAKING)
    talker.release()
    talker.say(TAIL)
    assert talker.rig.creates == 2


def test_a_press_during_a_handoff_is_part_of_what_the_new_agent_answers() -> None:
    talker = Talker()
    talker.rig.far.answers.append([Use("transfer_to_poet")])
    talker.rig.write("a poem please")
    talker.rig.advance(100)
    talker.say(6_000)
    pressed = talker.press()
    talker.say(6_000)
    talker.rig.hand_off()
    talker.rig.advance(100)
    assert talker.rig.creates == 1
    talker.say(6_000)
    talker.release()
    talker.say(TAIL)
    (turn,) = talker.rig.far.turns
    assert turn.startswith(samples(pressed - BEFORE, pressed + 6_000))
    assert talker.rig.creates == 2
    assert talker.rig.call.agent == "poet"


def test_a_press_over_a_sound_that_was_being_decided_about_decides_it() -> None:
    talker = Talker(by_hand=False)
    talker.rig.far.answers.append([Say("A long answer that nobody wants to hear.", 4000)])
    talker.rig.write("hello")
    talker.rig.advance(600)
    talker.rig.begin_sound("u1")
    assert talker.rig.turn() is State.DECIDING
    talker.rig.far.speaking = False
    talker.rig.client(BY_HAND)
    talker.press()
    assert talker.rig.turn() is State.CALLER_SPEAKING
    talker.rig.upstream({"type": "input_audio_buffer.speech_stopped", "item_id": "u1", "audio_end_ms": 0})
    assert talker.rig.turn() is State.CALLER_SPEAKING, "that was of before"
    talker.say(6_000)
    talker.release()
    talker.say(TAIL)
    assert talker.rig.creates == 2
