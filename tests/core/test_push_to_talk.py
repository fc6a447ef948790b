"""Push to talk, to the sample: what was said before the press and on the release is in, and nothing else is."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from rig import SESSION, FarUpstream, Rig
from rtbridge.core import asks, journal, pcm
from rtbridge.core.push_to_talk import Button, PushToTalk
from rtbridge.core.turns import State
from talker_rig import BEFORE, BY_HAND, BY_VAD, TAIL, Talker, samples

Wire = dict[str, Any]


def test_the_200_ms_before_a_press_and_the_tail_after_it_are_in_to_the_sample() -> None:
    talker = Talker()
    talker.say(12_345, chunk=301)
    pressed = talker.press()
    talker.say(20_011, chunk=477)
    released = talker.release()
    talker.say(10_000, chunk=399)
    assert talker.rig.far.turns == [samples(pressed - BEFORE, released + TAIL)]
    assert talker.rig.creates == 1
    assert [
        entry.before_ms for entry in talker.rig.journal if isinstance(entry, journal.PushToTalkPressed)
    ] == [200]
    (let_go,) = [entry for entry in talker.rig.journal if isinstance(entry, journal.PushToTalkReleased)]
    assert let_go.held_ms == 20_011 * 1000 // pcm.RATE


def test_a_press_before_200_ms_of_the_call_takes_what_there_is() -> None:
    talker = Talker()
    talker.say(1_000)
    talker.press()
    talker.say(6_000)
    released = talker.release()
    talker.say(6_000)
    assert talker.rig.far.turns == [samples(0, released + TAIL)]


def test_a_press_with_the_first_sample_of_the_call_is_a_turn_like_any() -> None:
    talker = Talker()
    talker.press()
    talker.say(6_000)
    released = talker.release()
    talker.say(TAIL)
    assert talker.rig.far.turns == [samples(0, released + TAIL)]


def test_nothing_that_was_said_between_two_presses_reaches_the_upstream_and_no_sample_is_sent_twice() -> None:
    talker = Talker()
    spans: list[tuple[int, int]] = []
    for before, held, pause in ((9_000, 7_000, 30_000), (0, 12_000, 3_000), (100, 2_400, 24_000)):
        talker.say(before)
        pressed = talker.press()
        talker.say(held)
        released = talker.release()
        spans.append((max(pressed - BEFORE, spans[-1][1] if spans else 0), released + TAIL))
        talker.say(TAIL + pause)
        assert not talker.rig.far.heard, "after a release nothing goes upstream"
    assert talker.rig.far.turns == [samples(first, end) for first, end in spans]


@pytest.mark.parametrize("late", [0, 1, 100, TAIL - 1])
def test_a_press_into_the_tail_ends_the_first_turn_there_and_the_second_goes_on_from_it(late: int) -> None:
    talker = Talker()
    talker.say(10_000)
    first = talker.press()
    talker.say(6_000)
    talker.release()
    talker.say(late)
    second = talker.press()
    assert talker.rig.creates == 0, "the caller speaks"
    talker.say(6_000)
    released = talker.release()
    talker.say(TAIL)
    assert talker.rig.far.turns == [samples(first - BEFORE, second), samples(second, released + TAIL)]
    assert talker.rig.creates == 1, "one answer to both"
    assert talker.errors() == []


def test_a_second_press_without_a_release_begins_the_turn_anew_with_200_ms_before_it() -> None:
    talker = Talker()
    talker.press()
    talker.say(30_000)
    again = talker.press("c_again")
    talker.say(6_000)
    released = talker.release()
    talker.say(TAIL)
    assert talker.rig.far.turns == [samples(again - BEFORE, released + TAIL)]
    assert talker.errors() == []


def test_a_release_without_a_press_is_refused_and_so_is_a_second_one() -> None:
    talker = Talker()
    talker.press()
    talker.say(6_000)
    talker.release()
    talker.release("c_twice")
    assert talker.errors() == [("input_audio_buffer_commit_empty", "c_twice")]
    talker.say(TAIL)
    talker.say(48_000)
    talker.rig.client({"type": "input_audio_buffer.commit", "event_id": "c_none"})
    assert talker.errors()[1:] == [("input_audio_buffer_commit_empty", "c_none")]
    assert "clear" in talker.rig.told("error")[-1]["error"]["message"]
    assert len(talker.rig.far.turns) == 1


def test_a_tap_of_under_100_ms_is_no_turn_and_the_call_goes_on() -> None:
    talker = Talker()
    talker.say(10_000)
    talker.press()
    assert talker.rig.turn() is State.CALLER_SPEAKING
    talker.say(2_399)
    talker.rig.client({"type": "input_audio_buffer.commit", "event_id": "c_tap"})
    assert talker.errors() == [("input_audio_buffer_commit_empty", "c_tap")]
    assert "99 ms" in talker.rig.told("error")[0]["error"]["message"]
    assert talker.rig.turn() is State.LISTENING
    talker.say(10_000)
    assert talker.rig.far.turns == []
    talker.press()
    talker.say(2_400)
    talker.release()
    talker.say(TAIL)
    assert [pcm.samples_of(turn) for turn in talker.rig.far.turns] == [BEFORE + 2_400 + TAIL]


def test_the_answer_waits_for_the_tail_and_for_the_commit() -> None:
    talker = Talker()
    talker.press()
    talker.say_ms(500)
    talker.release()
    talker.say(TAIL - 1)
    assert (talker.rig.creates, talker.rig.turn()) == (0, State.CALLER_SPEAKING)
    talker.say(1)
    assert (talker.rig.creates, talker.rig.turn()) == (1, State.THINKING)
    kinds = [event["type"] for event in talker.rig.far.received]
    assert kinds[-2:] == ["input_audio_buffer.commit", "response.create"]


def test_without_a_microphone_the_tail_is_waited_for_half_a_second() -> None:
    talker = Talker()
    talker.say(10_000)
    pressed = talker.press()
    talker.say(6_000)
    released = talker.release()
    talker.rig.now += 0.49
    talker.rig.call.handle_timer(talker.rig.now)
    talker.rig.act()
    assert talker.rig.far.turns == []
    deadline = talker.rig.call.deadline()
    assert deadline is not None
    talker.rig.now = deadline
    talker.rig.call.handle_timer(talker.rig.now)
    talker.rig.act()
    assert talker.rig.far.turns == [samples(pressed - BEFORE, released)]


def test_what_waits_for_a_session_keeps_its_order_clear_then_audio_then_commit() -> None:
    talker = Talker(Rig(far=FarUpstream(ack_delay_ms=2000)), by_hand=False)
    talker.rig.advance(2100)
    talker.said = 0
    talker.rig.client(BY_HAND)
    pressed = talker.press()
    talker.say(6_000)
    released = talker.release()
    talker.say(9_000)
    assert talker.rig.far.turns == []
    talker.rig.upstream(*talker.rig.far.generate(2000))
    (turn,) = talker.rig.far.turns
    assert turn.endswith(samples(pressed, released + TAIL))
    assert pcm.samples_of(turn) <= BEFORE + 6_000 + TAIL
    assert talker.rig.creates == 1


def test_two_turns_that_wait_for_a_session_become_one_and_lose_nothing() -> None:
    talker = Talker(Rig(far=FarUpstream(ack_delay_ms=2000)), by_hand=False)
    talker.rig.advance(2100)
    talker.rig.client(BY_HAND)
    talker.press()
    talker.say(6_000)
    first = talker.release()
    talker.say(TAIL + 1_000)
    second = talker.press()
    talker.say(100)
    released = talker.release()
    talker.say(TAIL)
    talker.rig.upstream(*talker.rig.far.generate(2000))
    (turn,) = talker.rig.far.turns
    assert (first, second) == (6_000, 6_000 + TAIL + 1_000)
    assert turn.endswith(samples(0, released + TAIL))


def test_what_waits_for_too_long_is_dropped_from_its_beginning_and_told() -> None:
    talker = Talker(Rig(far=FarUpstream(ack_delay_ms=60_000)), by_hand=False)
    talker.rig.client(BY_HAND)
    talker.press()
    talker.say(pcm.samples_of_ms(10_200))
    dropped = [entry for entry in talker.rig.journal if isinstance(entry, journal.AudioDropped)]
    assert {entry.where for entry in dropped} == {"mic"}


def test_turn_detection_that_comes_back_while_the_button_is_down_commits_and_answers_what_was_said() -> None:
    talker = Talker()
    talker.say(10_000)
    pressed = talker.press()
    talker.say(6_000)
    talker.rig.client(BY_VAD)
    assert talker.rig.far.turns == [samples(pressed - BEFORE, talker.said)]
    assert talker.rig.creates == 1
    kinds = [event["type"] for event in talker.rig.far.received]
    assert kinds.index("input_audio_buffer.commit") < len(kinds) - 1 - kinds[::-1].index("session.update")
    said = talker.said
    talker.say(500)
    assert bytes(talker.rig.far.heard) == samples(said, said + 500), "from here on the upstream hears all"
    talker.rig.speak()
    assert talker.rig.creates == 2


def test_turn_detection_that_comes_back_in_a_tail_cuts_it_and_keeps_the_clients_own_wish() -> None:
    talker = Talker()
    talker.press()
    talker.say(6_000)
    talker.release()
    talker.say(100)
    talker.rig.client(BY_VAD)
    assert talker.rig.far.turns == [samples(0, 6_100)]
    assert (talker.rig.creates, talker.rig.causes()) == (1, ["client"])


def test_turn_detection_that_comes_back_right_after_a_press_goes_on_with_what_was_sent() -> None:
    talker = Talker()
    talker.press()
    talker.say(2_000)
    talker.rig.client(BY_VAD)
    assert (talker.rig.far.turns, talker.rig.turn()) == ([], State.LISTENING)
    talker.say(1_000)
    assert bytes(talker.rig.far.heard) == samples(0, 3_000)


def test_turn_detection_that_comes_back_before_the_press_has_gone_loses_nothing_either() -> None:
    talker = Talker(Rig(far=FarUpstream(ack_delay_ms=2000)), by_hand=False)
    talker.rig.advance(2100)
    talker.rig.client(BY_HAND)
    talker.press()
    talker.say(6_000)
    talker.rig.client(BY_VAD)
    talker.say(100)
    talker.rig.upstream(*talker.rig.far.generate(4000))
    talker.say(100)
    assert talker.rig.far.turns == []
    assert bytes(talker.rig.far.heard).endswith(samples(0, 6_200))


def test_an_agent_may_choose_push_to_talk_for_its_callers() -> None:
    talker = Talker(by_hand=False)
    by_hand = {**SESSION, "audio": {"input": {"turn_detection": None}}}
    buttons = []
    for session in (by_hand, SESSION):
        talker.rig.ask(asks.ConfigureSession(session))
        buttons.append(talker.rig.call.talk.button)
    assert buttons == [Button.OPEN, Button.OFF]


def test_a_client_that_commits_and_never_clears_is_served_as_the_api_would_and_given_its_tail() -> None:
    talker = Talker()
    talker.say(10_000, chunk=333)
    talker.release()
    talker.say(20_000, chunk=333)
    talker.release()
    talker.say(5_000, chunk=333)
    cut = 10_000 + TAIL
    assert talker.rig.far.turns == [samples(0, cut), samples(cut, 30_000 + TAIL)]
    assert bytes(talker.rig.far.heard) + b"".join(talker.rig.call.uplink.take()) == samples(
        30_000 + TAIL, 35_000
    )
    assert talker.rig.creates >= 1


def test_a_commit_that_the_upstream_refuses_is_told_by_the_clients_own_name_and_blocks_nothing() -> None:
    talker = Talker()
    talker.press()
    talker.say(6_000)
    far_take = talker.rig.far.take

    def refuse(event: Wire) -> list[Wire]:
        if event["type"] == "input_audio_buffer.commit":
            return talker.rig.far.error(event, "input_audio_buffer_commit_empty")
        return far_take(event)

    talker.rig.far.take = refuse  # type: ignore[method-assign]
    talker.rig.client({"type": "input_audio_buffer.commit", "event_id": "c_late"})
    talker.say(TAIL)
    assert talker.errors() == [("input_audio_buffer_commit_empty", "c_late")]
    assert talker.rig.turn() is State.LISTENING
    talker.rig.write("hello")
    assert talker.rig.creates == 1


def test_a_commit_that_the_upstream_does_not_answer_is_waited_for_five_seconds() -> None:
    talker = Talker()
    talker.press()
    talker.say(6_000)
    far_take = talker.rig.far.take
    talker.rig.far.take = lambda event: [] if "commit" in event["type"] else far_take(event)  # type: ignore[method-assign]
    talker.release()
    talker.say(TAIL)
    talker.rig.advance(4_000)
    assert talker.rig.creates == 0
    talker.rig.advance(1_200)
    assert talker.rig.creates == 1
    (erred,) = [entry for entry in talker.rig.journal if isinstance(entry, journal.UpstreamErred)]
    assert "commit" in erred.message


def test_a_commit_of_before_that_is_never_answered_takes_nothing_from_the_turn_that_goes_on() -> None:
    talker = Talker()
    talker.press()
    talker.say(6_000)
    far_take = talker.rig.far.take
    talker.rig.far.take = lambda event: [] if "commit" in event["type"] else far_take(event)  # type: ignore[method-assign]
    talker.release()
    talker.say(TAIL)
    talker.press()
    talker.rig.advance(6_000)
    assert (talker.rig.creates, talker.rig.turn()) == (0, State.CALLER_SPEAKING)


def test_a_press_on_hold_is_refused_in_words() -> None:
    talker = Talker()
    talker.rig.client({"type": "rtbridge.call.hold", "held": True})
    talker.press()
    assert talker.errors() == [("call_on_hold", "c_press")]
    assert talker.rig.call.talk.button is Button.OPEN


@pytest.mark.parametrize("chunk", [1, 7, 480, 4_800, 9_600])
def test_the_ring_holds_200_ms_whatever_the_size_of_the_chunks(chunk: int) -> None:
    talk = PushToTalk()
    talk.button = Button.UP
    for first in itertools.takewhile(lambda at: at < 14_400, itertools.count(0, chunk)):
        assert talk.hear(samples(first, first + chunk)) == b""
    end = -(-14_400 // chunk) * chunk
    assert talk.press() == samples(end - BEFORE, end)


def test_a_commit_that_waited_for_a_session_is_given_its_time_from_when_it_was_sent() -> None:
    talker = Talker(Rig(far=FarUpstream(ack_delay_ms=4_000, commit_delay_ms=3_000)), by_hand=False)
    talker.rig.advance(4_100)
    talker.rig.client(BY_HAND)
    talker.press()
    talker.say(6_000)
    talker.release()
    talker.rig.advance(6_800)
    assert talker.rig.creates == 0
    talker.rig.advance(1_000)
    assert talker.rig.creates == 1
    assert talker.rig.entries(journal.UpstreamErred) == []
