"""A sound over the agent's words: the agent is silent at once, and within 400 ms it yields or goes on at the sample."""

from __future__ import annotations

import base64
from dataclasses import replace

import numpy as np
import pytest

from rig import FarUpstream, Hang, Loop, Part, Rig, Say, Use
from rtbridge.bench import sounds
from rtbridge.core import asks, journal, pcm
from rtbridge.core.barge_in import BargeIn
from rtbridge.core.plan import Plan
from rtbridge.core.turns import State

TALK = Say("I can certainly help you with that, and here is all of it. Are you there? One more thing.", 4000)
PLAN = Plan("rtc_1", "demo", "greeter", word_times=True, greet=False)
QUIET = pcm.silence(pcm.samples_of_ms(6_000))
WORD = sounds.at_level(sounds.babble(np.random.default_rng(3), 260), -22)
SPEECH = sounds.at_level(sounds.babble(np.random.default_rng(4), 3_000), -22)
COUGH = sounds.at_level(sounds.cough(np.random.default_rng(7))[: pcm.samples_of_ms(260)], -22)
HUM = sounds.at_level(sounds.hum(np.random.default_rng(1)), -26)


def talking(settings: BargeIn | None = None, *parts: Part, played_ms: int = 1000) -> Rig:
    """Return a call in which the agent talks, and has been heard for so long."""
    plan = PLAN if settings is None else replace(PLAN, barge_in={"greeter": settings})
    rig = Rig(far=FarUpstream(), plan=plan)
    rig.far.answers.append(list(parts) or [TALK])
    rig.speak(200)
    while sum(tag is not None for tag in rig.heard) * 20 < played_ms:
        rig.advance(20)
    return rig


def sound(rig: Rig, audio: bytes, *, told_after_ms: int = 120) -> None:
    """Let the caller's microphone hear `audio`, and the upstream say so after a while."""
    rig.voice = Loop(audio + QUIET)
    rig.far.speaking = True
    rig.advance(told_after_ms)
    rig.begin_sound("u2")


def agent_item(rig: Rig) -> str:
    """Return the one item of the agent that was heard."""
    (item_id,) = {tag for tag in rig.heard if tag is not None}
    return item_id


def spoken(rig: Rig, audio: bytes) -> None:
    """Let the model, which was asked for an answer and is not done, say something in an item of this test's own."""
    active = rig.call.arbiter.active
    assert active is not None
    ids = {"response_id": active.response_id, "item_id": "a9"}
    delta = base64.b64encode(audio).decode()
    rig.upstream({"type": "response.output_audio.delta", **ids, "content_index": 0, "delta": delta})


def words(rig: Rig, text: str, item_id: str = "u2") -> None:
    rig.upstream(
        {
            "type": "conversation.item.input_audio_transcription.delta",
            "item_id": item_id,
            "content_index": 0,
            "delta": text,
        }
    )


def dismissed(rig: Rig) -> list[str]:
    return [entry.reason for entry in rig.journal if isinstance(entry, journal.BargeInDismissed)]


def confirmed(rig: Rig) -> list[journal.BargeInConfirmed]:
    return [entry for entry in rig.journal if isinstance(entry, journal.BargeInConfirmed)]


def all_of_it_was_heard(rig: Rig, ms: int = 4000) -> bool:
    """Let time pass; say whether every frame of the agent's item was heard once, and nothing was told upstream."""
    rig.advance(ms + 1000)
    item_id = agent_item(rig)
    told = rig.sent("conversation.item.truncate") + rig.sent("response.cancel")
    return rig.heard.count(item_id) * 20 == ms and told == [] and rig.turn() is State.LISTENING


def test_the_agent_is_silent_at_once_and_its_words_are_kept() -> None:
    rig = talking()
    queued = rig.call.speech.playout.queued_samples
    sound(rig, SPEECH, told_after_ms=120)
    at, playing = len(rig.heard), rig.call.speech.playout.playing
    assert rig.turn() is State.DECIDING
    rig.advance(20)
    assert rig.heard[at:] == [None]
    assert rig.call.speech.playout.playing == playing
    assert rig.call.speech.playout.queued_samples == queued - pcm.samples_of_ms(120)
    assert rig.entries(journal.BargeInDeciding) == [journal.BargeInDeciding("u2")]


