"""What becomes of a response that is refused or never comes: asked for once more, then said to be missing."""

from __future__ import annotations

from rig import Ignore, Refuse, Rig, Say
from rtbridge.core import journal
from rtbridge.core.turns import State


def test_a_response_that_the_upstream_refuses_is_asked_for_once_more() -> None:
    rig = Rig()
    rig.far.answers.extend([[Refuse("server_error")], [Say("Here I am.", 400)]])
    rig.speak()
    rig.advance(1500)
    assert rig.causes() == ["speech", "retry"]
    assert rig.entries(journal.ItemHeard)
    assert rig.entries(journal.Notice) == []


def test_one_that_is_refused_again_or_for_good_is_said_to_be_missing() -> None:
    for refusals in ([Refuse("server_error")] * 2, [Refuse("insufficient_quota")]):
        rig = Rig()
        rig.far.answers.extend([[one] for one in refusals])
        rig.speak()
        rig.advance(1500)
        assert rig.creates == len(refusals)
        assert len(rig.entries(journal.Notice)) == 1
        assert rig.turn() is State.LISTENING


def test_one_that_was_cancelled_before_it_was_refused_is_not_asked_for_again() -> None:
    rig = Rig()
    rig.far.answers.append([Ignore()])
    rig.write("hello")
    (create,) = rig.sent("response.create")
    rig.client({"type": "output_audio_buffer.clear"})
    error = {"type": "server_error", "code": "server_error", "message": "no", "event_id": create["event_id"]}
    rig.upstream({"type": "error", "error": error})
    rig.advance(500)
    assert rig.creates == 1


def test_one_that_only_the_client_asked_for_is_refused_to_it_and_one_that_a_turn_asked_for_too_is_not_lost() -> (
    None
):
    rig = Rig()
    rig.far.answers.append([Refuse("server_error")])
    rig.client({"type": "response.create", "event_id": "c_1"})
    rig.advance(500)
    assert (rig.creates, len(rig.told("error"))) == (1, 1)
    rig.far.answers.append([Refuse("server_error")])
    rig.start_speaking()
    rig.client({"type": "response.create", "event_id": "c_2"})
    rig.stop_speaking()
    rig.advance(500)
    assert (rig.creates, len(rig.told("error"))) == (3, 2)


def test_one_that_never_comes_is_asked_for_once_more_and_then_said_to_be_missing() -> None:
    rig = Rig()
    rig.far.answers.extend([[Ignore()], [Ignore()]])
    rig.speak()
    rig.advance(20_000)
    assert rig.creates == 2
    (notice,) = rig.entries(journal.Notice)
    assert notice == journal.Notice("The model did not answer.")
    assert rig.turn() is State.LISTENING


def test_turn_detection_put_off_in_the_middle_of_speech_holds_up_no_typed_question() -> None:
    rig = Rig()
    rig.start_speaking()
    session = {"audio": {"input": {"turn_detection": None}}}
    rig.client({"type": "session.update", "session": session})
    rig.far.speaking = False
    rig.upstream({"type": "input_audio_buffer.speech_stopped", "item_id": "u", "audio_end_ms": 0})
    assert rig.turn() is State.LISTENING
    rig.write("never mind, what time is it?")
    rig.advance(500)
    assert rig.creates == 1
