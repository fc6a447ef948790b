"""Keys of a telephone: each in the journal, all of them together to the agent, once nothing more is to come."""

from __future__ import annotations

import pytest

from rig import Rig, Say
from rtbridge.core import dtmf, journal
from rtbridge.core.dtmf import BURST, BURST_S, MAX_KEYS, Keypad
from rtbridge.core.turns import State


def press(rig: Rig, keys: str, *, every_ms: int = 200) -> None:
    for key in keys:
        dtmf.press(rig.call, key, rig.now, by="media")
        rig.act()
        rig.advance(every_ms)


def told(rig: Rig) -> list[str]:
    """Return what the upstream was told of the caller, in words."""
    return [event["item"]["content"][0]["text"] for event in rig.sent("conversation.item.create")]


def test_a_number_with_a_hash_is_told_at_once_and_answered() -> None:
    rig = Rig()
    press(rig, "1234#", every_ms=20)
    assert told(rig) == ["The caller pressed 1 2 3 4 #."]
    assert rig.causes() == ["dtmf"]
    assert [entry.as_dict() for entry in rig.entries(journal.DtmfReceived)] == [
        {"digit": key, "by": "media"} for key in "1234#"
    ]
    rig.advance(1500)
    assert rig.turn() is State.LISTENING
    assert rig.call.keypad.deadline() is None


def test_without_a_hash_a_pause_of_two_seconds_ends_the_number_and_not_a_shorter_one() -> None:
    rig = Rig()
    press(rig, "42")
    rig.advance(1780)
    assert told(rig) == []
    press(rig, "7")
    rig.advance(1780)
    assert told(rig) == []
    rig.advance(40)
    assert told(rig) == ["The caller pressed 4 2 7."]
    rig.advance(5000)
    assert rig.causes() == ["dtmf"]


def test_two_numbers_in_one_message_are_two_messages_to_the_agent() -> None:
    rig = Rig()
    rig.client({"type": "rtbridge.dtmf", "digits": "12#*9#"})
    assert told(rig) == ["The caller pressed 1 2 #.", "The caller pressed * 9 #."]
    assert {entry.as_dict()["by"] for entry in rig.entries(journal.DtmfReceived)} == {"page"}


def test_a_key_stops_an_agent_who_speaks_and_leaves_nothing_unheard() -> None:
    rig = Rig()
    rig.far.answers.append([Say("For sales press one, for returns press two, or wait.", 4000)])
    rig.speak(300)
    rig.advance(1500)
    assert rig.turn() is State.AGENT_SPEAKING
    heard_ms = 20 * sum(frame is not None for frame in rig.heard)
    press(rig, "2", every_ms=20)
    (barge_in,) = rig.entries(journal.BargeInConfirmed)
    assert barge_in.as_dict()["heard_ms"] == heard_ms
    assert [event["audio_end_ms"] for event in rig.sent("conversation.item.truncate")] == [heard_ms]
    frames = len(rig.heard)
    rig.advance(1000)
    assert set(rig.heard[frames:]) == {None}
    rig.advance(1020)
    assert told(rig) == ["The caller pressed 2."]


def test_a_key_before_the_first_word_is_heard_is_no_interruption_of_it() -> None:
    rig = Rig()
    rig.far.answers.append([Say("For sales press one.", 2000)])
    rig.speak(300)
    while rig.call.speech.playout.playing is None:
        rig.now += 0.02
        rig.upstream(*rig.far.generate(20))
    press(rig, "1", every_ms=20)
    assert rig.entries(journal.BargeInConfirmed) == []
    rig.advance(1500)
    assert set(rig.heard) == {None}


def test_a_number_that_is_too_long_is_told_in_pieces() -> None:
    rig = Rig()
    press(rig, "1" * (MAX_KEYS + 1), every_ms=100)
    assert told(rig) == [f"The caller pressed {' '.join('1' * MAX_KEYS)}."]
    rig.advance(2000)
    assert told(rig)[1:] == ["The caller pressed 1."]


def test_keys_that_nobody_can_press_so_fast_are_left_out_and_named_once() -> None:
    rig = Rig()
    for _ in range(3):
        rig.client({"type": "rtbridge.dtmf", "digits": "0" * MAX_KEYS})
    assert len(rig.entries(journal.DtmfReceived)) == BURST
    (notice,) = rig.entries(journal.Notice)
    assert notice.as_dict()["message"] == "keys came faster than 64 in 5 s: the rest was left out"
    rig.advance(round(BURST_S * 1000) + 20)
    rig.client({"type": "rtbridge.dtmf", "digits": "1"})
    assert len(rig.entries(journal.DtmfReceived)) == BURST + 1


def test_keys_before_the_session_is_in_force_wait_for_it_and_too_many_are_left_out() -> None:
    rig = Rig(go=False)
    for _ in range(300):
        rig.now += 0.1
        dtmf.press(rig.call, "#", rig.now, by="media")
    rig.act()
    assert [entry.as_dict()["message"] for entry in rig.entries(journal.Notice)] == [
        "keys were left out: too much waits for the session to be in force"
    ]
    assert told(rig) == []


@pytest.mark.parametrize("digits", [None, 12, "", "12a", "1 2", "1" * (MAX_KEYS + 1)])
def test_what_is_no_number_is_refused_in_words(digits: object) -> None:
    rig = Rig()
    rig.client({"type": "rtbridge.dtmf", "event_id": "c1", "digits": digits})
    (error,) = rig.told("error")
    assert error["error"]["event_id"] == "c1"
    assert error["error"]["param"] == "digits"
    assert error["error"]["message"] == (
        "digits must be 1 to 32 keys of a telephone, each one of 0123456789*#ABCD"
    )
    assert rig.entries(journal.DtmfReceived) == []


def test_a_keypad_that_nobody_touched_waits_for_nothing() -> None:
    keypad = Keypad()
    assert keypad.deadline() is None
    assert keypad.complete(100.0) == ""