def test_who_speaks_on_is_yielded_to_within_400_ms_and_what_was_heard_is_what_stays() -> None:
    rig = talking()
    sound(rig, SPEECH)
    rig.advance(400)
    (real,) = confirmed(rig)
    assert rig.turn() is State.CALLER_SPEAKING
    assert real.paused_ms == 400
    (cut,) = rig.sent("conversation.item.truncate")
    item_id = agent_item(rig)
    assert cut["audio_end_ms"] == real.heard_ms == rig.heard.count(item_id) * 20 == 1120
    rig.stop_speaking("u2", "wait a moment")
    rig.advance(1000)
    assert rig.creates == 2
    assert rig.far.errors == []


def test_a_word_without_a_transcript_is_meant() -> None:
    rig = talking()
    sound(rig, WORD)
    rig.advance(380)
    assert rig.turn() is State.DECIDING
    rig.advance(20)
    assert len(confirmed(rig)) == 1


def test_a_cough_is_dismissed_resumed_at_the_sample_and_taken_out_of_what_the_upstream_heard() -> None:
    rig = talking()
    sound(rig, COUGH)
    rig.advance(400)
    assert dismissed(rig) == ["noise"]
    assert rig.turn() is State.AGENT_SPEAKING
    rig.advance(300)
    assert len(rig.sent("input_audio_buffer.clear")) == 1
    rig.far.speaking = False
    assert all_of_it_was_heard(rig)
    assert not rig.call.arbiter.caller_speaking
    assert rig.creates == 1
    assert confirmed(rig) == []


def test_a_cough_that_was_committed_before_it_was_quiet_for_long_never_becomes_a_turn() -> None:
    rig = talking()
    sound(rig, COUGH)
    rig.advance(400)
    told, seen = len(rig.to_caller), len(rig.to_agents)
    rig.stop_speaking("u2", "Thank you.")
    kinds = [event["type"] for event in rig.to_caller[told:]]
    assert kinds == ["input_audio_buffer.speech_stopped", "input_audio_buffer.cleared"]
    assert [event["type"] for event in rig.to_agents[seen:]] == ["input_audio_buffer.speech_stopped"]
    assert "u2" not in rig.far.items
    assert rig.entries(journal.CallerSaid) == [journal.CallerSaid("item_1", "hello")]
    assert all_of_it_was_heard(rig)
    assert rig.creates == 1


def test_an_end_of_speech_decides_at_once() -> None:
    rig = talking()
    sound(rig, COUGH, told_after_ms=200)
    rig.stop_speaking("u2", "")
    assert dismissed(rig) == ["noise"]
    rig = talking()
    sound(rig, WORD, told_after_ms=200)
    rig.stop_speaking("u2", "stop")
    assert len(confirmed(rig)) == 1
    rig.advance(1000)
    assert rig.creates == 2


def test_a_hum_means_go_on_while_there_is_more_to_say() -> None:
    rig = talking()
    sound(rig, HUM)
    rig.advance(420)
    assert dismissed(rig) == ["backchannel"]


def test_okay_means_go_on_in_the_middle_of_a_sentence_and_yes_is_an_answer_after_a_question() -> None:
    rig = talking()
    sound(rig, WORD)
    words(rig, "Okay")
    rig.advance(400)
    assert dismissed(rig) == ["backchannel"]
    rig = talking(played_ms=3400)  # "Are you there?" was heard, and "One" has begun
    assert rig.call.speech.ledger.words(agent_item(rig), pcm.samples_of_ms(3400)).heard.rstrip().endswith("?")
    sound(rig, WORD, told_after_ms=20)
    rig.advance(120)
    words(rig, "Yes")
    rig.advance(280)
    assert dismissed(rig) == []
    assert len(confirmed(rig)) == 1


def test_the_last_word_of_all_is_not_the_middle_of_a_sentence_but_one_before_another_item_is() -> None:
    for parts, reasons in (
        ([Say("Hello.", 1500)], []),
        ([Say("Hello.", 1500), Say("You.", 900)], ["backchannel"]),
    ):
        rig = talking(None, *parts)
        sound(rig, WORD)
        words(rig, "yes")
        rig.advance(400)
        assert dismissed(rig) == reasons


