"""The call itself: its beginning and end, the held leg, the caller's audio, and time."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rig import SESSION, FarUpstream, Ignore, Rig, Say, Use
from rtbridge.core import asks, journal, pcm, uplink
from rtbridge.core.call import Plan
from rtbridge.core.turns import Cause, State

PLAN = Plan("rtc_1", "demo", "greeter", greet=False, word_times=True)


def test_a_call_opens_and_greets_once_both_legs_are_up_and_the_session_is_acknowledged() -> None:
    rig = Rig(go=False, plan=replace(PLAN, greet=True), far=FarUpstream(ack_delay_ms=100))
    rig.call.leg_up(rig.now)
    rig.act()
    assert [event["type"] for event in rig.to_caller] == ["session.created"]
    rig.ask(asks.ConfigureSession(SESSION))
    assert rig.entries(journal.CallOpened) == []
    rig.advance(120)
    assert len(rig.entries(journal.UpstreamOpened)) == len(rig.entries(journal.CallOpened)) == 1
    assert rig.causes() == ["greeting"]
    rig.advance(1000)
    assert rig.turn() is State.LISTENING
    rig.upstream({"type": "session.created"}, {"type": "session.updated"})
    assert len(rig.entries(journal.UpstreamOpened, journal.CallOpened)) == 2


def test_words_before_the_session_is_in_force_are_kept_and_sent_in_order() -> None:
    rig = Rig(go=False)
    first, second, third = (bytes([value]) * pcm.FRAME_BYTES for value in (1, 2, 3))
    assert rig.call.hear(first, rig.now) == []
    assert rig.call.hear(second, rig.now) == []
    rig.ask(asks.ConfigureSession(SESSION))
    rig.call.leg_up(rig.now)
    assert rig.call.hear(third, rig.now) == [first, second, third]
    assert rig.call.uplink.sent_samples == 3 * pcm.FRAME_SAMPLES
    assert rig.call.hear(first, rig.now) == [first]


def test_more_than_ten_seconds_before_the_session_lose_the_oldest_and_say_so() -> None:
    assert pcm.samples_of_ms(10_000) == uplink.BACKLOG_SAMPLES
    rig = Rig(go=False)
    for _ in range(502):
        rig.call.hear(pcm.SILENT_FRAME, rig.now)
    rig.act()
    assert rig.entries(journal.AudioDropped) == [journal.AudioDropped("mic", 20)] * 2
    rig.ask(asks.ConfigureSession(SESSION))
    rig.call.leg_up(rig.now)
    assert len(rig.call.hear(pcm.SILENT_FRAME, rig.now)) == 501


def test_the_engine_is_told_whose_lines_to_speak() -> None:
    rig = Rig(plan=replace(PLAN, demo=True, handoffs={"transfer_to_poet": "poet"}))
    assert rig.far.session["prompt"] == {"id": "demo/greeter"}
    rig.far.answers.append([Use("transfer_to_poet")])
    rig.speak()
    rig.advance(100)
    rig.hand_off()
    assert rig.far.session["prompt"] == {"id": "demo/poet"}


def test_a_scenario_without_turn_detection_gets_the_servers_and_a_later_agent_may_bring_its_own() -> None:
    rig = Rig(go=False)
    rig.ask(asks.ConfigureSession({"type": "realtime"}))
    assert rig.call.detection.value == {"type": "server_vad"}
    rig.ask(asks.ConfigureSession({"type": "realtime", "audio": {"input": {"turn_detection": None}}}))
    assert rig.far.session["audio"]["input"]["turn_detection"] is None
    rig.ask(asks.ConfigureSession({"type": "realtime", "instructions": "says nothing of it"}))
    assert rig.far.session["audio"]["input"]["turn_detection"] is None


def test_a_held_leg_keeps_the_agents_words_and_goes_on_at_the_sample() -> None:
    rig = Rig()
    rig.far.answers.append([Say("A sentence that is cut by a tunnel.", 1000)])
    rig.speak()
    rig.advance(300)
    before = len([tag for tag in rig.heard if tag])
    rig.call.leg_suspended("no RTP", rig.now)
    rig.advance(3000)
    assert len([tag for tag in rig.heard if tag]) == before
    assert rig.call.hear(pcm.SILENT_FRAME, rig.now) == []
    rig.call.leg_resumed(3000)
    rig.advance(1200)
    (heard,) = [entry for entry in rig.journal if isinstance(entry, journal.ItemHeard)]
    assert heard.heard_ms == 1000
    assert rig.entries(journal.MediaSuspended, journal.MediaResumed) == [
        journal.MediaSuspended("no RTP"),
        journal.MediaResumed(3000),
    ]


def test_a_caller_who_does_not_come_back_is_hung_up_after_the_hold_and_only_once() -> None:
    rig = Rig(plan=replace(PLAN, hold_s=2))
    rig.call.leg_suspended("consent lost", rig.now)
    rig.advance(1980)
    assert rig.hangups == []
    rig.advance(60)
    rig.call.handle_timer(rig.now)
    rig.act()
    assert rig.hangups == ["the caller did not come back"]


def test_a_call_has_a_longest_time() -> None:
    rig = Rig(plan=replace(PLAN, max_call_s=3))
    assert rig.call.deadline() == rig.now + 3
    rig.advance(3100)
    assert rig.hangups == ["the call reached its longest allowed time"]
    assert rig.call.deadline() is None


def test_agents_can_say_something_for_the_caller_and_stop_the_agent() -> None:
    rig = Rig()
    rig.far.answers.append([Say("A long story about ships and the sea.", 3000)])
    rig.ask(asks.UserText("tell me a story"))
    rig.advance(500)
    assert rig.turn() is State.AGENT_SPEAKING
    rig.ask(asks.StopSpeaking())
    assert rig.turn() is State.LISTENING
    at = len(rig.heard)
    rig.advance(500)
    assert set(rig.heard[at:]) == {None}
    assert len(rig.sent("response.cancel")) == 1


def test_a_stop_forgets_what_was_wanted_and_not_asked_for_yet() -> None:
    rig = Rig(far=FarUpstream(speedup=1))
    rig.speak()
    rig.advance(100)
    rig.write("and this")
    rig.ask(asks.StopSpeaking())
    rig.advance(2000)
    assert rig.creates == 1
    assert rig.turn() is State.LISTENING


def test_an_event_without_a_row_is_journaled_and_ignored() -> None:
    rig = Rig()
    rig.start_speaking()
    rig.call.arbiter.caller_speaking = False  # an upstream that breaks its word
    rig.upstream({"type": "response.created", "response": {"id": "r"}})
    rig.call.follow_playout(rig.now)
    rig.call.move(Cause.FIRST_AUDIO, rig.now)
    rig.act()
    assert rig.entries(journal.TurnIgnored) == [journal.TurnIgnored("caller_speaking", "first_audio")]


def test_the_second_answer_is_timed_by_its_own_first_sample_and_not_by_the_rest_of_the_first() -> None:
    rig = Rig(far=FarUpstream(speedup=8))
    rig.far.answers.extend([[Say("First.", 1000), Say("And more.", 1000)], [Say("Second.", 300)]])
    rig.speak()
    rig.advance(400)
    rig.write("and this")
    rig.advance(3000)
    turns = [entry for entry in rig.journal if isinstance(entry, journal.TurnEnded)]
    agent_items = [item_id for item_id, item in rig.far.items.items() if item.role == "assistant"]
    assert [turn.item_id for turn in turns] == [agent_items[0], agent_items[2]]
    assert turns[1].respond_ms is None
    started = rig.told("output_audio_buffer.started")
    stopped = rig.told("output_audio_buffer.stopped")
    assert [event["response_id"] for event in started] == [event["response_id"] for event in stopped]
    assert len(started) == 2


def test_an_upstream_that_loses_a_create_is_asked_again_and_then_it_is_the_callers_turn() -> None:
    rig = Rig()
    rig.far.answers.extend([[Ignore()], [Ignore()]])
    rig.speak()
    rig.advance(8_200)
    assert (rig.creates, rig.turn()) == (2, State.THINKING)
    rig.advance(8_200)
    assert (rig.creates, rig.turn()) == (2, State.LISTENING)


@pytest.mark.parametrize("pulled_ms", [0, 20])
def test_a_barge_in_between_two_items_names_no_item(pulled_ms: int) -> None:
    rig = Rig(far=FarUpstream(speedup=8))
    rig.far.answers.append([Say("First.", 400), Say("Second.", 400)])
    rig.speak()
    while len([tag for tag in rig.heard if tag]) * 20 < 400 + pulled_ms:
        rig.advance(20)
    rig.start_speaking("u2")
    (barge_in,) = [entry for entry in rig.journal if isinstance(entry, journal.BargeInConfirmed)]
    assert (barge_in.item_id is None) == (pulled_ms == 0)
    assert barge_in.heard_ms == pulled_ms
