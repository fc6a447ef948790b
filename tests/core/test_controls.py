"""Mute, playback off and hold mean what they say: each silences one thing, to the sample, and nothing misbehaves."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from rig import Rig, Say, Use
from rtbridge.core import journal, pcm
from rtbridge.core.turns import State

Wire = dict[str, Any]
LONG = Say("A long answer that goes on and on for a while.", 4000)


def mute(on: bool) -> Wire:
    return {"type": "rtbridge.input_audio.mute", "muted": on}


def pause(on: bool) -> Wire:
    return {"type": "rtbridge.output_audio.pause", "paused": on}


def hold(on: bool) -> Wire:
    return {"type": "rtbridge.call.hold", "held": on}


def in_force(rig: Rig) -> list[tuple[bool, bool, bool]]:
    return [
        (one.muted, one.paused, one.held) for one in rig.journal if isinstance(one, journal.ControlsChanged)
    ]


def speaking() -> tuple[Rig, str]:
    """Return a call whose agent has spoken for a second, and the item that it speaks."""
    rig = Rig()
    rig.far.answers.append([LONG])
    rig.write("hello")
    rig.advance(1020)
    (item_id,) = [one for one, item in rig.far.items.items() if item.role == "assistant"]
    assert rig.turn() is State.AGENT_SPEAKING
    return rig, item_id


def numbered(rig: Rig, samples: int) -> bytes:
    """Push an item whose samples count up; return them."""
    sound = (np.arange(samples) % 20_000 + 1).astype("<i2").tobytes()
    rig.call.speech.begin("counted", "r", "greeter")
    rig.call.speech.add_audio("counted", 0, sound)
    return sound


def test_each_is_confirmed_with_all_that_is_in_force_changed_or_not() -> None:
    rig = Rig()
    for event in (mute(True), mute(True), pause(True), hold(True), mute(False), hold(False), pause(False)):
        rig.client(event)
    assert in_force(rig) == [
        (True, False, False),
        (True, False, False),
        (True, True, False),
        (True, True, True),
        (False, True, True),
        (False, True, False),
        (False, False, False),
    ]
    assert journal.ControlsChanged.to_caller


@pytest.mark.parametrize(
    ("event", "param"),
    [
        ({"type": "rtbridge.input_audio.mute"}, "muted"),
        ({"type": "rtbridge.input_audio.mute", "muted": "yes"}, "muted"),
        ({"type": "rtbridge.output_audio.pause", "paused": 1}, "paused"),
        ({"type": "rtbridge.call.hold", "held": None}, "held"),
    ],
)
def test_what_is_neither_true_nor_false_is_refused_by_the_clients_own_name(event: Wire, param: str) -> None:
    rig = Rig()
    rig.client({**event, "event_id": "c1"})
    (told,) = rig.told("error")
    assert (told["error"]["event_id"], told["error"]["param"]) == ("c1", param)
    assert "true or false" in told["error"]["message"]
    assert in_force(rig) == []


def test_a_muted_caller_is_silence_upstream_and_in_our_own_ear_and_the_agent_goes_on() -> None:
    rig, item_id = speaking()
    voice = bytes(range(1, 241)) * 4
    rig.client(mute(True))
    assert rig.call.hear(voice, rig.now) == [bytes(len(voice))]
    assert not rig.call.ear.last(480).any()
    before = rig.heard.count(item_id)
    rig.advance(400)
    assert rig.heard.count(item_id) == before + 20
    rig.client(mute(False))
    assert rig.call.hear(voice, rig.now) == [voice]


def test_nothing_of_before_the_end_of_a_mute_is_in_a_turn_that_is_pushed_to_talk() -> None:
    rig = Rig()
    rig.client({"type": "session.update", "session": {"audio": {"input": {"turn_detection": None}}}})
    rig.client(mute(True))
    rig.hear(b"\x07\x07" * 4_800)
    rig.client(mute(False))
    rig.client({"type": "input_audio_buffer.clear"})
    rig.hear(b"\x05\x05" * 4_800)
    assert bytes(rig.far.heard) == bytes(9_600) + b"\x05\x05" * 4_800


@pytest.mark.parametrize("control", [pause, hold])
def test_the_agent_stands_still_at_the_sample_and_goes_on_with_the_next(control: Any) -> None:
    rig = Rig()
    sound = numbered(rig, 10_000)
    heard = rig.call.pull(777, rig.now)
    rig.client(control(True))
    for _ in range(50):
        assert rig.call.pull(480, rig.now) == pcm.silence(480)
    playing = rig.call.speech.playout.playing
    assert playing is not None
    assert playing.pulled == 777
    rig.client(control(False))
    heard += rig.call.pull(1_223, rig.now)
    assert heard == sound[: len(heard)]


def test_playback_off_mutes_nothing_else() -> None:
    rig = Rig()
    rig.client(pause(True))
    voice = bytes(range(1, 241)) * 4
    assert rig.call.hear(voice, rig.now) == [voice]


def test_a_turn_while_playback_is_off_truncates_to_what_was_heard_and_is_answered() -> None:
    rig, item_id = speaking()
    heard_ms = rig.heard.count(item_id) * 20
    rig.client(pause(True))
    rig.advance(2000)
    rig.start_speaking()
    rig.advance(400)
    rig.stop_speaking(text="another thing")
    rig.advance(1000)
    (cut,) = rig.sent("conversation.item.truncate")
    assert (cut["item_id"], cut["audio_end_ms"]) == (item_id, heard_ms)
    assert rig.creates == 2
    assert set(rig.heard[-100:]) == {None}, "and the answer waits"
    rig.client(pause(False))
    rig.advance(1000)
    assert rig.heard[-50:].count(None) < 50
    assert rig.turn() is State.LISTENING


def test_one_word_while_playback_is_off_is_a_turn_and_no_nod() -> None:
    rig, _ = speaking()
    rig.client(pause(True))
    rig.advance(200)
    rig.begin_sound()
    rig.advance(300)
    rig.upstream(
        {
            "type": "conversation.item.input_audio_transcription.delta",
            "item_id": "u",
            "content_index": 0,
            "delta": "okay",
        }
    )
    rig.advance(400)
    assert rig.turn() is State.CALLER_SPEAKING


def test_an_answer_that_came_while_playback_was_off_is_unheard_when_the_caller_talks() -> None:
    rig = Rig()
    rig.client(pause(True))
    rig.far.answers.append([LONG])
    rig.write("hello")
    rig.advance(2000)
    rig.speak()
    assert [item for item in rig.far.items.values() if item.role == "assistant"] == []
    assert rig.sent("conversation.item.truncate") == []


def test_playback_that_is_off_survives_a_caller_who_was_away() -> None:
    rig, item_id = speaking()
    rig.client(pause(True))
    rig.call.leg_suspended("gone", rig.now)
    rig.call.leg_resumed(3000)
    before = rig.heard.count(item_id)
    rig.advance(200)
    assert rig.heard.count(item_id) == before


def test_both_are_silent_on_hold_and_each_comes_back_with_its_own_control() -> None:
    rig, item_id = speaking()
    rig.client(pause(True))
    rig.client(hold(True))
    voice = bytes(range(1, 241)) * 4
    assert rig.call.hear(voice, rig.now) == [bytes(len(voice))]
    before = rig.heard.count(item_id)
    rig.client(hold(False))
    assert rig.call.hear(voice, rig.now) == [voice]
    rig.advance(200)
    assert rig.heard.count(item_id) == before, "playback is still off"
    rig.client(pause(False))
    rig.advance(200)
    assert rig.heard.count(item_id) == before + 10


@pytest.mark.parametrize("control", [pause, hold])
def test_nobody_fills_a_silence_that_the_caller_chose(control: Any) -> None:
    rig = Rig()
    rig.far.answers.append([Use("look_up")])
    rig.write("where is it?")
    rig.advance(400)
    rig.client(control(True))
    rig.advance(10_000)
    assert rig.entries(journal.FillerAsked) == []
    rig.client(control(False))
    rig.advance(1_000)
    assert rig.entries(journal.FillerAsked) == [], "the silence begins when it can be heard"
    rig.advance(400)
    assert len(rig.entries(journal.FillerAsked)) == 1


@pytest.mark.parametrize("control", [pause, hold])
def test_no_latency_is_taken_of_an_answer_that_had_to_wait_for_the_caller(control: Any) -> None:
    rig = Rig()
    rig.client(control(True))
    rig.write("hello")
    rig.advance(5_000)
    rig.client(control(False))
    rig.advance(1_000)
    assert rig.entries(journal.TurnEnded) == []
    rig.write("again")
    rig.advance(1_000)
    assert len(rig.entries(journal.TurnEnded)) == 1


@pytest.mark.parametrize(("control", "asked"), [(pause, 0), (hold, 0), (mute, 1)])
def test_a_caller_who_chose_to_hear_nothing_is_not_asked_whether_they_are_there(
    control: Any, asked: int
) -> None:
    rig = Rig()
    rig.client(control(True))
    rig.advance(6_000)
    rig.upstream({"type": "input_audio_buffer.timeout_triggered", "item_id": "u"})
    rig.upstream({"type": "input_audio_buffer.committed", "item_id": "u"})
    rig.advance(200)
    assert rig.creates == asked


def test_a_minute_on_hold_breaks_no_watchdog() -> None:
    rig, item_id = speaking()
    rig.client(hold(True))
    rig.advance(60_000)
    assert rig.hangups == []
    assert [one for one in rig.entries(journal.UpstreamErred, journal.Notice)] == []
    rig.client(hold(False))
    rig.advance(4_000)
    assert rig.heard.count(item_id) * 20 == LONG.ms
    assert rig.turn() is State.LISTENING


def test_the_button_that_was_down_when_the_call_was_put_on_hold_ends_a_turn_of_silence() -> None:
    rig = Rig()
    rig.client({"type": "session.update", "session": {"audio": {"input": {"turn_detection": None}}}})
    rig.client({"type": "input_audio_buffer.clear"})
    rig.hear(b"\x05\x05" * 4_800)
    rig.client(hold(True))
    rig.hear(b"\x07\x07" * 4_800)
    rig.client({"type": "input_audio_buffer.commit"})
    rig.hear(b"\x07\x07" * 4_800)
    (turn,) = rig.far.turns
    assert turn == b"\x05\x05" * 4_800 + bytes(9_600 + 2 * pcm.samples_of_ms(160))