def test_words_that_are_no_backchannel_are_meant_and_words_of_another_turn_are_nothing() -> None:
    rig = talking(BargeIn("low"))
    sound(rig, WORD)
    words(rig, "Okay", item_id="u1")
    words(rig, "Stop")
    rig.advance(400)
    assert len(confirmed(rig)) == 1


def test_words_that_come_late_are_heard_and_those_of_a_cough_are_not() -> None:
    rig = talking(BargeIn("low"))
    sound(rig, WORD)
    rig.advance(400)
    assert dismissed(rig) == ["too short"]
    words(rig, "Stop")
    assert len(confirmed(rig)) == 1
    rig = talking()
    sound(rig, COUGH)
    rig.advance(400)
    words(rig, "Thank you")
    assert confirmed(rig) == []


def test_who_coughs_and_speaks_on_is_heard_after_all_with_nothing_lost() -> None:
    rig = talking()
    sound(rig, COUGH + pcm.silence(pcm.samples_of_ms(240)) + SPEECH, told_after_ms=100)
    rig.advance(340)
    assert dismissed(rig) == ["noise"]
    rig.advance(900)
    assert len(confirmed(rig)) == 1
    assert rig.sent("input_audio_buffer.clear") == []
    assert rig.turn() is State.CALLER_SPEAKING


def test_who_speaks_on_after_the_agent_has_ended_has_the_turn() -> None:
    rig = talking(None, Say("Well then, goodbye.", 1500), played_ms=1300)
    sound(rig, COUGH + pcm.silence(pcm.samples_of_ms(240)) + SPEECH, told_after_ms=100)
    rig.advance(1300)
    assert dismissed(rig) == ["noise"]
    assert rig.turn() is State.CALLER_SPEAKING
    assert confirmed(rig) == []


class Echo:
    """A microphone that hears what the agent was heard to say a while ago."""

    def __init__(self, rig: Rig, delay_ms: int) -> None:
        self._rig, self._late = rig, pcm.samples_of_ms(delay_ms)

    def frame(self) -> bytes:
        given = self._rig.call.mouth.last(self._late + pcm.FRAME_SAMPLES)[: pcm.FRAME_SAMPLES]
        return (given * 0.1).astype("<i2").tobytes()


def test_the_agents_own_voice_is_an_echo_and_once_known_costs_no_pause() -> None:
    rig = talking(None, Hang(), played_ms=0)
    spoken(rig, sounds.at_level(sounds.babble(np.random.default_rng(9), 4_000), -20))
    rig.voice = Echo(rig, 100)  # type: ignore[assignment]
    rig.far.speaking = True
    rig.advance(500)
    at = rig.call.speech.playout.queued_samples
    rig.begin_sound("u2")
    assert dismissed(rig) == ["echo"]
    assert rig.turn() is State.AGENT_SPEAKING
    rig.advance(1000)
    assert at - rig.call.speech.playout.queued_samples == pcm.samples_of_ms(1000)
    assert confirmed(rig) == []
    assert rig.sent("input_audio_buffer.clear") == []  # it is not over


def test_words_that_may_not_be_interrupted_are_heard_to_their_end_and_answered_then() -> None:
    rig = talking(BargeIn(uninterruptible=True))
    sound(rig, SPEECH)
    rig.advance(600)
    assert rig.turn() is State.AGENT_SPEAKING
    rig.stop_speaking("u2", "wait")
    item_id = agent_item(rig)
    rig.advance(5000)
    assert rig.entries(journal.BargeInDeciding) == []
    assert rig.heard.count(item_id) * 20 == 4000
    assert rig.creates == 2


def test_one_sentence_that_may_not_be_interrupted_makes_who_speaks_over_it_wait_for_its_end() -> None:
    rig = talking(BargeIn(uninterruptible=("help you with that",)))
    sound(rig, SPEECH, told_after_ms=20)
    rig.advance(200)
    assert rig.turn() is State.AGENT_SPEAKING
    rig.advance(1500)
    (real,) = confirmed(rig)
    (cut,) = rig.sent("conversation.item.truncate")
    heard = rig.call.speech.ledger.words(agent_item(rig), pcm.samples_of_ms(real.heard_ms)).heard
    assert heard.startswith("I can certainly help you with that")
    assert cut["audio_end_ms"] == real.heard_ms < 2400


def test_between_two_items_nothing_is_protected_and_nothing_is_in_the_middle() -> None:
    rig = talking(BargeIn(uninterruptible=("help",)), Say("Help.", 400), Use("look_up"), played_ms=400)
    rig.call.turns.state = State.AGENT_SPEAKING  # a model that calls before its item is done
    sound(rig, WORD)
    words(rig, "okay")
    rig.advance(400)
    assert len(confirmed(rig)) == 1


def test_a_page_that_takes_its_words_back_lets_the_agent_go_on() -> None:
    rig = talking()
    sound(rig, SPEECH)
    rig.client({"type": "input_audio_buffer.clear"})
    rig.far.speaking = False
    assert dismissed(rig) == ["dropped"]
    assert all_of_it_was_heard(rig)


def test_what_the_page_commits_by_hand_is_meant() -> None:
    rig = talking()
    sound(rig, SPEECH)
    rig.upstream({"type": "input_audio_buffer.committed", "item_id": "u2"})
    assert len(confirmed(rig)) == 1
    rig = talking()
    sound(rig, COUGH)
    rig.advance(400)
    rig.upstream({"type": "input_audio_buffer.committed", "item_id": "u2"})
    assert rig.sent("conversation.item.delete") == []


def test_detection_that_is_put_off_in_the_middle_of_a_cough_leaves_nobody_waiting() -> None:
    rig = talking()
    sound(rig, COUGH)
    rig.advance(300)
    rig.client({"type": "session.update", "session": {"audio": {"input": {"turn_detection": None}}}})
    rig.upstream({"type": "input_audio_buffer.speech_stopped", "item_id": "u2", "audio_end_ms": 0})
    assert not rig.call.arbiter.caller_speaking
    rig.far.speaking = False
    assert all_of_it_was_heard(rig)


def test_a_last_word_that_was_out_when_it_was_paused_ends_the_agents_turn() -> None:
    rig = talking(None, Hang(), played_ms=0)
    spoken(rig, SPEECH[: 10 * pcm.FRAME_BYTES])
    rig.advance(300)
    sound(rig, COUGH, told_after_ms=60)
    rig.upstream({"type": "response.output_audio.done", "item_id": "a9"})
    assert rig.call.speech.playout.playing is None
    assert rig.turn() is State.DECIDING
    rig.advance(400)
    assert dismissed(rig) == ["noise"]
    assert rig.turn() is State.THINKING  # the response goes on


def test_somebody_who_wants_silence_gets_it_and_the_next_answer_is_heard() -> None:
    rig = talking()
    sound(rig, SPEECH)
    rig.ask(asks.StopSpeaking())
    assert rig.turn() is State.LISTENING
    rig.stop_speaking("u2", "and now?")
    at = len(rig.heard)
    rig.advance(1000)
    assert any(rig.heard[at:])


def test_a_second_beginning_of_the_same_sound_changes_its_name_only() -> None:
    rig = talking()
    sound(rig, SPEECH)
    rig.advance(200)
    rig.begin_sound("u3")
    rig.begin_sound("")
    rig.advance(200)
    assert rig.call.deciding.item_id == "u3"
    assert len(rig.entries(journal.BargeInDeciding)) == len(confirmed(rig)) == 1


def test_speech_that_was_told_not_to_interrupt_is_not_decided_about() -> None:
    rig = talking()
    detection = {"type": "server_vad", "interrupt_response": False}
    rig.client({"type": "session.update", "session": {"audio": {"input": {"turn_detection": detection}}}})
    sound(rig, SPEECH)
    rig.advance(300)
    assert rig.turn() is State.AGENT_SPEAKING
    assert rig.entries(journal.BargeInDeciding) == []


def test_the_clock_decides_where_no_frame_is_pulled() -> None:
    rig = talking()
    sound(rig, SPEECH)
    deadline = rig.call.deadline()
    assert deadline == pytest.approx(rig.now + 0.4)
    assert deadline is not None
    rig.call.handle_timer(deadline)
    rig.act()
    assert dismissed(rig) == ["noise"]  # 120 ms of it came, and then nothing
